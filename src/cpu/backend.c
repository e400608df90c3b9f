#include "cpu/backend.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/kernel.h"
#include "cpu/onednn.h"
#include "cpu/panels_int8.h"
#include "cpu/simd.h"

enum { INT8_SMALLEST = 256 };

typedef struct CpuBackend {
    Backend base;
    CpuContext ctx;
    Kernel kernels[OP_COUNT];
} CpuBackend;

static const Kernel REFERENCE[OP_COUNT] = {
#define X(name, kernel) [OP_##name] = ref_##kernel,
    SORA_OPS(X)
#undef X
};

/* AVX-512 differs by what these call. */
static const Kernel FAST[OP_COUNT] = {
#define X(name, kernel) [OP_##name] = fast_##kernel,
    SORA_OPS(X)
#undef X
};

static const Kernel *const LEVELS[CPU_LEVEL_COUNT] = {[CPU_REFERENCE] = REFERENCE, [CPU_AVX2] = FAST};
static const char *const LEVEL_NAMES[CPU_LEVEL_COUNT] = {"reference", "avx2", "avx512"};

static bool supported(CpuLevel level)
{
    switch (level) {
    case CPU_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case CPU_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); /* and F16C, which is older */
    default:
        return true;
    }
}

static bool find_level(const char *name, CpuLevel *level)
{
    for (int i = 0; i < CPU_LEVEL_COUNT; i++)
        if (strcmp(name, LEVEL_NAMES[i]) == 0) {
            *level = (CpuLevel)i;
            return true;
        }
    return false;
}

bool cpu_level_supported(const char *name)
{
    CpuLevel level;
    return find_level(name, &level) && supported(level);
}

static bool choose_level(const char *name, CpuLevel *level, SoraError *err)
{
    const char *forced = getenv("SORA_CPU");
    if (forced != NULL && *forced != '\0')
        name = forced;
    if (name == NULL || strcmp(name, "best") == 0) {
        *level = CPU_LEVEL_COUNT - 1;
        while (!supported(*level))
            --*level;
        return true;
    }
    if (!find_level(name, level))
        return error_set(err, SORA_ERROR_INPUT,
                         "cpu level \"%s\": unknown, try reference, avx2, avx512 or best", name);
    if (!supported(*level))
        return error_set(err, SORA_ERROR_UNSUPPORTED, "cpu level \"%s\": this processor lacks it", name);
    return true;
}

void cpu_narrow(uint16_t *out, const float *x, int64_t n)
{
    if (supported(CPU_AVX512))
        simd_avx512.narrow(out, x, n);
    else if (supported(CPU_AVX2))
        simd_avx2.narrow(out, x, n);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_to_bf16(x[i]);
}

/* Which compilers do not all know by name. */
static bool has_avx_vnni(void)
{
    unsigned a = 0, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4) != 0;
}

static bool choose_precision(const CpuOptions *options, CpuContext *ctx, SoraError *err)
{
    SoraPrecision precision = options->precision;
    bool has = ctx->level == CPU_AVX512 && __builtin_cpu_supports("avx512bf16");
    if (precision == SORA_PRECISION_BF16 && !has)
        return error_set(err, SORA_ERROR_UNSUPPORTED,
                         "precision bf16: not at cpu level \"%s\" of this processor",
                         LEVEL_NAMES[ctx->level]);
    if (precision == SORA_PRECISION_INT8 && ctx->level == CPU_REFERENCE)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "precision int8: not at cpu level \"%s\"", LEVEL_NAMES[ctx->level]);
    ctx->int8 = precision == SORA_PRECISION_INT8;
    ctx->bf16 = has && precision != SORA_PRECISION_F32;
    if (options->without_vnni || !has || !__builtin_cpu_supports("avx512vnni"))
        ctx->int8_panels = has_avx_vnni() && !options->without_vnni ? &int8_avx_vnni : &int8_avx2;
    return true;
}

static bool run(Backend *backend, const Node *node, SoraError *err)
{
    CpuBackend *b = (CpuBackend *)backend;
    return b->kernels[node->op](&b->ctx, node, err);
}

static void *alloc(Backend *backend, size_t bytes)
{
    return bytes > SIZE_MAX - 64 ? NULL : aligned_alloc(64, pad64(bytes));
}

static void release(Backend *backend, void *p)
{
    free(p);
}

enum { MOVE_BYTES = 1 << 20 };

typedef struct Move {
    char *to;
    const char *from;
    size_t bytes;
} Move;

static void move_piece(void *arg, int64_t piece, int worker)
{
    const Move *m = arg;
    size_t at = (size_t)piece * MOVE_BYTES;
    memcpy(m->to + at, m->from + at, m->bytes - at < MOVE_BYTES ? m->bytes - at : MOVE_BYTES);
}

static void move(Backend *backend, void *to, const void *from, size_t bytes)
{
    Move m = {to, from, bytes};
    if (bytes < 2 * MOVE_BYTES || (m.to < m.from + bytes && m.from < m.to + bytes))
        memmove(to, from, bytes);
    else
        pool_run(((CpuBackend *)backend)->ctx.pool, (int64_t)((bytes + MOVE_BYTES - 1) / MOVE_BYTES), move_piece, &m);
}

static void keep_weights(Backend *backend, bool on)
{
    CpuContext *ctx = &((CpuBackend *)backend)->ctx;
    ctx->keep_weights = on;
    if (!on && ctx->onednn != NULL)
        onednn_forget(ctx->onednn);
}

