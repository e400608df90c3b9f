#include "model/probe.h"

#include <stdio.h>

#include "model/vae_blocks.h"

/* --- sizes --- */

typedef struct IntKey {
    const char *name;
    int low, high, *out;
} IntKey;

static bool read_int(const json_t *json, IntKey key, SoraError *err)
{
    const json_t *value = json_object_get(json, key.name);
    if (!json_is_integer(value) || json_integer_value(value) < key.low || json_integer_value(value) > key.high)
        return error_set(err, SORA_ERROR_INPUT, "probe config: \"%s\" must be an integer from %d to %d", key.name, key.low,
                         key.high);
    *key.out = (int)json_integer_value(value);
    return true;
}

bool probe_config_read(ProbeConfig *c, const json_t *json, SoraError *err)
{
    const json_t *channels = json_object_get(json, "channels"), *value;
    size_t index;
    if (!read_int(json, (IntKey){"side", 8, 512, &c->side}, err) ||
        !read_int(json, (IntKey){"frames", 1, 64, &c->frames}, err) ||
        !read_int(json, (IntKey){"patch", 1, 16, &c->patch}, err) ||
        !read_int(json, (IntKey){"residuals", 0, PROBE_MAX_DEPTH, &c->residuals}, err) ||
        !read_int(json, (IntKey){"blocks", 1, PROBE_MAX_DEPTH, &c->blocks}, err) ||
        !read_int(json, (IntKey){"heads", 1, 64, &c->heads}, err))
        return false;
    c->levels = (int)json_array_size(channels);
    if (c->levels < 1 || c->levels > PROBE_MAX_LEVELS)
        return error_set(err, SORA_ERROR_INPUT, "probe config: \"channels\" must list 1 to %d integers", PROBE_MAX_LEVELS);
    json_array_foreach(channels, index, value) {
        if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 2048)
            return error_set(err, SORA_ERROR_INPUT, "probe config: \"channels\"[%zu] must be an integer from 1 to 2048", index);
        c->channels[index] = (int)json_integer_value(value);
    }
    int step = c->patch << (c->levels - 1), width = c->channels[c->levels - 1];
    if (c->side % step != 0)
        return error_set(err, SORA_ERROR_INPUT, "probe config: \"side\" is %d, a multiple of %d is needed", c->side, step);
    if (width % (2 * c->heads) != 0)
        return error_set(err, SORA_ERROR_INPUT, "probe config: %d channels do not divide into %d heads of even width", width,
                         c->heads);
    return true;
}

json_t *probe_config_write(const ProbeConfig *c)
{
    json_t *channels = json_array();
    for (int i = 0; i < c->levels; i++)
        json_array_append_new(channels, json_integer(c->channels[i]));
    return json_pack("{s:s,s:i,s:i,s:i,s:o,s:i,s:i,s:i}", "model_type", "probe", "side", c->side, "frames", c->frames, "patch",
                     c->patch, "channels", channels, "residuals", c->residuals, "blocks", c->blocks, "heads", c->heads);
}

int probe_places(const ProbeConfig *c)
{
    return c->side / (c->patch << (c->levels - 1));
}

/* --- parameters --- */

void probe_bind(Probe *m, const ProbeConfig *c, Params *p)
{
    *m = (Probe){.config = *c};
    char name[64];
    for (int i = 0; i < c->levels; i++) {
        int64_t in = i == 0 ? 6 * c->patch * c->patch : 4 * c->channels[i - 1];
        snprintf(name, sizeof name, "levels.%d.in", i);
        m->levels[i].in = plain_bind_linear(p, in, c->channels[i], name);
        for (int k = 0; k < c->residuals; k++) {
            snprintf(name, sizeof name, "levels.%d.residuals.%d", i, k);
            plain_bind_residual(p, &m->levels[i].residuals[k], c->channels[i], name);
        }
    }
    int64_t n = c->channels[c->levels - 1], side = probe_places(c);
    m->position = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(c->frames * side * side, n), "position");
    m->question = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(c->questions, n), "question");
    for (int i = 0; i < c->blocks; i++) {
        snprintf(name, sizeof name, "blocks.%d", i);
        plain_bind_block(p, &m->blocks[i], n, name);
    }
    m->norm = plain_bind_norm(p, n, "norm");
    for (int q = 0; q < c->questions; q++) {
        snprintf(name, sizeof name, "heads.%d", q);
        m->heads[q] = plain_bind_linear(p, n, c->classes[q], name);
    }
    m->places = plain_bind_linear(p, n, c->classes[0] + 1, "places");
}

/* --- forward --- */

void probe_forward(Graph *g, const Probe *m, Tensor *frames, Tensor *logits[PROBE_MAX_QUESTIONS], Tensor **who)
{
    const ProbeConfig *c = &m->config;
    for (int q = 0; q < c->questions; q++)
        logits[q] = NULL;
    if (who != NULL)
        *who = NULL;
    Tensor *x = plain_with_motion(g, frames);
    for (int i = 0; i < c->levels; i++) {
        x = plain_linear(g, &m->levels[i].in, vae_patchify(g, x, i == 0 ? c->patch : 2), UNARY_NONE);
        for (int k = 0; k < c->residuals; k++)
            x = plain_residual(g, &m->levels[i].residuals[k], x);
    }
    if (x == NULL)
        return;
    int64_t samples = x->shape[0], places = x->shape[1] * x->shape[2] * x->shape[3], n = x->shape[4];
    int64_t rows = places + c->questions;
    if (who != NULL)
        *who = plain_linear(g, &m->places, op_reshape(g, x, SHAPE(samples * places, n)), UNARY_NONE);
    x = op_add(g, op_reshape(g, x, SHAPE(samples, places, n)), op_gather(g, m->position, plain_steps(g, places, 0, 1)));
    Tensor *ask = op_pad(g, op_gather(g, m->question, plain_steps(g, c->questions, 0, 1)), 0, places, 0);
    x = op_reshape(g, op_add(g, op_pad(g, x, 1, 0, c->questions), ask), SHAPE(samples * rows, n));
    Tensor *cu = plain_steps(g, samples + 1, 0, rows);
    for (int i = 0; i < c->blocks; i++)
        x = plain_block(g, &m->blocks[i], c->heads, x, cu);
    x = op_slice(g, op_reshape(g, x, SHAPE(samples, rows, n)), 1, places, c->questions);
    x = plain_norm(g, &m->norm, x);
    for (int q = 0; q < c->questions; q++)
        logits[q] = plain_linear(g, &m->heads[q], op_reshape(g, op_slice(g, x, 1, q, 1), SHAPE(samples, n)), UNARY_NONE);
}
