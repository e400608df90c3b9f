#include "train/linear_code.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "train/eigen.h"

LinearCodeShape linear_code_shape(const VaeConfig *c)
{
    return (LinearCodeShape){c->z_dim, vae_stride_time(c), vae_stride_space(c), c->patchify};
}

void linear_code_deinit(LinearCode *c)
{
    for (int k = 0; k < CODE_KINDS; k++) {
        free(c->basis[k]);
        free(c->mean[k]);
    }
    *c = (LinearCode){0};
}

static int block_frames(const LinearCodeShape *s, int kind)
{
    return kind == CODE_FIRST ? 1 : s->time;
}

/* Where a block lies in its clip. */
typedef struct Place {
    int frame, frames, y, x;
} Place;

/* Copies between a block and frames [T, H, W, 3] in [-1, 1]. */
static void copy_block(const LinearCodeShape *s, Place at, int height, int width, float *frames, float *block, bool out)
{
    int p = s->patch;
    for (int t = at.frame; t < at.frame + at.frames; t++)
        for (int y = at.y; y < at.y + s->space; y += p)
            for (int x = at.x; x < at.x + s->space; x += p)
                for (int c = 0; c < 3; c++)
                    for (int i = 0; i < p; i++)
                        for (int j = 0; j < p; j++) {
                            float *pixel = frames + (((size_t)t * (size_t)height + (size_t)(y + j)) * (size_t)width +
                                                     (size_t)(x + i)) * 3 + c;
                            *(out ? pixel : block) = *(out ? block : pixel);
                            block++;
                        }
}

static int overlap(int a0, int a1, int b0, int b1)
{
    int low = a0 > b0 ? a0 : b0, high = a1 < b1 ? a1 : b1;
    return high > low ? high - low : 0;
}

/* How much of a block lies in actors' boxes, 0..1. */
static double actor_share(const LinearCodeShape *s, const Clip *clip, Place at)
{
    double sum = 0;
    for (int t = at.frame; t < at.frame + at.frames && clip->boxes != NULL; t++) {
        int most = 0;
        for (int a = 0; a < clip->actors; a++) {
            const ClipBox *b = &clip->boxes[a * clip->frames + t];
            int area = overlap(b->x0, b->x1, at.x, at.x + s->space) * overlap(b->y0, b->y1, at.y, at.y + s->space);
            most = area > most ? area : most;
        }
        sum += most;
    }
    return sum / ((double)s->space * s->space * at.frames);
}

/* Weighted sums over blocks of one kind. */
typedef struct Moments {
    int n;
    double *outer, *sum, weight; /* [n, n], [n] */
} Moments;

/* sum += product, a row at a time. */
typedef struct Addition {
    int n;
    double *sum;
    const float *product;
} Addition;

static void add_row(void *arg, int64_t i, int worker)
{
    const Addition *a = arg;
    for (int64_t k = i * a->n; k < (i + 1) * a->n; k++)
        a->sum[k] += a->product[k];
}

/* rows [count, n], scaled by the root of their weights. */
static bool add_rows(Graph *g, Moments *m, const float *rows, int64_t count, float *product)
{
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(count, m->n), rows);
    graph_download(g, op_matmul(g, x, x, (MatmulFlags){.transpose_a = true}), product);
    SoraError ignored;
    if (!graph_ok(g, &ignored))
        return false;
    pool_run(graph_pool(g), m->n, add_row, &(Addition){m->n, m->outer, product});
    return true;
}

static bool add_clip(Graph *g, Moments *m, int kind, const LinearCodeShape *s, ClipInput *clips, const Clip *clip, float *video,
                     float *product)
{
    int count = 0, frames = block_frames(s, kind), first = kind == CODE_FIRST ? 0 : 1;
    int end = kind == CODE_FIRST ? 1 : clip->frames;
    int64_t blocks = (int64_t)(clip->height / s->space) * (clip->width / s->space) * ((end - first) / frames);
    float *rows = malloc((size_t)(blocks * m->n) * sizeof *rows);
    if (rows == NULL)
        return false;
    for (int t = first; t + frames <= end; t += frames)
        for (int y = 0; y + s->space <= clip->height; y += s->space)
            for (int x = 0; x + s->space <= clip->width; x += s->space) {
                Place at = {t, frames, y, x};
                double weight = 1 + (clips->actor_weight - 1) * actor_share(s, clip, at);
                float *row = rows + (int64_t)count++ * m->n, root = (float)sqrt(weight);
                copy_block(s, at, clip->height, clip->width, video, row, false);
                for (int i = 0; i < m->n; i++) {
                    m->sum[i] += weight * row[i];
                    row[i] *= root;
                }
                m->weight += weight;
            }
    bool ok = count == 0 || add_rows(g, m, rows, count, product);
    free(rows);
    return ok;
}

