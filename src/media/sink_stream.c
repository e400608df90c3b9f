/* MP4 and WebM: YUV 4:2:0 with BT.709 colours, encoded as the frames come. */
#include <stdlib.h>
#include "media/ffmpeg.h"
#include "media/sink.h"

typedef struct StreamSink {
    Muxer muxer;
    struct SwsContext *sws;
    AVFrame *rgb, *frame;
    int64_t frames;
} StreamSink;

static void close_sink(void *sink)
{
    StreamSink *s = sink;
    muxer_close(&s->muxer);
    sws_freeContext(s->sws);
    av_frame_free(&s->rgb);
    av_frame_free(&s->frame);
    free(s);
}

/* RGB of sRGB to limited-range BT.709; swscale would take BT.601 by default. */
static bool open_converter(StreamSink *s, const char *path, const VideoFormat *f, SoraError *err)
{
    s->sws =
        sws_getContext(f->width, f->height, AV_PIX_FMT_RGB24, f->width, f->height, AV_PIX_FMT_YUV420P,
                       SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_BITEXACT, NULL, NULL, NULL);
    if (s->sws == NULL)
        return ffmpeg_out_of_memory(err, path);
    const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(s->sws, bt709, 1, bt709, 0, 0, 1 << 16, 1 << 16);
    s->rgb = ffmpeg_rgb_frame(f->width, f->height);
    s->frame = av_frame_alloc();
    if (s->rgb == NULL || s->frame == NULL)
        return ffmpeg_out_of_memory(err, path);
    s->frame->format = AV_PIX_FMT_YUV420P;
    s->frame->width = f->width;
    s->frame->height = f->height;
    s->frame->color_primaries = AVCOL_PRI_BT709;
    s->frame->color_trc = AVCOL_TRC_BT709;
    s->frame->colorspace = AVCOL_SPC_BT709;
    s->frame->color_range = AVCOL_RANGE_MPEG;
    return av_frame_get_buffer(s->frame, 0) >= 0 || ffmpeg_out_of_memory(err, path);
}

static void *open_sink(const SinkKind *kind, const char *path, const VideoFormat *format, SoraError *err)
{
    StreamSink *s = calloc(1, sizeof *s);
    if (s == NULL) {
        ffmpeg_out_of_memory(err, path);
        return NULL;
    }
    /* Near-transparent quality: crf 18 of libx264; about the same of VP9. */
    const char *options = kind == &SINK_MP4 ? "crf=18:preset=medium:profile=high"
                                            : "crf=20:b=0:deadline=good:cpu-used=3:row-mt=1";
    if (!muxer_open(&s->muxer, kind, path, format, AV_PIX_FMT_YUV420P, options, err) ||
        !open_converter(s, path, format, err)) {
        close_sink(s);
        return NULL;
    }
    return s;
}

static bool write_frame(void *sink, const uint8_t *rgb, SoraError *err)
{
    StreamSink *s = sink;
    int code = ffmpeg_rgb_fill(s->rgb, rgb);
    if (code >= 0)
        code = av_frame_make_writable(s->frame);
    if (code < 0)
        return ffmpeg_error(err, s->muxer.path, "cannot encode", code);
    sws_scale(s->sws, (const uint8_t *const *)s->rgb->data, s->rgb->linesize, 0, s->frame->height, s->frame->data,
              s->frame->linesize);
    s->frame->pts = s->frames++;
    return muxer_encode(&s->muxer, s->frame, err);
}

static bool commit(void *sink, const FileFinish *finish, char **new_name, SoraError *err)
{
    StreamSink *s = sink;
    return muxer_finish(&s->muxer, err) && muxer_commit(&s->muxer, finish, new_name, err);
}

static bool add_sound(void *sink, Sound *sound, SoraError *why)
{
    StreamSink *s = sink;
    return muxer_add_sound(&s->muxer, sound, why);
}

const SinkKind SINK_MP4 = {".mp4",      "mp4",  "libx264",  true, 240, open_sink,
                           write_frame, commit, close_sink, 0,    NULL, add_sound};
const SinkKind SINK_WEBM = {".webm",     "webm", "libvpx-vp9", false, 240, open_sink,
                            write_frame, commit, close_sink,   0,     NULL, add_sound};
