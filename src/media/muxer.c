#include <errno.h>
#include <libavutil/avstring.h>
#include <string.h>
#include "media/ffmpeg.h"
#include "media/sink.h"

enum { IO_BUFFER = 32 << 10 };

bool muxer_error(Muxer *m, const char *what, int code, SoraError *err)
{
    if (m->io_error != 0)
        return error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", m->path, strerror(m->io_error));
    return ffmpeg_error(err, m->path, what, code);
}

static int write_bytes(void *opaque, uint8_t *data, int size)
{
    Muxer *m = opaque;
    errno = 0;
    if (fwrite(data, 1, (size_t)size, m->file.stream) == (size_t)size)
        return size;
    if (m->io_error == 0)
        m->io_error = errno ? errno : EIO;
    return AVERROR(m->io_error);
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    Muxer *m = opaque;
    if (whence & AVSEEK_SIZE)
        return AVERROR(ENOSYS);
    if (fseeko(m->file.stream, offset, whence & ~AVSEEK_FORCE) != 0)
        return AVERROR(errno);
    return ftello(m->file.stream);
}

static bool open_file(Muxer *m, const SinkKind *kind, const char *path, SoraError *err)
{
    if (!file_writer_open(&m->file, path, err))
        return false;
    m->path = m->file.path;
    /* FFmpeg buffers; and "faststart" reads the part file again while it is being written. */
    setvbuf(m->file.stream, NULL, _IONBF, 0);
    uint8_t *buffer = av_malloc(IO_BUFFER);
    if (buffer == NULL)
        return ffmpeg_out_of_memory(err, path);
    m->io = avio_alloc_context(buffer, IO_BUFFER, 1, m, NULL, write_bytes, seek_bytes);
    if (m->io == NULL) {
        av_free(buffer);
        return ffmpeg_out_of_memory(err, path);
    }
    int code = avformat_alloc_output_context2(&m->format, NULL, kind->muxer, NULL);
    if (code < 0)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg cannot write %s", path, kind->muxer);
    m->format->url = av_asprintf("file:%s", m->file.part_path);
    if (m->format->url == NULL)
        return ffmpeg_out_of_memory(err, path);
    m->format->pb = m->io;
    m->format->flags |= AVFMT_FLAG_BITEXACT; /* the same frames give the same file */
    return true;
}

static bool open_codec(Muxer *m, const SinkKind *kind, const VideoFormat *format, enum AVPixelFormat pixels,
                       const char *options, SoraError *err)
{
    const AVCodec *encoder = avcodec_find_encoder_by_name(kind->encoder);
    if (encoder == NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg has no %s encoder", m->path,
                         kind->encoder);
    AVCodecContext *c = m->codec = avcodec_alloc_context3(encoder);
    if (c == NULL)
        return ffmpeg_out_of_memory(err, m->path);
    c->width = format->width;
    c->height = format->height;
    c->pix_fmt = pixels;
    c->framerate = av_d2q(format->fps, 100100);
    c->time_base = av_inv_q(c->framerate);
    c->sample_aspect_ratio = (AVRational){1, 1};
    c->thread_count = 4; /* fixed: libx264's result depends on it */
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    if (pixels == AV_PIX_FMT_YUV420P) {
        c->color_primaries = AVCOL_PRI_BT709;
        c->color_trc = AVCOL_TRC_BT709;
        c->colorspace = AVCOL_SPC_BT709;
        c->color_range = AVCOL_RANGE_MPEG;
        c->chroma_sample_location = AVCHROMA_LOC_LEFT;
    }
    if (m->format->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary *dict = NULL;
    int code = options ? av_dict_parse_string(&dict, options, "=", ":", 0) : 0;
    if (code >= 0)
        code = avcodec_open2(c, encoder, &dict);
    av_dict_free(&dict);
    return code >= 0 || ffmpeg_error(err, m->path, "cannot start the encoder", code);
}

static bool write_header(Muxer *m, const VideoFormat *format, SoraError *err)
{
    m->stream = avformat_new_stream(m->format, NULL);
    m->packet = av_packet_alloc();
    if (m->stream == NULL || m->packet == NULL)
        return ffmpeg_out_of_memory(err, m->path);
    m->stream->time_base = m->codec->time_base;
    m->stream->avg_frame_rate = m->codec->framerate;
    int code = avcodec_parameters_from_context(m->stream->codecpar, m->codec);
    if (code >= 0 && format->title != NULL)
        code = av_dict_set(&m->format->metadata, "title", format->title, 0);
    if (code >= 0 && format->comment != NULL)
        code = av_dict_set(&m->format->metadata, "comment", format->comment, 0);
    AVDictionary *dict = NULL;
    if (code >= 0)
        code = av_dict_set(&dict, "movflags", "+faststart", 0); /* of MP4; the others leave it alone */
    if (code >= 0)
        code = avformat_write_header(m->format, &dict);
    av_dict_free(&dict);
    if (code < 0)
        return muxer_error(m, "cannot begin the file", code, err);
    return true;
}

bool muxer_open(Muxer *m, const SinkKind *kind, const char *path, const VideoFormat *format,
                enum AVPixelFormat pixels, const char *options, SoraError *err)
{
    *m = (Muxer){0};
    return open_file(m, kind, path, err) && open_codec(m, kind, format, pixels, options, err) &&
           write_header(m, format, err);
}

bool muxer_encode(Muxer *m, AVFrame *frame, SoraError *err)
{
    int code = avcodec_send_frame(m->codec, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(m->codec, m->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return true;
        if (code < 0)
            break;
        m->packet->stream_index = m->stream->index;
        if (m->packet->duration == 0)
            m->packet->duration = 1; /* or the last frame would last no time */
        av_packet_rescale_ts(m->packet, m->codec->time_base, m->stream->time_base);
        code = av_interleaved_write_frame(m->format, m->packet);
        if (code >= 0 && m->io_error != 0)
            code = AVERROR(m->io_error);
    }
    return muxer_error(m, "cannot encode", code, err);
}

bool muxer_finish(Muxer *m, SoraError *err)
{
    if (!muxer_encode(m, NULL, err))
        return false;
    int code = av_write_trailer(m->format);
    avio_flush(m->io);
    if (code >= 0)
        code = m->io->error;
    return (code >= 0 && m->io_error == 0) || muxer_error(m, "cannot finish the file", code, err);
}

bool muxer_commit(Muxer *m, const FileFinish *finish, char **new_name, SoraError *err)
{
    return file_writer_finish(&m->file, finish, new_name, err);
}

void muxer_close(Muxer *m)
{
    if (m->format != NULL) {
        m->format->pb = NULL;
        avformat_free_context(m->format);
    }
    avcodec_free_context(&m->codec);
    av_packet_free(&m->packet);
    if (m->io != NULL)
        av_freep(&m->io->buffer);
    avio_context_free(&m->io);
    file_writer_abort(&m->file);
}
