#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"

enum { PARTS = 4, SECOND_MOMENT = 2, MAX_NAME = 512 };
static const int64_t MOST_STEPS = (int64_t)1 << 40;

static const char *const PART_NAMES[PARTS] = {"weight", "m", "v", "ema"};

static float *part(const AdamWSlot *s, int i)
{
    float *parts[PARTS] = {s->value, s->m, s->v, s->ema};
    return parts[i];
}

static void part_name(const AdamWSlot *s, int i, char out[MAX_NAME])
{
    snprintf(out, MAX_NAME, "%s/%s/%s", PART_NAMES[i], s->set, s->name);
}

static Tensor part_tensor(const AdamWSlot *s, int i)
{
    return tensor_over(part(s, i), DTYPE_F32, s->param->tensor.ndim, s->param->tensor.shape);
}

static bool add_metadata(SafetensorsWriter *w, const CheckpointState *s, const char *config, SoraError *err)
{
    char step[32], window[80];
    snprintf(step, sizeof step, "%" PRId64, s->step);
    snprintf(window, sizeof window, "%" PRId64 " %a", s->losses, s->loss);
    return safetensors_writer_metadata(w, "step", step, err) && safetensors_writer_metadata(w, "window", window, err) &&
           (config == NULL || safetensors_writer_metadata(w, "config", config, err));
}

