/* Video files, written frame by frame; they appear under their name only when complete.
 *
 *     VideoWriter *w = video_writer_open("dog.mp4", &(VideoFormat){128, 128, 12, prompt, json}, &err);
 *     while (w != NULL && more) {
 *         if (!video_writer_write(w, rgb, &err)) {
 *             video_writer_abort(w);
 *             return false;
 *         }
 *     }
 *     return w != NULL && video_writer_commit(w, &err);
 *
 * The extension chooses: .mp4 (H.264), .webm (VP9), .gif (one palette for the whole video), .png, .jpg,
 * .jpeg and .webp (one frame; several become NAME-0001.png ...). Memory does not grow with the number of
 * frames. */
#ifndef SORA_MEDIA_VIDEO_WRITER_H
#define SORA_MEDIA_VIDEO_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"

typedef struct VideoFormat {
    int width, height;   /* pixels, 1 to 16384; .mp4 needs even ones */
    double fps;          /* 0.1 to 240 frames a second; .gif at most 50 */
    const char *title;   /* UTF-8, stored in the file; NULL: none */
    const char *comment; /* UTF-8, stored in the file (the parameters as JSON); NULL: none */
} VideoFormat;

typedef struct VideoWriter VideoWriter;

/* Can path be written at all: is the extension known, the folder there and writable, is the name short enough for what is
 * done until the file is signed, and does that kind of file take the format (NULL: any)? To be asked before hours of work.
 * Leaves nothing behind. */
bool video_writer_check(const char *path, const VideoFormat *format, SoraError *err);

/* Will so many frames become pictures with a number each? */
bool video_is_series(const char *path, int frames);
/* The name of frame i of a series, counted from 0: NAME-0001.png of NAME.png; path itself for i below 0. */
void video_frame_name(char *name, size_t size, const char *path, long i);
/* video_writer_check() of the longest name that a file of so many frames will have. */
bool video_writer_check_frames(const char *path, int frames, SoraError *err);

/* The format is copied. NULL on failure. */
VideoWriter *video_writer_open(const char *path, const VideoFormat *format, SoraError *err);

/* The same, but frames are written scale times as wide and high as the format says and as they come, by Lanczos' filter;
 * 1 to VIDEO_MAX_SCALE. */
enum { VIDEO_MAX_SCALE = 8 };
VideoWriter *video_writer_open_scaled(const char *path, const VideoFormat *format, int scale, SoraError *err);

/* Before the first frame: the sound of that video goes along, as it is, from the beginning to the last frame at most. False: it
 * does not, and why says why; the video can be written all the same. */
bool video_writer_add_sound(VideoWriter *w, const char *path, SoraError *why);

/* rgb: [height, width, 3] packed bytes, full range sRGB. After a failure only abort is useful. */
bool video_writer_write(VideoWriter *w, const uint8_t *rgb, SoraError *err);

/* Each complete file is finished before it gets its name. What finish points to must stay till commit. */
void video_writer_on_finish(VideoWriter *w, const FileFinish *finish);

/* These free w; commit does so when it fails, too, and then leaves no file. abort(NULL) is allowed. */
bool video_writer_commit(VideoWriter *w, SoraError *err);
/* The same, but a file that has got that name meanwhile stays: *name is the new one's, NAME-2.mp4 and so on if it must be;
 * free() it. NULL on failure. Series of pictures replace. */
bool video_writer_commit_new(VideoWriter *w, char **name, SoraError *err);
void video_writer_abort(VideoWriter *w);

#endif
