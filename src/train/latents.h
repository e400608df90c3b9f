/* Latents of training clips, encoded once and kept on disk in 8 bits a number. A bucket is one size and length; its clips come in
 * shards, which are made when they are first asked for. A shard is a pure function of source, codec and number. */
#ifndef SORA_TRAIN_LATENTS_H
#define SORA_TRAIN_LATENTS_H

#include "model/vae.h"
#include "team/team.h"
#include "train/clips.h"

typedef struct Bucket {
    int width, height, frames; /* pixels; frames = 1 + a multiple of the codec's temporal stride */
    int drawn_width, drawn_height; /* pixels; a larger picture of which a window around the subject is taken */
    double fps, shift;         /* shift of noise levels; 0: the run's */
    int batch;                 /* samples a step */
    double weight;             /* how often, beside the other buckets */
    int shard_clips, shards;   /* clips a shard, and shards at most */
} Bucket;

/* Who acts in a cell of a latent, wholly or in part: the subject before others. */
typedef struct CellLabel {
    uint8_t noun;   /* 0: nobody, else 1 + the noun's number */
    uint8_t colour; /* 1 + StageColour; 0 with nobody */
    uint8_t motion; /* 1 + ClipMotion; 0 with nobody */
} CellLabel;

/* One sample: a latent and its captions; all the cache's. */
typedef struct LatentSample {
    const uint8_t *latent;   /* [F, h, w, z], normalised: each a number of its channel's values; latent_sample_read() */
    const float *values;     /* [z, 256] */
    const CellLabel *labels; /* [F, h, w] */
    const int32_t *classes;  /* [CLIP_CLASSES]: see clips.h */
    const char *captions;   /* count texts, each ended by a 0 byte */
    int caption_count;
} LatentSample;

enum { LATENT_BATCH = 8 }; /* clips that are drawn and encoded together */

typedef struct LatentCache LatentCache;

typedef struct LatentCacheConfig {
    const char *folder;  /* made if it is not there */
    ClipSource *source;  /* these three are the caller's and outlive the cache */
    const Vae *codec;
    Graph *graph;        /* reset by the cache; not recording while it encodes */
    const Bucket *buckets;
    int bucket_count;
    uint64_t fingerprint; /* of codec and source: shards made with another are refused */
    bool dry;             /* nothing is made: latent_cache_estimate() alone */
    Team *team;           /* that uses the shards; NULL: this process alone */
    /* Called while a shard is being made; false: give up with SORA_ERROR_CANCELLED. May be NULL. */
    bool (*progress)(void *user, int done, int total);
    void *user;
} LatentCacheConfig;

LatentCache *latent_cache_new(const LatentCacheConfig *config, SoraError *err);
void latent_cache_free(LatentCache *c);

/* Shape of a bucket's latents: F, h, w, z. */
void latent_cache_shape(const LatentCache *c, int bucket, int64_t shape[4]);

/* The latent in F32: out [F, h, w, z], count numbers in all, of z channels. */
void latent_sample_read(const LatentSample *sample, int64_t count, int64_t z, float *out);

/* Makes shard number `shard` of a bucket if it is not there, and looks whether it is the right one. */
bool latent_cache_make(LatentCache *c, int bucket, int shard, SoraError *err);

/* Of a team with more than one: the first `count` shards of each bucket are there on every rank afterwards. Each was made by one rank,
 * its owner, and is sent to those that do not see it, for want of a common folder. To be called by all ranks. */
bool latent_cache_team(LatentCache *c, int64_t count, SoraError *err);

/* Bytes of a bucket's first `count` shards, about; seconds, unless NULL: to make those that are not there, by eight clips that are made and
 * forgotten. */
bool latent_cache_estimate(LatentCache *c, int bucket, int64_t count, double *bytes, double *seconds, SoraError *err);

/* Clip `clip` of a shard; makes the shard if it is not there. */
bool latent_cache_get(LatentCache *c, int bucket, int shard, int clip, LatentSample *sample, SoraError *err);

#endif
