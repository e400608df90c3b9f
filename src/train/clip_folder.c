/* Clips of a folder of videos. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "media/video_reader.h"
#include "train/clip_sources.h"

enum { MAX_FILES = 1 << 20, MAX_CAPTIONS = 1 << 20 };

typedef struct FolderSource {
    ClipSource base;
    char **files; /* the videos, sorted */
    int file_count;
} FolderSource;

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

static bool add_file(FolderSource *s, const char *folder, const char *name)
{
    char **files = realloc(s->files, (size_t)(s->file_count + 1) * sizeof *files);
    if (files == NULL)
        return false;
    s->files = files;
    size_t n = strlen(folder) + strlen(name) + 2;
    files[s->file_count] = malloc(n);
    if (files[s->file_count] == NULL)
        return false;
    snprintf(files[s->file_count++], n, "%s/%s", folder, name);
    return true;
}

static bool list_videos(FolderSource *s, const char *folder, SoraError *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: cannot open the folder of training videos", folder);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL;)
        if (is_video(e->d_name))
            ok = (s->file_count < MAX_FILES || error_set(err, SORA_ERROR_INPUT, "%s: more than %d videos", folder, MAX_FILES)) &&
                 (add_file(s, folder, e->d_name) || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", folder));
    closedir(dir);
    if (ok && s->file_count == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: no video files (.mp4 .webm .mov .mkv .gif .avi)", folder);
    if (ok)
        qsort(s->files, (size_t)s->file_count, sizeof *s->files, by_name);
    return ok;
}

/* The lines of FILE.txt, without empty ones. */
static bool read_captions(const char *video, Clip *clip, SoraError *err)
{
    size_t stem = (size_t)(strrchr(video, '.') - video);
    char path[4096];
    snprintf(path, sizeof path, "%.*s.txt", (int)stem, video);
    char *text = file_read(path, MAX_CAPTIONS, NULL, err), *save = NULL;
    if (text == NULL)
        return error_wrap(err, "%s: no captions", video);
    bool ok = true;
    for (char *line = strtok_r(text, "\r\n", &save); ok && line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char **captions = realloc(clip->captions, (size_t)(clip->caption_count + 1) * sizeof *captions);
        ok = captions != NULL;
        if (ok) {
            clip->captions = captions;
            ok = (captions[clip->caption_count] = strdup(line)) != NULL;
            clip->caption_count += ok;
        }
    }
    free(text);
    if (!ok)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    return clip->caption_count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no caption in it", path);
}

static bool get_file(ClipSource *source, const ClipRequest *r, Clip *clip, SoraError *err)
{
    const FolderSource *s = (const FolderSource *)source;
    const char *path = s->files[r->index % (uint64_t)s->file_count];
    if (r->change != CHANGE_NONE)
        return error_set(err, SORA_ERROR_INPUT, "%s: words can be changed on Emoji Stage alone", path);
    size_t frame = (size_t)r->width * (size_t)r->height * 3;
    *clip = (Clip){.width = r->width, .height = r->height, .frames = r->frames, .calm = true,
                   .rgb = malloc(frame * (size_t)r->frames)};
    for (int i = 0; i < CLIP_CLASSES; i++)
        clip->classes[i] = -1;
    if (clip->rgb == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    VideoReaderOptions options = {.width = r->width, .height = r->height, .fps = r->fps};
    VideoReader *reader = video_reader_open(path, &options, err);
    bool ok = reader != NULL;
    int got = 0;
    while (ok && got < r->frames) {
        const uint8_t *rgb;
        ok = video_reader_read(reader, &rgb, err);
        if (!ok || rgb == NULL)
            break;
        memcpy(clip->rgb + frame * (size_t)got++, rgb, frame);
    }
    video_reader_close(reader);
    if (ok && got == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no frames", path);
    for (; ok && got < r->frames; got++) /* a short one holds its last frame */
        memcpy(clip->rgb + frame * (size_t)got, clip->rgb + frame * (size_t)(got - 1), frame);
    return ok && read_captions(path, clip, err);
}

static void close_folder(ClipSource *source)
{
    FolderSource *s = (FolderSource *)source;
    for (int i = 0; i < s->file_count; i++)
        free(s->files[i]);
    free(s->files);
    free(s);
}

ClipSource *clip_folder_open(const ClipSourceConfig *config, SoraError *err)
{
    FolderSource *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    s->base = (ClipSource){.get = get_file, .close = close_folder};
    if (list_videos(s, config->folder, err))
        return &s->base;
    close_folder(&s->base);
    return NULL;
}
