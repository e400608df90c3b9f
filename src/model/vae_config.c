#include "model/vae_config.h"

#include <math.h>

/* The value of the first of two names that is there; NULL when there is none. */
static const json_t *find(const json_t *json, const char *name, const char *other)
{
    const json_t *value = json_object_get(json, name);
    if (value == NULL && other != NULL)
        value = json_object_get(json, other);
    return json_is_null(value) ? NULL : value; /* diffusers writes null for what is not there */
}

typedef struct IntKey {
    const char *name, *other;
    int low, high, absent; /* absent < low: required */
    int *out;
} IntKey;

static bool read_int(const json_t *json, IntKey key, SoraError *err)
{
    const json_t *value = find(json, key.name, key.other);
    if (value == NULL && key.absent >= key.low) {
        *key.out = key.absent;
        return true;
    }
    if (value == NULL)
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: no \"%s\"", key.name);
    if (!json_is_integer(value) || json_integer_value(value) < key.low ||
        json_integer_value(value) > key.high)
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"%s\" must be an integer from %d to %d",
                         key.name, key.low, key.high);
    *key.out = (int)json_integer_value(value);
    return true;
}

static bool read_levels(VaeConfig *c, const json_t *json, SoraError *err)
{
    const json_t *mult = json_object_get(json, "dim_mult");
    size_t levels = json_array_size(mult);
    if (levels < 1 || levels > VAE_MAX_LEVELS)
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"dim_mult\" must list 1 to %d integers",
                         VAE_MAX_LEVELS);
    c->levels = (int)levels;
    for (size_t i = 0; i < levels; i++) {
        const json_t *value = json_array_get(mult, i);
        if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 64)
            return error_set(err, SORA_ERROR_INPUT,
                             "autoencoder config: \"dim_mult\"[%zu] must be an integer from 1 to 64", i);
        c->dim_mult[i] = (int)json_integer_value(value);
    }
    const json_t *temporal = json_object_get(json, "temperal_downsample");
    if (!json_is_array(temporal) || json_array_size(temporal) != levels - 1)
        return error_set(err, SORA_ERROR_INPUT,
                         "autoencoder config: \"temperal_downsample\" must list %zu booleans", levels - 1);
    for (size_t i = 0; i + 1 < levels; i++) {
        const json_t *value = json_array_get(temporal, i);
        if (!json_is_boolean(value))
            return error_set(err, SORA_ERROR_INPUT,
                             "autoencoder config: \"temperal_downsample\"[%zu] must be a boolean", i);
        c->temperal_downsample[i] = json_is_true(value);
    }
    return true;
}

typedef struct ScaleKey {
    const char *name, *other;
    float absent;
    bool positive;
    float *out;
} ScaleKey;

static bool read_scale(const json_t *json, int count, ScaleKey key, SoraError *err)
{
    const json_t *list = find(json, key.name, key.other);
    if (list != NULL && (!json_is_array(list) || json_array_size(list) != (size_t)count))
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"%s\" must list %d numbers", key.name,
                         count);
    for (int i = 0; i < count; i++) {
        key.out[i] = key.absent;
        if (list == NULL)
            continue;
        const json_t *value = json_array_get(list, (size_t)i);
        float x = (float)json_number_value(value);
        if (!json_is_number(value) || !isfinite(x) || (key.positive && !(x > 0)))
            return error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"%s\"[%d] must be a %snumber",
                             key.name, i, key.positive ? "positive " : "");
        key.out[i] = x;
    }
    return true;
}

/* Which of the two networks it is. */
static bool read_kind(VaeConfig *c, const json_t *json, SoraError *err)
{
    const json_t *residual = find(json, "is_residual", NULL);
    c->flat = residual != NULL ? json_is_false(residual) : find(json, "patchify", "patch_size") == NULL;
    const json_t *code = json_object_get(json, "linear_code");
    c->linear_code = json_is_true(code);
    if (residual != NULL && !json_is_boolean(residual))
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"is_residual\" must be a boolean");
    if (code != NULL && !json_is_boolean(code))
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"linear_code\" must be a boolean");
    return !(c->linear_code && c->flat) ||
           error_set(err, SORA_ERROR_INPUT, "autoencoder config: \"linear_code\" is for \"is_residual\": true");
}

