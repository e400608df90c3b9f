#include "adapt/lora_batch.h"

#include <stdlib.h>
#include <string.h>

void lora_batch_free(LoraBatch *b)
{
    if (b == NULL)
        return;
    free(b->noisy);
    free(b->share);
    free(b->timesteps);
    free(b->t_sample);
    free(b->t_index);
    free(b->grid);
    free(b->rows);
    free(b->text);
    free(b);
}

/* Without a text it is the longest, for estimates. */
static int64_t rows_of(const LoraSample *s, const DitConfig *dit)
{
    return s->text != NULL ? s->text->rows : dit->text_len;
}

/* Memory for all of it, zeroed. */
static LoraBatch *allocate(const DitConfig *dit, const CanvasShape *latent, const LoraSample *samples, int count)
{
    LoraBatch *b = calloc(1, sizeof *b);
    int64_t frames = 0, rows = 0;
    if (b == NULL)
        return NULL;
    for (int i = 0; i < count; i++) {
        frames += samples[i].example->frames;
        rows += rows_of(&samples[i], dit);
    }
    *b = (LoraBatch){.samples = count,
                     .parts = 1,
                     .shape = {latent->channels, frames, latent->height, latent->width},
                     .text_dim = dit->text_dim};
    const int *patch = dit->patch_size;
    size_t numbers = (size_t)(b->shape[0] * b->shape[1] * b->shape[2] * b->shape[3]), n = (size_t)count;
    b->tokens = frames / patch[0] * (latent->height / patch[1]) * (latent->width / patch[2]);
    b->noisy = calloc(2 * numbers, sizeof *b->noisy);
    b->share = calloc((size_t)b->tokens, sizeof *b->share);
    b->timesteps = calloc(n, sizeof *b->timesteps);
    b->t_sample = calloc(n, sizeof *b->t_sample);
    b->t_index = calloc((size_t)b->tokens, sizeof *b->t_index);
    b->grid = calloc(n, sizeof *b->grid);
    b->rows = calloc(n, sizeof *b->rows);
    b->text = calloc((size_t)(rows * b->text_dim) + 1, sizeof *b->text);
    if (b->noisy == NULL || b->share == NULL || b->timesteps == NULL || b->t_sample == NULL || b->t_index == NULL ||
        b->grid == NULL || b->rows == NULL || b->text == NULL) {
        lora_batch_free(b);
        return NULL;
    }
    b->target = b->noisy + numbers;
    return b;
}

/* x = (1 - sigma) x0 + sigma noise, and noise - x0, in the sample's frames, which begin with `first`. */
static void add_noise(LoraBatch *b, int64_t first, LoraSample *s)
{
    int64_t area = b->shape[2] * b->shape[3], numbers = s->example->frames * area;
    for (int64_t c = 0; c < b->shape[0]; c++)
        for (int64_t k = 0; k < numbers; k++) {
            float noise = rng_normal(&s->rng), clean = s->example->latent[c * numbers + k];
            int64_t at = (c * b->shape[1] + first) * area + k;
            b->noisy[at] = (1 - s->sigma) * clean + s->sigma * noise;
            b->target[at] = noise - clean;
        }
}

LoraBatch *lora_batch_new(const DitConfig *dit, const CanvasShape *latent, LoraSample *samples, int count,
                          SoraError *err)
{
    LoraBatch *b = allocate(dit, latent, samples, count);
    if (b == NULL) {
        error_no_memory(err);
        return NULL;
    }
    int64_t frame = 0, token = 0, row = 0;
    for (int i = 0; i < count; i++) {
        LoraSample *s = &samples[i];
        int frames = s->example->frames;
        int64_t grid[3] = {frames / dit->patch_size[0], latent->height / dit->patch_size[1],
                           latent->width / dit->patch_size[2]};
        memcpy(b->grid[i], grid, sizeof grid);
        b->timesteps[i] = 1000 * s->sigma;
        b->t_sample[i] = i;
        b->rows[i] = rows_of(s, dit);
        b->asks_base = b->asks_base || s->share != 1;
        for (int64_t end = token + grid[0] * grid[1] * grid[2]; token < end; token++) {
            b->t_index[token] = i;
            b->share[token] = s->share;
        }
        if (s->example->latent != NULL)
            add_noise(b, frame, s);
        if (s->text != NULL)
            memcpy(b->text + row * b->text_dim, s->text->data, (size_t)(s->text->rows * b->text_dim) * sizeof(float));
        frame += frames;
        row += b->rows[i];
    }
    return b;
}

Tensor *lora_batch_forward(const LoraBatch *b, const Dit *dit, Graph *g)
{
    int64_t rows = 0;
    for (int i = 0; i < b->samples; i++)
        rows += b->rows[i];
    DitBatch batch = {.samples = b->samples, .grid = (const int64_t(*)[3])b->grid, .text_rows = b->rows};
    batch.text = graph_input(g, DTYPE_F32, SHAPE(rows, b->text_dim), b->text);
    batch.patches = dit_patchify(g, &dit->config, graph_input(g, DTYPE_F32, 4, b->shape, b->noisy));
    batch.timesteps = graph_input(g, DTYPE_F32, SHAPE(b->samples), b->timesteps);
    batch.t_sample = graph_input(g, DTYPE_I32, SHAPE(b->samples), b->t_sample);
    batch.t_index = graph_input(g, DTYPE_I32, SHAPE(b->tokens), b->t_index);
    return dit_forward(g, dit, &batch);
}

/* answer + share (target - answer) */
Tensor *lora_batch_target(const LoraBatch *b, const Dit *dit, const float *answer, Graph *g)
{
    Tensor *target = dit_patchify_head(g, &dit->config, graph_input(g, DTYPE_F32, 4, b->shape, b->target));
    if (answer == NULL || target == NULL)
        return target;
    int64_t width = target->shape[1];
    Tensor *base = graph_input(g, DTYPE_F32, SHAPE(b->tokens, width), answer);
    Tensor *share = op_group_repeat(g, graph_input(g, DTYPE_F32, SHAPE(b->tokens, 1), b->share), width);
    return op_add(g, base, op_mul(g, op_sub(g, target, base), share));
}
