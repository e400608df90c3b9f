/* Pictures and videos that users bring. They are decoded in a child process with limits on memory, processor time and
 * pixels, so a file that makes FFmpeg crash is an error of the file: one line, SORA_ERROR_INPUT. What comes out is the same
 * as without a child (image_read(), VideoReader), which tests check. */
#ifndef SORA_MEDIA_FOREIGN_H
#define SORA_MEDIA_FOREIGN_H

#include "media/image.h"
#include "media/video_reader.h"

/* All may be 0. */
typedef struct ForeignLimits {
    size_t memory;          /* bytes for decoding and for what comes of it, here and in the child; 0: FOREIGN_MEMORY */
    size_t bytes_per_pixel; /* what the caller will make of a picture besides, counted into memory */
    int seconds;            /* of processor time; 0: FOREIGN_SECONDS */
    bool here;              /* decode in this process: for tests, and for files that are one's own */
} ForeignLimits;

enum { FOREIGN_SECONDS = 600 };
#define FOREIGN_MEMORY ((size_t)4 << 30)

/* limits may be NULL. A picture for which there is not enough memory is refused before it is decoded: SORA_ERROR_MEMORY,
 * with its size and what it would take. */
bool foreign_picture(Image *image, const char *path, const ForeignLimits *limits, SoraError *err);

/* The same of a file's bytes; name is for errors. */
bool foreign_picture_memory(Image *image, const void *data, size_t size, const char *name, const ForeignLimits *limits,
                            SoraError *err);

/* Frames one after the other, as VideoReader has them. The child is never far ahead of the reader. */
typedef struct ForeignVideo ForeignVideo;
ForeignVideo *foreign_video_open(const char *path, const VideoReaderOptions *options, const ForeignLimits *limits,
                                 SoraError *err);
/* *rgb: the next frame, [height, width, 3], valid until the next call; NULL at the end. */
bool foreign_video_read(ForeignVideo *v, const uint8_t **rgb, SoraError *err);
int foreign_video_width(const ForeignVideo *v);
int foreign_video_height(const ForeignVideo *v);
double foreign_video_fps(const ForeignVideo *v); /* 0: it does not say */
unsigned foreign_video_traits(const ForeignVideo *v); /* VIDEO_SOUND ... */
const char *foreign_video_title(const ForeignVideo *v); /* what its metadata say, cut to 255 bytes; "": nothing. The video's */
void foreign_video_close(ForeignVideo *v); /* NULL is allowed */

#endif
