#include "train/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "model/config.h"
#include "model/probe.h"
#include "model/vae_config.h"

/* An object of the configuration. */
typedef struct KeySet {
    const char *object; /* "", "optimizer", "manifest.defaults", "buckets[]" */
    const char *keys[TRAINER_ANY + 1]; /* of each trainer; of all; NULL: none */
    bool may_be_text;
} KeySet;

enum { EVERY = TRAINER_ANY, MAX_KEYS = 2048, MAX_PATH = 128 };

static const KeySet SETS[] = {
    {"", {[EVERY] = "seed checkpoint_every log_every preview_every optimizer data",
          [TRAINER_AUTOENCODER] = "model width height frames fps crop crop_frames batch start_clips l1 actor_weight linear_start train_encoder init",
          [TRAINER_TRANSFORMER] = "transformer text_encoder tokenizer codec manifest init text_encoder_rate buckets first_shards "
                                  "shard_every actor_weight condition_dropout timesteps given classes",
          [TRAINER_TEXT] = "text_encoder tokenizer batch text_len frames",
          [TRAINER_PROBE] = "probe init batch test_clips stills codec codec_share",
          [TRAINER_CAPTIONER] = "captioner init tokenizer codec latents buckets texts look_weight noise",
          [TRAINER_LORA] = "base rank alpha targets size frames fps batch condition_dropout timesteps recompute "
                         "trigger plain_share guidance prior"}, false},
    {"optimizer", {[EVERY] = "learning_rate final_ratio cooldown warmup steps beta1 beta2 eps weight_decay clip ema accumulate gradients"}, false},
    {"data", {[EVERY] = "folder seed nouns everyday styled captions own_share"}, false},
    {"model", {[TRAINER_AUTOENCODER] = VAE_CONFIG_KEYS}, false},
    {"transformer", {[TRAINER_TRANSFORMER] = DIT_CONFIG_KEYS}, false},
    {"text_encoder", {[EVERY] = UMT5_CONFIG_KEYS}, false},
    {"probe", {[TRAINER_PROBE] = PROBE_CONFIG_KEYS}, false},
    {"captioner", {[TRAINER_CAPTIONER] = CAPTIONER_CONFIG_KEYS}, false},
    {"init", {[TRAINER_TRANSFORMER] = "transformer text_encoder"}, true},
    {"buckets[]", {[TRAINER_TRANSFORMER] = "size within frames fps batch weight shift shard_clips shards",
                   [TRAINER_CAPTIONER] = "size within frames fps batch weight shard_clips shards"}, false},
    {"prior", {[TRAINER_LORA] = "prompts frames batch"}, false},
    {"timesteps", {[EVERY] = "distribution mean std shift"}, false},
    {"given", {[TRAINER_TRANSFORMER] = "first_frame both_ends last_frame region"}, false},
    {"classes", {[TRAINER_TRANSFORMER] = "weight nobody above fade block"}, false},
    /* A model.json: docs/model-format.md. */
    {"manifest", {[TRAINER_TRANSFORMER] = "format name variant defaults limits boundary train_timesteps"}, false},
    {"manifest.defaults", {[TRAINER_TRANSFORMER] = "width height frames fps steps shift guidance_scale low_guidance_scale "
                                                   "follow_picture solver negative_prompt"}, false},
    {"manifest.limits", {[TRAINER_TRANSFORMER] = "side frames"}, false},
};

static const KeySet *find(const char *object)
{
    for (size_t i = 0; i < sizeof SETS / sizeof SETS[0]; i++)
        if (strcmp(SETS[i].object, object) == 0)
            return &SETS[i];
    return NULL;
}

/* All keys that the object may have. */
static void list_keys(const KeySet *set, TrainerKind trainer, char keys[MAX_KEYS])
{
    size_t n = 0;
    keys[0] = '\0';
    for (int i = 0; i <= EVERY; i++)
        if (set->keys[i] != NULL && (i == (int)trainer || i == EVERY || trainer == TRAINER_ANY))
            n += (size_t)snprintf(keys + n, MAX_KEYS - n, "%s%s", n > 0 ? " " : "", set->keys[i]);
}

static bool check_value(const json_t *value, const char *path, TrainerKind trainer, SoraError *err);

static bool check_object(const json_t *object, const KeySet *set, TrainerKind trainer, SoraError *err)
{
    char keys[MAX_KEYS], path[MAX_PATH];
    list_keys(set, trainer, keys);
    const char *dot = set->object[0] != '\0' ? "." : "";
    for (void *it = json_object_iter((json_t *)object); it != NULL; it = json_object_iter_next((json_t *)object, it)) {
        const char *key = json_object_iter_key(it);
        size_t length = 0;
        if (key[0] == '_')
            continue;
        if (!word_listed(key, keys)) {
            const char *nearest = word_nearest(key, keys, &length);
            return error_set(err, SORA_ERROR_INPUT, "unknown key \"%s%s%.60s\"; the nearest is \"%.*s\"", set->object, dot, key,
                             (int)length, nearest);
        }
        snprintf(path, sizeof path, "%s%s%s", set->object, dot, key);
        if (!check_value(json_object_iter_value(it), path, trainer, err))
            return false;
    }
    return true;
}

/* A value that has no set of keys is its reader's to check. */
static bool check_value(const json_t *value, const char *path, TrainerKind trainer, SoraError *err)
{
    char element[MAX_PATH + 2];
    snprintf(element, sizeof element, "%s[]", path);
    const KeySet *set = find(path), *of_elements = find(element);
    if (set != NULL && !json_is_object(value) && !(set->may_be_text && json_is_string(value)))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is not an object%s", path, set->may_be_text ? " or a folder's name" : "");
    if (set != NULL && json_is_object(value))
        return check_object(value, set, trainer, err);
    if (of_elements == NULL)
        return true;
    if (!json_is_array(value))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is not a list", path);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i);
        if (!json_is_object(one))
            return error_set(err, SORA_ERROR_INPUT, "\"%s\": entry %zu is not an object", path, i + 1);
        if (!check_object(one, of_elements, trainer, err))
            return false;
    }
    return true;
}

bool train_keys_check(const json_t *config, TrainerKind trainer, SoraError *err)
{
    if (!json_is_object(config))
        return error_set(err, SORA_ERROR_INPUT, "a JSON object is expected");
    return check_object(config, find(""), trainer, err);
}
