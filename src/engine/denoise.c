/* The sampling loop: one velocity for every patch at each step, from the prompt and, with guidance, from its
 * opposite as well. */
#include <stdlib.h>
#include <string.h>

#include "engine/pipeline.h"
#include "sample/step_cache.h"

/* Above this much activation memory the two samples of guidance go one after the other. A constant, so that a
 * seed means the same video on every machine. */
#define PACKED_BYTES 2e9

typedef struct Loop {
    const Pipeline *pipeline;
    const Denoising *request;
    int64_t patches;          /* tokens of one sample */
    float *velocity[2];       /* [C, F, H, W]: of the prompt, of its opposite */
    float *noise;             /* the first latent */
    uint8_t *held;            /* [C, F, H, W]: what the canvas holds, in this step */
    int levels;
    float *mask_levels;          /* [levels], distinct ones of the canvas */
    int32_t *level_index;        /* [patches]: which of them */
    float *timesteps;            /* [texts, levels]; see index_timesteps() */
    int32_t *t_index, *t_sample; /* [2 * patches], [texts, levels] */
    /* Of the expert whose turn it is. */
    const Dit *expert;
    double guidance_scale;
    int samples;            /* 2 with guidance */
    bool packed;            /* both in one batch */
    DitContext contexts[2]; /* for one pass with both samples, or for a pass each */
    Tensor *condition;      /* its patches, or NULL */
    GraphScope scope;       /* after the contexts and the condition */
    StepCache cache;        /* of guided velocities */
    float highest;          /* of the canvas's mask */
} Loop;

/* What the network is told of a step, and its noise level. */
typedef struct StepLevel {
    float timestep, sigma;
} StepLevel;

/* Texts that a sample of guidance hears: the passages, or the negative prompt alone. */
static int text_count(const Loop *l, int sample)
{
    return sample == 0 ? l->request->passage_count : 1;
}

/* Patches that listen to text i of it. */
static int64_t text_span(const Loop *l, int sample, int i)
{
    return sample == 0 ? l->request->passages[i].frames * (l->patches / l->request->canvas->grid[0]) : l->patches;
}

