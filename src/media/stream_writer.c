#include "media/stream_writer.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "media/ffmpeg.h"

enum { IO_BUFFER = 64 << 10 };

struct StreamWriter {
    int descriptor;
    char *name;
    AVIOContext *io;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    struct SwsContext *sws; /* NULL: frames go as RGB */
    AVFrame *rgb, *frame;
    int64_t frames;
    bool begun;
    int io_error; /* errno of the first failed write; 0: none */
};

static const struct {
    const char *muxer, *encoder, *options;
    enum AVPixelFormat pixels;
} KINDS[] = {
    [STREAM_MP4] = {"mp4", "libx264", "crf=20:preset=veryfast:tune=zerolatency", AV_PIX_FMT_YUV420P},
    [STREAM_Y4M] = {"yuv4mpegpipe", "wrapped_avframe", NULL, AV_PIX_FMT_YUV420P},
    [STREAM_RGB] = {"rawvideo", "rawvideo", NULL, AV_PIX_FMT_RGB24},
};

static int write_bytes(void *opaque, uint8_t *data, int size)
{
    StreamWriter *w = opaque;
    for (int done = 0; done < size && w->io_error == 0;) {
        ssize_t n = write(w->descriptor, data + done, (size_t)(size - done));
        if (n >= 0)
            done += (int)n;
        else if (errno != EINTR)
            w->io_error = errno;
    }
    return w->io_error == 0 ? size : AVERROR(w->io_error);
}

static bool failed(const StreamWriter *w, const char *what, int code, SoraError *err)
{
    if (w->io_error == EPIPE)
        return error_set(err, SORA_ERROR_CANCELLED, "%s: nobody reads any more", w->name);
    if (w->io_error != 0)
        return error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", w->name, strerror(w->io_error));
    return ffmpeg_error(err, w->name, what, code);
}

static bool open_format(StreamWriter *w, StreamKind kind, SoraError *err)
{
    uint8_t *buffer = av_malloc(IO_BUFFER);
    w->io = buffer != NULL ? avio_alloc_context(buffer, IO_BUFFER, 1, w, NULL, write_bytes, NULL) : NULL;
    if (w->io == NULL) {
        av_free(buffer);
        return ffmpeg_out_of_memory(err, w->name);
    }
    int code = avformat_alloc_output_context2(&w->format, NULL, KINDS[kind].muxer, NULL);
    if (code < 0)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg cannot write %s", w->name, KINDS[kind].muxer);
    w->format->pb = w->io;
    w->format->flags |= AVFMT_FLAG_FLUSH_PACKETS;
    return true;
}