static bool look_at(Graph *g, const LinearCodeShape *s, ClipInput *clips, Moments *m, float *product, SoraError *err)
{
    for (int i = 0; i < clips->count; i++) {
        Clip clip;
        if (!clips->get(clips, i, &clip, err))
            return false;
        float *video = malloc((size_t)clip.frames * (size_t)clip.width * (size_t)clip.height * 3 * sizeof *video);
        bool ok = video != NULL;
        if (ok) {
            clip_to_float(&clip, &(ClipCrop){0, 0, clip.width, clip.height, 0, clip.frames}, video);
            for (int k = 0; ok && k < CODE_KINDS; k++)
                ok = add_clip(g, &m[k], k, s, clips, &clip, video, product);
        }
        free(video);
        clip_deinit(&clip);
        if (!ok)
            return (graph_ok(g, err) && error_no_memory(err));
    }
    return true;
}

static bool find_basis(Pool *pool, LinearCode *c, int kind, Moments *m)
{
    int n = m->n, z = c->shape.channels;
    double *values = malloc((size_t)z * sizeof *values);
    c->basis[kind] = calloc((size_t)z * (size_t)n, sizeof(double));
    c->mean[kind] = calloc((size_t)n, sizeof(double));
    bool ok = values != NULL && c->basis[kind] != NULL && c->mean[kind] != NULL;
    double *mean = c->mean[kind], weight = fmax(1, m->weight);
    for (int i = 0; ok && i < n; i++)
        mean[i] = m->sum[i] / weight;
    for (int i = 0; i < n; i++)
        for (int j = 0; ok && j < n; j++)
            m->outer[(size_t)i * (size_t)n + (size_t)j] = m->outer[(size_t)i * (size_t)n + (size_t)j] / weight - mean[i] * mean[j];
    ok = ok && eigen_leading(pool, n, m->outer, z < n ? z : n, values, c->basis[kind]);
    free(values);
    return ok;
}

bool linear_code_fit(Graph *g, LinearCode *c, LinearCodeShape shape, ClipInput *clips, SoraError *err)
{
    *c = (LinearCode){.shape = shape};
    Moments m[CODE_KINDS] = {{0}};
    bool ok = true;
    for (int k = 0; k < CODE_KINDS; k++) {
        size_t n = (size_t)(block_frames(&shape, k) * shape.space * shape.space * 3);
        m[k] = (Moments){.n = (int)n, .outer = calloc(n * n, sizeof(double)), .sum = calloc(n, sizeof(double))};
        c->size[k] = (int)n;
        ok = ok && m[k].outer != NULL && m[k].sum != NULL;
    }
    float *product = malloc((size_t)m[CODE_REST].n * (size_t)m[CODE_REST].n * sizeof *product);
    ok = (ok && product != NULL) || error_no_memory(err);
    ok = ok && look_at(g, &shape, clips, m, product, err);
    for (int k = 0; ok && k < CODE_KINDS; k++)
        ok = find_basis(graph_pool(g), c, k, &m[k]) || error_no_memory(err);
    for (int k = 0; k < CODE_KINDS; k++) {
        free(m[k].outer);
        free(m[k].sum);
    }
    free(product);
    graph_reset(g);
    if (!ok)
        linear_code_deinit(c);
    return ok;
}

/* block = mean + B^T B (block - mean) */
static void code_block(const LinearCode *c, int kind, float *block)
{
    int n = c->size[kind];
    double coefficients[VAE_MAX_Z];
    for (int z = 0; z < c->shape.channels; z++) {
        const double *b = c->basis[kind] + (size_t)z * (size_t)n;
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += b[i] * (block[i] - c->mean[kind][i]);
        coefficients[z] = sum;
    }
    for (int i = 0; i < n; i++)
        block[i] = (float)c->mean[kind][i];
    for (int z = 0; z < c->shape.channels; z++)
        for (int i = 0; i < n; i++)
            block[i] += (float)(coefficients[z] * c->basis[kind][(size_t)z * (size_t)n + (size_t)i]);
}

typedef struct Show {
    const LinearCode *code;
    const Clip *clip;
    float *frames;
    _Atomic bool failed;
} Show;

static void show_block(void *arg, int64_t i, int worker)
{
    Show *w = arg;
    const LinearCodeShape *s = &w->code->shape;
    int columns = w->clip->width / s->space, places = w->clip->height / s->space * columns;
    int t = (int)(i / places), place = (int)(i % places), kind = t == 0 ? CODE_FIRST : CODE_REST;
    Place at = {t == 0 ? 0 : 1 + (t - 1) * s->time, block_frames(s, kind), place / columns * s->space,
                place % columns * s->space};
    float *block = malloc((size_t)w->code->size[kind] * sizeof *block);
    if (block == NULL) {
        atomic_store(&w->failed, true);
        return;
    }
    copy_block(s, at, w->clip->height, w->clip->width, w->frames, block, false);
    code_block(w->code, kind, block);
    copy_block(s, at, w->clip->height, w->clip->width, w->frames, block, true);
    free(block);
}