static bool init_loop(Loop *l, const float *latent, SoraError *err)
{
    const Canvas *canvas = l->request->canvas;
    const CanvasShape *s = &canvas->shape;
    size_t cells = (size_t)canvas->cells, patches = (size_t)canvas->patches;
    size_t rows = patches * (size_t)(text_count(l, 0) + text_count(l, 1));
    int64_t channels = s->channels + (canvas->condition != NULL ? canvas->condition_channels : 0);
    if (channels != l->pipeline->transformer->config.in_dim)
        return error_set(err, SORA_ERROR_INPUT, "transformer: %d channels, the canvas has %lld",
                         l->pipeline->transformer->config.in_dim, (long long)channels);
    l->patches = canvas->patches;
    l->mask_levels = malloc(patches * sizeof *l->mask_levels);
    l->level_index = calloc(patches, sizeof *l->level_index);
    l->timesteps = malloc(rows * sizeof *l->timesteps);
    l->t_sample = malloc(rows * sizeof *l->t_sample);
    l->t_index = malloc(2 * patches * sizeof *l->t_index);
    l->velocity[0] = calloc(cells, sizeof(float));
    l->velocity[1] = malloc(cells * sizeof(float));
    l->noise = malloc(cells * sizeof(float));
    l->held = calloc(cells, 1);
    if (l->mask_levels == NULL || l->level_index == NULL || l->timesteps == NULL || l->t_index == NULL ||
        l->t_sample == NULL || l->velocity[0] == NULL || l->velocity[1] == NULL || l->noise == NULL || l->held == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory for %zu latent cells", cells);
    if (!step_cache_init(&l->cache, l->request->cache_threshold, cells))
        return error_set(err, SORA_ERROR_MEMORY, "out of memory for %zu latent cells", cells);
    memcpy(l->noise, latent, cells * sizeof *latent);
    for (size_t i = 0; i < patches; i++)
        l->highest = canvas->mask[i] > l->highest ? canvas->mask[i] : l->highest;
    l->levels = 1;
    l->mask_levels[0] = 1;
    if (l->pipeline->timestep_per_patch)
        l->levels = canvas_levels(canvas, l->mask_levels, l->level_index);
    return true;
}

static void deinit_loop(Loop *l)
{
    free(l->velocity[0]);
    free(l->velocity[1]);
    free(l->noise);
    free(l->held);
    free(l->mask_levels);
    free(l->level_index);
    free(l->timesteps);
    free(l->t_index);
    free(l->t_sample);
    step_cache_deinit(&l->cache);
}

static void insert_known(const Loop *l, float sigma, float *latent)
{
    if (l->pipeline->timestep_per_patch)
        canvas_insert(l->request->canvas, sigma, l->noise, latent);
    else
        canvas_insert_noisy(l->request->canvas, sigma, l->noise, latent);
}

/* Distinct timesteps lie text by text: one for each pair of a text and a level of the canvas. Of the samples from `first`
 * on, count of them, patch by patch: which pair is its. */
static void index_timesteps(Loop *l, int first, int count)
{
    int64_t at = 0;
    int text = 0;
    for (int sample = first; sample < first + count; sample++)
        for (int i = 0; i < text_count(l, sample); i++, text++)
            for (int64_t n = text_span(l, sample, i); n > 0; n--, at++)
                l->t_index[at] = text * l->levels + l->level_index[at % l->patches];
    for (int i = 0; i < text * l->levels; i++)
        l->t_sample[i] = i / l->levels;
}

static Tensor *rows_input(Graph *g, const ContextRows *t)
{
    return graph_input(g, DTYPE_F32, SHAPE(t->rows, t->dim), t->data);
}

/* What a pass hears: samples from `first` on, count of them. */
static void prepare_context(Loop *l, int first, int count, Tensor *pictures)
{
    enum { MAX_TEXTS = PIPELINE_MAX_PASSAGES + 1 };
    Graph *g = l->pipeline->graph;
    int64_t grids[2][3], rows[MAX_TEXTS], span[MAX_TEXTS];
    DitBatch batch = {.samples = count, .grid = (const int64_t(*)[3])grids, .text_rows = rows, .text_span = span,
                      .pictures = pictures};
    for (int sample = first; sample < first + count; sample++) {
        memcpy(grids[sample - first], l->request->canvas->grid, sizeof grids[0]);
        for (int i = 0; i < text_count(l, sample); i++, batch.texts++) {
            const ContextRows *text = sample == 0 ? &l->request->passages[i].text : &l->request->negative;
            Tensor *input = rows_input(g, text);
            rows[batch.texts] = text->rows;
            span[batch.texts] = text_span(l, sample, i);
            batch.text = batch.texts == 0 ? input : op_concat(g, 2, (Tensor *[]){batch.text, input}, 0);
        }
    }
    index_timesteps(l, first, count);
    batch.t_sample = graph_input(g, DTYPE_I32, SHAPE(batch.texts * l->levels), l->t_sample);
    l->contexts[first] = dit_prepare(g, l->expert, &batch);
}

static void prepare_contexts(Loop *l)
{
    const ContextRows *heard = &l->request->pictures;
    Tensor *pictures = heard->data != NULL ? rows_input(l->pipeline->graph, heard) : NULL;
    prepare_context(l, 0, l->packed ? 2 : 1, pictures);
    if (l->samples == 2 && !l->packed)
        prepare_context(l, 1, 1, pictures);
}

static Tensor *prepare_condition(const Loop *l)
{
    Graph *g = l->pipeline->graph;
    const Canvas *c = l->request->canvas;
    const CanvasShape *s = &c->shape;
    if (c->condition == NULL)
        return NULL;
    Tensor *x =
        graph_input(g, DTYPE_F32, SHAPE(c->condition_channels, s->frames, s->height, s->width), c->condition);
    return dit_patchify(g, &l->expert->config, x);
}

/* Makes ready for the expert of this timestep, unless it is the one of the last step. */
static void select_expert(Loop *l, double timestep)
{
    const Dit *expert = pipeline_expert(l->pipeline, timestep);
    const DitConfig *c = &expert->config;
    if (expert == l->expert)
        return;
    const Denoising *d = l->request;
    step_cache_forget(&l->cache);
    l->expert = expert;
    l->guidance_scale = expert == l->pipeline->low_noise ? d->low_guidance_scale : d->guidance_scale;
    l->samples = l->guidance_scale == 1 ? 1 : 2;
    l->packed = l->samples == 2 &&
                (double)l->patches * 2 * (8.0 * c->dim + c->ffn_dim) * sizeof(float) < PACKED_BYTES;
    graph_reset(l->pipeline->graph);
    prepare_contexts(l);
    l->condition = prepare_condition(l);
    l->scope = graph_scope(l->pipeline->graph);
}

/* What the network is told of each level of the canvas, for every text of the pass. */
static Tensor *timesteps_input(Loop *l, StepLevel step, int texts)
{
    double most = l->request->sampler.train_timesteps > 0 ? l->request->sampler.train_timesteps : 1000;
    for (int i = 0; i < texts * l->levels; i++) {
        float level = l->mask_levels[i % l->levels];
        l->timesteps[i] = canvas_holds(level, step.sigma) ? (float)(level * most) : step.timestep;
    }
    return graph_input(l->pipeline->graph, DTYPE_F32, SHAPE(texts * l->levels), l->timesteps);
}

/* The velocities of the samples from `first` on, count of them in one pass. */
static void run_pass(Loop *l, int first, int count, StepLevel step, Tensor *patches)
{
    Graph *g = l->pipeline->graph;
    const Dit *m = l->expert;
    GraphScope scope = graph_scope(g);
    Tensor *x = patches;
    int texts = 0;
    for (int sample = first; sample < first + count; sample++)
        texts += text_count(l, sample);
    if (count == 2)
        x = op_concat(g, 2, (Tensor *[]){patches, patches}, 0);
    index_timesteps(l, first, count);
    Tensor *t = timesteps_input(l, step, texts);
    Tensor *index = graph_input(g, DTYPE_I32, SHAPE(count * l->patches), l->t_index);
    Tensor *y = dit_step(g, m, &l->contexts[first], x, t, index);
    for (int i = 0; i < count; i++) {
        Tensor *rows = op_slice(g, y, 0, i * l->patches, l->patches);
        graph_download(g, dit_unpatchify(g, &m->config, rows, l->request->canvas->grid), l->velocity[first + i]);
    }
    graph_keep(g, scope, patches);
}

/* Fills velocity[0] with the guided velocity at this latent and timestep. */
static bool predict(Loop *l, StepLevel step, const float *latent, SoraError *err)
{
    const CanvasShape *s = &l->request->canvas->shape;
    Graph *g = l->pipeline->graph;
    select_expert(l, step.timestep);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(s->channels, s->frames, s->height, s->width), latent);
    Tensor *patches = dit_patchify(g, &l->expert->config, x);
    if (l->condition != NULL)
        patches = op_concat(g, 2, (Tensor *[]){patches, l->condition}, 1);
    run_pass(l, 0, l->packed ? 2 : 1, step, patches);
    if (l->samples == 2 && !l->packed)
        run_pass(l, 1, 1, step, patches);
    graph_keep(g, l->scope, x);
    if (!graph_ok(g, err))
        return false;
    if (l->samples == 2)
        guidance_apply(l->velocity[0], l->velocity[1], l->guidance_scale, (size_t)l->request->canvas->cells);
    return true;
}