static void copy(Backend *backend, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static void trim(Backend *backend)
{
    CpuContext *ctx = &((CpuBackend *)backend)->ctx;
    free(ctx->scratch);
    ctx->scratch = NULL;
    ctx->scratch_bytes = 0;
}

Backend *cpu_backend_new(const CpuOptions *options, SoraError *err)
{
    CpuOptions defaults = {0};
    if (options == NULL)
        options = &defaults;
    CpuBackend *b = calloc(1, sizeof *b);
    if (b == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "cpu backend: out of memory");
        return NULL;
    }
    b->ctx.room = options->room;
    b->ctx.user = options->user;
    b->base = (Backend){.name = "cpu", .run = run, .alloc = alloc, .free = release, .move = move, .upload = copy,
                        .download = copy, .keep_weights = keep_weights, .trim = trim};
    if (!choose_level(options->level, &b->ctx.level, err) ||
        !choose_precision(options, &b->ctx, err))
        goto fail;
    b->base.operand = b->ctx.bf16 ? DTYPE_BF16 : DTYPE_F32;
    b->ctx.int8_smallest = options->int8_smallest > 0 ? options->int8_smallest : INT8_SMALLEST;
    b->ctx.simd = b->ctx.level == CPU_AVX512 ? &simd_avx512 : &simd_avx2;
    if (b->ctx.level == CPU_AVX2 && !options->beside)
        onednn_limit_avx2();
    b->base.pool = b->ctx.pool = pool_new(options->threads > 0 ? options->threads : (int)sysconf(_SC_NPROCESSORS_ONLN));
    if (b->ctx.pool == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "cpu backend: out of memory");
        goto fail;
    }
    b->ctx.threads = pool_threads(b->ctx.pool);
    if (b->ctx.level > CPU_REFERENCE && (b->ctx.onednn = onednn_new(err)) == NULL)
        goto fail;
    for (int op = 0; op < OP_COUNT; op++)
        for (int level = 0; level <= (int)b->ctx.level; level++)
            if (LEVELS[level] != NULL && LEVELS[level][op] != NULL)
                b->kernels[op] = LEVELS[level][op];
    return &b->base;
fail:
    pool_free(b->ctx.pool);
    free(b);
    return NULL;
}

void cpu_backend_free(Backend *backend)
{
    CpuBackend *b = (CpuBackend *)backend;
    if (b == NULL)
        return;
    pool_free(b->ctx.pool);
    onednn_free(b->ctx.onednn);
    free(b->ctx.scratch);
    free(b);
}

const char *cpu_backend_level(const Backend *backend)
{
    return LEVEL_NAMES[((const CpuBackend *)backend)->ctx.level];
}

bool cpu_backend_bf16(const Backend *backend)
{
    return ((const CpuBackend *)backend)->ctx.bf16;
}

bool cpu_backend_int8(const Backend *backend)
{
    return ((const CpuBackend *)backend)->ctx.int8;
}

int cpu_backend_threads(const Backend *backend)
{
    return ((const CpuBackend *)backend)->ctx.threads;
}

void *cpu_scratch(CpuContext *ctx, size_t bytes, SoraError *err)
{
    if (bytes > ctx->scratch_bytes || ctx->scratch == NULL) {
        free(ctx->scratch);
        ctx->scratch = NULL;
        ctx->scratch_bytes = 0;
        if (ctx->room != NULL && !ctx->room(ctx->user, bytes, err))
            return NULL;
        ctx->scratch = alloc(NULL, bytes ? bytes : 1);
        ctx->scratch_bytes = ctx->scratch ? bytes : 0;
        if (ctx->scratch == NULL)
            error_set(err, SORA_ERROR_MEMORY, "cpu backend: no memory for %zu bytes of scratch", bytes);
    }
    return ctx->scratch;
}

bool cpu_check_index(const Node *node, const Tensor *index, int64_t rows, SoraError *err)
{
    const int32_t *p = index->data;
    int64_t n = tensor_numel(index);
    for (int64_t i = 0; i < n; i++)
        if (p[i] < 0 || p[i] >= rows)
            return error_set(err, SORA_ERROR_INPUT, "%s: index %d is outside 0 .. %lld", op_name(node->op),
                             (int)p[i], (long long)rows - 1);
    return true;
}

bool cpu_check_samples(const Node *node, int first, int64_t rows_q, int64_t rows_k, SoraError *err)
{
    const Tensor *bias = node->in[first + 2];
    for (int s = 0; s < 2; s++) {
        const Tensor *t = node->in[first + s];
        const int32_t *cu = t->data;
        int64_t rows = s ? rows_k : rows_q, n = tensor_numel(t) - 1;
        int64_t longest = bias ? bias->shape[1 + s] : rows;
        for (int64_t b = 0; b < n; b++)
            if (cu[b] < 0 || cu[b + 1] < cu[b] || cu[b + 1] > rows || cu[b + 1] - cu[b] > longest)
                return error_set(err, SORA_ERROR_INPUT,
                                 "%s: sample %lld has rows %d .. %d of %lld, at most %lld", op_name(node->op),
                                 (long long)b, (int)cu[b], (int)cu[b + 1], (long long)rows,
                                 (long long)longest);
    }
    return true;
}
