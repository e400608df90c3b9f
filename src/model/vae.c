#include "model/vae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TIME = 1, CHANNELS = 4, MAX_NAME = 128 };

Tensor *vae_down_level(Graph *g, const VaeLevel *l, VaeCache *cache, Tensor *x)
{
    GraphScope scope = graph_scope(g);
    Tensor *h = x;
    for (int i = 0; i < l->residuals; i++)
        h = graph_keep(g, scope, vae_residual(g, &l->residual[i], cache, h));
    if (l->resample.space.w != NULL)
        h = graph_keep(g, scope, vae_downsample(g, &l->resample, cache, h));
    if (!l->shortcut)
        return h;
    x = vae_due_below(g, cache, x, h, l->factors.space);
    return graph_keep(g, scope, op_add(g, h, vae_avg_down(g, x, l->channels, l->factors)));
}

Tensor *vae_up_level(Graph *g, const VaeLevel *l, VaeCache *cache, Tensor *x)
{
    GraphScope scope = graph_scope(g);
    Tensor *h = x;
    for (int i = 0; i < l->residuals; i++)
        h = graph_keep(g, scope, vae_residual(g, &l->residual[i], cache, h));
    if (l->resample.space.w == NULL)
        return h;
    Tensor *shortcut = l->shortcut ? vae_dup_up(g, cache, x, 2 * l->residuals, (VaeDup){l->channels, l->factors})
                                    : NULL;
    return graph_keep(g, scope, vae_upsample(g, &l->resample, cache, h, shortcut));
}

static Tensor *middle(Graph *g, const VaeCoder *coder, VaeCache *cache, Tensor *x)
{
    x = vae_residual(g, &coder->middle0, cache, x);
    x = vae_attention(g, &coder->middle1, x);
    return vae_residual(g, &coder->middle2, cache, x);
}

/* [z_dim] numbers of the config as a tensor. */
static Tensor *scale_input(Graph *g, const VaeConfig *c, const float *values)
{
    return graph_input(g, DTYPE_F32, SHAPE(c->z_dim), values);
}

static Tensor *normalise(Graph *g, const VaeConfig *c, Tensor *mu)
{
    float inv_std[VAE_MAX_Z];
    for (int i = 0; i < c->z_dim; i++)
        inv_std[i] = 1.0f / c->std[i];
    return op_mul(g, op_sub(g, mu, scale_input(g, c, c->mean)), scale_input(g, c, inv_std));
}

static Tensor *denormalise(Graph *g, const VaeConfig *c, Tensor *z)
{
    return op_add(g, op_mul(g, z, scale_input(g, c, c->std)), scale_input(g, c, c->mean));
}

static bool check_frames(Graph *g, const VaeConfig *c, const VaeCache *cache, const Tensor *x)
{
    if (x == NULL)
        return false;
    int64_t time = vae_stride_time(c), space = vae_stride_space(c);
    if (x->ndim != 5 || x->shape[4] != 3 || x->shape[2] % space != 0 || x->shape[3] % space != 0 ||
        x->shape[1] < 1 || (x->shape[1] - !cache->started) % time != 0) {
        char text[160];
        graph_fail(g, SORA_ERROR_INPUT, "autoencoder: frames %s, expected [B, %sn*%lld, h*%lld, w*%lld, 3]",
                   tensor_shape_text(x, text, sizeof text), cache->started ? "" : "1+", (long long)time,
                   (long long)space, (long long)space);
        return false;
    }
    return true;
}

/* What goes through the finest levels, frame for frame. */
typedef struct Flow {
    Tensor *x;
    Tensor *code, *late; /* patches of the linear code, as the finest level and its head want them in a strip; or NULL */
} Flow;

/* The first levels, before the frame rate changes. */
static Tensor *encode_begin(Graph *g, const Vae *m, int levels, VaeCache *cache, Flow frames)
{
    const VaeCoder *e = &m->encoder;
    GraphScope scope = graph_scope(g);
    Tensor *x = vae_causal_conv(g, &e->conv1, cache, vae_patchify(g, frames.x, m->config.patchify));
    for (int i = 0; i < levels; i++)
        x = graph_keep(g, scope, vae_down_level(g, &e->level[i], cache, x));
    return graph_keep(g, scope, x);
}

