#include "media/video_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 1 << 20 };

static bool is_video(const char *name)
{
    static const char *const ENDINGS[] = {".mp4", ".webm", ".mov", ".mkv", ".gif", ".avi"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ENDINGS / sizeof ENDINGS[0]; i++)
        if (strcmp(dot, ENDINGS[i]) == 0)
            return true;
    return false;
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

bool video_list_read(VideoList *l, const char *folder, SoraError *err)
{
    *l = (VideoList){0};
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: cannot open the folder of videos", folder);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL;)
        ok = !is_video(e->d_name) || add_file(l, folder, e->d_name, err);
    closedir(dir);
    if (ok && l->count == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no video files (.mp4 .webm .mov .mkv .gif .avi)", folder);
    if (ok)
        qsort(l->paths, (size_t)l->count, sizeof *l->paths, by_name);
    else
        video_list_deinit(l);
    return ok;
}

void video_list_deinit(VideoList *l)
{
    for (int i = 0; i < l->count; i++)
        free(l->paths[i]);
    free(l->paths);
    *l = (VideoList){0};
}
