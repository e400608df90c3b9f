#include "cpu/onednn.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cpu/kernel.h"
#include "cpu/onednn_api.h"

enum { BUCKETS = 1024, MAX_TILES = 2000 };

struct Tile {
    Tile *next; /* in its bucket */
    TileShape shape;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    DnnLayout src, weights, bias, dst, scratch;
};

typedef struct Kept {
    struct Kept *next; /* in its bucket */
    const void *plain;
    DnnLayout layout;
    void *packed;
} Kept;

struct OneDnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    Tile *buckets[BUCKETS];
    int count;
    Kept *kept[BUCKETS];
};

void onednn_limit_avx2(void)
{
    dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
}

OneDnn *onednn_new(SoraError *err)
{
    OneDnn *d = calloc(1, sizeof *d);
    if (d == NULL || dnnl_engine_create(&d->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags) != dnnl_success) {
        error_set(err, SORA_ERROR_INTERNAL, "onednn: no cpu engine");
        onednn_free(d);
        return NULL;
    }
    return d;
}

static void free_tile(Tile *t)
{
    DnnLayout *const layouts[] = {&t->src, &t->weights, &t->bias, &t->dst, &t->scratch};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        dnn_layout_deinit(layouts[i]);
    if (t->primitive != NULL)
        dnnl_primitive_destroy(t->primitive);
    free(t);
}

static void clear(OneDnn *d)
{
    for (int i = 0; i < BUCKETS; i++)
        while (d->buckets[i] != NULL) {
            Tile *t = d->buckets[i];
            d->buckets[i] = t->next;
            free_tile(t);
        }
    d->count = 0;
}

void onednn_free(OneDnn *d)
{
    if (d == NULL)
        return;
    clear(d);
    onednn_forget(d);
    if (d->stream != NULL)
        dnnl_stream_destroy(d->stream);
    if (d->engine != NULL)
        dnnl_engine_destroy(d->engine);
    free(d);
}

void onednn_tidy(OneDnn *d)
{
    if (d->count > MAX_TILES)
        clear(d);
}

static bool describe(DnnLayout *l, int ndim, const int64_t *dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag)
{
    dnnl_dims_t size = {0};
    memcpy(size, dims, (size_t)ndim * sizeof size[0]);
    return dnn_layout_init(l, ndim, size, type, tag);
}

/* The caller owns *attr in every case. */
static bool make_attr(const TileShape *s, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t ops = NULL;
    bool ok = dnnl_primitive_attr_create(attr) == dnnl_success &&
              dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user) == dnnl_success &&
              dnnl_post_ops_create(&ops) == dnnl_success;
    if (ok && s->accumulate)
        ok = dnn_append_sum(ops);
    ok = ok && dnnl_primitive_attr_set_post_ops(*attr, ops) == dnnl_success;
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    return ok;
}

static dnnl_format_tag_t weights_tag(const TileShape *s)
{
    static const dnnl_format_tag_t PAIRS[] = {dnnl_BA16a16b2a, dnnl_BA16a32b2a, dnnl_BA16a48b2a,
                                              dnnl_BA16a64b2a};
    static const dnnl_format_tag_t ROWS[] = {dnnl_BA16a16b, dnnl_BA16a32b, dnnl_BA16a48b, dnnl_BA16a64b};
    static const dnnl_format_tag_t FOURS[] = {dnnl_BA16a16b4a, dnnl_BA16a32b4a, dnnl_BA16a48b4a,
                                              dnnl_BA16a64b4a};
    static const dnnl_format_tag_t *const TAGS[] = {[TILE_F32] = ROWS, [TILE_BF16] = PAIRS, [TILE_INT8] = FOURS};
    return TAGS[s->type][tile_block(s->n) / 16 - 1];
}

static dnnl_data_type_t float_type(const TileShape *s)
{
    return s->type == TILE_BF16 ? dnnl_bf16 : dnnl_f32;
}

static bool describe_matmul(Tile *t, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    const TileShape *s = &t->shape;
    bool int8 = s->type == TILE_INT8;
    bool ok = describe(&t->src, 2, (int64_t[]){s->m, s->k}, int8 ? dnnl_u8 : float_type(s), dnnl_ab) &&
              describe(&t->weights, 2, (int64_t[]){s->k, s->n}, int8 ? dnnl_s8 : float_type(s), weights_tag(s)) &&
              describe(&t->bias, 2, (int64_t[]){1, s->n}, dnnl_f32, dnnl_ab) &&
              describe(&t->dst, 2, (int64_t[]){s->m, s->n}, int8 ? dnnl_s32 : dnnl_f32, dnnl_ab);
    return ok && dnn_matmul(pd, t->engine, &(DnnTensors){&t->src, &t->weights, s->bias ? &t->bias : NULL, &t->dst}, attr);
}

