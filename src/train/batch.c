#include "train/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sample/given.h"
#include "text/clean.h"

/* Random numbers of a step, then of each of its samples. */
enum { STREAMS_OF_A_STEP = 1 << 20 };

void batch_deinit(Batch *b)
{
    free(b->patches);
    free(b->t_index);
    free(b->timesteps);
    free(b->t_sample);
    free(b->labels);
    free(b->dropped);
    free(b->grid);
    free(b->ids);
    free(b->rows);
}

static bool batch_init(Batch *b, const DitConfig *c, int samples, const int64_t grid[3])
{
    const int *p = c->patch_size;
    int64_t cells = (int64_t)p[0] * p[1] * p[2];
    size_t n = (size_t)samples;
    *b = (Batch){.samples = samples, .tokens = samples * grid[0] * grid[1] * grid[2],
                 .in_width = cells * c->in_dim, .out_width = cells * c->out_dim};
    size_t tokens = (size_t)b->tokens, in = tokens * (size_t)b->in_width, out = tokens * (size_t)b->out_width;
    b->patches = malloc((in + 2 * out) * sizeof *b->patches);
    b->target = b->patches + in;
    b->weight = b->target + out;
    b->t_index = malloc(tokens * sizeof *b->t_index);
    b->labels = calloc(tokens, sizeof *b->labels);
    b->timesteps = calloc(2 * n, sizeof *b->timesteps);
    b->t_sample = calloc(2 * n, sizeof *b->t_sample);
    b->dropped = calloc(n, sizeof *b->dropped);
    b->grid = malloc(n * sizeof *b->grid);
    b->ids = malloc(n * (size_t)c->text_len * sizeof *b->ids);
    b->rows = malloc(n * sizeof *b->rows);
    return b->patches && b->t_index && b->labels && b->timesteps && b->t_sample && b->dropped && b->grid && b->ids &&
           b->rows;
}

/* --- one sample --- */

double noise_draw(const NoiseRule *rule, double own, Rng *rng)
{
    double shift = own > 0 ? own : rule->shift;
    double s = rng_uniform(rng);
    if (rule->logit_normal)
        s = 1 / (1 + exp(-(rule->mean + rule->std * (double)rng_normal(rng))));
    return shift * s / (1 + (shift - 1) * s);
}

static void draw_given(const GivenRule *rule, const int64_t grid[3], Rng *rng, Given *given)
{
    *given = (Given){.grid = {grid[0], grid[1], grid[2]}};
    double u = rng_uniform(rng);
    GivenPart region = {.size = {grid[0], 1 + rng_int(rng, (int)grid[1]), 1 + rng_int(rng, (int)grid[2])}};
    for (int i = 1; i < 3; i++)
        region.first[i] = rng_int(rng, (int)(grid[i] - region.size[i]) + 1);
    bool first = grid[0] > 1 && u < rule->first_frame;
    bool ends = !first && grid[0] > 2 && u < rule->first_frame + rule->both_ends;
    bool last = !first && !ends && grid[0] > 1 && u < rule->first_frame + rule->both_ends + rule->last_frame;
    if (first || ends)
        given_add(given, given_frames(grid, 0, 1, 0));
    if (ends || last)
        given_add(given, given_frames(grid, grid[0] - 1, 1, 0));
    if (!first && !ends && !last && region.size[1] * region.size[2] < grid[1] * grid[2] && u >= 1 - rule->region)
        given_add(given, region);
}

/* Where element (channel, dt, dy, dx) of the patch at (frame, row, column) is in a latent [F, h, w, z]. */
typedef struct PatchPlace {
    int64_t shape[4], frame, row, column;
    const int *patch;
} PatchPlace;

static int64_t cell(const PatchPlace *p, int64_t dt, int64_t dy, int64_t dx, int64_t channel)
{
    int64_t f = p->frame * p->patch[0] + dt, y = p->row * p->patch[1] + dy, x = p->column * p->patch[2] + dx;
    return ((f * p->shape[1] + y) * p->shape[2] + x) * p->shape[3] + channel;
}

/* x = (1 - sigma) x0 + sigma noise in the order (c, pt, ph, pw); target noise - x0 in the order (pt, ph, pw, c). */
static void write_patch(Batch *b, int64_t token, const PatchPlace *p, const float *x0, const float *noise, float sigma)
{
    float *in = b->patches + token * b->in_width, *out = b->target + token * b->out_width;
    int64_t z = p->shape[3];
    for (int64_t dt = 0, k = 0; dt < p->patch[0]; dt++)
        for (int64_t dy = 0; dy < p->patch[1]; dy++)
            for (int64_t dx = 0; dx < p->patch[2]; dx++, k++) {
                int64_t cells = (int64_t)p->patch[0] * p->patch[1] * p->patch[2];
                for (int64_t c = 0; c < z; c++) {
                    int64_t at = cell(p, dt, dy, dx, c);
                    in[c * cells + k] = (1 - sigma) * x0[at] + sigma * noise[at];
                    *out++ = noise[at] - x0[at];
                }
            }
}

