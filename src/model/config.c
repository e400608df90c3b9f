#include "model/config.h"

#include <stddef.h>

enum { REQUIRED = -1, MAX_DIM = 1 << 16 };

typedef struct IntField {
    const char *key;
    size_t offset; /* of the int in the config struct */
    int min, max;
    int fallback; /* when the key is missing; or REQUIRED */
} IntField;

static bool check_int(const json_t *value, const IntField *f, int *out, SoraError *err)
{
    if (!json_is_integer(value))
        return error_set(err, SORA_ERROR_INPUT, "config: \"%s\" is no integer", f->key);
    json_int_t n = json_integer_value(value);
    if (n < f->min || n > f->max)
        return error_set(err, SORA_ERROR_INPUT, "config: \"%s\" is %lld, expected %d to %d", f->key,
                         (long long)n, f->min, f->max);
    *out = (int)n;
    return true;
}

static bool parse_ints(void *config, const IntField *fields, size_t count, const json_t *json, SoraError *err)
{
    if (!json_is_object(json))
        return error_set(err, SORA_ERROR_INPUT, "config: no JSON object");
    for (size_t i = 0; i < count; i++) {
        const IntField *f = &fields[i];
        int *out = (int *)((char *)config + f->offset);
        const json_t *value = json_object_get(json, f->key);
        if (value == NULL && f->fallback == REQUIRED)
            return error_set(err, SORA_ERROR_INPUT, "config: \"%s\" is missing", f->key);
        *out = f->fallback;
        if (value != NULL && !check_int(value, f, out, err))
            return false;
    }
    return true;
}

static bool parse_eps(double *eps, const char *key, const json_t *json, SoraError *err)
{
    const json_t *value = json_object_get(json, key);
    if (value == NULL)
        return true;
    *eps = json_number_value(value); /* 0 when it is no number */
    return (*eps > 0 && *eps < 1) ||
           error_set(err, SORA_ERROR_INPUT, "config: \"%s\" is no number between 0 and 1", key);
}

/* A switch that these networks have in one position only. */
static bool require_bool(const json_t *json, const char *key, bool wanted, SoraError *err)
{
    const json_t *value = json_object_get(json, key);
    if (value == NULL || (json_is_boolean(value) && json_is_true(value) == wanted))
        return true;
    return error_set(err, SORA_ERROR_UNSUPPORTED, "config: \"%s\" must be %s", key,
                     wanted ? "true" : "false");
}

static bool parse_bool(bool *out, const char *key, const json_t *json, SoraError *err)
{
    const json_t *value = json_object_get(json, key);
    *out = json_is_true(value);
    return value == NULL || json_is_boolean(value) ||
           error_set(err, SORA_ERROR_INPUT, "config: \"%s\" is not true or false", key);
}

/* A list of count numbers; *given: whether there is one. */
static bool parse_variance(float *out, int count, bool *given, const json_t *json, SoraError *err)
{
    const json_t *list = json_object_get(json, "latent_variance");
    *given = list != NULL;
    if (list == NULL)
        return true;
    if (count > DIT_MAX_LATENT || !json_is_array(list) || json_array_size(list) != (size_t)count)
        return error_set(err, SORA_ERROR_INPUT, "config: \"latent_variance\" is no list of a number for each channel, %d at most",
                         DIT_MAX_LATENT);
    for (int i = 0; i < count; i++) {
        double v = json_number_value(json_array_get(list, (size_t)i)); /* 0 when it is no number */
        if (!(v >= 1e-6 && v <= 1e6))
            return error_set(err, SORA_ERROR_INPUT, "config: \"latent_variance\" has a number outside of 1e-6 to 1e6");
        out[i] = (float)v;
    }
    return true;
}

static bool parse_patch_size(int patch[3], const json_t *json, SoraError *err)
{
    patch[0] = 1;
    patch[1] = patch[2] = 2;
    const json_t *value = json_object_get(json, "patch_size");
    if (value == NULL)
        return true;
    if (!json_is_array(value) || json_array_size(value) != 3)
        return error_set(err, SORA_ERROR_INPUT, "config: \"patch_size\" is no list of 3 integers");
    IntField field = {.key = "patch_size", .min = 1, .max = 16};
    for (size_t i = 0; i < 3; i++)
        if (!check_int(json_array_get(value, i), &field, &patch[i], err))
            return false;
    return true;
}

