#include "train/clips.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "stage/stage.h"
#include "train/clip_sources.h"

ClipSource *clip_source_open(const ClipSourceConfig *config, SoraError *err)
{
    return config->folder != NULL ? clip_folder_open(config, err) : clip_stage_open(config, err);
}

/* The order in which a folder lists its files does not matter. */
static bool hash_folder(const char *folder, uint64_t *hash, SoraError *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return error_system(err, folder, "cannot open");
    char path[4096];
    *hash = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            uint64_t one = hash64(HASH64_START, e->d_name, strlen(e->d_name)), size = (uint64_t)st.st_size;
            *hash += hash64(one, &size, sizeof size);
        }
    }
    closedir(dir);
    return true;
}

bool clip_source_fingerprint(const ClipSourceConfig *config, uint64_t *fingerprint, SoraError *err)
{
    if (config->folder != NULL)
        return hash_folder(config->folder, fingerprint, err);
    char *path = config->stage_pack != NULL ? strdup(config->stage_pack) : stage_default_path();
    bool ok = path != NULL ? file_hash(path, fingerprint, err) : error_no_memory(err);
    free(path);
    return ok;
}

void clip_source_close(ClipSource *s)
{
    if (s != NULL)
        s->close(s);
}

bool clip_source_get(ClipSource *s, const ClipRequest *request, Clip *clip, SoraError *err)
{
    *clip = (Clip){0};
    if (s->get(s, request, clip, err))
        return true;
    clip_deinit(clip);
    return false;
}

void clip_deinit(Clip *clip)
{
    for (int i = 0; i < clip->caption_count; i++)
        free(clip->captions[i]);
    free(clip->captions);
    free(clip->boxes);
    free(clip->cast);
    free(clip->rgb);
    *clip = (Clip){0};
}

void clip_to_float(const Clip *clip, const ClipCrop *c, float *out)
{
    for (int t = 0; t < c->count; t++)
        for (int y = 0; y < c->height; y++) {
            const uint8_t *row =
                clip->rgb + (((size_t)(c->first + t) * (size_t)clip->height + (size_t)(c->y + y)) * (size_t)clip->width +
                             (size_t)c->x) * 3;
            for (int i = 0; i < c->width * 3; i++)
                *out++ = (float)row[i] / 127.5f - 1;
        }
}