/* The guided velocity of step i in velocity[0], from the network or, where that will do, from an earlier step. */
static bool find_velocity(Loop *l, const Sampler *sampler, int i, const float *latent, SoraError *err)
{
    StepLevel step = {sampler_timestep(sampler, i), sampler_sigma(sampler, i)};
    bool last = i + 1 == sampler_steps(sampler), same = pipeline_expert(l->pipeline, step.timestep) == l->expert;
    if (canvas_holds(l->highest, sampler_sigma(sampler, i + 1))) /* all that there is is held until the next step */
        return true;
    if (!last && same && step_cache_serves(&l->cache, step.timestep))
        return true;
    if (!predict(l, step, latent, err))
        return error_wrap(err, "step %d", i + 1);
    step_cache_learn(&l->cache, l->velocity[0], step.timestep);
    if (l->request->steps_computed != NULL)
        ++*l->request->steps_computed;
    return true;
}

/* What is held is known; of the rest the velocity says where it leads. */
static void estimate(const Loop *l, float sigma, const float *latent, float *out)
{
    const Canvas *c = l->request->canvas;
    for (int64_t i = 0; i < c->cells; i++)
        out[i] = l->held[i] ? c->known[i] : latent[i] - sigma * l->velocity[0][i];
}

static bool run_steps(Loop *l, Sampler *sampler, float *latent, SoraError *err)
{
    const Denoising *d = l->request;
    insert_known(l, sampler_sigma(sampler, 0), latent);
    for (int i = 0; i < sampler_steps(sampler); i++) {
        CanvasStep step = {sampler_sigma(sampler, i), sampler_sigma(sampler, i + 1), l->noise, l->velocity[0]};
        if (!find_velocity(l, sampler, i, latent, err))
            return false;
        canvas_release(d->canvas, &step, latent, l->held);
        if (d->estimate != NULL)
            estimate(l, step.sigma, latent, d->estimate);
        sampler_restart(sampler, l->held);
        sampler_step(sampler, l->velocity[0], latent);
        insert_known(l, step.next, latent);
        if (d->after_step != NULL && !d->after_step(d->user, i + 1, latent))
            return error_set(err, SORA_ERROR_CANCELLED, "cancelled after step %d of %d", i + 1,
                             sampler_steps(sampler));
    }
    return true;
}