/* Upsampling of Wan 2.1 halves the channels. */
static bool check_halves(const VaeConfig *c, SoraError *err)
{
    for (int i = 1; i < c->levels; i++)
        if (c->dec_dim * c->dim_mult[i] % 2 != 0)
            return error_set(err, SORA_ERROR_INPUT,
                             "autoencoder config: %d channels of decoder level %d cannot be halved",
                             c->dec_dim * c->dim_mult[i], c->levels - 1 - i);
    return true;
}

/* The shortcuts without weights average or repeat whole groups of channels. */
static bool check_shortcuts(const VaeConfig *c, SoraError *err)
{
    for (int i = 0; i < c->levels && !c->linear_code; i++) {
        bool down = i + 1 < c->levels;
        int factor = down ? (c->temperal_downsample[i] ? 8 : 4) : 1;
        int in = i > 0 ? c->dim_mult[i - 1] : 1, out = c->dim_mult[i];
        if (in * factor % out != 0)
            return error_set(err, SORA_ERROR_INPUT,
                             "autoencoder config: encoder level %d cannot average %d x %d channels to %d x",
                             i, factor, in, out);
    }
    for (int i = 0; i + 1 < c->levels; i++) { /* decoder level i, coarsest first */
        int in = c->dim_mult[c->levels - (i > 0 ? i : 1)], out = c->dim_mult[c->levels - 1 - i];
        int factor = c->temperal_downsample[c->levels - 2 - i] ? 8 : 4;
        if (out * factor % in != 0)
            return error_set(err, SORA_ERROR_INPUT,
                             "autoencoder config: decoder level %d cannot repeat %d x channels to %d x %d", i,
                             in, factor, out);
    }
    return true;
}

bool vae_config_read(VaeConfig *c, const json_t *json, SoraError *err)
{
    *c = (VaeConfig){0};
    if (!json_is_object(json))
        return error_set(err, SORA_ERROR_INPUT, "autoencoder config: not an object");
    if (json_array_size(json_object_get(json, "attn_scales")) > 0)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "autoencoder config: \"attn_scales\" must be empty");
    if (!read_int(json, (IntKey){"dim", "base_dim", 1, 4096, 0, &c->dim}, err) ||
        !read_int(json, (IntKey){"dec_dim", "decoder_base_dim", 1, 4096, c->dim, &c->dec_dim}, err) ||
        !read_int(json, (IntKey){"z_dim", NULL, 1, VAE_MAX_Z, 0, &c->z_dim}, err) ||
        !read_int(json, (IntKey){"num_res_blocks", NULL, 1, VAE_MAX_RESIDUALS - 1, 0, &c->num_res_blocks},
                  err) ||
        !read_kind(c, json, err) ||
        !read_int(json, (IntKey){"patchify", "patch_size", 1, 8, c->flat ? 1 : 2, &c->patchify}, err))
        return false;
    return read_levels(c, json, err) && (c->flat ? check_halves(c, err) : check_shortcuts(c, err)) &&
           read_scale(json, c->z_dim, (ScaleKey){"mean", "latents_mean", 0, false, c->mean}, err) &&
           read_scale(json, c->z_dim, (ScaleKey){"std", "latents_std", 1, true, c->std}, err);
}

json_t *vae_config_write(const VaeConfig *c)
{
    json_t *mult = json_array(), *temporal = json_array(), *mean = json_array(), *std = json_array();
    bool ok = true;
    for (int i = 0; i < c->levels; i++)
        ok = json_array_append_new(mult, json_integer(c->dim_mult[i])) == 0 && ok;
    for (int i = 0; i + 1 < c->levels; i++)
        ok = json_array_append_new(temporal, json_boolean(c->temperal_downsample[i])) == 0 && ok;
    for (int i = 0; i < c->z_dim; i++)
        ok = json_array_append_new(mean, json_real(c->mean[i])) == 0 &&
             json_array_append_new(std, json_real(c->std[i])) == 0 && ok;
    /* json_pack takes the four lists, also when it fails. */
    json_t *json = json_pack("{s:i, s:i, s:i, s:o, s:i, s:o, s:i, s:b, s:o, s:o}", "dim", c->dim, "dec_dim",
                             c->dec_dim, "z_dim", c->z_dim, "dim_mult", mult, "num_res_blocks",
                             c->num_res_blocks, "temperal_downsample", temporal, "patchify", c->patchify,
                             "is_residual", !c->flat, "mean", mean, "std", std);
    if (ok && c->linear_code)
        ok = json_object_set_new(json, "linear_code", json_true()) == 0;
    if (!ok) {
        json_decref(json);
        return NULL;
    }
    return json;
}

