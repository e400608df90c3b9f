#include "bench/onednn_rate.h"

#include <omp.h>
#include <stdlib.h>

#include "cpu/onednn_api.h"

enum { MAX_ARGS = 3, MIN_RUNS = 3, MAX_RUNS = 50 };
#define ENOUGH_SECONDS 0.15

/* One primitive with memory for its arguments: source, weights, destination. */
typedef struct Run {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[MAX_ARGS];
    void *data[MAX_ARGS];
} Run;

/* Source, weights, destination; let go of in every case. */
typedef struct Layouts {
    DnnLayout x, w, y;
} Layouts;

static void deinit_layouts(Layouts *l)
{
    dnn_layout_deinit(&l->x);
    dnn_layout_deinit(&l->w);
    dnn_layout_deinit(&l->y);
}

static bool describe_product(Run *r, const WorkShape *s, dnnl_data_type_t type)
{
    Layouts l = {0};
    bool ok = dnn_layout_init(&l.x, 2, (dnnl_dims_t){s->m, s->k}, type, dnnl_ab) &&
              dnn_layout_init(&l.w, 2, (dnnl_dims_t){s->k, s->n}, type, dnnl_format_tag_any) &&
              dnn_layout_init(&l.y, 2, (dnnl_dims_t){s->m, s->n}, dnnl_f32, dnnl_ab) &&
              dnn_matmul(&r->desc, r->engine, &(DnnTensors){&l.x, &l.w, NULL, &l.y}, NULL);
    deinit_layouts(&l);
    return ok;
}

static int64_t conv_out(const WorkShape *s, int d)
{
    return (s->in[1 + d] + s->padding[2 * d] + s->padding[2 * d + 1] - s->kernel[d]) / s->stride[d] + 1;
}

static bool describe_conv(Run *r, const WorkShape *s, dnnl_data_type_t type)
{
    Layouts l = {0};
    dnnl_dims_t in = {s->in[0], s->in[4], s->in[1], s->in[2], s->in[3]};
    dnnl_dims_t weights = {s->n, s->in[4], s->kernel[0], s->kernel[1], s->kernel[2]};
    dnnl_dims_t out = {s->in[0], s->n, conv_out(s, 0), conv_out(s, 1), conv_out(s, 2)};
    DnnWindow window = {.stride = {s->stride[0], s->stride[1], s->stride[2]},
                        .before = {s->padding[0], s->padding[2], s->padding[4]},
                        .after = {s->padding[1], s->padding[3], s->padding[5]}};
    bool ok = dnn_layout_init(&l.x, 5, in, type, dnnl_ndhwc) && dnn_layout_init(&l.w, 5, weights, type, dnnl_format_tag_any) &&
              dnn_layout_init(&l.y, 5, out, dnnl_f32, dnnl_ndhwc) &&
              dnn_conv(&r->desc, r->engine, &(DnnTensors){&l.x, &l.w, NULL, &l.y}, &window, NULL);
    deinit_layouts(&l);
    return ok;
}

static bool init_memory(Run *r, int i, dnnl_query_t query)
{
    DnnLayout l = {0};
    if (!dnn_layout_query(&l, r->desc, query))
        return false;
    size_t bytes = dnn_layout_bytes(&l);
    r->data[i] = aligned_alloc(64, (bytes + 63) / 64 * 64);
    for (size_t k = 0; r->data[i] != NULL && k < bytes / 2; k++) /* small numbers in either type: denormals would be slow */
        ((uint16_t *)r->data[i])[k] = (uint16_t)(0x3c00 + k % 251);
    bool ok = r->data[i] != NULL && dnn_memory(&r->memory[i], &l, r->engine, r->data[i]);
    dnn_layout_deinit(&l);
    return ok;
}

static bool execute(Run *r)
{
    dnnl_exec_arg_t args[MAX_ARGS] = {
        {DNNL_ARG_SRC, r->memory[0]}, {DNNL_ARG_WEIGHTS, r->memory[1]}, {DNNL_ARG_DST, r->memory[2]}};
    return dnnl_primitive_execute(r->primitive, r->stream, MAX_ARGS, args) == dnnl_success &&
           dnnl_stream_wait(r->stream) == dnnl_success;
}

static void deinit_run(Run *r)
{
    for (int i = 0; i < MAX_ARGS; i++) {
        if (r->memory[i] != NULL)
            dnnl_memory_destroy(r->memory[i]);
        free(r->data[i]);
    }
    if (r->primitive != NULL)
        dnnl_primitive_destroy(r->primitive);
    if (r->desc != NULL)
        dnnl_primitive_desc_destroy(r->desc);
    if (r->stream != NULL)
        dnnl_stream_destroy(r->stream);
    if (r->engine != NULL)
        dnnl_engine_destroy(r->engine);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The time of one call: the median. */
static bool measure(const WorkShape *s, const RateOptions *o, double *median, SoraError *err)
{
    Run r = {0};
    double times[MAX_RUNS];
    int count = 0;
    dnnl_data_type_t type = o->bf16 ? dnnl_bf16 : dnnl_f32;
    bool ok = dnnl_engine_create(&r.engine, dnnl_cpu, 0) == dnnl_success &&
              dnnl_stream_create(&r.stream, r.engine, dnnl_stream_default_flags) == dnnl_success &&
              (s->kernel[0] > 0 ? describe_conv(&r, s, type) : describe_product(&r, s, type)) &&
              dnnl_primitive_create(&r.primitive, r.desc) == dnnl_success &&
              init_memory(&r, 0, dnnl_query_src_md) && init_memory(&r, 1, dnnl_query_weights_md) &&
              init_memory(&r, 2, dnnl_query_dst_md) && execute(&r);
    for (double total = 0; count < MAX_RUNS && ok && (count < MIN_RUNS || total < ENOUGH_SECONDS); count++) {
        double start = o->clock();
        ok = execute(&r);
        times[count] = o->clock() - start;
        total += times[count];
    }
    qsort(times, (size_t)count, sizeof *times, by_value);
    *median = times[count / 2];
    deinit_run(&r);
    return ok || error_set(err, SORA_ERROR_INTERNAL, "oneDNN: cannot measure a %s of %lld x %lld x %lld",
                           s->kernel[0] > 0 ? "convolution" : "product", (long long)s->m, (long long)s->n,
                           (long long)s->k);
}

bool onednn_rate(const WorkShape *shapes, int count, RateOptions options, double *flops, double *seconds,
                 SoraError *err)
{
    double all = 0;
    for (int i = 0; i < count; i++)
        all += shapes[i].flops * (double)shapes[i].calls;
    omp_set_num_threads(options.threads);
    *flops = *seconds = 0;
    for (int i = 0; i < count; i++) {
        double work = shapes[i].flops * (double)shapes[i].calls, each;
        if (work < all / 1000)
            continue;
        if (!measure(&shapes[i], &options, &each, err))
            return false;
        *flops += work;
        *seconds += each * (double)shapes[i].calls;
    }
    return true;
}
