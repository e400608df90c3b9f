/* Containers of videos that users bring, through FFmpeg's demuxers. Private to src/media. */
#ifndef SORA_MEDIA_CONTAINER_H
#define SORA_MEDIA_CONTAINER_H

#include <libavformat/avformat.h>
#include "base/error.h"

/* Opened, and its streams known. Only local files are opened, whatever the file refers to; none that is a list of other files.
 * NULL on failure; avformat_close_input() closes. */
AVFormatContext *container_open(const char *path, SoraError *err);

#endif