/* Who acts in a patch: its first cell that has somebody. */
static CellLabel patch_label(const PatchPlace *p, const CellLabel *labels)
{
    for (int64_t dt = 0; dt < p->patch[0]; dt++)
        for (int64_t dy = 0; dy < p->patch[1]; dy++)
            for (int64_t dx = 0; dx < p->patch[2]; dx++) {
                CellLabel label = labels[cell(p, dt, dy, dx, 0) / p->shape[3]];
                if (label.noun != 0)
                    return label;
            }
    return (CellLabel){0};
}

/* One sample's latent and noise, [F, h, w, z] each. */
typedef struct Noised {
    const float *x0, *noise;
    float sigma;
    const Given *given;
} Noised;

/* Returns the sum of its weights. */
static double fill_tokens(const BatchRules *r, Batch *b, int sample, const LatentSample *from, const Noised *n)
{
    int64_t shape[4];
    double sum = 0;
    latent_cache_shape(r->latents, b->bucket, shape);
    const int64_t *grid = b->grid[sample];
    int64_t per_sample = grid[0] * grid[1] * grid[2];
    for (int64_t i = 0; i < per_sample; i++) {
        int64_t token = sample * per_sample + i;
        PatchPlace p = {.frame = i / (grid[1] * grid[2]), .row = i / grid[2] % grid[1], .column = i % grid[2],
                        .patch = r->dit->patch_size};
        memcpy(p.shape, shape, sizeof p.shape);
        float sigma = given_noise(given_level(n->given, p.frame, p.row, p.column), n->sigma);
        bool clean = sigma == 0;
        write_patch(b, token, &p, n->x0, n->noise, sigma);
        b->t_index[token] = clean ? b->samples + sample : sample;
        b->labels[token] = patch_label(&p, from->labels);
        float weight = clean ? 0 : b->labels[token].noun != 0 ? (float)r->actor_weight : 1;
        for (int64_t k = 0; k < b->out_width; k++)
            b->weight[token * b->out_width + k] = weight;
        sum += (double)weight * (double)b->out_width;
    }
    return sum;
}

/* sigma and what is given are drawn by the caller. Writes the sample's own rows of the batch, and the sum of its weights. */
static bool fill_video(const BatchRules *r, Batch *b, int sample, const LatentSample *from, Noised n, Rng *rng, double *weights)
{
    int64_t shape[4];
    latent_cache_shape(r->latents, b->bucket, shape);
    int64_t cells = shape[0] * shape[1] * shape[2] * shape[3];
    float *x0 = malloc(2 * (size_t)cells * sizeof *x0), *noise = x0 + cells;
    if (x0 == NULL)
        return false;
    n.x0 = x0;
    n.noise = noise;
    latent_sample_read(from, cells, shape[3], x0);
    rng_fill_normal(rng, noise, (size_t)cells);
    b->timesteps[sample] = 1000 * n.sigma;
    b->t_sample[sample] = b->t_sample[b->samples + sample] = sample;
    *weights = fill_tokens(r, b, sample, from, &n);
    free(x0);
    return true;
}

int batch_encode_text(const Tokenizer *tokenizer, const char *caption, int32_t *ids, int room, SoraError *err)
{
    size_t size = 0;
    char *clean = clean_prompt(caption, strlen(caption), &size, err);
    if (clean == NULL)
        return error_wrap(err, "caption \"%.40s\"", caption);
    int n = tokenizer_encode(tokenizer, clean, size, ids, room - 1);
    free(clean);
    if (n < 0)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    n = n < room - 1 ? n : room - 1;
    ids[n] = tokenizer_eos_id(tokenizer);
    return n + 1;
}

static bool add_text(const BatchRules *r, Batch *b, int sample, const char *caption, SoraError *err)
{
    int64_t start = 0;
    for (int i = 0; i < sample; i++)
        start += b->rows[i];
    b->rows[sample] = batch_encode_text(r->tokenizer, caption, b->ids + start, r->dit->text_len, err);
    return b->rows[sample] > 0;
}

/* One of the captions, or nothing. */
static bool draw_text(const BatchRules *r, Batch *b, int sample, const LatentSample *s, Rng *rng, SoraError *err)
{
    b->dropped[sample] = rng_uniform(rng) < (float)r->condition_dropout || s->caption_count == 0;
    int which = s->caption_count > 0 ? rng_int(rng, s->caption_count) : 0;
    const char *caption = s->captions;
    for (int i = 0; i < which; i++)
        caption += strlen(caption) + 1;
    return add_text(r, b, sample, b->dropped[sample] ? "" : caption, err);
}

/* A sample whose text is drawn and whose video is not yet. */
typedef struct Drawing {
    LatentSample from;
    Rng rng;
    double weights;
    bool ok;
} Drawing;

typedef struct Drawings {
    const BatchRules *rules;
    Batch *batch;
    Drawing *of;
} Drawings;

static void draw_video(void *arg, int64_t i, int worker)
{
    const Drawings *all = arg;
    const BatchRules *r = all->rules;
    Batch *b = all->batch;
    Drawing *d = &all->of[i];
    Given given;
    Noised n = {.sigma = (float)noise_draw(&r->noise, r->buckets[b->bucket].shift, &d->rng), .given = &given};
    (void)worker;
    draw_given(&r->given, b->grid[i], &d->rng, &given);
    d->ok = fill_video(r, b, (int)i, &d->from, n, &d->rng, &d->weights);
}