static bool check_heads(int dim, int heads, const char *key, SoraError *err)
{
    return dim % heads == 0 ||
           error_set(err, SORA_ERROR_INPUT, "config: \"%s\" is %d, no multiple of the %d heads", key, dim,
                     heads);
}

bool dit_config_parse(DitConfig *c, const json_t *json, SoraError *err)
{
    static const IntField FIELDS[] = {
        {"in_dim", offsetof(DitConfig, in_dim), 1, 4096, 16},
        {"out_dim", offsetof(DitConfig, out_dim), 1, 4096, 16},
        {"dim", offsetof(DitConfig, dim), 1, MAX_DIM, REQUIRED},
        {"ffn_dim", offsetof(DitConfig, ffn_dim), 1, 4 * MAX_DIM, REQUIRED},
        {"num_heads", offsetof(DitConfig, num_heads), 1, 1024, REQUIRED},
        {"num_layers", offsetof(DitConfig, num_layers), 1, 1024, REQUIRED},
        {"text_len", offsetof(DitConfig, text_len), 1, 65536, 512},
        {"text_dim", offsetof(DitConfig, text_dim), 1, MAX_DIM, 4096},
        {"freq_dim", offsetof(DitConfig, freq_dim), 2, MAX_DIM, 256},
        {"clip_dim", offsetof(DitConfig, clip_dim), 0, MAX_DIM, 0},
        {"clip_rows", offsetof(DitConfig, clip_rows), 0, 65536, 0},
    };
    *c = (DitConfig){.eps = 1e-6};
    if (!parse_ints(c, FIELDS, sizeof FIELDS / sizeof FIELDS[0], json, err) ||
        !parse_patch_size(c->patch_size, json, err) || !parse_eps(&c->eps, "eps", json, err) ||
        !require_bool(json, "qk_norm", true, err) || !require_bool(json, "cross_attn_norm", true, err) ||
        !check_heads(c->dim, c->num_heads, "dim", err) || !parse_bool(&c->masked_text, "masked_text", json, err) ||
        !parse_bool(&c->pooled_text, "pooled_text", json, err) ||
        !parse_bool(&c->absolute_positions, "absolute_positions", json, err) ||
        !parse_variance(c->latent_variance, c->in_dim, &c->preconditioned, json, err))
        return false;
    if (c->preconditioned && c->in_dim != c->out_dim)
        return error_set(err, SORA_ERROR_INPUT, "config: \"latent_variance\" needs in_dim = out_dim");
    if (c->dim / c->num_heads % 2 != 0)
        return error_set(err, SORA_ERROR_INPUT, "config: heads of %d numbers, expected an even number",
                         c->dim / c->num_heads);
    if (c->freq_dim % 2 != 0)
        return error_set(err, SORA_ERROR_INPUT, "config: \"freq_dim\" is %d, expected an even number",
                         c->freq_dim);
    return true;
}

bool dit_config_add_pictures(DitConfig *c, const Tensor *proj, const Tensor *emb_pos, SoraError *err)
{
    if (proj == NULL)
        return true;
    if (proj->ndim != 2 || proj->shape[1] < 1 || proj->shape[1] > MAX_DIM)
        return error_set(err, SORA_ERROR_INPUT, "tensor \"img_emb.proj.1.weight\" is no matrix");
    c->clip_dim = (int)proj->shape[1];
    if (emb_pos == NULL)
        return true;
    if (emb_pos->ndim != 3 || emb_pos->shape[1] < 1 || emb_pos->shape[1] > 65536)
        return error_set(err, SORA_ERROR_INPUT, "tensor \"img_emb.emb_pos\" is no table of positions");
    c->clip_rows = (int)emb_pos->shape[1];
    return true;
}