typedef Tensor *(*Levels)(Graph *g, const Vae *m, int level, VaeCache *cache, Flow f);

static Flow flow_frames(Graph *g, Flow f, int64_t first, int64_t count)
{
    return (Flow){op_slice(g, f.x, TIME, first, count), f.code == NULL ? NULL : op_slice(g, f.code, TIME, first, count),
                  f.late == NULL ? NULL : op_slice(g, f.late, TIME, first, count)};
}

/* Levels that keep the frame rate, over a few frames after the other if the cache says so. */
static Tensor *by_frames(Graph *g, const Vae *m, int level, VaeCache *cache, Flow flow, Levels run)
{
    int64_t frames = flow.x != NULL ? flow.x->shape[TIME] : 0, most = cache->frames;
    if (most == 0 || frames <= most)
        return run(g, m, level, cache, flow);
    GraphScope scope = graph_scope(g);
    Tensor *parts[MAX_INPUTS];
    int n = 0, slot = cache->next;
    for (int64_t f = 0; f < frames; f += most) {
        if (n == MAX_INPUTS)
            return graph_fail(g, SORA_ERROR_INTERNAL, "autoencoder: more than %d parts of a chunk", MAX_INPUTS);
        cache->next = slot; /* the same convolutions */
        parts[n++] = run(g, m, level, cache, flow_frames(g, flow, f, frames - f < most ? frames - f : most));
    }
    return graph_keep(g, scope, op_concat(g, n, parts, TIME));
}

Tensor *vae_encode_levels(Graph *g, const Vae *m, VaeCache *cache, Tensor *frames)
{
    const VaeConfig *c = &m->config;
    const VaeCoder *e = &m->encoder;
    if (!check_frames(g, c, cache, frames))
        return NULL;
    GraphScope scope = graph_scope(g);
    int first = 0;
    while (first < c->levels && e->level[first].resample.time.w == NULL)
        first++;
    Tensor *x = graph_keep(g, scope, by_frames(g, m, first, cache, (Flow){.x = frames}, encode_begin));
    for (int i = first; i < c->levels; i++)
        x = graph_keep(g, scope, vae_down_level(g, &e->level[i], cache, x));
    return x;
}

Tensor *vae_encode_back(Graph *g, const Vae *m, VaeCache *cache, Tensor *x)
{
    const VaeConfig *c = &m->config;
    const VaeCoder *e = &m->encoder;
    GraphScope scope = graph_scope(g);
    x = graph_keep(g, scope, middle(g, e, cache, x));
    x = vae_norm_conv(g, e->head_norm, &e->head, cache, x);
    Tensor *moments = vae_pointwise(g, &m->conv1, x); /* mu, log of the variance */
    return graph_keep(g, scope, normalise(g, c, op_slice(g, moments, 4, 0, c->z_dim)));
}

Tensor *vae_encode_chunk(Graph *g, const Vae *m, VaeCache *cache, Tensor *frames)
{
    const VaeConfig *c = &m->config;
    if (!check_frames(g, c, cache, frames))
        return NULL;
    GraphScope scope = graph_scope(g);
    Tensor *z = c->linear_code
                    ? normalise(g, c, vae_code_encode(g, &m->code, cache->started, vae_patchify(g, frames, c->patchify)))
                    : vae_encode_back(g, m, cache, vae_encode_levels(g, m, cache, frames));
    vae_cache_end_chunk(cache);
    return graph_keep(g, scope, z);
}