void batch_grid(const BatchRules *r, int bucket, int64_t grid[3])
{
    int64_t shape[4];
    latent_cache_shape(r->latents, bucket, shape);
    for (int i = 0; i < 3; i++)
        grid[i] = shape[i] / r->dit->patch_size[i];
}

static bool begin(const BatchRules *r, int bucket, int samples, Batch *b, SoraError *err)
{
    int64_t grid[3];
    batch_grid(r, bucket, grid);
    if (!batch_init(b, r->dit, samples, grid))
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    b->bucket = bucket;
    for (int i = 0; i < samples; i++)
        memcpy(b->grid[i], grid, sizeof grid);
    return true;
}

static int draw_bucket(const BatchRules *r, Rng *rng)
{
    double sum = 0, u;
    for (int i = 0; i < r->bucket_count; i++)
        sum += r->buckets[i].weight;
    u = (double)rng_uniform(rng) * sum;
    int i = 0;
    while (i + 1 < r->bucket_count && u >= r->buckets[i].weight)
        u -= r->buckets[i++].weight;
    return i;
}

/* Samples `stream` + 1 and following: texts one after the other, videos side by side. */
static bool draw_samples(const BatchRules *r, uint64_t stream, int shards, Batch *b, SoraError *err)
{
    Drawing *of = calloc((size_t)b->samples, sizeof *of);
    bool ok = of != NULL || error_no_memory(err);
    for (int i = 0; ok && i < b->samples; i++) {
        Drawing *d = &of[i];
        rng_init(&d->rng, r->seed, stream + 1 + (uint64_t)i);
        int shard = rng_int(&d->rng, shards), clip = rng_int(&d->rng, r->buckets[b->bucket].shard_clips);
        ok = latent_cache_get(r->latents, b->bucket, shard, clip, &d->from, err) && draw_text(r, b, i, &d->from, &d->rng, err);
    }
    if (ok)
        pool_run(r->pool, b->samples, draw_video, &(Drawings){r, b, of});
    for (int i = 0; ok && i < b->samples; i++) {
        b->weight_sum += of[i].weights;
        ok = of[i].ok || error_no_memory(err);
    }
    free(of);
    return ok;
}

bool batch_draw(const BatchRules *r, const StepPart *part, Batch *b, SoraError *err)
{
    Rng rng;
    int64_t step = part->step;
    uint64_t stream = (uint64_t)step * STREAMS_OF_A_STEP;
    *b = (Batch){0};
    rng_init(&rng, r->seed, stream);
    int bucket = draw_bucket(r, &rng);
    const Bucket *k = &r->buckets[bucket];
    int64_t ready = r->first_shards + step / r->shard_every;
    int shards = (int)(ready < k->shards ? ready : k->shards);
    if ((int64_t)part->parts * k->batch >= STREAMS_OF_A_STEP)
        return error_set(err, SORA_ERROR_INPUT, "a step of %d times %d samples, at most %d are possible", part->parts, k->batch,
                         STREAMS_OF_A_STEP - 1);
    stream += (uint64_t)part->part * (uint64_t)k->batch;
    return latent_cache_team(r->latents, ready, err) && begin(r, bucket, k->batch, b, err) && draw_samples(r, stream, shards, b, err);
}

bool batch_blank(const BatchRules *r, int bucket, Batch *b, SoraError *err)
{
    int n = r->buckets[bucket].batch;
    *b = (Batch){0};
    if (!begin(r, bucket, n, b, err))
        return false;
    memset(b->patches, 0, (size_t)(b->tokens * (b->in_width + 2 * b->out_width)) * sizeof(float));
    memset(b->t_index, 0, (size_t)b->tokens * sizeof *b->t_index);
    memset(b->ids, 0, (size_t)n * (size_t)r->dit->text_len * sizeof *b->ids);
    for (int i = 0; i < n; i++) {
        b->rows[i] = r->dit->text_len;
        b->t_sample[i] = b->t_sample[n + i] = i;
    }
    for (int64_t i = 0; i < b->tokens; i++)
        b->t_index[i] = (int32_t)(i / (b->tokens / n));
    return true;
}

bool batch_make(const BatchRules *r, const BatchSamples *from, Batch *b, SoraError *err)
{
    bool ok = begin(r, from->bucket, from->count, b, err);
    for (int i = 0; ok && i < from->count; i++) {
        Rng rng;
        double weights = 0;
        Given nothing = {.grid = {b->grid[i][0], b->grid[i][1], b->grid[i][2]}};
        rng_init(&rng, r->seed, (uint64_t)i);
        ok = add_text(r, b, i, from->captions[i], err) &&
             (fill_video(r, b, i, &from->samples[i], (Noised){.sigma = from->sigma, .given = &nothing}, &rng, &weights) ||
              error_no_memory(err));
        b->weight_sum += weights;
    }
    return ok;
}
