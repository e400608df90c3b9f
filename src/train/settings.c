#include "train/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#include "base/file.h"
#include "base/hash.h"
#include "base/json_file.h"

bool settings_number(const json_t *object, NumberRule r, double *out, SoraError *err)
{
    const json_t *value = json_object_get(object, r.key);
    *out = r.fallback;
    if (value == NULL)
        return true;
    if (!json_is_number(value))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is not a number", r.key);
    *out = json_number_value(value);
    if (!(*out >= r.low && *out <= r.high))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is %g, allowed are %g to %g", r.key, *out, r.low, r.high);
    return true;
}

bool settings_integer(const json_t *object, NumberRule rule, int *out, SoraError *err)
{
    double x;
    if (!settings_number(object, rule, &x, err))
        return false;
    if (x != floor(x))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is %g, a whole number is expected", rule.key, x);
    *out = (int)x;
    return true;
}

bool settings_flag(const json_t *object, const char *key, bool fallback, bool *out, SoraError *err)
{
    const json_t *value = json_object_get(object, key);
    *out = value != NULL ? json_is_true(value) : fallback;
    return value == NULL || json_is_boolean(value) ||
           error_set(err, SORA_ERROR_INPUT, "\"%s\" is neither true nor false", key);
}

bool settings_text(const json_t *object, const char *key, const char **out, SoraError *err)
{
    const json_t *value = json_object_get(object, key);
    *out = json_string_value(value);
    return value == NULL || json_is_string(value) || error_set(err, SORA_ERROR_INPUT, "\"%s\" is not a text", key);
}

static bool read_steps(const json_t *object, NumberRule rule, int64_t *out, SoraError *err)
{
    int x = 0;
    bool ok = settings_integer(object, rule, &x, err);
    *out = ok ? x : 0;
    return ok;
}

/* What a team does with gradients. */
static bool read_team(const json_t *o, TrainSettings *s, SoraError *err)
{
    const char *type = NULL;
    if (!settings_integer(o, (NumberRule){"accumulate", 1, 1, 4096}, &s->accumulate, err) ||
        !settings_text(o, "gradients", &type, err))
        return false;
    s->half = type != NULL && strcmp(type, "bf16") == 0;
    return type == NULL || s->half || strcmp(type, "f32") == 0 ||
           error_set(err, SORA_ERROR_INPUT, "\"gradients\" is \"f32\" or \"bf16\"");
}

static bool read_optimizer(const json_t *o, AdamWConfig *c, SoraError *err)
{
    const AdamWConfig d = adamw_defaults();
    *c = d;
    return settings_number(o, (NumberRule){"learning_rate", d.learning_rate, 0, 1}, &c->learning_rate, err) &&
           settings_number(o, (NumberRule){"final_ratio", d.final_ratio, 0, 1}, &c->final_ratio, err) &&
           read_steps(o, (NumberRule){"warmup", (double)d.warmup, 0, 1e9}, &c->warmup, err) &&
           read_steps(o, (NumberRule){"cooldown", 0, 0, 1e9}, &c->cooldown, err) &&
           read_steps(o, (NumberRule){"steps", (double)d.steps, 1, 1e9}, &c->steps, err) &&
           settings_number(o, (NumberRule){"beta1", d.beta1, 0, 0.9999}, &c->beta1, err) &&
           settings_number(o, (NumberRule){"beta2", d.beta2, 0, 0.99999}, &c->beta2, err) &&
           settings_number(o, (NumberRule){"eps", d.eps, 1e-20, 1}, &c->eps, err) &&
           settings_number(o, (NumberRule){"weight_decay", d.weight_decay, 0, 10}, &c->weight_decay, err) &&
           settings_number(o, (NumberRule){"clip", d.clip, 0, 1e9}, &c->clip, err) &&
           settings_number(o, (NumberRule){"ema", d.ema, 0, 0.999999}, &c->ema, err);
}

static bool add_noun(TrainSettings *s, const char *noun, json_int_t weight, SoraError *err)
{
    if (noun == NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"nouns\" has an entry that is not a text");
    if (weight < 0 || weight > MAX_NOUNS - s->source.noun_count)
        return error_set(err, SORA_ERROR_INPUT, "\"nouns\": the weight of \"%.60s\" is not whole, or all are more than %d", noun,
                         MAX_NOUNS);
    while (weight-- > 0)
        s->nouns[s->source.noun_count++] = noun;
    return true;
}

