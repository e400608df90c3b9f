/* One step's batch for the transformer: noisy latents, what the network is to say of them, texts, and who acts where.
 * Everything that a sample is follows from (seed, step, its number in the batch), so samples may be drawn by several
 * machines, in any order. */
#ifndef SORA_TRAIN_BATCH_H
#define SORA_TRAIN_BATCH_H

#include "base/pool.h"
#include "base/rng.h"
#include "model/config.h"
#include "text/tokenizer.h"
#include "train/latents.h"
#include "train/part.h"

/* How noise levels are drawn: sigma = shift s / (1 + (shift - 1) s), s uniform or the sigmoid of a normal number. */
typedef struct NoiseRule {
    bool logit_normal;
    double mean, std, shift;
} NoiseRule;

/* shift: a bucket's own; 0: the rule's. */
double noise_draw(const NoiseRule *rule, double shift, Rng *rng);

/* Shares of samples of which a part is given clean, so that the network learns to continue and to fill in. */
typedef struct GivenRule {
    double first_frame, both_ends, last_frame, region;
} GivenRule;

/* A batch is drawn by these. */
typedef struct BatchRules {
    const DitConfig *dit;
    const Tokenizer *tokenizer;
    LatentCache *latents;
    const Bucket *buckets;
    int bucket_count;
    int64_t first_shards, shard_every; /* of each bucket at first, and steps until one more is used */
    uint64_t seed;
    NoiseRule noise;
    GivenRule given;
    double condition_dropout; /* share of samples whose text is empty */
    double actor_weight;      /* of the loss of patches where something acts */
    Pool *pool;               /* draws samples side by side; may be NULL */
} BatchRules;

/* In host memory. Tokens of all samples lie one after the other. */
typedef struct Batch {
    int samples, bucket;
    int64_t tokens, in_width, out_width; /* a patch's numbers */
    float *patches, *target, *weight;    /* [tokens, in_width], [tokens, out_width] twice */
    int32_t *t_index;                    /* [tokens] */
    float *timesteps;                    /* [2 * samples]: each sample's, then each one's 0 for clean patches */
    int32_t *t_sample;                   /* [2 * samples]: whose they are */
    CellLabel *labels;                   /* [tokens] */
    bool *dropped;                       /* [samples]: the text is empty */
    int64_t (*grid)[3];
    int32_t *ids;  /* of all texts */
    int64_t *rows; /* ids of each text */
    double weight_sum;
} Batch;

/* All parts of a step are of one bucket. May make shards of latents. Give the batch to batch_deinit() also after a failure. */
bool batch_draw(const BatchRules *rules, const StepPart *part, Batch *b, SoraError *err);
/* A whole batch of a bucket without data and with the longest texts, for estimates. */
bool batch_blank(const BatchRules *rules, int bucket, Batch *b, SoraError *err);
void batch_deinit(Batch *b);

/* A batch of these samples with these captions, all at one noise level, nothing given, nothing dropped. Sample i's noise is that of
 * (seed, i), so the same samples with other captions have the same noise. */
typedef struct BatchSamples {
    const LatentSample *samples;
    const char *const *captions;
    int count, bucket;
    float sigma;
} BatchSamples;
bool batch_make(const BatchRules *rules, const BatchSamples *from, Batch *b, SoraError *err);

/* The grid of patches of a bucket's latents. */
void batch_grid(const BatchRules *rules, int bucket, int64_t grid[3]);

/* A caption, cleaned and cut, as ids with the end id: at most room of them. Returns how many, 0 with *err filled. */
int batch_encode_text(const Tokenizer *tokenizer, const char *caption, int32_t *ids, int room, SoraError *err);

#endif
