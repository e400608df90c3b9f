/* The file that a video is written to while it is made: frames go to it as they come, it is signed, and `sora trace` learns
 * what it looks like.
 *
 *     Output out = {.path = "dog.mp4", .prompt = prompt, .signing = &signing, .index = index};
 *     ok = ... output_frame(&out, video, i, err) for all frames ... && output_commit(&out, video, err);
 *     output_close(&out); */
#ifndef SORA_CLI_OUTPUT_H
#define SORA_CLI_OUTPUT_H

#include "cli/signing.h"
#include "media/video_writer.h"
#include "trace/fingerprint.h"

typedef struct Output {
    const char *path, *prompt;
    Signing *signing;
    const char *index; /* of `sora trace`; NULL: it learns nothing */
    VideoWriter *writer;
    Fingerprint fingerprint;
} Output;

/* The first one makes the file. */
bool output_frame(Output *out, const SoraVideo *video, int i, SoraError *err);
/* Signs it and gives it its name; signing->what is filled. What `sora trace` cannot learn is a warning. */
bool output_commit(Output *out, const SoraVideo *video, SoraError *err);
void output_close(Output *out); /* without commit there is no file */

#endif
