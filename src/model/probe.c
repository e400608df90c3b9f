#include "model/probe.h"

#include <math.h>

#include "base/arena.h"
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

static ProbeLinear bind_linear(Params *p, int64_t in, int64_t out, const char *name)
{
    return (ProbeLinear){params_get(p, init_xavier(out, in), SHAPE(out, in), "%s.weight", name),
                         params_get(p, (Init){INIT_ZERO, 0}, SHAPE(out), "%s.bias", name)};
}

static void bind_residual(Params *p, ProbeResidual *r, int64_t channels, const char *name)
{
    Init conv = {INIT_UNIFORM, sqrtf(6.0f / (float)(9 * channels))}; /* keeps the variance through a SiLU (He et al., 2015) */
    r->norm = params_get(p, (Init){INIT_ONE, 0}, SHAPE(channels), "%s.norm.weight", name);
    r->w1 = params_get(p, conv, SHAPE(channels, channels, 1, 3, 3), "%s.conv1.weight", name);
    r->b1 = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(channels), "%s.conv1.bias", name);
    r->w2 = params_get(p, (Init){INIT_UNIFORM, conv.scale / 4}, SHAPE(channels, channels, 1, 3, 3), "%s.conv2.weight", name);
    r->b2 = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(channels), "%s.conv2.bias", name);
}

static void bind_block(Params *p, ProbeBlock *b, int64_t n, int index)
{
    static const char *const NAMES[] = {"q", "k", "v", "o", "up", "down"};
    ProbeLinear *linear[] = {&b->q, &b->k, &b->v, &b->o, &b->up, &b->down};
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.%s", index, NAMES[i]);
        *linear[i] = bind_linear(p, i == 5 ? 2 * n : n, i == 4 ? 2 * n : n, name);
    }
    b->norm1 = params_get(p, (Init){INIT_ONE, 0}, SHAPE(n), "blocks.%d.norm1.weight", index);
    b->norm1_b = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(n), "blocks.%d.norm1.bias", index);
    b->norm2 = params_get(p, (Init){INIT_ONE, 0}, SHAPE(n), "blocks.%d.norm2.weight", index);
    b->norm2_b = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(n), "blocks.%d.norm2.bias", index);
}

void probe_bind(Probe *m, const ProbeConfig *c, Params *p)
{
    *m = (Probe){.config = *c};
    char name[64];
    for (int i = 0; i < c->levels; i++) {
        int64_t in = i == 0 ? 6 * c->patch * c->patch : 4 * c->channels[i - 1];
        snprintf(name, sizeof name, "levels.%d.in", i);
        m->levels[i].in = bind_linear(p, in, c->channels[i], name);
        for (int k = 0; k < c->residuals; k++) {
            snprintf(name, sizeof name, "levels.%d.residuals.%d", i, k);
            bind_residual(p, &m->levels[i].residuals[k], c->channels[i], name);
        }
    }
    int64_t n = c->channels[c->levels - 1], side = probe_places(c);
    m->position = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(c->frames * side * side, n), "position");
    m->question = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(c->questions, n), "question");
    for (int i = 0; i < c->blocks; i++)
        bind_block(p, &m->blocks[i], n, i);
    m->norm = params_get(p, (Init){INIT_ONE, 0}, SHAPE(n), "norm.weight");
    m->norm_b = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(n), "norm.bias");
    for (int q = 0; q < c->questions; q++) {
        snprintf(name, sizeof name, "heads.%d", q);
        m->heads[q] = bind_linear(p, n, c->classes[q], name);
    }
    m->places = bind_linear(p, n, c->classes[0] + 1, "places");
}

/* --- forward --- */

static Tensor *apply(Graph *g, const ProbeLinear *l, Tensor *x, Unary act)
{
    return op_linear(g, x, l->w, l->b, act);
}

/* [B, T, H, W, 3] -> [B, T, H, W, 6]: each frame, and what it has more than the mean of all. */
static Tensor *with_motion(Graph *g, Tensor *x)
{
    if (x == NULL)
        return NULL;
    int64_t frames = x->shape[1];
    Tensor *mean = op_group_mean(g, op_permute(g, x, (int[]){0, 2, 3, 4, 1}), frames);
    mean = op_permute(g, op_group_repeat(g, mean, frames), (int[]){0, 4, 1, 2, 3});
    return op_concat(g, 2, (Tensor *[]){x, op_sub(g, x, mean)}, 4);
}

