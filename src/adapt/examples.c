#include "adapt/examples.h"

#include <stdlib.h>

void examples_deinit(Examples *e)
{
    for (int i = 0; i < e->count; i++) {
        for (int k = 0; k < e->items[i].text_count; k++)
            free(e->items[i].texts[k].data);
        free(e->items[i].texts);
        free(e->items[i].latent);
    }
    free(e->items);
    free(e->empty.data);
    *e = (Examples){0};
}

static float *encode_clip(const ExamplesConfig *c, const Clip *clip, SoraError *err)
{
    const ClipRequest *r = &c->clip;
    float *video = malloc((size_t)r->frames * (size_t)r->width * (size_t)r->height * 3 * sizeof *video), *latent = NULL;
    ClipCrop crop = {.width = r->width, .height = r->height, .count = r->frames};
    if (video == NULL) {
        error_no_memory(err);
        return NULL;
    }
    clip_to_float(clip, &crop, video);
    latent = base_encode(c->base, video, r->width, r->height, r->frames, err);
    free(video);
    return latent;
}

static bool add_example(Examples *e, const ExamplesConfig *c, const Clip *clip, SoraError *err)
{
    Example *x = &e->items[e->count++];
    if ((x->latent = encode_clip(c, clip, err)) == NULL)
        return false;
    x->texts = calloc((size_t)clip->caption_count + 1, sizeof *x->texts);
    if (x->texts == NULL)
        return error_no_memory(err);
    for (; x->text_count < clip->caption_count; x->text_count++)
        if (!base_text(c->base, clip->captions[x->text_count], &x->texts[x->text_count], err))
            return false;
    return true;
}

bool examples_init(Examples *e, const ExamplesConfig *c, SoraError *err)
{
    int count = c->source->count;
    *e = (Examples){0};
    if (count > MAX_EXAMPLES)
        return error_set(err, SORA_ERROR_INPUT, "%d pictures and videos, a LoRA takes at most %d", count, MAX_EXAMPLES);
    e->items = calloc((size_t)count + 1, sizeof *e->items);
    bool ok = (e->items != NULL || error_no_memory(err)) && base_text(c->base, "", &e->empty, err);
    for (int i = 0; ok && i < count; i++) {
        Clip clip;
        ClipRequest request = c->clip;
        request.index = (uint64_t)i;
        TrainProgress p = {.phase = "encoding clips", .done = i, .total = count};
        c->team->beat(c->team);
        if (c->hooks->progress != NULL && !c->hooks->progress(c->hooks->user, &p))
            ok = error_set(err, SORA_ERROR_CANCELLED, "stopped before the first step");
        ok = ok && clip_source_get(c->source, &request, &clip, err);
        if (!ok)
            break;
        ok = add_example(e, c, &clip, err);
        clip_deinit(&clip);
    }
    base_rest(c->base); /* the transformer comes next */
    return ok;
}
