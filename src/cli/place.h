/* Where a result goes: nothing that was given is replaced, and nothing else without a word. */
#ifndef SORA_CLI_PLACE_H
#define SORA_CLI_PLACE_H

#include <stddef.h>
#include "base/error.h"

/* A file of that name, or a series of numbered pictures (media/video_writer.h). */
typedef struct Place {
    const char *path;
    int frames; /* 1, or as many as a video has that goes there */
} Place;

/* False when a file that will be written is the same as one of the inputs, under whatever name. NULL among these stands for
 * none. */
bool place_check(const Place *p, const char *const inputs[], int count, SoraError *err);

/* Says on stderr that what is there already will be replaced. command: "sora convert". */
void place_announce(const char *command, const Place *p);

/* The name for people: "a.png", or "a-0001.png to a-0005.png". */
void place_name(char *name, size_t size, const Place *p);

/* Says on stderr that an earlier, longer series has left frames behind those of this one. */
void place_warn_of_others(const Place *p);

#endif
