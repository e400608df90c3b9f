#include "train/linear_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/eigen.h"

enum { TAPS = 4 }; /* of a 2x2 block, in the order (row, column) */

/* Second moments of what a level sees. n = TAPS * channels; block element (channel, tap) is channel * TAPS + tap. */
typedef struct Moments {
    int n;
    double *single, *half_difference; /* [n, n] each */
    double singles, pairs;
} Moments;

static bool moments_init(Moments *s, int channels)
{
    *s = (Moments){.n = TAPS * channels};
    s->single = calloc((size_t)s->n * (size_t)s->n, sizeof(double));
    s->half_difference = calloc((size_t)s->n * (size_t)s->n, sizeof(double));
    return s->single != NULL && s->half_difference != NULL;
}

static void moments_deinit(Moments *s)
{
    free(s->single);
    free(s->half_difference);
}

/* sum [n, n] += x x^T */
typedef struct Outer {
    double *sum;
    const double *x;
    int n;
} Outer;

enum { OUTER_ROWS = 32 }; /* of one piece */

static void add_rows(void *arg, int64_t piece, int worker)
{
    const Outer *o = arg;
    int first = (int)piece * OUTER_ROWS, end = first + OUTER_ROWS < o->n ? first + OUTER_ROWS : o->n;
    for (int i = first; i < end; i++)
        for (int j = 0; j < o->n; j++)
            o->sum[i * o->n + j] += o->x[i] * o->x[j];
}

static void add_outer(Pool *pool, double *sum, const double *x, int n)
{
    pool_run(pool, (n + OUTER_ROWS - 1) / OUTER_ROWS, add_rows, &(Outer){sum, x, n});
}

typedef struct Features {
    int64_t frames, height, width, channels;
    const float *x; /* [T, H, W, C] */
} Features;

static void read_block(const Features *f, int64_t t, int64_t row, int64_t column, double *out)
{
    for (int tap = 0; tap < TAPS; tap++)
        for (int64_t c = 0; c < f->channels; c++)
            out[c * TAPS + tap] =
                f->x[((t * f->height + row + tap / 2) * f->width + column + tap % 2) * f->channels + c];
}

/* Every third block is enough. */
static void look_at(Pool *pool, Moments *s, const Features *f, double *a, double *b)
{
    int64_t per_row = f->width / 2, blocks = f->height / 2 * per_row;
    for (int64_t i = 0; i < blocks; i += 3) {
        int64_t row = i / per_row * 2, column = i % per_row * 2;
        for (int64_t t = 0; t < f->frames; t += t == 0 ? 1 : 2) {
            read_block(f, t, row, column, a);
            add_outer(pool, s->single, a, s->n);
            s->singles++;
            if (t == 0 || t + 1 >= f->frames)
                continue;
            read_block(f, t + 1, row, column, b);
            for (int k = 0; k < s->n; k++)
                b[k] = (a[k] - b[k]) / 2;
            add_outer(pool, s->half_difference, b, s->n);
            s->pairs++;
        }
    }
}

/* A clip's frames F32 [1, T, H, W, 3] in [-1, 1]; NULL after a failure. */
static Tensor *clip_frames(Graph *g, ClipInput *clips, int index)
{
    Clip clip;
    SoraError err = {0};
    if (!clips->get(clips, index, &clip, &err))
        return graph_fail(g, err.code, "%s", err.message);
    float *x = malloc((size_t)clip.frames * (size_t)clip.width * (size_t)clip.height * 3 * sizeof *x);
    Tensor *out = NULL;
    if (x != NULL) {
        clip_to_float(&clip, &(ClipCrop){0, 0, clip.width, clip.height, 0, clip.frames}, x);
        out = graph_input(g, DTYPE_F32, SHAPE(1, clip.frames, clip.height, clip.width, 3), x);
    }
    free(x);
    clip_deinit(&clip);
    return x == NULL ? graph_fail(g, SORA_ERROR_MEMORY, "out of memory") : out;
}

/* conv1 and the first levels, as they are now. */
static Tensor *run_levels(Graph *g, const Vae *m, int levels, Tensor *frames)
{
    VaeCache cache = {.last = true};
    Tensor *x = frames == NULL ? NULL : vae_patchify(g, frames, m->config.patchify);
    x = vae_causal_conv(g, &m->encoder.conv1, &cache, x);
    for (int i = 0; i < levels; i++)
        x = vae_down_level(g, &m->encoder.level[i], &cache, x);
    return x;
}

