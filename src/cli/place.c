#include "cli/place.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "media/video_writer.h"

enum { ROOM = PATH_MAX + 32 };

/* Of file i of the place; false: there are no more. */
static bool file_name(char name[ROOM], const Place *p, long i)
{
    bool series = video_is_series(p->path, p->frames);
    video_frame_name(name, ROOM, p->path, series ? i : -1);
    return i < (series ? p->frames : 1);
}

bool place_check(const Place *p, const char *const inputs[], int count, SoraError *err)
{
    char name[ROOM];
    for (long i = 0; file_name(name, p, i); i++)
        for (int k = 0; k < count; k++)
            if (inputs[k] != NULL && file_same(name, inputs[k]))
                return error_set(err, SORA_ERROR_INPUT, "%s: it is an input as well; name another output", name);
    return true;
}

void place_announce(const char *command, const Place *p)
{
    char name[ROOM];
    for (long i = 0; file_name(name, p, i); i++) {
        if (!file_exists(name))
            continue;
        fprintf(stderr, "%s: %s is there and will be replaced\n", command, name);
        return;
    }
}

void place_name(char *name, size_t size, const Place *p)
{
    char first[ROOM], last[ROOM];
    file_name(first, p, 0);
    file_name(last, p, p->frames - 1);
    if (video_is_series(p->path, p->frames))
        snprintf(name, size, "%s to %s", first, last);
    else
        snprintf(name, size, "%s", p->path);
}

void place_warn_of_others(const Place *p)
{
    char first[ROOM], last[ROOM], next[ROOM];
    if (!video_is_series(p->path, p->frames))
        return;
    long i = p->frames;
    video_frame_name(first, sizeof first, p->path, i);
    if (!file_exists(first))
        return;
    do {
        video_frame_name(last, sizeof last, p->path, i++);
        video_frame_name(next, sizeof next, p->path, i);
    } while (file_exists(next));
    fprintf(stderr, "sora: %s to %s were there before and are no part of this video\n", first, last);
}
