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

static bool open_stream(Muxer *m, const VideoFormat *format, SoraError *err)
{
    m->stream = avformat_new_stream(m->format, NULL);
    m->packet = av_packet_alloc();
    m->apart = av_packet_alloc();
    if (m->stream == NULL || m->packet == NULL || m->apart == NULL)
        return ffmpeg_out_of_memory(err, m->path);
    m->stream->time_base = m->codec->time_base;
    m->stream->avg_frame_rate = m->codec->framerate;
    int code = avcodec_parameters_from_context(m->stream->codecpar, m->codec);
    if (code >= 0 && format->title != NULL)
        code = av_dict_set(&m->format->metadata, "title", format->title, 0);
    if (code >= 0 && format->comment != NULL)
        code = av_dict_set(&m->format->metadata, "comment", format->comment, 0);
    return code >= 0 || muxer_error(m, "cannot begin the file", code, err);
}

/* With the first frame: a sound may have come until then. */
static bool begin(Muxer *m, SoraError *err)
{
    AVDictionary *dict = NULL;
    if (m->begun)
        return true;
    m->begun = true;
    int code = av_dict_set(&dict, "movflags", "+faststart", 0); /* of MP4; the others leave it alone */
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
           open_stream(m, format, err);
}

/* --- sound --- */

bool muxer_add_sound(Muxer *m, Sound *sound, SoraError *why)
{
    const SoundFormat *f = sound_format(sound);
    enum AVCodecID codec = (enum AVCodecID)f->codec;
    if (avformat_query_codec(m->format->oformat, codec, FF_COMPLIANCE_NORMAL) != 1)
        return error_set(why, SORA_ERROR_UNSUPPORTED, "%s: %s takes no sound of %s", m->path, m->format->oformat->name,
                         avcodec_get_name(codec));
    AVStream *s = avformat_new_stream(m->format, NULL);
    AVCodecParameters *p = s != NULL ? s->codecpar : NULL;
    if (p == NULL || (f->extra_size > 0 && (p->extradata = av_mallocz((size_t)f->extra_size + AV_INPUT_BUFFER_PADDING_SIZE)) == NULL))
        return ffmpeg_out_of_memory(why, m->path);
    memcpy(p->extradata != NULL ? p->extradata : (uint8_t[1]){0}, f->extra, (size_t)f->extra_size);
    p->extradata_size = f->extra_size;
    p->codec_type = AVMEDIA_TYPE_AUDIO;
    p->codec_id = codec;
    p->sample_rate = f->rate;
    p->frame_size = f->frame_size;
    p->initial_padding = f->initial_padding;
    p->block_align = f->block_align;
    p->profile = f->profile;
    p->bits_per_coded_sample = f->bits;
    p->bit_rate = f->bit_rate;
    if (f->layout == 0 || av_channel_layout_from_mask(&p->ch_layout, f->layout) < 0)
        av_channel_layout_default(&p->ch_layout, f->channels);
    s->time_base = (AVRational){f->time_base[0], f->time_base[1]};
    m->sound = sound;
    m->sound_stream = s;
    return true;
}

static void end_sound(Muxer *m)
{
    sound_close(m->sound);
    m->sound = NULL;
}

/* What of the sound begins before that many frames are over. A sound that is damaged ends where it is; the video goes on. */
static int write_sound(Muxer *m, int64_t frames)
{
    int code = 0;
    while (m->sound != NULL && code >= 0) {
        AVRational base = {sound_format(m->sound)->time_base[0], sound_format(m->sound)->time_base[1]};
        if (m->next.data == NULL && (!sound_read(m->sound, &m->next, NULL) || m->next.data == NULL)) {
            end_sound(m);
            break;
        }
        if (av_compare_ts(m->next.dts, base, frames, m->codec->time_base) >= 0)
            break;
        code = av_new_packet(m->apart, m->next.size);
        if (code < 0)
            break;
        memcpy(m->apart->data, m->next.data, (size_t)m->next.size);
        m->apart->pts = m->next.pts;
        m->apart->dts = m->next.dts;
        m->apart->duration = m->next.duration;
        m->apart->flags = AV_PKT_FLAG_KEY;
        m->apart->stream_index = m->sound_stream->index;
        m->next.data = NULL;
        av_packet_rescale_ts(m->apart, base, m->sound_stream->time_base);
        code = av_interleaved_write_frame(m->format, m->apart);
        if (code == AVERROR(EINVAL)) { /* times that do not rise */
            end_sound(m);
            code = 0;
        }
    }
    return code;
}

bool muxer_encode(Muxer *m, AVFrame *frame, SoraError *err)
{
    if (!begin(m, err))
        return false;
    int code = avcodec_send_frame(m->codec, frame);
    m->frames += frame != NULL;
    while (code >= 0) {
        code = avcodec_receive_packet(m->codec, m->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return true;
        if (code < 0)
            break;
        m->packet->stream_index = m->stream->index;
        if (m->packet->duration == 0)
            m->packet->duration = 1; /* or the last frame would last no time */
        int64_t due = m->packet->dts;
        if ((code = write_sound(m, due)) < 0)
            break;
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
    int code = write_sound(m, m->frames);
    if (code >= 0)
        code = av_write_trailer(m->format);
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
    end_sound(m);
    avcodec_free_context(&m->codec);
    av_packet_free(&m->packet);
    av_packet_free(&m->apart);
    if (m->io != NULL)
        av_freep(&m->io->buffer);
    avio_context_free(&m->io);
    file_writer_abort(&m->file);
}