/* "nouns": {"dog": 4, ...} with whole weights, or ["dog", ...]. */
static bool read_nouns(TrainSettings *s, json_t *nouns, SoraError *err)
{
    size_t index;
    json_t *value;
    const char *key;
    if (nouns == NULL)
        return true;
    if (!json_is_array(nouns) && !json_is_object(nouns))
        return error_set(err, SORA_ERROR_INPUT, "\"nouns\" is neither a list nor an object");
    json_array_foreach(nouns, index, value)
        if (!add_noun(s, json_string_value(value), 1, err))
            return false;
    json_object_foreach(nouns, key, value)
        if (!add_noun(s, key, json_is_integer(value) ? json_integer_value(value) : -1, err))
            return false;
    s->source.nouns = s->nouns;
    return s->source.noun_count > 0 || error_set(err, SORA_ERROR_INPUT, "\"nouns\" names none");
}

/* "captions": "own", "captioner" or "mix", with "own_share". */
static bool read_caption_choice(TrainSettings *s, const json_t *data, SoraError *err)
{
    static const char *const CHOICES[] = {"own", "captioner", "mix"};
    const char *choice;
    if (!settings_text(data, "captions", &choice, err) ||
        !settings_number(data, (NumberRule){"own_share", 0.05, 0, 1}, &s->source.own_share, err))
        return false;
    int i = 0;
    while (choice != NULL && i < 3 && strcmp(choice, CHOICES[i]) != 0)
        i++;
    if (i == 3)
        return error_set(err, SORA_ERROR_INPUT, "\"data\": \"captions\" is \"own\", \"captioner\" or \"mix\"");
    s->source.captions = (ClipCaptions)i;
    if (s->source.folder == NULL && choice != NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"data\": \"captions\" is of a \"folder\", Emoji Stage has its own");
    return s->source.captions == CAPTIONS_MIX || json_object_get(data, "own_share") == NULL ||
           error_set(err, SORA_ERROR_INPUT, "\"data\": \"own_share\" has an effect on captions \"mix\" alone");
}

static bool read_source(TrainSettings *s, const json_t *data, SoraError *err)
{
    double seed;
    if (!settings_number(data, (NumberRule){"seed", 1, 0, 1e15}, &seed, err) ||
        !settings_number(data, (NumberRule){"everyday", -1, -1, 1}, &s->source.everyday, err) ||
        !settings_number(data, (NumberRule){"styled", 0, 0, 1}, &s->source.styled, err) ||
        !settings_text(data, "folder", &s->source.folder, err) || !read_nouns(s, json_object_get(data, "nouns"), err) ||
        !read_caption_choice(s, data, err))
        return false;
    static const char *const OF_THE_STAGE[] = {"seed", "nouns", "everyday", "styled"};
    for (int i = 0; i < 4 && s->source.folder != NULL; i++)
        if (json_object_get(data, OF_THE_STAGE[i]) != NULL)
            return error_set(err, SORA_ERROR_INPUT, "\"data\": \"%s\" is of Emoji Stage and has no effect on a \"folder\"",
                             OF_THE_STAGE[i]);
    s->source.seed = (uint64_t)seed;
    return true;
}

bool settings_load(TrainSettings *s, const char *path, TrainerKind trainer, SoraError *err)
{
    *s = (TrainSettings){0};
    s->json = json_file_read(path, err);
    if (s->json == NULL)
        return false;
    double seed;
    if (train_keys_check(s->json, trainer, err) && settings_number(s->json, (NumberRule){"seed", 1, 0, 1e15}, &seed, err) &&
        read_optimizer(json_object_get(s->json, "optimizer"), &s->adamw, err) &&
        read_team(json_object_get(s->json, "optimizer"), s, err) &&
        read_steps(s->json, (NumberRule){"checkpoint_every", 500, 1, 1e9}, &s->checkpoint_every, err) &&
        read_steps(s->json, (NumberRule){"preview_every", 0, 0, 1e9}, &s->preview_every, err) &&
        read_steps(s->json, (NumberRule){"log_every", 10, 1, 1e9}, &s->log_every, err) &&
        read_source(s, json_object_get(s->json, "data"), err)) {
        s->seed = (uint64_t)seed;
        return true;
    }
    settings_deinit(s);
    return error_wrap(err, "%s", path);
}

uint64_t settings_hash(const TrainSettings *s)
{
    char *text = json_dumps(s->json, JSON_SORT_KEYS | JSON_COMPACT);
    uint64_t hash = hash64(HASH64_START, text, text != NULL ? strlen(text) : 0);
    free(text);
    return hash;
}

void settings_deinit(TrainSettings *s)
{
    json_decref(s->json);
    *s = (TrainSettings){0};
}