/* The features after some levels of one clip, in heap memory; NULL after a failure. */
static float *clip_features(Graph *g, const Vae *m, int levels, ClipInput *clips, int index, Features *f)
{
    graph_reset(g);
    Tensor *x = run_levels(g, m, levels, clip_frames(g, clips, index));
    if (x == NULL)
        return NULL;
    float *host = malloc(tensor_bytes(x));
    if (host == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    graph_download(g, x, host);
    *f = (Features){x->shape[1], x->shape[2], x->shape[3], x->shape[4], host};
    return host;
}

static bool measure(Graph *g, const Vae *m, int levels, ClipInput *clips, Moments *s)
{
    double *blocks = malloc(2 * (size_t)s->n * sizeof *blocks);
    bool ok = blocks != NULL;
    for (int i = 0; ok && i < clips->count; i++) {
        Features f;
        float *x = clip_features(g, m, levels, clips, i, &f);
        ok = x != NULL;
        if (ok)
            look_at(graph_pool(g), s, &f, blocks, blocks + s->n);
        free(x);
    }
    free(blocks);
    for (int i = 0; i < s->n * s->n; i++) {
        s->single[i] /= fmax(1, s->singles);
        s->half_difference[i] /= fmax(1, s->pairs);
    }
    return ok;
}

/* What the weightless shortcut makes of frame t of a pair: p [out, TAPS * in]. frames: 2, or 1 if time stays. */
static void shortcut_matrix(int in, int out, int frames, int t, double *p)
{
    int group = in * TAPS * frames / out;
    memset(p, 0, sizeof(double) * (size_t)out * TAPS * (size_t)in);
    for (int c = 0; c < in; c++)
        for (int tap = 0; tap < TAPS; tap++)
            p[((c * frames + t) * TAPS + tap) / group * TAPS * in + c * TAPS + tap] = 1.0 / group;
}

/* The rows of a level's code: first `means` of the mean frame, then of half the difference. */
typedef struct Code {
    int out, means, n;
    double *mean, *difference; /* [out, n]: rows of U, zero after; rows of R U after zeros */
} Code;

/* The best `out` components of both kinds together. */
static bool choose_code(const Moments *s, int out, bool time, Code *code)
{
    int n = s->n;
    size_t square = (size_t)n * (size_t)n;
    *code = (Code){.out = out, .n = n, .mean = calloc((size_t)out * (size_t)n, sizeof(double)),
                   .difference = calloc((size_t)out * (size_t)n, sizeof(double))};
    double *copy = malloc(square * sizeof *copy), *u = malloc(square * sizeof *u), *r = malloc(square * sizeof *r);
    double *lambda = malloc(2 * (size_t)n * sizeof *lambda), *mu = lambda + n;
    bool ok = code->mean && code->difference && copy && u && r && lambda;
    if (ok) {
        memcpy(copy, s->single, square * sizeof *copy);
        eigen_symmetric(n, copy, lambda, u);
        memcpy(copy, s->half_difference, square * sizeof *copy);
        eigen_symmetric(n, copy, mu, r);
        int differences = 0;
        while (code->means + differences < out && code->means + differences < 2 * n) {
            if (code->means < n && (!time || lambda[code->means] >= mu[differences]))
                code->means++;
            else
                differences++;
        }
        memcpy(code->mean, u, (size_t)code->means * (size_t)n * sizeof *u);
        memcpy(code->difference + (size_t)code->means * (size_t)n, r, (size_t)differences * (size_t)n * sizeof *r);
    }
    free(copy);
    free(u);
    free(r);
    free(lambda);
    return ok;
}

/* Weights of the time convolution for frame t, by least squares on the data: what maps the spatial code s [out, n] to
 * target [out, n]. The result [out, out] goes into tap t + 1 of w [out, out, 3, 1, 1]. */
static bool fit_time(const Moments *m, int out, int t, const double *s, const double *target, float *w)
{
    int n = m->n;
    double *sc = malloc((size_t)out * (size_t)n * sizeof *sc), *gram = malloc((size_t)out * (size_t)out * sizeof *gram);
    double *x = malloc((size_t)out * (size_t)out * sizeof *x);
    bool ok = sc != NULL && gram != NULL && x != NULL;
    if (ok) {
        multiply((Product){out, n, n, 0}, s, m->single, sc);
        multiply((Product){out, n, out, 1}, sc, s, gram);
        multiply((Product){out, n, out, 1}, target, sc, x); /* target C s^T */
        double trace = 0;
        for (int i = 0; i < out; i++)
            trace += gram[i * out + i];
        solve_right(out, gram, 1e-7 * trace, out, x);
        for (int i = 0; i < out * out; i++)
            w[i * 3 + t + 1] = (float)x[i];
    }
    free(sc);
    free(gram);
    free(x);
    return ok;
}

/* The space convolution [out, out, 1, 3, 3] of a block code s [out, TAPS * in]: padded at the right and bottom, so
 * the taps are the first two. */
static void set_space(const double *s, int in, int out, float *w)
{
    memset(w, 0, (size_t)out * (size_t)out * 9 * sizeof *w);
    for (int o = 0; o < out; o++)
        for (int c = 0; c < in; c++)
            for (int tap = 0; tap < TAPS; tap++)
                w[(o * out + c) * 9 + tap / 2 * 3 + tap % 2] = (float)s[(o * in + c) * TAPS + tap];
}

static void zero(Tensor *t)
{
    if (t != NULL)
        memset(t->data, 0, tensor_bytes(t));
}

/* Branch off; where the number of channels grows, the shortcut copies the old ones. */
static void still_residual(const VaeResidual *r)
{
    zero(r->conv2.w);
    zero(r->conv2.b);
    zero(r->shortcut.w);
    zero(r->shortcut.b);
    if (r->shortcut.w == NULL)
        return;
    float *w = r->shortcut.w->data;
    int64_t out = r->shortcut.w->shape[0], in = r->shortcut.w->shape[1];
    for (int64_t i = 0; i < in && i < out; i++)
        w[i * in + i] = 1;
}

static bool start_level(Graph *g, Vae *m, int index, ClipInput *clips)
{
    VaeLevel *l = &m->encoder.level[index];
    for (int i = 0; i < l->residuals; i++)
        still_residual(&l->residual[i]);
    if (l->resample.space.w == NULL)
        return true;
    bool time = l->resample.time.w != NULL;
    int in = index == 0 ? m->config.dim : m->encoder.level[index - 1].channels, out = l->channels;
    Moments s;
    Code code = {0};
    size_t size = (size_t)out * TAPS * (size_t)in;
    double *space = malloc(size * sizeof *space), *p = malloc(size * sizeof *p);
    bool ok = moments_init(&s, in) && space && p && measure(g, m, index, clips, &s) && choose_code(&s, out, time, &code);
    if (ok) {
        zero(l->resample.space.b);
        shortcut_matrix(in, out, time ? 2 : 1, time ? 1 : 0, p); /* a first frame is the second of its pair */
        for (size_t i = 0; i < size; i++)
            space[i] = code.mean[i] - p[i];
        set_space(space, in, out, l->resample.space.w->data);
    }
    for (int t = 0; ok && time && t < 2; t++) {
        zero(t == 0 ? l->resample.time.w : l->resample.time.b);
        shortcut_matrix(in, out, 2, t, p);
        for (size_t i = 0; i < size; i++) /* mean frame, half the difference */
            p[i] = 0.5 * code.mean[i] + (t == 0 ? 0.5 : -0.5) * code.difference[i] - p[i];
        ok = fit_time(&s, out, t, space, p, l->resample.time.w->data);
    }
    moments_deinit(&s);
    free(space);
    free(p);
    free(code.mean);
    free(code.difference);
    return ok;
}

/* The principal components of the last level's features (centred), through norm, SiLU and head. */
typedef struct Covariance {
    int n;
    double count, *sum, *outer;
} Covariance;

static bool last_features(Graph *g, Vae *m, ClipInput *clips, Covariance *c)
{
    double *x = malloc((size_t)c->n * sizeof *x);
    bool ok = x != NULL;
    for (int i = 0; ok && i < clips->count; i++) {
        Features f;
        float *host = clip_features(g, m, m->config.levels, clips, i, &f);
        ok = host != NULL;
        for (int64_t k = 0; ok && k < f.frames * f.height * f.width; k++) {
            for (int j = 0; j < c->n; j++) {
                x[j] = host[k * f.channels + j];
                c->sum[j] += x[j];
            }
            add_outer(graph_pool(g), c->outer, x, c->n);
            c->count++;
        }
        free(host);
    }
    for (int j = 0; j < c->n; j++)
        c->sum[j] /= fmax(1, c->count);
    for (int j = 0; j < c->n * c->n; j++)
        c->outer[j] = c->outer[j] / fmax(1, c->count) - c->sum[j / c->n] * c->sum[j % c->n];
    free(x);
    return ok;
}

static void set_head(Vae *m, const double *vectors, int n, double constant)
{
    int z = m->config.z_dim;
    float *w = m->encoder.head.w->data, *identity = m->conv1.w->data;
    zero(m->encoder.head.w);
    zero(m->encoder.head.b);
    zero(m->conv1.w);
    zero(m->conv1.b);
    /* norm: x sqrt(n) / constant; silu: half of it. The head undoes both. */
    double gain = 2 * constant / sqrt((double)n);
    for (int k = 0; k < z; k++) {
        identity[k * 2 * z + k] = 1;
        for (int j = 0; j < n - 1; j++)
            w[(k * n + j) * 27 + 2 * 9 + 4] = (float)(gain * vectors[k * (n - 1) + j]); /* the current frame's centre */
    }
}

static bool start_head(Graph *g, Vae *m, ClipInput *clips)
{
    VaeLevel *last = &m->encoder.level[m->config.levels - 1];
    int n = last->channels, used = n - 1; /* the last channel carries the constant */
    Covariance c = {.n = used, .sum = calloc((size_t)used, sizeof(double)),
                    .outer = calloc((size_t)used * (size_t)used, sizeof(double))};
    double *values = malloc((size_t)used * sizeof *values), *vectors = malloc((size_t)used * (size_t)used * sizeof *vectors);
    bool ok = c.sum && c.outer && values && vectors && last_features(g, m, clips, &c);
    if (ok) {
        double trace = 0;
        for (int j = 0; j < used; j++)
            trace += c.outer[j * used + j] + c.sum[j] * c.sum[j];
        double constant = 16 * sqrt(trace); /* the normalised features have a norm of sqrt(n)/16 */
        float *bias = last->residual[last->residuals - 1].conv2.b->data;
        bias[used] = (float)constant;
        eigen_symmetric(used, c.outer, values, vectors);
        set_head(m, vectors, n, constant);
    }
    free(c.sum);
    free(c.outer);
    free(values);
    free(vectors);
    return ok;
}

/* mean and std of the latents that the encoder gives now. */
static bool measure_latents(Graph *g, Vae *m, ClipInput *clips, VaeConfig *config)
{
    int z = config->z_dim;
    double sum[VAE_MAX_Z] = {0}, squares[VAE_MAX_Z] = {0}, count = 0, mean_std = 0;
    for (int k = 0; k < z; k++) {
        m->config.mean[k] = 0;
        m->config.std[k] = 1;
    }
    for (int i = 0; i < clips->count; i++) {
        graph_reset(g);
        Tensor *x = vae_encode(g, m, clip_frames(g, clips, i));
        float *host = x == NULL ? NULL : malloc(tensor_bytes(x));
        if (host == NULL)
            return false;
        graph_download(g, x, host);
        int64_t rows = tensor_numel(x) / z;
        for (int64_t r = 0; r < rows; r++)
            for (int k = 0; k < z; k++) {
                sum[k] += host[r * z + k];
                squares[k] += (double)host[r * z + k] * host[r * z + k];
            }
        count += (double)rows;
        free(host);
    }
    for (int k = 0; k < z; k++) {
        sum[k] /= count;
        squares[k] = sqrt(fmax(1e-12, squares[k] / count - sum[k] * sum[k]));
        mean_std += squares[k] / z;
    }
    for (int k = 0; k < z; k++) { /* variance / (std * mean_std) = std / mean_std: 1 on average */
        config->mean[k] = (float)sum[k];
        config->std[k] = (float)sqrt(squares[k] * mean_std);
    }
    m->config = *config;
    return true;
}

static void set_first(Vae *m)
{
    const Tensor *conv = m->encoder.conv1.w;
    float *w = conv->data;
    int64_t in = conv->shape[1];
    zero(m->encoder.conv1.w);
    zero(m->encoder.conv1.b);
    for (int64_t i = 0; i < in && i < conv->shape[0]; i++)
        w[(i * in + i) * 27 + 2 * 9 + 4] = 1;
}

/* Both halves of a codec that is a linear code and what the network adds. */
static bool start_code(Graph *g, Vae *m, VaeConfig *config, ClipInput *clips, SoraError *err)
{
    LinearCode code;
    bool ok = linear_code_fit(g, &code, linear_code_shape(&m->config), clips, err) && linear_code_set(&code, m, err);
    linear_code_deinit(&code);
    if (ok && !measure_latents(g, m, clips, config))
        ok = graph_ok(g, err) && error_set(err, SORA_ERROR_MEMORY, "out of memory");
    return ok;
}

bool linear_start(Graph *g, Vae *m, VaeConfig *config, ClipInput *clips, SoraError *err)
{
    if (m->config.linear_code)
        return start_code(g, m, config, clips, err);
    int last = m->config.levels - 1;
    if (m->config.dim < 3 * m->config.patchify * m->config.patchify ||
        m->config.z_dim >= m->encoder.level[last].channels)
        return error_set(err, SORA_ERROR_INPUT, "a linear start needs dim >= %d and z_dim below %d channels",
                         3 * m->config.patchify * m->config.patchify, m->encoder.level[last].channels);
    set_first(m);
    bool ok = true;
    for (int i = 0; ok && i <= last; i++)
        ok = start_level(g, m, i, clips);
    still_residual(&m->encoder.middle0);
    still_residual(&m->encoder.middle2);
    zero(m->encoder.middle1.proj.w);
    zero(m->encoder.middle1.proj.b);
    ok = ok && start_head(g, m, clips) && measure_latents(g, m, clips, config);
    if (!ok && graph_ok(g, err))
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    return ok;
}
