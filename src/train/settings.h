/* Training configurations, in JSON. */
#ifndef SORA_TRAIN_SETTINGS_H
#define SORA_TRAIN_SETTINGS_H

#include <jansson.h>
#include "train/adamw.h"
#include "train/batch.h"
#include "train/clips.h"
#include "train/keys.h"
#include "train/latents.h"

enum { MAX_BUCKETS = 16, MAX_NOUNS = 1024 };

/* What both trainers share. */
typedef struct TrainSettings {
    json_t *json; /* owns the strings */
    uint64_t seed;
    AdamWConfig adamw;
    int accumulate;     /* batches of a step on each rank */
    bool half;          /* gradients travel between ranks as BF16 */
    int64_t checkpoint_every, preview_every, log_every; /* steps; preview 0: never */
    ClipSourceConfig source;
    const char *nouns[MAX_NOUNS];
} TrainSettings;

/* Of everything in the configuration that matters for the result. */
uint64_t settings_hash(const TrainSettings *s);

/* Reads seed, optimizer {...}, checkpoint_every, preview_every, log_every and data {folder | seed, nouns}, after a look at
 * all keys of the trainer (train/keys.h). */
bool settings_load(TrainSettings *s, const char *path, TrainerKind trainer, SoraError *err);
void settings_deinit(TrainSettings *s);

/* A number of an object, with a default and a range; false and an error naming the key when it does not fit. */
typedef struct NumberRule {
    const char *key;
    double fallback, low, high;
} NumberRule;
bool settings_number(const json_t *object, NumberRule rule, double *out, SoraError *err);
bool settings_integer(const json_t *object, NumberRule rule, int *out, SoraError *err);

/* true or false; another value is an error. */
bool settings_flag(const json_t *object, const char *key, bool fallback, bool *out, SoraError *err);
/* A string, json's own; NULL where the key is not there. Another value is an error. */
bool settings_text(const json_t *object, const char *key, const char **out, SoraError *err);

/* Writes json (NULL: out of memory) as a file, atomically. */
bool settings_write(const json_t *json, const char *path, SoraError *err);

/* "timesteps" of a configuration. */
bool settings_noise(const json_t *object, NoiseRule *rule, SoraError *err);
bool settings_buckets(const json_t *array, Bucket *buckets, int *count, SoraError *err);

/* Of what latents depend on besides bucket and number: the codec, whose fingerprint is given, and the source of clips. */
uint64_t settings_fingerprint(const TrainSettings *s, uint64_t codec);

/* Copies what the configuration's "codec" and "tokenizer" name into a model's folder, so that it is whole. */
bool settings_copy_parts(const TrainSettings *s, const char *folder, SoraError *err);

#endif