VaeConfig vae_config_wan21(void)
{
    return (VaeConfig){
        .dim = 96,
        .dec_dim = 96,
        .z_dim = 16,
        .levels = 4,
        .dim_mult = {1, 2, 4, 4},
        .num_res_blocks = 2,
        .temperal_downsample = {false, true, true},
        .patchify = 1,
        .flat = true,
        .mean = {-0.7571f, -0.7089f, -0.9113f, 0.1075f, -0.1745f, 0.9653f, -0.1517f, 1.5508f, 0.4134f,
                 -0.0715f, 0.5517f, -0.3632f, -0.1922f, -0.9497f, 0.2503f, -0.2921f},
        .std = {2.8184f, 1.4541f, 2.3275f, 2.6558f, 1.2196f, 1.7708f, 2.6052f, 2.0743f, 3.2687f, 2.1526f,
                2.8652f, 1.5579f, 1.6382f, 1.1253f, 2.8251f, 1.9160f},
    };
}

VaeConfig vae_config_wan22(void)
{
    return (VaeConfig){
        .dim = 160,
        .dec_dim = 256,
        .z_dim = 48,
        .levels = 4,
        .dim_mult = {1, 2, 4, 4},
        .num_res_blocks = 2,
        .temperal_downsample = {false, true, true},
        .patchify = 2,
        .mean = {-0.2289f, -0.0052f, -0.1323f, -0.2339f, -0.2799f, 0.0174f,  0.1838f,  0.1557f,
                 -0.1382f, 0.0542f,  0.2813f,  0.0891f,  0.1570f,  -0.0098f, 0.0375f,  -0.1825f,
                 -0.2246f, -0.1207f, -0.0698f, 0.5109f,  0.2665f,  -0.2108f, -0.2158f, 0.2502f,
                 -0.2055f, -0.0322f, 0.1109f,  0.1567f,  -0.0729f, 0.0899f,  -0.2799f, -0.1230f,
                 -0.0313f, -0.1649f, 0.0117f,  0.0723f,  -0.2839f, -0.2083f, -0.0520f, 0.3748f,
                 0.0152f,  0.1957f,  0.1433f,  -0.2944f, 0.3573f,  -0.0548f, -0.1681f, -0.0667f},
        .std = {0.4765f, 1.0364f, 0.4514f, 1.1677f, 0.5313f, 0.4990f, 0.4818f, 0.5013f, 0.8158f, 1.0344f,
                0.5894f, 1.0901f, 0.6885f, 0.6165f, 0.8454f, 0.4978f, 0.5759f, 0.3523f, 0.7135f, 0.6804f,
                0.5833f, 1.4146f, 0.8986f, 0.5659f, 0.7069f, 0.5338f, 0.4889f, 0.4917f, 0.4069f, 0.4999f,
                0.6866f, 0.4093f, 0.5709f, 0.6065f, 0.6415f, 0.4944f, 0.5726f, 1.2042f, 0.5458f, 1.6887f,
                0.3971f, 1.0600f, 0.3943f, 0.5537f, 0.5444f, 0.4089f, 0.7468f, 0.7744f},
    };
}

int vae_stride_time(const VaeConfig *c)
{
    int stride = 1;
    for (int i = 0; i + 1 < c->levels; i++)
        stride *= c->temperal_downsample[i] ? 2 : 1;
    return stride;
}

int vae_stride_space(const VaeConfig *c)
{
    return c->patchify << (c->levels - 1);
}
