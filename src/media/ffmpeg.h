/* What every file of src/media needs from FFmpeg: silence, and its errors as ours. */
#ifndef SORA_MEDIA_FFMPEG_H
#define SORA_MEDIA_FFMPEG_H

#include <stdbool.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
#include "base/error.h"

/* More than this many pixels in one picture is refused before anything is allocated. */
enum { MEDIA_MAX_SIDE = 16384, MEDIA_MAX_PIXELS = 64 << 20 };

/* FFmpeg prints to stderr by itself; a library must not. Cheap; called by every open. */
void ffmpeg_quiet(void);

/* "PATH: WHAT: what FFmpeg says about the AVERROR code". Returns false. */
bool ffmpeg_error(SoraError *err, const char *path, const char *what, int code);

bool ffmpeg_out_of_memory(SoraError *err, const char *path);

/* A converter from frame's size, pixel format and colour tags to packed full-range RGB of the same size.
 * NULL when there is none for that pixel format. */
struct SwsContext *ffmpeg_to_rgb(const AVFrame *frame);

#endif