Tensor *vae_last_still(Graph *g, const Vae *m, Tensor *z)
{
    const VaeConfig *c = &m->config;
    if (z == NULL || !c->linear_code)
        return z;
    GraphScope scope = graph_scope(g);
    int64_t time = vae_stride_time(c), frames = z->shape[TIME];
    Tensor *patches = vae_code_decode(g, &m->code, true, denormalise(g, c, z)), *stills[MAX_INPUTS];
    if (frames > MAX_INPUTS)
        return graph_fail(g, SORA_ERROR_INTERNAL, "autoencoder: stills of more than %d latent frames", MAX_INPUTS);
    for (int64_t f = 0; f < frames; f++)
        stills[f] = vae_code_encode(g, &m->code, false, op_slice(g, patches, TIME, (f + 1) * time - 1, 1));
    return graph_keep(g, scope, normalise(g, c, op_concat(g, (int)frames, stills, TIME)));
}

int64_t vae_encoder_lag(const Vae *m)
{
    int64_t lag = 1; /* conv1's, in places of the level */
    for (int i = 0; i < m->config.levels; i++) {
        const VaeLevel *l = &m->encoder.level[i];
        lag += 2 * l->residuals;
        if (l->resample.space.w != NULL)
            lag = lag / 2 + 1;
    }
    return lag;
}

Tensor *vae_decode_front(Graph *g, const Vae *m, VaeCache *cache, Tensor *z)
{
    const VaeConfig *c = &m->config;
    const VaeCoder *d = &m->decoder;
    if (z == NULL)
        return NULL;
    if (z->ndim != 5 || z->shape[1] < 1 || z->shape[4] != c->z_dim) {
        char text[160];
        return graph_fail(g, SORA_ERROR_INPUT, "autoencoder: latents %s, expected [B, F, h, w, %d]",
                          tensor_shape_text(z, text, sizeof text), c->z_dim);
    }
    GraphScope scope = graph_scope(g);
    Tensor *mu = denormalise(g, c, z);
    Tensor *x = vae_pointwise(g, &m->conv2, c->linear_code ? z : mu);
    x = vae_causal_conv(g, &d->conv1, cache, x);
    x = middle(g, d, cache, x);
    return graph_keep(g, scope, c->linear_code ? op_concat(g, 2, (Tensor *[]){x, mu}, CHANNELS) : x);
}

int64_t vae_front_channels(const VaeConfig *c)
{
    return (int64_t)c->dec_dim * c->dim_mult[c->levels - 1] + (c->linear_code ? c->z_dim : 0);
}

/* Places by which the first `levels` levels hold a strip back, in latent places. */
static double lag_of(const Vae *m, int levels)
{
    double lag = 0, place = 1; /* of a place of this level */
    for (int i = 0; i < levels; i++) {
        const VaeLevel *l = &m->decoder.level[i];
        lag += 2 * l->residuals * place;
        if (l->resample.space.w == NULL)
            continue;
        place /= 2;
        lag += place;
    }
    return lag;
}

double vae_strip_lag(const Vae *m)
{
    return lag_of(m, m->config.levels) + ldexp(1, 1 - m->config.levels); /* the head */
}

/* The head's patches; the linear code's are added to them. */
static Tensor *head(Graph *g, const Vae *m, VaeCache *cache, Flow f)
{
    Tensor *y = vae_norm_conv(g, m->decoder.head_norm, &m->decoder.head, cache, f.x);
    return m->config.linear_code ? op_add(g, y, f.late) : y;
}

/* Levels from `first` on, and the head. */
static Tensor *decode_end(Graph *g, const Vae *m, int first, VaeCache *cache, Flow f)
{
    const VaeCoder *d = &m->decoder;
    int last = m->config.levels - 1;
    GraphScope scope = graph_scope(g);
    for (int i = first; i <= last; i++) {
        if (i == last && m->config.linear_code)
            f.x = op_add(g, f.x, vae_pointwise(g, &m->code_features, f.code));
        f.x = graph_keep(g, scope, vae_up_level(g, &d->level[i], cache, f.x));
    }
    Tensor *y = graph_keep(g, scope, head(g, m, cache, f));
    return graph_keep(g, scope, vae_unpatchify(g, y, m->config.patchify));
}