static bool read_bucket(const json_t *o, Bucket *b, SoraError *err)
{
    const char *size = json_string_value(json_object_get(o, "size"));
    if (size == NULL || sscanf(size, "%dx%d", &b->width, &b->height) != 2 || b->width < 16 || b->height < 16 ||
        b->width > 4096 || b->height > 4096)
        return error_set(err, SORA_ERROR_INPUT, "bucket: \"size\" like \"128x128\" expected");
    const char *within = json_string_value(json_object_get(o, "within"));
    b->drawn_width = b->width;
    b->drawn_height = b->height;
    if (within != NULL && (sscanf(within, "%dx%d", &b->drawn_width, &b->drawn_height) != 2 || b->drawn_width < b->width ||
                           b->drawn_height < b->height || b->drawn_width > 4096 || b->drawn_height > 4096))
        return error_set(err, SORA_ERROR_INPUT, "bucket: \"within\": a size like \"128x128\", not smaller than \"size\", expected");
    return settings_number(o, (NumberRule){"shift", 0, 0, 100}, &b->shift, err) &&
           settings_integer(o, (NumberRule){"frames", 17, 1, 1025}, &b->frames, err) &&
           settings_number(o, (NumberRule){"fps", 12, 1, 120}, &b->fps, err) &&
           settings_integer(o, (NumberRule){"batch", 8, 1, 4096}, &b->batch, err) &&
           settings_number(o, (NumberRule){"weight", 1, 0, 1e6}, &b->weight, err) &&
           settings_integer(o, (NumberRule){"shard_clips", 256, 1, 1 << 20}, &b->shard_clips, err) &&
           settings_integer(o, (NumberRule){"shards", 16, 1, 9999}, &b->shards, err);
}

bool settings_noise(const json_t *noise, NoiseRule *r, SoraError *err)
{
    const char *kind;
    if (!settings_text(noise, "distribution", &kind, err))
        return false;
    r->logit_normal = kind == NULL || strcmp(kind, "logit-normal") == 0;
    if (kind != NULL && !r->logit_normal && strcmp(kind, "uniform") != 0)
        return error_set(err, SORA_ERROR_INPUT, "timesteps: \"distribution\" is \"logit-normal\" or \"uniform\"");
    return settings_number(noise, (NumberRule){"mean", 0, -10, 10}, &r->mean, err) &&
           settings_number(noise, (NumberRule){"std", 1, 0.01, 10}, &r->std, err) &&
           settings_number(noise, (NumberRule){"shift", 1, 0.1, 100}, &r->shift, err);
}

bool settings_buckets(const json_t *array, Bucket *buckets, int *count, SoraError *err)
{
    *count = (int)json_array_size(array);
    if (*count < 1 || *count > MAX_BUCKETS)
        return error_set(err, SORA_ERROR_INPUT, "\"buckets\": 1 to %d expected", MAX_BUCKETS);
    for (int i = 0; i < *count; i++)
        if (!read_bucket(json_array_get(array, (size_t)i), &buckets[i], err))
            return false;
    return true;
}

bool settings_write(const json_t *json, const char *path, SoraError *err)
{
    FileWriter w;
    char *text = json_text(json, JSON_INDENT(2));
    bool ok = (text != NULL || error_no_memory(err)) && file_writer_open(&w, path, err);
    if (ok)
        fprintf(w.stream, "%s\n", text); /* commit finds its errors */
    free(text);
    return ok && file_writer_commit(&w, err);
}

uint64_t settings_fingerprint(const TrainSettings *s, uint64_t codec)
{
    uint64_t hash = hash64(codec, &s->source.seed, sizeof s->source.seed);
    char *data = json_text(json_object_get(s->json, "data"), JSON_SORT_KEYS | JSON_COMPACT);
    hash = hash64(hash, data, data != NULL ? strlen(data) : 0);
    free(data);
    return hash;
}

bool settings_copy_parts(const TrainSettings *s, const char *folder, SoraError *err)
{
    static const char *const FILES[] = {"config.json", "model.safetensors"};
    enum { MAX_PATH = 4096 };
    const char *codec = json_string_value(json_object_get(s->json, "codec"));
    char from[MAX_PATH], to[MAX_PATH];
    snprintf(to, sizeof to, "%s/vae", folder);
    bool ok = dir_make(to, err);
    for (int i = 0; ok && i < 2; i++) {
        snprintf(from, sizeof from, "%s/%s", codec, FILES[i]);
        snprintf(to, sizeof to, "%s/vae/%s", folder, FILES[i]);
        ok = file_copy(from, to, err);
    }
    snprintf(to, sizeof to, "%s/tokenizer.model", folder);
    return ok && file_copy(json_string_value(json_object_get(s->json, "tokenizer")), to, err);
}
