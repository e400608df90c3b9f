#include "studio/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

/* What a window's request points to. */
typedef struct Parts {
    SoraGiven given[STUDIO_MAX_LAYERS + 2];
    int count;
    uint8_t *pixels[STUDIO_MAX_LAYERS], *masks[STUDIO_MAX_LAYERS]; /* heap */
    int layers;
    SoraPassage passages[PLAN_MAX_PASSAGES];
    int passage_count;
} Parts;

static int64_t within(int64_t t, int64_t low, int64_t high)
{
    return t < low ? low : t > high ? high : t;
}

/* Frames of a layer that is a beginning, from `first` on, count of them, repeated beyond its ends. */
static bool copy_layer(Layer *l, int64_t first, int count, uint8_t *pixels, uint8_t *masks, SoraError *err)
{
    size_t size = (size_t)l->source.width * (size_t)l->source.height;
    const uint8_t *rgb;
    bool ok = true;
    for (int i = 0; i < count && ok; i++) {
        int64_t t = within(first + i, l->first, l->first + l->frames - 1);
        ok = layer_frame(l, t, &rgb, err) && (masks == NULL || layer_mask(l, t, masks + (size_t)i * size, err));
        if (ok)
            memcpy(pixels + (size_t)i * 3 * size, rgb, 3 * size);
    }
    return ok;
}

/* A layer counts in whole groups; one that reaches an end of the timeline covers what of a group lies beyond it. */
static bool give_layer(const Studio *s, Layer *l, const Window *w, Parts *p, SoraError *err)
{
    int64_t frames = 1 + (int64_t)w->groups * s->stride, begin = l->first - w->begin, end = begin + l->frames;
    begin = l->first == 0 || begin < 0 ? 0 : begin;
    end = l->first + l->frames >= s->line.frames || end > frames ? frames : end;
    /* What fills no group is left out, and what the first frame lies over. */
    if (w->first != NULL && end < 1 + s->stride)
        return true;
    if (end <= 0 || begin >= frames || (begin > 0 && (begin + s->stride - 2) / s->stride * s->stride + 1 + s->stride > end))
        return true;
    int count = (int)(end - begin);
    size_t size = (size_t)s->line.width * (size_t)s->line.height;
    bool masked = l->masked || l->outside;
    uint8_t *pixels = p->pixels[p->layers] = malloc((size_t)count * 3 * size);
    uint8_t *masks = p->masks[p->layers] = masked ? malloc((size_t)count * size) : NULL;
    p->layers++;
    if (pixels == NULL || (masked && masks == NULL))
        return error_no_memory(err);
    p->given[p->count++] = (SoraGiven){.pixels = pixels,
                                       .pixel_frames = count,
                                       .pixel_width = s->line.width,
                                       .pixel_height = s->line.height,
                                       .at_frame = (int)begin,
                                       .level = l->level,
                                       .mask = masks,
                                       .mask_width = masked ? s->line.width : 0,
                                       .mask_height = masked ? s->line.height : 0,
                                       .mask_frames = masked ? count : 0};
    return copy_layer(l, w->begin + begin, count, pixels, masks, err);
}

static SoraGiven still_of(const Studio *s, const uint8_t *rgb, bool at_end)
{
    return (SoraGiven){.pixels = rgb, .pixel_frames = 1, .pixel_width = s->line.width, .pixel_height = s->line.height,
                       .still = true, .at_end = at_end};
}

/* What frame t of the timeline hears. */
static const char *words_at(const Studio *s, int64_t t)
{
    const SoraRequest *r = s->request;
    int i = 0;
    if (r->passage_count == 0)
        return s->live_words != NULL ? s->live_words : s->prompt;
    while (i + 1 < r->passage_count && llround(r->passages[i + 1].from * s->line.fps) <= t)
        i++;
    return r->passages[i].prompt;
}

/* Words by groups: each hears what is said in its middle. */
static void choose_words(const Studio *s, const Window *w, Parts *p)
{
    for (int g = 0; g <= w->groups; g++) {
        int64_t frame = g == 0 ? 0 : 1 + (int64_t)(g - 1) * s->stride;
        const char *words = words_at(s, within(w->begin + frame + (g == 0 ? 0 : s->stride / 2), 0, s->line.frames - 1));
        if (g > 0 && strcmp(words, p->passages[p->passage_count - 1].prompt) == 0)
            continue;
        if (p->passage_count < PLAN_MAX_PASSAGES)
            p->passages[p->passage_count++] = (SoraPassage){words, (double)frame / s->line.fps};
    }
}