/* Of the code's patches of a strip, with the `before` latent places before it, those that are due `lag` places later. */
static Tensor *due_patches(Graph *g, const Vae *m, const VaeStrip *s, Tensor *patches, int64_t before, double lag)
{
    if (patches == NULL || s->dim == 0)
        return patches;
    int64_t late = (int64_t)(lag * m->code.side), n = patches->shape[s->dim];
    int64_t first = s->first ? 0 : before * m->code.side - late, end = s->last ? n : n - late;
    return op_slice(g, patches, s->dim, first, end - first);
}

/* Takes the code out of the features of vae_decode_front(). */
static Flow take_code(Graph *g, const Vae *m, VaeCache *cache, Tensor *x)
{
    if (!m->config.linear_code || x == NULL)
        return (Flow){.x = x};
    int64_t z = m->config.z_dim, features = x->shape[CHANNELS] - z, before = (int64_t)ceil(vae_strip_lag(m));
    Tensor *mu = vae_remember_edge(g, cache, op_slice(g, x, CHANNELS, features, z), before);
    Tensor *patches = vae_code_decode(g, &m->code, cache->started, mu);
    return (Flow){op_slice(g, x, CHANNELS, 0, features),
                  due_patches(g, m, &cache->strip, patches, before, lag_of(m, m->config.levels - 1)),
                  due_patches(g, m, &cache->strip, patches, before, vae_strip_lag(m))};
}

Tensor *vae_decode_levels(Graph *g, const Vae *m, VaeCache *cache, Tensor *x)
{
    const VaeCoder *d = &m->decoder;
    GraphScope scope = graph_scope(g);
    Flow f = take_code(g, m, cache, x);
    GraphScope levels = graph_scope(g); /* the code stays until the end */
    int level = m->config.levels;
    while (level > 0 && d->level[level - 1].resample.time.w == NULL)
        level--;
    for (int i = 0; i < level; i++)
        f.x = graph_keep(g, levels, vae_up_level(g, &d->level[i], cache, f.x));
    return graph_keep(g, scope, by_frames(g, m, level, cache, f, decode_end));
}

Tensor *vae_decode_chunk(Graph *g, const Vae *m, VaeCache *cache, Tensor *z)
{
    Tensor *x = vae_decode_front(g, m, cache, z);
    x = x != NULL ? vae_decode_levels(g, m, cache, x) : NULL;
    vae_cache_end_chunk(cache);
    return x;
}

Tensor *vae_decode_code(Graph *g, const Vae *m, Tensor *z)
{
    const VaeConfig *c = &m->config;
    GraphScope scope = graph_scope(g);
    Tensor *patches = vae_code_decode(g, &m->code, false, denormalise(g, c, z));
    return graph_keep(g, scope, vae_unpatchify(g, patches, c->patchify));
}

Tensor *vae_encode(Graph *g, const Vae *m, Tensor *frames)
{
    int64_t stride = vae_stride_time(&m->config);
    if (frames != NULL && frames->ndim == 5 && (frames->shape[TIME] - 1) % stride != 0)
        frames = op_slice(g, frames, TIME, 0, 1 + (frames->shape[TIME] - 1) / stride * stride);
    VaeCache cache = {.last = true};
    return vae_encode_chunk(g, m, &cache, frames);
}

Tensor *vae_decode(Graph *g, const Vae *m, Tensor *z)
{
    VaeCache cache = {.last = true};
    return vae_decode_chunk(g, m, &cache, z);
}

/* --- parameters --- */

static void bind_middle(VaeCoder *coder, const char *name, int64_t channels, Params *p)
{
    char b[MAX_NAME];
    snprintf(b, sizeof b, "%s.middle.0", name);
    coder->middle0 = vae_bind_residual(p, b, channels, channels);
    snprintf(b, sizeof b, "%s.middle.1", name);
    coder->middle1 = vae_bind_attention(p, b, channels);
    snprintf(b, sizeof b, "%s.middle.2", name);
    coder->middle2 = vae_bind_residual(p, b, channels, channels);
}

typedef struct LevelShape {
    int in, out, residuals;
    bool resize, time, up;
    bool flat; /* Wan 2.1 */
} LevelShape;

/* Level i of encoder.downsamples or decoder.upsamples. Wan 2.2 names a block by its level and its place
 * there, Wan 2.1 by its place in the whole list; a level has its residual blocks and one that changes the
 * size. */