bool checkpoint_save(const AdamW *o, const CheckpointState *state, const char *config, const char *path, SoraError *err)
{
    Tensor *tensors = malloc((size_t)o->count * PARTS * sizeof *tensors + 1);
    SafetensorsWriter *w = safetensors_writer_new(err);
    char text[MAX_NAME];
    bool ok = w != NULL && (tensors != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory")) &&
              add_metadata(w, state, config, err);
    for (int i = 0; ok && i < o->count * PARTS; i++) {
        const AdamWSlot *s = &o->slots[i / PARTS];
        tensors[i] = part_tensor(s, i % PARTS);
        part_name(s, i % PARTS, text);
        ok = safetensors_writer_add(w, text, &tensors[i], err);
    }
    ok = ok && safetensors_writer_save(w, path, err);
    safetensors_writer_free(w);
    free(tensors);
    return ok;
}

/* The file's tensor for part i of the slot, of the same shape and F32. */
static const Tensor *find_part(const Safetensors *f, const AdamWSlot *s, int i, SoraError *err)
{
    char name[MAX_NAME];
    part_name(s, i, name);
    const Tensor *t = safetensors_find(f, name);
    if (t == NULL || t->dtype != DTYPE_F32 || !tensor_same_shape(t, &s->param->tensor)) {
        error_set(err, SORA_ERROR_INPUT, "%s: %s tensor \"%s\": a checkpoint of another network?", safetensors_path(f),
                  t == NULL ? "no" : "other shape of", name);
        return NULL;
    }
    return t;
}

/* The loss has been there since 0.2; without it the log's next line stands for the steps from here on. */
static bool read_state(const Safetensors *f, CheckpointState *s, SoraError *err)
{
    const char *step = safetensors_metadata(f, "step"), *window = safetensors_metadata(f, "window");
    *s = (CheckpointState){0};
    if (step == NULL || sscanf(step, "%" SCNd64, &s->step) != 1 || s->step < 0 || s->step > MOST_STEPS)
        return error_set(err, SORA_ERROR_INPUT, "%s: no step in the metadata", safetensors_path(f));
    if (window != NULL && (sscanf(window, "%" SCNd64 " %la", &s->losses, &s->loss) != 2 || s->losses < 0 ||
                           s->losses > s->step || !isfinite(s->loss)))
        return error_set(err, SORA_ERROR_INPUT, "%s: \"window\" in the metadata is damaged", safetensors_path(f));
    return true;
}

char *checkpoint_config(const char *path, SoraError *err)
{
    Safetensors *f = safetensors_open(path, err);
    if (f == NULL)
        return NULL;
    const char *text = safetensors_metadata(f, "config");
    char *config = text != NULL ? strdup(text) : NULL;
    if (text == NULL)
        error_set(err, SORA_ERROR_INPUT, "%s: no configuration in the metadata: a checkpoint of another trainer or version",
                  path);
    else if (config == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    safetensors_close(f);
    return config;
}

/* Numbers that training could not have left there would end in others that are not finite. */
static bool check_part(const Safetensors *f, const AdamWSlot *s, int i, SoraError *err)
{
    const Tensor *t = find_part(f, s, i, err);
    if (t == NULL)
        return false;
    const float *x = t->data;
    bool ok = all_finite(x, (size_t)s->count);
    for (int64_t k = 0; ok && i == SECOND_MOMENT && k < s->count; k++)
        ok = x[k] >= 0;
    return ok || error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s/%s/%s\" has a number that no training leaves: the file is damaged",
                           safetensors_path(f), PART_NAMES[i], s->set, s->name);
}

bool checkpoint_read(AdamW *o, CheckpointState *state, const Safetensors *f, SoraError *err)
{
    CheckpointState read;
    bool ok = true;
    for (int i = 0; ok && i < o->count * PARTS; i++)
        ok = check_part(f, &o->slots[i / PARTS], i % PARTS, err);
    ok = ok && read_state(f, &read, err);
    if (ok)
        *state = read;
    for (int i = 0; ok && i < o->count * PARTS; i++) {
        const AdamWSlot *s = &o->slots[i / PARTS];
        memcpy(part(s, i % PARTS), find_part(f, s, i % PARTS, err)->data, (size_t)s->count * sizeof(float));
    }
    return ok;
}

bool checkpoint_load(AdamW *o, CheckpointState *state, const char *path, SoraError *err)
{
    Safetensors *f = safetensors_open(path, err);
    bool ok = f != NULL && checkpoint_read(o, state, f, err);
    safetensors_close(f);
    return ok;
}

bool checkpoint_export(const AdamW *o, const char *set, const char *path, SoraError *err)
{
    Tensor *tensors = malloc((size_t)o->count * sizeof *tensors + 1);
    SafetensorsWriter *w = safetensors_writer_new(err);
    bool ok = w != NULL && (tensors != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
    for (int i = 0; ok && i < o->count; i++) {
        const AdamWSlot *s = &o->slots[i];
        if (strcmp(s->set, set) != 0)
            continue;
        tensors[i] = part_tensor(s, PARTS - 1);
        ok = safetensors_writer_add_as(w, s->name, &tensors[i], s->decays ? DTYPE_BF16 : DTYPE_F32, err);
    }
    ok = ok && safetensors_writer_save(w, path, err);
    safetensors_writer_free(w);
    free(tensors);
    return ok;
}

static float element(const Tensor *t, int64_t i)
{
    if (t->dtype == DTYPE_F32)
        return ((const float *)t->data)[i];
    uint16_t h = ((const uint16_t *)t->data)[i];
    return t->dtype == DTYPE_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

bool checkpoint_import(AdamW *o, const char *set, const char *path, int *missing, SoraError *err)
{
    Safetensors *f = safetensors_open(path, err);
    if (f == NULL)
        return false;
    bool ok = true;
    for (int i = 0; ok && i < o->count; i++) {
        AdamWSlot *s = &o->slots[i];
        if (strcmp(s->set, set) != 0)
            continue;
        const Tensor *t = safetensors_find(f, s->name);
        bool fits = t != NULL && tensor_same_shape(t, &s->param->tensor) &&
                    (t->dtype == DTYPE_F32 || t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F16);
        *missing += !fits;
        for (int64_t k = 0; fits && ok && k < s->count; k++) {
            s->ema[k] = s->value[k] = element(t, k);
            if (!isfinite(s->value[k]))
                ok = error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" has a number that is not finite", path, s->name);
        }
    }
    safetensors_close(f);
    return ok;
}