static bool is_flat(const TileShape *s)
{
    return s->out[1] == 1 && s->size[1] == 1;
}

/* Without times it is a 2-D convolution. */
static bool describe_conv(Tile *t, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    const TileShape *s = &t->shape;
    bool grad = s->kind == TILE_CONV_GRAD_W;
    int64_t x[5] = {s->batch, s->cin}, w[5] = {s->cout, s->cin}, y[5] = {s->batch, s->cout};
    DnnWindow window = {.stride = {0}};
    int ndim = is_flat(s) ? 4 : 5;
    for (int d = 0, i = 0; d < 3; d++) {
        if (ndim == 4 && d == 1)
            continue;
        x[2 + i] = (int64_t)(s->out[d] - 1) * s->stride[d] + s->size[d];
        w[2 + i] = s->size[d];
        y[2 + i] = s->out[d];
        window.stride[i++] = s->stride[d];
    }
    dnnl_format_tag_t tag = ndim == 4 ? dnnl_nhwc : dnnl_ndhwc;
    DnnLayout forward = {0};
    DnnTensors tensors = {&t->src, &t->weights, s->bias ? &t->bias : NULL, &t->dst};
    bool ok = describe(&t->src, ndim, x, float_type(s), tag) &&
              describe(&t->weights, ndim, w, grad ? dnnl_f32 : float_type(s), dnnl_format_tag_any) &&
              describe(&t->bias, 1, (int64_t[]){s->cout}, dnnl_f32, dnnl_a) &&
              describe(&t->dst, ndim, y, grad ? float_type(s) : dnnl_f32, tag);
    if (!grad)
        return ok && dnn_conv(pd, t->engine, &tensors, &window, attr);
    ok = ok && describe(&forward, ndim, w, float_type(s), dnnl_format_tag_any) &&
         dnn_conv_grad_weights(pd, t->engine, &tensors, &forward, &window, attr);
    dnn_layout_deinit(&forward);
    return ok;
}

static bool make_primitive(Tile *t)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    bool ok = make_attr(&t->shape, &attr) &&
              (t->shape.kind == TILE_MATMUL ? describe_matmul(t, attr, &pd) : describe_conv(t, attr, &pd)) &&
              dnnl_primitive_create(&t->primitive, pd) == dnnl_success;
    dnnl_query_t which = t->shape.kind == TILE_CONV_GRAD_W ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    ok = ok && dnn_layout_query(&t->weights, pd, which) && dnn_layout_query(&t->scratch, pd, dnnl_query_scratchpad_md);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    return ok;
}

static uint32_t hash(const TileShape *s)
{
    uint32_t h = hash32(HASH32_START, s, sizeof *s);
    return (h ^ h >> 15) % BUCKETS;
}

const Tile *onednn_tile(OneDnn *d, const TileShape *shape, SoraError *err)
{
    Tile **bucket = &d->buckets[hash(shape)];
    for (Tile *t = *bucket; t != NULL; t = t->next)
        if (memcmp(&t->shape, shape, sizeof *shape) == 0)
            return t;
    Tile *t = calloc(1, sizeof *t);
    if (t == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "onednn: out of memory");
        return NULL;
    }
    t->shape = *shape;
    t->engine = d->engine;
    t->stream = d->stream;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    bool ok = make_primitive(t);
    omp_set_num_threads(threads);
    if (!ok) {
        error_set(err, SORA_ERROR_INTERNAL,
                  "onednn: no primitive for kind %d, m n k %d %d %d, channels %d to %d", shape->kind,
                  shape->m, shape->n, shape->k, shape->cin, shape->cout);
        free_tile(t);
        return NULL;
    }
    t->next = *bucket;
    *bucket = t;
    d->count++;
    return t;
}

size_t tile_weight_bytes(const Tile *t)
{
    return dnn_layout_bytes(&t->weights);
}

size_t tile_scratch_bytes(const Tile *t)
{
    return dnn_layout_bytes(&t->scratch);
}

/* Arguments of one execution; the memory objects are ours, what they point to is not. */
typedef struct Arguments {
    dnnl_exec_arg_t list[5];
    int count;
    bool ok;
} Arguments;

static void add(Arguments *a, int name, dnnl_engine_t engine, const DnnLayout *l, const void *data)
{
    dnnl_memory_t m = NULL;
    a->ok = a->ok && dnn_memory(&m, l, engine, (void *)data);
    if (m != NULL)
        a->list[a->count++] = (dnnl_exec_arg_t){name, m};
}

