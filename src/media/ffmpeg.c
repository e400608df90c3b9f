#include "media/ffmpeg.h"

#include <libavutil/log.h>
#include <string.h>

void ffmpeg_quiet(void)
{
    av_log_set_level(AV_LOG_QUIET);
}

static SoraErrorCode classify(int code)
{
    switch (code) {
    case AVERROR(ENOENT):
        return SORA_ERROR_NOT_FOUND;
    case AVERROR(ENOMEM):
        return SORA_ERROR_MEMORY;
    case AVERROR(ENOSPC):
    case AVERROR(EACCES):
    case AVERROR(EPERM):
    case AVERROR(EISDIR):
    case AVERROR(EFBIG):
    case AVERROR(EDQUOT):
    case AVERROR(EROFS):
    case AVERROR(EIO):
        return SORA_ERROR_IO;
    case AVERROR_INVALIDDATA:
    case AVERROR_EOF:
    case AVERROR_STREAM_NOT_FOUND:
        return SORA_ERROR_INPUT;
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_ENCODER_NOT_FOUND:
    case AVERROR_PATCHWELCOME:
    case AVERROR(ENOSYS):
        return SORA_ERROR_UNSUPPORTED;
    default:
        return SORA_ERROR_INTERNAL;
    }
}

bool ffmpeg_error(SoraError *err, const char *path, const char *what, int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return error_set(err, classify(code), "%s: %s: %s", path, what, text);
}

bool ffmpeg_out_of_memory(SoraError *err, const char *path)
{
    return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
}

AVFrame *ffmpeg_rgb_frame(int width, int height)
{
    AVFrame *f = av_frame_alloc();
    if (f == NULL)
        return NULL;
    f->format = AV_PIX_FMT_RGB24;
    f->width = width;
    f->height = height;
    if (av_frame_get_buffer(f, 0) < 0)
        av_frame_free(&f);
    return f;
}

int ffmpeg_rgb_fill(AVFrame *frame, const uint8_t *rgb)
{
    size_t row = 3 * (size_t)frame->width;
    int code = av_frame_make_writable(frame);
    for (int y = 0; code >= 0 && y < frame->height; y++)
        memcpy(frame->data[0] + (ptrdiff_t)y * frame->linesize[0], rgb + (size_t)y * row, row);
    return code;
}

void ffmpeg_rgb_take(const AVFrame *frame, uint8_t *rgb)
{
    size_t row = 3 * (size_t)frame->width;
    for (int y = 0; y < frame->height; y++)
        memcpy(rgb + (size_t)y * row, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], row);
}

struct SwsContext *ffmpeg_to_rgb(const AVFrame *frame)
{
    struct SwsContext *sws = sws_getContext(
        frame->width, frame->height, frame->format, frame->width, frame->height, AV_PIX_FMT_RGB24,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT, NULL, NULL,
        NULL);
    if (sws == NULL)
        return NULL;
    /* Untagged video is BT.601 up to PAL's 576 lines and BT.709 above, as players assume. */
    int space = frame->colorspace == AVCOL_SPC_UNSPECIFIED && frame->height > 576 ? AVCOL_SPC_BT709
                                                                                  : (int)frame->colorspace;
    int *inverse, *table, from_full, to_full, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(sws, &inverse, &from_full, &table, &to_full, &brightness, &contrast,
                                 &saturation) >= 0)
        sws_setColorspaceDetails(sws, sws_getCoefficients(space),
                                 from_full || frame->color_range == AVCOL_RANGE_JPEG, table, 1, brightness,
                                 contrast, saturation);
    return sws;
}
