#include "media/video_reader.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "media/container.h"
#include "media/ffmpeg.h"
#include "media/filter.h"

struct VideoReader {
    char *path;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *decoded, *shown;
    Filter filter;
    uint8_t *rgb; /* packed; NULL when the filter's rows already are */
    int width, height, source_width, source_height, source_format;
    int64_t next_pts; /* for frames without a time */
    double fps;
    bool ended; /* the filter has been told that no more frames come */
};

static bool open_decoder(VideoReader *r, const VideoReaderOptions *o, SoraError *err)
{
    int best = av_find_best_stream(r->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (best < 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: no video in this file", r->path);
    r->stream = r->format->streams[best];
    for (unsigned i = 0; i < r->format->nb_streams; i++) {
        if ((int)i != best)
            r->format->streams[i]->discard = AVDISCARD_ALL;
    }
    const AVCodec *decoder = avcodec_find_decoder(r->stream->codecpar->codec_id);
    if (decoder == NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg does not decode %s", r->path,
                         avcodec_get_name(r->stream->codecpar->codec_id));
    r->codec = avcodec_alloc_context3(decoder);
    r->packet = av_packet_alloc();
    r->decoded = av_frame_alloc();
    r->shown = av_frame_alloc();
    if (r->codec == NULL || r->packet == NULL || r->decoded == NULL || r->shown == NULL)
        return ffmpeg_out_of_memory(err, r->path);
    int code = avcodec_parameters_to_context(r->codec, r->stream->codecpar);
    r->codec->pkt_timebase = r->stream->time_base;
    r->codec->max_pixels = MEDIA_MAX_PIXELS;
    r->codec->thread_count = o->one_thread ? 1 : 2;
    if (code >= 0)
        code = avcodec_open2(r->codec, decoder, NULL);
    return code >= 0 || ffmpeg_error(err, r->path, "cannot start the decoder", code);
}

/* The next decoded frame into r->decoded; *end when there is none. */
static bool decode(VideoReader *r, bool *end, SoraError *err)
{
    *end = false;
    for (;;) {
        int code = avcodec_receive_frame(r->codec, r->decoded);
        if (code >= 0)
            return true;
        if (code == AVERROR_EOF) {
            *end = true;
            return true;
        }
        if (code == AVERROR(EAGAIN)) {
            code = av_read_frame(r->format, r->packet);
            if (code == AVERROR_EOF) {
                code = avcodec_send_packet(r->codec, NULL);
            } else if (code >= 0) {
                if (r->packet->stream_index == r->stream->index)
                    code = avcodec_send_packet(r->codec, r->packet);
                av_packet_unref(r->packet);
            }
        }
        if (code < 0)
            return ffmpeg_error(err, r->path, "damaged video", code);
    }
}

static const char *upright(const VideoReader *r)
{
    const uint8_t *matrix = av_stream_get_side_data(r->stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    if (matrix == NULL)
        return "null";
    int turns = (int)lround(-av_display_rotation_get((const int32_t *)matrix) / 90) & 3;
    static const char *const filters[4] = {"null", "transpose=clock", "hflip,vflip", "transpose=cclock"};
    return filters[turns];
}

static bool open_scaler(VideoReader *r, const VideoReaderOptions *o, SoraError *err)
{
    char description[512], rate[64] = "null", size[192] = "null";
    if (o->fps > 0) {
        AVRational fps = av_d2q(o->fps, 100100);
        snprintf(rate, sizeof rate, "fps=fps=%d/%d", fps.num, fps.den);
    }
    if (o->width > 0)
        snprintf(
            size, sizeof size,
            "scale=w=%d:h=%d:force_original_aspect_ratio=increase:flags=lanczos+accurate_rnd+full_chroma_int,"
            "crop=w=%d:h=%d:exact=1",
            o->width, o->height, o->width, o->height);
    /* To RGB before the crop, which else would round to whole chroma samples. */
    snprintf(description, sizeof description, "[in0]%s,%s,format=rgb24,%s,format=rgb24[out]", rate,
             upright(r), size);
    int code = filter_open(&r->filter, description, r->stream->time_base, r->decoded, NULL);
    if (code < 0)
        return ffmpeg_error(err, r->path, "cannot scale", code);
    r->width = av_buffersink_get_w(r->filter.output);
    r->height = av_buffersink_get_h(r->filter.output);
    r->source_width = r->decoded->width;
    r->source_height = r->decoded->height;
    r->source_format = r->decoded->format;
    AVRational own = av_guess_frame_rate(r->format, r->stream, NULL);
    r->fps = o->fps > 0 ? o->fps : own.num > 0 && own.den > 0 ? av_q2d(own) : 0;
    r->rgb = malloc(3 * (size_t)r->width * (size_t)r->height);
    return r->rgb != NULL || ffmpeg_out_of_memory(err, r->path);
}

static bool push(VideoReader *r, SoraError *err)
{
    AVFrame *f = r->decoded;
    if (f->width != r->source_width || f->height != r->source_height || f->format != r->source_format)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: its frames change size or format, %dx%d to %dx%d",
                         r->path, r->source_width, r->source_height, f->width, f->height);
    f->pts = f->best_effort_timestamp != AV_NOPTS_VALUE ? f->best_effort_timestamp : r->next_pts;
    AVRational rate = av_guess_frame_rate(r->format, r->stream, f);
    if (f->pts < INT64_MAX / 2)
        r->next_pts = f->pts + (rate.num > 0 ? av_rescale_q(1, av_inv_q(rate), r->stream->time_base) : 1);
    if (f->colorspace == AVCOL_SPC_UNSPECIFIED && f->height > 576)
        f->colorspace = AVCOL_SPC_BT709; /* as players assume */
    int code = av_buffersrc_add_frame(r->filter.inputs[0], f);
    return code >= 0 || ffmpeg_error(err, r->path, "cannot scale", code);
}

static bool check_options(const char *path, const VideoReaderOptions *o, SoraError *err)
{
    bool own = o->width == 0 && o->height == 0;
    if (!own && (o->width < 1 || o->height < 1 || o->width > MEDIA_MAX_SIDE || o->height > MEDIA_MAX_SIDE ||
                 (int64_t)o->width * o->height > MEDIA_MAX_PIXELS))
        return error_set(err, SORA_ERROR_INPUT, "%s: cannot be read at %dx%d", path, o->width, o->height);
    if (!isfinite(o->fps) || o->fps < 0 || o->fps > 1000)
        return error_set(err, SORA_ERROR_INPUT, "%s: cannot be read at %g frames a second", path, o->fps);
    return true;
}

VideoReader *video_reader_open(const char *path, const VideoReaderOptions *options, SoraError *err)
{
    ffmpeg_quiet();
    if (!check_options(path, options, err))
        return NULL;
    VideoReader *r = calloc(1, sizeof *r);
    if (r == NULL || (r->path = strdup(path)) == NULL) {
        free(r);
        ffmpeg_out_of_memory(err, path);
        return NULL;
    }
    bool end = false, ok = (r->format = container_open(path, err)) != NULL && open_decoder(r, options, err) && decode(r, &end, err);
    if (ok && end)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no frames in this video", path);
    if (!ok || !open_scaler(r, options, err) || !push(r, err)) {
        video_reader_close(r);
        return NULL;
    }
    return r;
}

bool video_reader_read(VideoReader *r, const uint8_t **rgb, SoraError *err)
{
    *rgb = NULL;
    for (;;) {
        av_frame_unref(r->shown);
        int code = av_buffersink_get_frame(r->filter.output, r->shown);
        if (code >= 0)
            break;
        if (code == AVERROR_EOF)
            return true;
        if (code != AVERROR(EAGAIN) || r->ended)
            return ffmpeg_error(err, r->path, "cannot scale", code);
        if (!decode(r, &r->ended, err))
            return false;
        if (!r->ended) {
            if (!push(r, err))
                return false;
        } else if ((code = av_buffersrc_close(r->filter.inputs[0], r->next_pts, 0)) < 0) {
            return ffmpeg_error(err, r->path, "cannot scale", code);
        }
    }
    if (r->shown->width != r->width || r->shown->height != r->height)
        return error_set(err, SORA_ERROR_INTERNAL, "%s: a frame of another size", r->path);
    ffmpeg_rgb_take(r->shown, r->rgb);
    *rgb = r->rgb;
    return true;
}

int video_reader_width(const VideoReader *r)
{
    return r->width;
}

int video_reader_height(const VideoReader *r)
{
    return r->height;
}

double video_reader_fps(const VideoReader *r)
{
    return r->fps;
}

/* Rates of the whole and between frames that differ by more than a fiftieth. */
static bool is_variable(const AVStream *s)
{
    double mean = av_q2d(s->avg_frame_rate), base = av_q2d(s->r_frame_rate);
    return s->avg_frame_rate.den > 0 && s->r_frame_rate.den > 0 && mean > 0 && fabs(base / mean - 1) > 0.02;
}

unsigned video_reader_traits(const VideoReader *r)
{
    const AVCodecParameters *p = r->stream->codecpar;
    const AVPixFmtDescriptor *pixels = av_pix_fmt_desc_get((enum AVPixelFormat)r->source_format);
    unsigned traits = is_variable(r->stream) ? VIDEO_VARIABLE : 0;
    for (unsigned i = 0; i < r->format->nb_streams; i++)
        if (r->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
            traits |= VIDEO_SOUND;
    /* VP8 and VP9 keep transparency beside the picture, where this decoder does not look. */
    const AVDictionaryEntry *beside = av_dict_get(r->stream->metadata, "alpha_mode", NULL, 0);
    bool own = p->codec_id != AV_CODEC_ID_GIF && r->source_format != AV_PIX_FMT_PAL8; /* these always could */
    if ((own && pixels != NULL && (pixels->flags & AV_PIX_FMT_FLAG_ALPHA)) ||
        (beside != NULL && strcmp(beside->value, "1") == 0))
        traits |= VIDEO_ALPHA;
    if (p->color_trc == AVCOL_TRC_SMPTE2084 || p->color_trc == AVCOL_TRC_ARIB_STD_B67)
        traits |= VIDEO_HDR;
    return traits;
}

const char *video_reader_metadata(const VideoReader *r, const char *key)
{
    const AVDictionaryEntry *e = av_dict_get(r->format->metadata, key, NULL, 0);
    return e ? e->value : NULL;
}

void video_reader_close(VideoReader *r)
{
    if (r == NULL)
        return;
    filter_close(&r->filter);
    av_frame_free(&r->decoded);
    av_frame_free(&r->shown);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->codec);
    avformat_close_input(&r->format);
    free(r->rgb);
    free(r->path);
    free(r);
}