bool pipeline_denoise(const Pipeline *p, const Denoising *d, float *latent, SoraError *err)
{
    Loop l = {.pipeline = p, .request = d};
    SamplerConfig config = d->sampler;
    config.count = (size_t)d->canvas->cells;
    Sampler *sampler = sampler_new(&config, err);
    bool ok = sampler != NULL && init_loop(&l, latent, err) && run_steps(&l, sampler, latent, err);
    graph_reset(p->graph);
    deinit_loop(&l);
    sampler_free(sampler);
    return ok;
}

/* --- a ring --- */

typedef struct Ring {
    Loop *loop;
    int frames;         /* latent frames */
    CanvasShape shape;  /* of it */
    size_t cells;
    const float *noise; /* all [C, frames, H, W]: what it began as, */
    float *velocity;    /* of this step, */
    float *clean;       /* and what the last one took it for */
    float *stills;      /* the same as stills */
    float *window;      /* [C, 1 + frames of a window, H, W] */
} Ring;

/* One latent frame of a [C, F, H, W] to one of another. */
static void copy_frame(const CanvasShape *from_shape, const float *from, int64_t from_frame, const CanvasShape *to_shape, float *to,
                       int64_t to_frame)
{
    int64_t plane = from_shape->height * from_shape->width;
    for (int64_t c = 0; c < from_shape->channels; c++)
        memcpy(to + (c * to_shape->frames + to_frame) * plane, from + (c * from_shape->frames + from_frame) * plane,
               (size_t)plane * sizeof *to);
}