static bool open_codec(StreamWriter *w, StreamKind kind, const VideoFormat *f, SoraError *err)
{
    const AVCodec *encoder = avcodec_find_encoder_by_name(KINDS[kind].encoder);
    if (encoder == NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg has no %s encoder", w->name, KINDS[kind].encoder);
    AVCodecContext *c = w->codec = avcodec_alloc_context3(encoder);
    if (c == NULL)
        return ffmpeg_out_of_memory(err, w->name);
    c->width = f->width;
    c->height = f->height;
    c->pix_fmt = KINDS[kind].pixels;
    c->framerate = av_d2q(f->fps, 100100);
    c->time_base = av_inv_q(c->framerate);
    c->sample_aspect_ratio = (AVRational){1, 1};
    c->gop_size = 1 + (int)f->fps;
    c->thread_count = 1;
    if (c->pix_fmt == AV_PIX_FMT_YUV420P) {
        c->color_primaries = AVCOL_PRI_BT709;
        c->color_trc = AVCOL_TRC_BT709;
        c->colorspace = AVCOL_SPC_BT709;
        c->color_range = AVCOL_RANGE_MPEG;
    }
    if (w->format->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary *dict = NULL;
    int code = KINDS[kind].options != NULL ? av_dict_parse_string(&dict, KINDS[kind].options, "=", ":", 0) : 0;
    if (code >= 0)
        code = avcodec_open2(c, encoder, &dict);
    av_dict_free(&dict);
    return code >= 0 || ffmpeg_error(err, w->name, "cannot start the encoder", code);
}

static bool open_frames(StreamWriter *w, StreamKind kind, const VideoFormat *f, SoraError *err)
{
    w->rgb = ffmpeg_rgb_frame(f->width, f->height);
    w->packet = av_packet_alloc();
    w->frame = av_frame_alloc();
    if (w->rgb == NULL || w->packet == NULL || w->frame == NULL)
        return ffmpeg_out_of_memory(err, w->name);
    if (KINDS[kind].pixels == AV_PIX_FMT_RGB24)
        return true;
    w->sws = sws_getContext(f->width, f->height, AV_PIX_FMT_RGB24, f->width, f->height, AV_PIX_FMT_YUV420P,
                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (w->sws == NULL)
        return ffmpeg_out_of_memory(err, w->name);
    const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(w->sws, bt709, 1, bt709, 0, 0, 1 << 16, 1 << 16);
    w->frame->format = AV_PIX_FMT_YUV420P;
    w->frame->width = f->width;
    w->frame->height = f->height;
    w->frame->color_range = AVCOL_RANGE_MPEG;
    return av_frame_get_buffer(w->frame, 0) >= 0 || ffmpeg_out_of_memory(err, w->name);
}

static bool begin(StreamWriter *w, SoraError *err)
{
    w->stream = avformat_new_stream(w->format, NULL);
    if (w->stream == NULL)
        return ffmpeg_out_of_memory(err, w->name);
    w->stream->time_base = w->codec->time_base;
    w->stream->avg_frame_rate = w->codec->framerate;
    AVDictionary *dict = NULL;
    int code = avcodec_parameters_from_context(w->stream->codecpar, w->codec);
    if (code >= 0) /* of MP4: each frame can be read when it is there, and nothing is gone back to */
        code = av_dict_set(&dict, "movflags", "frag_every_frame+empty_moov+default_base_moof", 0);
    if (code >= 0)
        code = avformat_write_header(w->format, &dict);
    av_dict_free(&dict);
    w->begun = code >= 0;
    return (code >= 0 && w->io_error == 0) || failed(w, "cannot begin", code, err);
}

StreamWriter *stream_writer_open(int descriptor, const char *name, StreamKind kind, const VideoFormat *format, SoraError *err)
{
    ffmpeg_quiet();
    StreamWriter *w = calloc(1, sizeof *w);
    if (w == NULL || (w->name = strdup(name)) == NULL) {
        free(w);
        ffmpeg_out_of_memory(err, name);
        return NULL;
    }
    w->descriptor = descriptor;
    if (KINDS[kind].pixels == AV_PIX_FMT_YUV420P && (format->width % 2 != 0 || format->height % 2 != 0))
        error_set(err, SORA_ERROR_INPUT, "%s: %dx%d pixels; this kind needs even numbers", name, format->width, format->height);
    else if (open_format(w, kind, err) && open_codec(w, kind, format, err) && open_frames(w, kind, format, err) && begin(w, err))
        return w;
    stream_writer_close(w);
    return NULL;
}

static bool encode(StreamWriter *w, AVFrame *frame, SoraError *err)
{
    int code = avcodec_send_frame(w->codec, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(w->codec, w->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) {
            avio_flush(w->io);
            return w->io_error == 0 || failed(w, "cannot write", 0, err);
        }
        if (code < 0)
            break;
        w->packet->stream_index = w->stream->index;
        w->packet->duration = 1;
        av_packet_rescale_ts(w->packet, w->codec->time_base, w->stream->time_base);
        code = av_write_frame(w->format, w->packet);
        av_packet_unref(w->packet);
        if (code >= 0) /* what is in a fragment goes out */
            code = av_write_frame(w->format, NULL);
    }
    return failed(w, "cannot encode", code, err);
}

bool stream_writer_write(StreamWriter *w, const uint8_t *rgb, SoraError *err)
{
    int code = ffmpeg_rgb_fill(w->rgb, rgb);
    AVFrame *frame = w->rgb;
    if (code >= 0 && w->sws != NULL) {
        frame = w->frame;
        code = av_frame_make_writable(frame);
        if (code >= 0)
            sws_scale(w->sws, (const uint8_t *const *)w->rgb->data, w->rgb->linesize, 0, frame->height, frame->data, frame->linesize);
    }
    if (code < 0)
        return ffmpeg_error(err, w->name, "cannot encode", code);
    frame->pts = w->frames++;
    return encode(w, frame, err);
}

void stream_writer_close(StreamWriter *w)
{
    if (w == NULL)
        return;
    if (w->begun && w->io_error == 0 && encode(w, NULL, NULL))
        av_write_trailer(w->format);
    if (w->io != NULL)
        avio_flush(w->io);
    if (w->format != NULL) {
        w->format->pb = NULL;
        avformat_free_context(w->format);
    }
    avcodec_free_context(&w->codec);
    av_packet_free(&w->packet);
    av_frame_free(&w->rgb);
    av_frame_free(&w->frame);
    sws_freeContext(w->sws);
    if (w->io != NULL)
        av_freep(&w->io->buffer);
    avio_context_free(&w->io);
    free(w->name);
    free(w);
}
