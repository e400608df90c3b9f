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
    int64_t grid[3], patches; /* tokens of one sample: frames, rows, columns */
    float *velocity[2];       /* [C, F, H, W]: of the prompt, of its opposite */
    float *noise;             /* the first latent; for transformers with one timestep */
    int levels;
    float *mask_levels, *timesteps; /* [2 * patches]: distinct ones are at the front, of one sample, then of the other */
    int32_t *t_index, *t_sample;    /* [2 * patches] */
    /* Of the expert whose turn it is. */
    const Dit *expert;
    double guidance_scale;
    int samples;            /* 2 with guidance */
    bool packed;            /* both in one batch */
    DitContext contexts[2]; /* for one pass with both samples, or for a pass each */
    Tensor *condition;      /* its patches, or NULL */
    GraphScope scope;       /* after the contexts and the condition */
    StepCache cache;        /* of guided velocities */
} Loop;

static bool init_loop(Loop *l, const float *latent, SoraError *err)
{
    const Canvas *canvas = l->request->canvas;
    const CanvasShape *s = &canvas->shape;
    size_t cells = (size_t)canvas->cells, patches = (size_t)canvas->patches;
    int64_t channels = s->channels + (canvas->condition != NULL ? canvas->condition_channels : 0);
    if (channels != l->pipeline->transformer->config.in_dim)
        return error_set(err, SORA_ERROR_INPUT, "transformer: %d channels, the canvas has %lld",
                         l->pipeline->transformer->config.in_dim, (long long)channels);
    l->patches = canvas->patches;
    l->grid[0] = s->frames / s->patch[0];
    l->grid[1] = s->height / s->patch[1];
    l->grid[2] = s->width / s->patch[2];
    l->mask_levels = malloc(patches * sizeof *l->mask_levels);
    l->timesteps = malloc(2 * patches * sizeof *l->timesteps);
    l->t_index = calloc(2 * patches, sizeof *l->t_index);
    l->t_sample = calloc(2 * patches, sizeof *l->t_sample);
    l->velocity[0] = malloc(cells * sizeof(float));
    l->velocity[1] = malloc(cells * sizeof(float));
    l->noise = malloc(cells * sizeof(float));
    if (l->mask_levels == NULL || l->timesteps == NULL || l->t_index == NULL || l->t_sample == NULL ||
        l->velocity[0] == NULL || l->velocity[1] == NULL || l->noise == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory for %zu latent cells", cells);
    if (!step_cache_init(&l->cache, l->request->cache_threshold, cells))
        return error_set(err, SORA_ERROR_MEMORY, "out of memory for %zu latent cells", cells);
    memcpy(l->noise, latent, cells * sizeof *latent);
    l->levels = 1;
    l->mask_levels[0] = 1;
    if (l->pipeline->timestep_per_patch)
        l->levels = canvas_levels(canvas, l->mask_levels, l->t_index);
    for (size_t i = 0; i < patches; i++)
        l->t_index[patches + i] = l->t_index[i] + l->levels;
    for (int i = 0; i < l->levels; i++)
        l->t_sample[l->levels + i] = 1;
    return true;
}

static void deinit_loop(Loop *l)
{
    free(l->velocity[0]);
    free(l->velocity[1]);
    free(l->noise);
    free(l->mask_levels);
    free(l->timesteps);
    free(l->t_index);
    free(l->t_sample);
    step_cache_deinit(&l->cache);
}

static void insert_known(const Loop *l, float sigma, float *latent)
{
    if (l->pipeline->timestep_per_patch)
        canvas_insert(l->request->canvas, latent);
    else
        canvas_insert_noisy(l->request->canvas, sigma, l->noise, latent);
}

static Tensor *rows_input(Graph *g, const ContextRows *t)
{
    return graph_input(g, DTYPE_F32, SHAPE(t->rows, t->dim), t->data);
}

static void prepare_contexts(Loop *l)
{
    Graph *g = l->pipeline->graph;
    const ContextRows *texts[2] = {&l->request->prompt, &l->request->negative};
    int64_t grids[2][3], rows[2];
    Tensor *inputs[2] = {NULL, NULL}, *pictures = NULL;
    if (l->request->pictures.data != NULL)
        pictures = rows_input(g, &l->request->pictures);
    for (int i = 0; i < l->samples; i++) {
        memcpy(grids[i], l->grid, sizeof l->grid);
        rows[i] = texts[i]->rows;
        inputs[i] = rows_input(g, texts[i]);
    }
    DitBatch batch = {.samples = 1, .pictures = pictures};
    if (l->packed) {
        batch.samples = 2;
        inputs[0] = op_concat(g, 2, inputs, 0);
    }
    batch.t_sample = graph_input(g, DTYPE_I32, SHAPE(batch.samples * l->levels), l->t_sample);
    for (int pass = 0; pass * batch.samples < l->samples; pass++) {
        batch.grid = &grids[pass];
        batch.text = inputs[pass];
        batch.text_rows = &rows[pass];
        l->contexts[pass] = dit_prepare(g, l->expert, &batch);
    }
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

/* Fills velocity[0] with the guided velocity at this latent and timestep. */
static bool predict(Loop *l, float timestep, const float *latent, SoraError *err)
{
    const CanvasShape *s = &l->request->canvas->shape;
    Graph *g = l->pipeline->graph;
    select_expert(l, timestep);
    const Dit *m = l->expert;
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(s->channels, s->frames, s->height, s->width), latent);
    Tensor *patches = dit_patchify(g, &m->config, x);
    if (l->condition != NULL)
        patches = op_concat(g, 2, (Tensor *[]){patches, l->condition}, 1);
    int per_pass = l->packed ? 2 : 1;
    for (int i = 0; i < per_pass * l->levels; i++)
        l->timesteps[i] = l->mask_levels[i % l->levels] * timestep;
    Tensor *t = graph_input(g, DTYPE_F32, SHAPE(per_pass * l->levels), l->timesteps);
    if (l->packed)
        patches = op_concat(g, 2, (Tensor *[]){patches, patches}, 0);
    Tensor *index = graph_input(g, DTYPE_I32, SHAPE(per_pass * l->patches), l->t_index);
    for (int pass = 0; pass * per_pass < l->samples; pass++) {
        GraphScope scope = graph_scope(g);
        Tensor *y = dit_step(g, m, &l->contexts[pass], patches, t, index);
        for (int i = 0; i < per_pass; i++) {
            Tensor *rows = op_slice(g, y, 0, i * l->patches, l->patches);
            graph_download(g, dit_unpatchify(g, &m->config, rows, l->grid), l->velocity[pass + i]);
        }
        graph_keep(g, scope, index);
    }
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
    float timestep = sampler_timestep(sampler, i);
    bool last = i + 1 == sampler_steps(sampler), same = pipeline_expert(l->pipeline, timestep) == l->expert;
    if (!last && same && step_cache_serves(&l->cache, timestep))
        return true;
    if (!predict(l, timestep, latent, err))
        return error_wrap(err, "step %d", i + 1);
    step_cache_learn(&l->cache, l->velocity[0], timestep);
    if (l->request->steps_computed != NULL)
        ++*l->request->steps_computed;
    return true;
}

static bool run_steps(Loop *l, Sampler *sampler, float *latent, SoraError *err)
{
    const Denoising *d = l->request;
    insert_known(l, sampler_sigma(sampler, 0), latent);
    for (int i = 0; i < sampler_steps(sampler); i++) {
        if (!find_velocity(l, sampler, i, latent, err))
            return false;
        sampler_step(sampler, l->velocity[0], latent);
        insert_known(l, sampler_sigma(sampler, i + 1), latent);
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
