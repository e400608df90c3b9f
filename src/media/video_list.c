#include "media/video_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 1 << 20 };

#define VIDEOS ".mp4 .webm .mov .mkv .gif .avi"
#define PICTURES ".png .jpg .jpeg .webp"

/* Is the name's end one of the list's? */
static bool ends_so(const char *name, const char *list)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot != NULL ? strlen(dot) : 0;
    for (const char *at = list; n > 1 && (at = strstr(at, dot)) != NULL; at += n)
        if (at[n] == ' ' || at[n] == 0)
            return true;
    return false;
}

bool video_list_is_picture(const char *name)
{
    return ends_so(name, PICTURES);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_file(VideoList *l, const char *folder, const char *name, SoraError *err)
{
    if (l->count >= MAX_FILES)
        return error_set(err, SORA_ERROR_INPUT, "%s: more than %d videos", folder, MAX_FILES);
    char **paths = realloc(l->paths, (size_t)(l->count + 1) * sizeof *paths);
    if (paths == NULL)
        return error_no_memory(err);
    l->paths = paths;
    if (asprintf(&paths[l->count], "%s/%s", folder, name) < 0)
        return error_no_memory(err);
    l->count++;
    return true;
}

/* endings: of the names that count. */
static bool list_files(VideoList *l, const char *folder, const char *endings, SoraError *err)
{
    *l = (VideoList){0};
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: cannot open the folder of videos", folder);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL;)
        ok = !ends_so(e->d_name, endings) || add_file(l, folder, e->d_name, err);
    closedir(dir);
    if (ok && l->count == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no video files (%s)", folder, endings);
    if (ok)
        qsort(l->paths, (size_t)l->count, sizeof *l->paths, by_name);
    else
        video_list_deinit(l);
    return ok;
}

bool video_list_read(VideoList *l, const char *folder, SoraError *err)
{
    return list_files(l, folder, VIDEOS, err);
}

bool video_list_read_with_pictures(VideoList *l, const char *folder, SoraError *err)
{
    return list_files(l, folder, VIDEOS " " PICTURES, err);
}

void video_list_deinit(VideoList *l)
{
    for (int i = 0; i < l->count; i++)
        free(l->paths[i]);
    free(l->paths);
    *l = (VideoList){0};
}