static void bind_level(VaeLevel *l, const char *list, int i, LevelShape s, Params *p)
{
    char level[MAX_NAME / 2], b[MAX_NAME];
    int first = s.flat ? i * (s.residuals + 1) : 0;
    const char *part = strchr(list, '.') + 1;
    if (s.flat)
        snprintf(level, sizeof level, "%s", list);
    else
        snprintf(level, sizeof level, "%s.%d.%s", list, i, part);
    *l = (VaeLevel){.residuals = s.residuals,
                      .channels = s.out,
                      .factors = {s.resize && s.time ? 2 : 1, s.resize ? 2 : 1},
                      .shortcut = !s.flat};
    for (int r = 0; r < s.residuals; r++) {
        snprintf(b, sizeof b, "%s.%d", level, first + r);
        l->residual[r] = vae_bind_residual(p, b, r == 0 ? s.in : s.out, s.out);
    }
    snprintf(b, sizeof b, "%s.%d", level, first + s.residuals);
    if (s.resize)
        l->resample = vae_bind_resample(p, b, (VaeResampleShape){s.out, s.time, s.up, s.up && s.flat});
}

void vae_bind_encoder(Vae *m, const VaeConfig *c, Params *p)
{
    m->config = *c;
    VaeCoder *e = &m->encoder;
    if (c->linear_code) {
        vae_code_bind_encoder(&m->code, c, p);
        return;
    }
    int last = c->levels - 1, pixels = 3 * c->patchify * c->patchify, in = c->dim;
    e->conv1 = vae_bind_causal(p, "encoder.conv1", pixels, in);
    for (int i = 0; i <= last; i++) {
        LevelShape s = {.in = in, .out = c->dim * c->dim_mult[i], .residuals = c->num_res_blocks};
        s.flat = c->flat;
        s.resize = i < last;
        s.time = s.resize && c->temperal_downsample[i];
        bind_level(&e->level[i], "encoder.downsamples", i, s, p);
        in = s.out;
    }
    bind_middle(e, "encoder", in, p);
    e->head_norm = vae_bind_norm(p, "encoder.head.0", in);
    e->head = vae_bind_causal(p, "encoder.head.2", in, 2 * c->z_dim);
    m->conv1 = vae_bind_pointwise(p, "conv1", 2 * c->z_dim, 2 * c->z_dim);
}

void vae_bind_decoder(Vae *m, const VaeConfig *c, Params *p)
{
    m->config = *c;
    VaeCoder *d = &m->decoder;
    int last = c->levels - 1, pixels = 3 * c->patchify * c->patchify, in = c->dec_dim * c->dim_mult[last];
    m->conv2 = vae_bind_pointwise(p, "conv2", c->z_dim, c->z_dim);
    d->conv1 = vae_bind_causal(p, "decoder.conv1", c->z_dim, in);
    bind_middle(d, "decoder", in, p);
    for (int i = 0; i <= last; i++) {
        LevelShape s = {
            .in = in, .out = c->dec_dim * c->dim_mult[last - i], .residuals = c->num_res_blocks + 1};
        s.flat = c->flat;
        s.up = true;
        s.resize = i < last;
        s.time = s.resize && c->temperal_downsample[last - 1 - i];
        bind_level(&d->level[i], "decoder.upsamples", i, s, p);
        in = s.resize && s.flat ? s.out / 2 : s.out;
    }
    d->head_norm = vae_bind_norm(p, "decoder.head.0", in);
    d->head = vae_bind_causal(p, "decoder.head.2", in, pixels);
    if (!c->linear_code)
        return;
    vae_code_bind_decoder(&m->code, c, p);
    m->code_features = vae_bind_pointwise(p, "decoder.code.features", pixels, c->dec_dim * c->dim_mult[last > 0 ? 1 : 0]);
}

void vae_bind(Vae *m, const VaeConfig *c, Params *p)
{
    vae_bind_encoder(m, c, p);
    vae_bind_decoder(m, c, p);
}
