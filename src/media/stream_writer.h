/* A video without an end, into a pipe: what arrives can be shown at once, and whoever reads may go at any time.
 *
 *     StreamWriter *w = stream_writer_open(1, "standard output", STREAM_MP4, &(VideoFormat){256, 256, 12, NULL, NULL}, &err);
 *     while (w != NULL && more && stream_writer_write(w, rgb, &err))
 *         ;
 *     stream_writer_close(w); */
#ifndef SORA_MEDIA_STREAM_WRITER_H
#define SORA_MEDIA_STREAM_WRITER_H

#include "media/video_writer.h"

typedef enum StreamKind {
    STREAM_MP4, /* fragments of a frame each, H.264 without delay */
    STREAM_Y4M, /* YUV4MPEG2, 4:2:0 */
    STREAM_RGB, /* packed RGB, frame after frame, without a header */
} StreamKind;

typedef struct StreamWriter StreamWriter;

/* name: for messages. The descriptor stays the caller's; SIGPIPE must be ignored. NULL on failure. */
StreamWriter *stream_writer_open(int descriptor, const char *name, StreamKind kind, const VideoFormat *format, SoraError *err);
/* rgb: [height, width, 3]. A reader that is gone is SORA_ERROR_CANCELLED. */
bool stream_writer_write(StreamWriter *w, const uint8_t *rgb, SoraError *err);
void stream_writer_close(StreamWriter *w); /* ends the stream; NULL is allowed */

#endif