/* The first window has the request's seed, so that a video of its length is what sora_generate() makes. */
static uint64_t seed_of(const Studio *s)
{
    uint64_t x = s->request->seed + (uint64_t)s->windows * 0x9E3779B97F4A7C15u;
    if (s->windows == 0)
        return x;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static bool on_progress(const SoraProgress *progress, void *user)
{
    Studio *s = user;
    double part = progress->total > 0 ? (double)progress->done / progress->total : 0;
    return progress->phase != SORA_PHASE_DENOISE || studio_progress(s, 0.9 * part, NULL);
}

static void on_preview(const SoraPreview *preview, void *user)
{
    const Studio *s = user;
    s->request->preview(preview, s->request->user);
}

static SoraRequest request_of(Studio *s, const Parts *p, int frames)
{
    SoraRequest r = *s->request;
    bool passages = p->passage_count > 1, silence = false;
    for (int i = 0; i < p->passage_count; i++)
        silence = silence || *p->passages[i].prompt == 0;
    r.prompt = passages ? NULL : p->passages[0].prompt;
    r.passages = passages ? p->passages : NULL;
    r.passage_count = passages ? p->passage_count : 0;
    r.given = p->given;
    r.given_count = p->count;
    r.width = s->line.width;
    r.height = s->line.height;
    r.frames = frames;
    r.fps = s->line.fps;
    r.seed = seed_of(s);
    r.watermark = false;
    if (silence)
        r.guidance_scale = 1, r.low_guidance_scale = -1; /* both experts then have it */
    r.progress = on_progress;
    r.preview = r.preview != NULL && !s->line.ring ? on_preview : NULL;
    r.note = NULL;
    r.frame = NULL;
    r.user = s;
    return r;
}

static bool sample(Studio *s, Generation *n, float **latent, CanvasShape *shape, SoraError *err)
{
    bool ok = generation_plan(n, err) && generation_sample(n, err);
    if (ok) {
        *latent = n->latent;
        *shape = n->plan.latent;
        n->latent = NULL;
        s->windows++;
    }
    graph_trim(s->engine->pipeline.graph);
    generation_deinit(n);
    return ok;
}

/* Asks for new words before a window. They stay those of all windows until there are others. */
static bool hear(Studio *s, SoraError *err)
{
    const char *words = s->live != NULL && s->live->words != NULL ? s->live->words(s->live->user) : NULL;
    SoraError why = {0};
    if (words == NULL || *words == 0)
        return true;
    if (strnlen(words, PROMPT_MAX_BYTES + 1) > PROMPT_MAX_BYTES || !utf8_check(words, strlen(words), "new words", &why)) {
        if (s->request->note != NULL)
            s->request->note(&(SoraNote){"words", why.code != SORA_OK ? why.message : "new words are too long"}, s->request->user);
        return true;
    }
    char *copy = strdup(words);
    if (copy == NULL)
        return error_no_memory(err);
    free(s->live_words);
    s->live_words = copy;
    return true;
}

/* Remembers what the window hears. */
static bool remember_words(Studio *s, const Parts *p, SoraError *err)
{
    char *copy = strdup(p->passages[p->passage_count - 1].prompt);
    if (copy == NULL)
        return error_no_memory(err);
    s->new_words = s->last_words != NULL && strcmp(p->passages[0].prompt, s->last_words) != 0;
    free(s->last_words);
    s->last_words = copy;
    return true;
}

bool window_make(Studio *s, const Window *w, float **latent, CanvasShape *shape, SoraError *err)
{
    Parts p = {0};
    bool ok = hear(s, err);
    for (int i = 0; i < s->line.layer_count && ok; i++)
        if (!s->line.layers[i].kept)
            ok = give_layer(s, &s->line.layers[i], w, &p, err);
    if (w->first != NULL)
        p.given[p.count++] = still_of(s, w->first, false);
    if (w->last != NULL)
        p.given[p.count++] = still_of(s, w->last, true);
    choose_words(s, w, &p);
    ok = ok && remember_words(s, &p, err);
    LatentGiven known[2];
    int count = 0;
    if (w->left_groups > 0)
        known[count++] = (LatentGiven){1, w->left_groups, w->left, 0};
    if (w->right_groups > 0)
        known[count++] = (LatentGiven){1 + w->groups - w->right_groups, w->right_groups, w->right, 0};
    SoraRequest r = request_of(s, &p, 1 + w->groups * s->stride);
    Generation n = {.engine = s->engine, .request = &r, .start = s->start, .latents = known, .latent_count = count,
                    .texts = &s->texts};
    ok = ok && sample(s, &n, latent, shape, err);
    for (int i = 0; i < p.layers; i++) {
        free(p.pixels[i]);
        free(p.masks[i]);
    }
    return ok;
}

bool window_make_ring(Studio *s, float **latent, CanvasShape *shape, SoraError *err)
{
    int groups = (int)(s->line.frames / s->stride), window = groups < s->window ? groups : s->window;
    Parts p = {.passages = {{words_at(s, 0), 0}}, .passage_count = 1};
    SoraRequest r = request_of(s, &p, 1 + window * s->stride);
    Generation n = {.engine = s->engine, .request = &r, .start = s->start, .texts = &s->texts, .ring = groups};
    s->making = s->line.frames;
    if (!sample(s, &n, latent, shape, err))
        return false;
    shape->frames = groups;
    return true;
}
