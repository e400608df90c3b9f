/* Video files as packed RGB frames of one size and rate: for training on a folder of videos.
 *
 *     VideoReader *r = video_reader_open(path, &(VideoReaderOptions){.width = 128, .height = 128, .fps = 12}, &err);
 *     const uint8_t *rgb;
 *     while (r != NULL && (ok = video_reader_read(r, &rgb, &err)) && rgb != NULL)
 *         use(rgb);
 *     video_reader_close(r); */
#ifndef SORA_MEDIA_VIDEO_READER_H
#define SORA_MEDIA_VIDEO_READER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

typedef struct VideoReaderOptions {
    int width,
        height; /* pixels; the picture is scaled to cover them, its middle is cut out; both 0: its own */
    double fps; /* frames are repeated or dropped to get this rate; 0: the video's own frames */
    bool one_thread;
} VideoReaderOptions;

typedef struct VideoReader VideoReader;

/* Only local files are opened, whatever the file refers to. NULL on failure. */
VideoReader *video_reader_open(const char *path, const VideoReaderOptions *options, SoraError *err);

/* *rgb: the next frame, [height, width, 3], the reader's and valid until the next call; NULL at the end. */
bool video_reader_read(VideoReader *r, const uint8_t **rgb, SoraError *err);

int video_reader_width(const VideoReader *r);
int video_reader_height(const VideoReader *r);
double video_reader_fps(const VideoReader *r); /* 0: it does not say */
/* What it has that its frames here do not show. */
enum {
    VIDEO_SOUND = 1,
    VIDEO_ALPHA = 2,    /* transparency */
    VIDEO_HDR = 4,      /* the light of PQ or HLG, which is shown as if it were that of sRGB */
    VIDEO_VARIABLE = 8, /* its frames do not come at one rate */
};
unsigned video_reader_traits(const VideoReader *r);

/* The file's text for "title", "comment" ...; NULL: none. The reader's. */
const char *video_reader_metadata(const VideoReader *r, const char *key);

void video_reader_close(VideoReader *r); /* NULL is allowed */

#endif
