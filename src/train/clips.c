#include "train/clips.h"

#include <stdlib.h>

#include "train/clip_sources.h"

ClipSource *clip_source_open(const ClipSourceConfig *config, SoraError *err)
{
    return config->folder != NULL ? clip_folder_open(config, err) : clip_stage_open(config, err);
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