/* On this thread alone, whatever oneDNN makes of the team that calls it. */
static bool execute(Arguments *a, dnnl_primitive_t primitive, dnnl_stream_t stream)
{
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    bool ok = a->ok && dnnl_primitive_execute(primitive, stream, a->count, a->list) == dnnl_success;
    omp_set_num_threads(threads);
    for (int i = 0; i < a->count; i++)
        dnnl_memory_destroy(a->list[i].memory);
    return ok;
}

bool tile_run(const Tile *t, const TileData *data)
{
    bool grad = t->shape.kind == TILE_CONV_GRAD_W;
    Arguments a = {.ok = true};
    add(&a, DNNL_ARG_SRC, t->engine, &t->src, data->src);
    add(&a, grad ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, t->engine, &t->weights, data->weights);
    add(&a, grad ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, t->engine, &t->dst, data->dst);
    add(&a, DNNL_ARG_SCRATCHPAD, t->engine, &t->scratch, data->scratch);
    if (t->shape.bias)
        add(&a, DNNL_ARG_BIAS, t->engine, &t->bias, data->bias);
    return execute(&a, t->primitive, t->stream);
}

static bool reorder(const Tile *t, const DnnLayout *from, const void *in, const DnnLayout *to, void *out)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    bool ok = dnn_reorder(&pd, t->engine, from, to) && dnnl_primitive_create(&primitive, pd) == dnnl_success;
    if (ok) {
        Arguments a = {.ok = true};
        add(&a, DNNL_ARG_FROM, t->engine, from, in);
        add(&a, DNNL_ARG_TO, t->engine, to, out);
        ok = execute(&a, primitive, t->stream);
    }
    omp_set_num_threads(threads);
    if (primitive != NULL)
        dnnl_primitive_destroy(primitive);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    return ok;
}

/* Dense weights [cout, cin, kt, kh, kw], in the order of the tile's dimensions. */
static bool describe_plain(const Tile *t, dnnl_data_type_t type, DnnLayout *l)
{
    dnnl_dims_t dims = {0};
    int n = dnn_layout_dims(&t->weights, dims);
    if (n == 4)
        return describe(l, n, dims, type, dnnl_abcd);
    int64_t kh = dims[2], kt = dims[3], kw = dims[4], taps = kh * kt * kw;
    dnnl_dims_t strides = {dims[1] * taps, taps, kw, kh * kw, 1};
    return dnn_layout_init_strides(l, n, dims, type, strides);
}

bool tile_pack(const Tile *t, const void *plain, DType type, void *packed)
{
    DnnLayout l = {0};
    bool ok = describe_plain(t, type == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32, &l) && reorder(t, &l, plain, &t->weights, packed);
    dnn_layout_deinit(&l);
    return ok;
}

bool tile_unpack(const Tile *t, const void *packed, float *plain)
{
    DnnLayout l = {0};
    bool ok = describe_plain(t, dnnl_f32, &l) && reorder(t, &t->weights, packed, &l, plain);
    dnn_layout_deinit(&l);
    return ok;
}

/* --- packed weights that are kept --- */

static uint32_t bucket_of(const void *plain)
{
    return (uint32_t)((uintptr_t)plain >> 6) * 2654435761u >> 16 & (BUCKETS - 1);
}

const void *onednn_kept(const OneDnn *d, const Tile *t, const void *plain)
{
    for (const Kept *k = d->kept[bucket_of(plain)]; k != NULL; k = k->next)
        if (k->plain == plain && dnn_layout_equal(&k->layout, &t->weights))
            return k->packed;
    return NULL;
}

void *onednn_keep(OneDnn *d, const Tile *t, const void *plain)
{
    size_t bytes = pad64(tile_weight_bytes(t));
    Kept *k = malloc(sizeof *k);
    void *packed = aligned_alloc(64, bytes);
    if (k != NULL)
        *k = (Kept){.plain = plain, .packed = packed};
    if (k == NULL || packed == NULL || !dnn_layout_copy(&k->layout, &t->weights)) {
        free(k);
        free(packed);
        return NULL;
    }
    Kept **bucket = &d->kept[bucket_of(plain)];
    k->next = *bucket;
    *bucket = k;
    return packed;
}

void onednn_forget(OneDnn *d)
{
    for (int i = 0; i < BUCKETS; i++)
        while (d->kept[i] != NULL) {
            Kept *k = d->kept[i];
            d->kept[i] = k->next;
            dnn_layout_deinit(&k->layout);
            free(k->packed);
            free(k);
        }
}
