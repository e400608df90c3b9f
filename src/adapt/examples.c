#include "adapt/examples.h"

#include <stdio.h>
#include <stdlib.h>

static void free_texts(TextRows *texts, int count)
{
    for (int k = 0; texts != NULL && k < count; k++)
        free(texts[k].data);
    free(texts);
}

void examples_deinit(Examples *e)
{
    for (int i = 0; i < e->count; i++) {
        free_texts(e->items[i].texts, e->items[i].text_count);
        free_texts(e->items[i].plain, e->items[i].text_count);
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

enum { MAX_CAPTION = 4096 };

/* trigger: put after each caption; NULL: nothing. */
static TextRows *encode_captions(const ExamplesConfig *c, char *const *captions, int count, const char *trigger,
                                 SoraError *err)
{
    TextRows *rows = calloc((size_t)count + 1, sizeof *rows);
    bool ok = rows != NULL || error_no_memory(err);
    for (int i = 0; ok && i < count; i++) {
        char text[MAX_CAPTION];
        snprintf(text, sizeof text, "%s%s%s", captions[i], trigger != NULL ? " " : "", trigger != NULL ? trigger : "");
        ok = base_text(c->base, text, &rows[i], err);
    }
    if (ok)
        return rows;
    free_texts(rows, count);
    return NULL;
}

static bool add_captions(Example *x, const ExamplesConfig *c, char *const *captions, int count, SoraError *err)
{
    x->text_count = count;
    x->frames = c->frames;
    return (x->plain = encode_captions(c, captions, count, NULL, err)) != NULL &&
           (c->trigger == NULL || (x->texts = encode_captions(c, captions, count, c->trigger, err)) != NULL);
}

static bool begin(Examples *e, const ExamplesConfig *c, int count, SoraError *err)
{
    *e = (Examples){0};
    if (count > MAX_EXAMPLES)
        return error_set(err, SORA_ERROR_INPUT, "%d pictures, videos or prompts, a LoRA takes at most %d", count,
                         MAX_EXAMPLES);
    e->items = calloc((size_t)count + 1, sizeof *e->items);
    return (e->items != NULL || error_no_memory(err)) && base_text(c->base, "", &e->empty, err);
}

/* Before each: the others hear that this rank goes on, and the caller may say stop. */
static bool tell(const ExamplesConfig *c, const char *phase, int done, int total, SoraError *err)
{
    TrainProgress p = {.phase = phase, .done = done, .total = total};
    c->team->beat(c->team);
    return c->hooks->progress == NULL || c->hooks->progress(c->hooks->user, &p) ||
           error_set(err, SORA_ERROR_CANCELLED, "stopped before the first step");
}

bool examples_init(Examples *e, const ExamplesConfig *c, SoraError *err)
{
    bool ok = begin(e, c, c->source->count, err);
    for (int i = 0; ok && i < c->source->count; i++) {
        Clip clip;
        ClipRequest request = c->clip;
        request.index = (uint64_t)i;
        ok = tell(c, "encoding clips", i, c->source->count, err) && clip_source_get(c->source, &request, &clip, err);
        if (!ok)
            break;
        Example *x = &e->items[e->count++];
        ok = (x->latent = encode_clip(c, &clip, err)) != NULL &&
             add_captions(x, c, clip.captions, clip.caption_count, err);
        clip_deinit(&clip);
    }
    return ok;
}

/* While a video is made, which may take longer than the team's patience. */
static bool keep_going(void *user)
{
    const ExamplesConfig *c = user;
    c->team->beat(c->team);
    return true;
}

bool examples_make(Examples *e, const ExamplesConfig *c, char *const *prompts, int count, SoraError *err)
{
    bool ok = begin(e, c, count, err);
    for (int i = 0; ok && i < count; i++) {
        BaseClip clip = {.prompt = prompts[i],
                         .width = c->clip.width,
                         .height = c->clip.height,
                         .frames = c->clip.frames,
                         .seed = (uint64_t)i,
                         .keep_going = keep_going,
                         .user = (void *)(uintptr_t)c};
        ok = tell(c, "making the model's own clips", i, count, err);
        if (!ok)
            break;
        Example *x = &e->items[e->count++];
        ok = (x->latent = base_make(c->base, &clip, err)) != NULL && add_captions(x, c, &prompts[i], 1, err);
    }
    return ok;
}