/* The window's frame 0: a still of the ring's frame before it, with noise. */
static void put_still(const Ring *r, int before, float sigma)
{
    const CanvasShape *window = &r->loop->request->canvas->shape, *s = &r->shape;
    int64_t plane = s->height * s->width, noisy = (before + 1 + r->frames / 2) % r->frames;
    for (int64_t c = 0; c < s->channels; c++)
        for (int64_t i = 0; i < plane; i++)
            r->window[c * window->frames * plane + i] =
                (1 - sigma) * r->stills[(c * s->frames + before) * plane + i] - sigma * r->noise[(c * s->frames + noisy) * plane + i];
}

/* The velocities of the ring's frames from `first` on, as many as a window has. */
static bool predict_window(const Ring *r, int first, StepLevel step, const float *latent, SoraError *err)
{
    const CanvasShape *window = &r->loop->request->canvas->shape;
    put_still(r, (first + r->frames - 1) % r->frames, step.sigma);
    for (int64_t i = 1; i < window->frames; i++)
        copy_frame(&r->shape, latent, (first + i - 1) % r->frames, window, r->window, i);
    if (!predict(r->loop, step, r->window, err))
        return false;
    for (int64_t i = 1; i < window->frames; i++)
        copy_frame(window, r->loop->velocity[0], i, &r->shape, r->velocity, (first + i - 1) % r->frames);
    return true;
}

static bool predict_ring(const Ring *r, int i, StepLevel step, const float *latent, SoraError *err)
{
    int window = (int)r->loop->request->canvas->shape.frames - 1, count = (r->frames + window - 1) / window;
    for (int k = 0; k < count; k++)
        if (!predict_window(r, (i + k * r->frames / count) % r->frames, step, latent, err))
            return error_wrap(err, "step %d", i + 1);
    for (size_t k = 0; k < r->cells; k++)
        r->clean[k] = latent[k] - step.sigma * r->velocity[k];
    if (r->loop->request->steps_computed != NULL)
        ++*r->loop->request->steps_computed;
    return true;
}

static bool run_ring(const Ring *r, Sampler *sampler, float *latent, SoraError *err)
{
    const Denoising *d = r->loop->request;
    for (int i = 0; i < sampler_steps(sampler); i++) {
        if (!predict_ring(r, i, (StepLevel){sampler_timestep(sampler, i), sampler_sigma(sampler, i)}, latent, err))
            return false;
        if (!pipeline_last_still(r->loop->pipeline, &r->shape, r->clean, r->stills, err))
            return false;
        if (r->loop->pipeline->autoencoder->config.linear_code)
            r->loop->expert = NULL; /* the graph was reset */
        sampler_step(sampler, r->velocity, latent);
        if (d->after_step != NULL && !d->after_step(d->user, i + 1, latent))
            return error_set(err, SORA_ERROR_CANCELLED, "cancelled after step %d of %d", i + 1, sampler_steps(sampler));
    }
    return true;
}

bool pipeline_denoise_ring(const Pipeline *p, const Denoising *d, int ring, float *latent, SoraError *err)
{
    Loop l = {.pipeline = p, .request = d};
    Ring r = {.loop = &l, .frames = ring, .shape = d->canvas->shape};
    r.shape.frames = ring;
    r.cells = (size_t)(r.shape.channels * ring * r.shape.height * r.shape.width);
    SamplerConfig config = d->sampler;
    config.count = r.cells;
    Sampler *sampler = sampler_new(&config, err);
    float *memory = calloc(4 * r.cells + (size_t)d->canvas->cells, sizeof *memory);
    bool ok = sampler != NULL && (memory != NULL || error_no_memory(err));
    if (ok) {
        memcpy(memory, latent, r.cells * sizeof *memory);
        r.noise = memory;
        r.velocity = memory + r.cells;
        r.clean = memory + 2 * r.cells;
        r.stills = memory + 3 * r.cells;
        r.window = memory + 4 * r.cells;
        ok = init_loop(&l, r.window, err) && run_ring(&r, sampler, latent, err);
    }
    graph_reset(p->graph);
    deinit_loop(&l);
    sampler_free(sampler);
    free(memory);
    return ok;
}