/* x + conv(silu(conv(norm(x)))) */
static Tensor *residual(Graph *g, const ProbeResidual *r, Tensor *x)
{
    ConvShape same = {.stride = {1, 1, 1}, .padding = {0, 0, 1, 1, 1, 1}};
    Tensor *h = op_conv(g, op_rms_norm(g, x, r->norm, 1e-6), r->w1, r->b1, same);
    return op_add(g, x, op_conv(g, op_silu(g, h), r->w2, r->b2, same));
}

/* 0, step, 2 step ...: count of them, I32. */
static Tensor *steps(Graph *g, int64_t count, int64_t step)
{
    Arena scratch;
    arena_init(&scratch, 0);
    int32_t *values = arena_alloc(&scratch, (size_t)count * sizeof *values);
    Tensor *t = NULL;
    if (values == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "probe: out of memory");
    } else {
        for (int64_t i = 0; i < count; i++)
            values[i] = (int32_t)(i * step);
        t = graph_input(g, DTYPE_I32, SHAPE(count), values);
    }
    arena_deinit(&scratch);
    return t;
}

static Tensor *attend(Graph *g, const ProbeConfig *c, const ProbeBlock *b, Tensor *x, Tensor *cu)
{
    Tensor *y = op_layer_norm(g, x, b->norm1, b->norm1_b, 1e-5);
    double width = (double)c->channels[c->levels - 1] / c->heads;
    y = op_attention(g, (AttentionInputs){.q = apply(g, &b->q, y, UNARY_NONE), .k = apply(g, &b->k, y, UNARY_NONE),
                                          .v = apply(g, &b->v, y, UNARY_NONE), .cu_q = cu, .cu_k = cu, .heads = c->heads,
                                          .scale = 1 / sqrt(width)});
    x = op_add(g, x, apply(g, &b->o, y, UNARY_NONE));
    y = op_layer_norm(g, x, b->norm2, b->norm2_b, 1e-5);
    y = apply(g, &b->down, apply(g, &b->up, y, UNARY_GELU_TANH), UNARY_NONE);
    return op_add(g, x, y);
}

void probe_forward(Graph *g, const Probe *m, Tensor *frames, Tensor *logits[PROBE_MAX_QUESTIONS], Tensor **who)
{
    const ProbeConfig *c = &m->config;
    for (int q = 0; q < c->questions; q++)
        logits[q] = NULL;
    if (who != NULL)
        *who = NULL;
    Tensor *x = with_motion(g, frames);
    for (int i = 0; i < c->levels; i++) {
        x = apply(g, &m->levels[i].in, vae_patchify(g, x, i == 0 ? c->patch : 2), UNARY_NONE);
        for (int k = 0; k < c->residuals; k++)
            x = residual(g, &m->levels[i].residuals[k], x);
    }
    if (x == NULL)
        return;
    int64_t samples = x->shape[0], places = x->shape[1] * x->shape[2] * x->shape[3], n = x->shape[4];
    int64_t rows = places + c->questions;
    if (who != NULL)
        *who = apply(g, &m->places, op_reshape(g, x, SHAPE(samples * places, n)), UNARY_NONE);
    x = op_add(g, op_reshape(g, x, SHAPE(samples, places, n)), op_gather(g, m->position, steps(g, places, 1)));
    Tensor *ask = op_pad(g, op_gather(g, m->question, steps(g, c->questions, 1)), 0, places, 0);
    x = op_reshape(g, op_add(g, op_pad(g, x, 1, 0, c->questions), ask), SHAPE(samples * rows, n));
    Tensor *cu = steps(g, samples + 1, rows);
    for (int i = 0; i < c->blocks; i++)
        x = attend(g, c, &m->blocks[i], x, cu);
    x = op_slice(g, op_reshape(g, x, SHAPE(samples, rows, n)), 1, places, c->questions);
    x = op_layer_norm(g, x, m->norm, m->norm_b, 1e-5);
    for (int q = 0; q < c->questions; q++)
        logits[q] = apply(g, &m->heads[q], op_reshape(g, op_slice(g, x, 1, q, 1), SHAPE(samples, n)), UNARY_NONE);
}