bool linear_code_show(Pool *pool, const LinearCode *c, const Clip *clip, float *out, SoraError *err)
{
    const LinearCodeShape *s = &c->shape;
    clip_to_float(clip, &(ClipCrop){0, 0, clip->width, clip->height, 0, clip->frames}, out);
    int64_t blocks = (int64_t)(clip->height / s->space) * (clip->width / s->space) * (1 + (clip->frames - 1) / s->time);
    Show show = {.code = c, .clip = clip, .frames = out};
    pool_run(pool, blocks, show_block, &show);
    return !atomic_load(&show.failed) || error_no_memory(err);
}

/* The orthogonal q [z, z] for which q a is nearest to b, both [z, n]: q = (B^T B)^-1/2 B^T with B = a b^T. */
static bool nearest_turn(int z, int n, const double *a, const double *b, double *q)
{
    size_t square = (size_t)z * (size_t)z;
    double *cross = malloc(square * sizeof *cross), *gram = malloc(square * sizeof *gram);
    double *vectors = malloc(square * sizeof *vectors), *values = malloc((size_t)z * sizeof *values);
    bool ok = cross != NULL && gram != NULL && vectors != NULL && values != NULL;
    if (ok) {
        multiply((Product){z, n, z, 1}, b, a, cross); /* cross = b a^T = B^T */
        multiply((Product){z, z, z, 1}, cross, cross, gram);
        eigen_symmetric(z, gram, values, vectors);
        for (int i = 0; i < z; i++) /* gram = V^T values V; its inverse root */
            for (int j = 0; j < z; j++) {
                double sum = 0;
                for (int k = 0; k < z; k++)
                    sum += vectors[k * z + i] * vectors[k * z + j] / sqrt(fmax(values[k], 1e-12 * values[0]));
                gram[i * z + j] = sum;
            }
        multiply((Product){z, z, z, 0}, gram, cross, q);
    }
    free(cross);
    free(gram);
    free(vectors);
    free(values);
    return ok;
}

/* Rows of a [z, n] made orthonormal, from the first on. */
static void orthonormalise(int z, int n, double *a)
{
    for (int i = 0; i < z; i++) {
        double *x = a + (size_t)i * (size_t)n, norm = 0;
        for (int j = 0; j < i; j++) {
            const double *y = a + (size_t)j * (size_t)n;
            double dot = 0;
            for (int k = 0; k < n; k++)
                dot += x[k] * y[k];
            for (int k = 0; k < n; k++)
                x[k] -= dot * y[k];
        }
        for (int k = 0; k < n; k++)
            norm += x[k] * x[k];
        for (int k = 0; k < n; k++)
            x[k] /= sqrt(fmax(norm, 1e-300));
    }
}

/* The first frame's basis, turned towards what the other one says of a frame standing still. */
static double *turned_first(const LinearCode *c)
{
    int z = c->shape.channels, n = c->size[CODE_FIRST], times = c->shape.time;
    double *still = calloc((size_t)z * (size_t)n, sizeof *still), *turned = malloc((size_t)z * (size_t)n * sizeof *turned);
    double *q = malloc((size_t)z * (size_t)z * sizeof *q);
    bool ok = still != NULL && turned != NULL && q != NULL;
    for (int k = 0; ok && k < z; k++)
        for (int i = 0; i < n * times; i++)
            still[(size_t)k * (size_t)n + (size_t)(i % n)] += c->basis[CODE_REST][(size_t)k * (size_t)n * (size_t)times + (size_t)i];
    ok = ok && nearest_turn(z, n, c->basis[CODE_FIRST], still, q);
    if (ok) {
        multiply((Product){z, z, n, 0}, q, c->basis[CODE_FIRST], turned);
        orthonormalise(z, n, turned);
    }
    free(still);
    free(q);
    if (ok)
        return turned;
    free(turned);
    return NULL;
}

/* mu = scale B block; block = B^T mu / scale + mean - B^T B mean */
static void set_kind(const LinearCode *c, int kind, const double *basis, double scale, Vae *m)
{
    int z = c->shape.channels, n = c->size[kind];
    float *in = m->code.encode[kind]->data, *out = m->code.decode[kind].w->data, *bias = m->code.decode[kind].b->data;
    for (int i = 0; i < n; i++)
        bias[i] = (float)c->mean[kind][i];
    for (int k = 0; k < z; k++) {
        const double *b = basis + (size_t)k * (size_t)n;
        double along = 0;
        for (int i = 0; i < n; i++)
            along += b[i] * c->mean[kind][i];
        for (int i = 0; i < n; i++) {
            in[k * n + i] = (float)(scale * b[i]);
            out[i * z + k] = (float)(b[i] / scale);
            bias[i] -= (float)(b[i] * along);
        }
    }
}

bool linear_code_set(const LinearCode *c, Vae *m, SoraError *err)
{
    double *first = turned_first(c);
    if (first == NULL)
        return error_no_memory(err);
    set_kind(c, CODE_FIRST, first, sqrt(c->shape.time), m);
    set_kind(c, CODE_REST, c->basis[CODE_REST], 1, m);
    free(first);
    memset(m->decoder.head.w->data, 0, tensor_bytes(m->decoder.head.w));
    memset(m->decoder.head.b->data, 0, tensor_bytes(m->decoder.head.b));
    return true;
}
