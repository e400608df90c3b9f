/* What every file of src/media needs from FFmpeg: silence, and its errors as ours. */
#ifndef SORA_MEDIA_FFMPEG_H
#define SORA_MEDIA_FFMPEG_H

#include <stdbool.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
#include "base/error.h"

/* More than this many pixels in one picture is refused before anything is allocated. */
enum { MEDIA_MAX_SIDE = 16384, MEDIA_MAX_PIXELS = 128 << 20 };

/* FFmpeg prints to stderr by itself; a library must not. Cheap; called by every open. */
void ffmpeg_quiet(void);

/* "PATH: WHAT: what FFmpeg says about the AVERROR code". Returns false. */
bool ffmpeg_error(SoraError *err, const char *path, const char *what, int code);

bool ffmpeg_out_of_memory(SoraError *err, const char *path);

/* A picture of packed RGB with room around its rows: FFmpeg's functions may read and write a little beyond their last pixels.
 * NULL when out of memory. */
AVFrame *ffmpeg_rgb_frame(int width, int height);
/* From rows without room between them to such a frame, which an encoder may still hold; an AVERROR code or 0. And back. */
int ffmpeg_rgb_fill(AVFrame *frame, const uint8_t *rgb);
void ffmpeg_rgb_take(const AVFrame *frame, uint8_t *rgb);

/* A converter from frame's size, pixel format and colour tags to packed full-range RGB of the same size.
 * NULL when there is none for that pixel format. */
struct SwsContext *ffmpeg_to_rgb(const AVFrame *frame);

#endif