bool umt5_config_parse(Umt5Config *c, const json_t *json, SoraError *err)
{
    static const IntField FIELDS[] = {
        {"vocab", offsetof(Umt5Config, vocab), 1, 1 << 24, 256384},
        {"dim", offsetof(Umt5Config, dim), 1, MAX_DIM, REQUIRED},
        {"dim_attn", offsetof(Umt5Config, dim_attn), 1, MAX_DIM, REQUIRED},
        {"dim_ffn", offsetof(Umt5Config, dim_ffn), 1, 4 * MAX_DIM, REQUIRED},
        {"num_heads", offsetof(Umt5Config, num_heads), 1, 1024, REQUIRED},
        {"num_layers", offsetof(Umt5Config, num_layers), 1, 1024, REQUIRED},
        {"num_buckets", offsetof(Umt5Config, num_buckets), 4, 65536, 32},
        {"max_dist", offsetof(Umt5Config, max_dist), 2, 1 << 24, 128},
    };
    *c = (Umt5Config){.eps = 1e-6};
    if (!parse_ints(c, FIELDS, sizeof FIELDS / sizeof FIELDS[0], json, err) ||
        !parse_eps(&c->eps, "eps", json, err) || !require_bool(json, "shared_pos", false, err) ||
        !check_heads(c->dim_attn, c->num_heads, "dim_attn", err))
        return false;
    if (c->num_buckets % 4 != 0 || c->max_dist <= c->num_buckets / 4)
        return error_set(err, SORA_ERROR_INPUT, "config: %d buckets do not reach to a distance of %d",
                         c->num_buckets, c->max_dist);
    return true;
}

bool clip_config_parse(ClipConfig *c, const json_t *json, SoraError *err)
{
    static const IntField FIELDS[] = {
        {"image_size", offsetof(ClipConfig, image_size), 1, 4096, 224},
        {"patch_size", offsetof(ClipConfig, patch_size), 1, 256, 14},
        {"vision_dim", offsetof(ClipConfig, dim), 1, MAX_DIM, 1280},
        {"vision_mlp_ratio", offsetof(ClipConfig, mlp_dim), 1, 16, 4},
        {"vision_heads", offsetof(ClipConfig, num_heads), 1, 1024, 16},
        {"vision_layers", offsetof(ClipConfig, num_layers), 1, 1024, 32},
    };
    *c = (ClipConfig){.eps = 1e-5};
    if (!parse_ints(c, FIELDS, sizeof FIELDS / sizeof FIELDS[0], json, err) ||
        !parse_eps(&c->eps, "norm_eps", json, err) || !check_heads(c->dim, c->num_heads, "vision_dim", err))
        return false;
    c->mlp_dim *= c->dim; /* it was the ratio */
    return c->image_size % c->patch_size == 0 ||
           error_set(err, SORA_ERROR_INPUT, "config: \"image_size\" is %d, no multiple of the patch's %d",
                     c->image_size, c->patch_size);
}

bool captioner_config_parse(CaptionerConfig *c, const json_t *json, SoraError *err)
{
    static const IntField FIELDS[] = {
        {"z_dim", offsetof(CaptionerConfig, z_dim), 1, DIT_MAX_LATENT, REQUIRED},
        {"frames", offsetof(CaptionerConfig, frames), 1, 64, 5},
        {"side", offsetof(CaptionerConfig, side), 2, 64, 16},
        {"channels", offsetof(CaptionerConfig, channels), 1, 4096, REQUIRED},
        {"residuals", offsetof(CaptionerConfig, residuals), 0, CAPTIONER_MAX_DEPTH, 2},
        {"dim", offsetof(CaptionerConfig, dim), 1, 4096, REQUIRED},
        {"num_heads", offsetof(CaptionerConfig, num_heads), 1, 64, REQUIRED},
        {"look_layers", offsetof(CaptionerConfig, look_layers), 1, CAPTIONER_MAX_DEPTH, REQUIRED},
        {"say_layers", offsetof(CaptionerConfig, say_layers), 1, CAPTIONER_MAX_DEPTH, REQUIRED},
        {"fps", offsetof(CaptionerConfig, fps), 1, 120, 12},
        {"vocab", offsetof(CaptionerConfig, vocab), 2, 1 << 20, REQUIRED},
        {"text_len", offsetof(CaptionerConfig, text_len), 2, CAPTIONER_MAX_TEXT, 96},
    };
    *c = (CaptionerConfig){0};
    bool scaled;
    if (!parse_ints(c, FIELDS, sizeof FIELDS / sizeof FIELDS[0], json, err) || !check_heads(c->dim, c->num_heads, "dim", err) ||
        !parse_variance(c->latent_variance, c->z_dim, &scaled, json, err))
        return false;
    for (int i = 0; i < c->z_dim && !scaled; i++)
        c->latent_variance[i] = 1;
    return (c->side % 2 == 0 ||
            error_set(err, SORA_ERROR_INPUT, "config: \"side\" is %d, expected an even number", c->side)) &&
           (c->dim / c->num_heads % 2 == 0 ||
            error_set(err, SORA_ERROR_INPUT, "config: heads of %d numbers, expected an even number", c->dim / c->num_heads));
}
