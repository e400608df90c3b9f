#include "checked.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 256, MAX_RUNS = 3 };

static const unsigned char CANARY = 0xff; /* as floats: NaN */

/* A copy of a tensor that is 4-byte aligned only (2 for 16-bit types), between canaries. */
typedef struct Guarded {
    Tensor tensor;
    unsigned char *block;
    size_t offset, bytes, size;
} Guarded;

static Guarded guard(const Tensor *t, bool with_data)
{
    Guarded g = {.tensor = *t, .bytes = tensor_bytes(t)};
    g.offset = GUARD + (dtype_size(t->dtype) < 4 ? 2 : 4);
    g.size = g.offset + g.bytes + GUARD;
    g.block = aligned_alloc(64, (g.size + 63) / 64 * 64);
    memset(g.block, CANARY, g.size);
    g.tensor.data = g.block + g.offset;
    if (with_data && g.bytes > 0)
        memcpy(g.tensor.data, t->data, g.bytes);
    return g;
}

static bool canaries_live(const Guarded *g)
{
    for (size_t i = 0; i < g->size; i++)
        if ((i < g->offset || i >= g->offset + g->bytes) && g->block[i] != CANARY)
            return false;
    return true;
}

static void fail(Checked *c, const Node *node, const char *what)
{
    char shapes[200] = "", text[80];
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] != NULL)
            snprintf(shapes + strlen(shapes), sizeof shapes - strlen(shapes), " %s%s",
                     dtype_name(node->in[i]->dtype), tensor_shape_text(node->in[i], text, sizeof text));
    if (!c->failed)
        snprintf(c->message, sizeof c->message, "%s(%s): %s", op_name(node->op), shapes + 1, what);
    c->failed = true;
}

/* The bound on the largest difference, as a share of the root mean square of the reference's output (or a
 * tenth of its largest). Sums and
 * exponentials in F32 differ in their last bits; BF16 operands have 8 bits, so that products with them are
 * off by about 2^-9 of their root mean square, and the largest of a million by about five times that. */
static double tolerance(const Checked *c, Op op)
{
    switch (op) {
    case OP_LINEAR: /* both operands are off by up to 1/254 of the largest of their row or column */
        if (cpu_backend_int8(c->one))
            return 0.1;
        return cpu_backend_bf16(c->one) ? 0.03 : 3e-5;
    case OP_LINEAR_GRAD:
    case OP_MATMUL:
    case OP_CONV:
    case OP_CONV_GRAD_X:
    case OP_CONV_GRAD_W:
        return cpu_backend_bf16(c->one) ? 0.03 : 3e-5;
    case OP_ATTENTION: /* weights are rounded too, and short samples stand out of the mean */
        if (cpu_backend_int8(c->one)) /* scores are off by about 1 % of their deviation */
            return 0.15;
        return cpu_backend_bf16(c->one) ? 0.06 : 3e-5;
    case OP_ATTENTION_GRAD: /* four products one after the other */
        return cpu_backend_bf16(c->one) ? 0.1 : 3e-5;
    case OP_FILL:
    case OP_COPY:
    case OP_ADD_INTO:
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_GATHER:
    case OP_PERMUTE:
    case OP_CONCAT:
    case OP_SLICE:
    case OP_PAD:
    case OP_GROUP_REPEAT:
    case OP_UPSAMPLE:
        return 0;
    case OP_SUM:
        return 1e-6;
    default:
        return 1e-5;
    }
}

static void compare(Checked *c, const Node *node, const Tensor *expected, const Tensor *actual)
{
    if (expected->dtype != DTYPE_F32) {
        if (memcmp(expected->data, actual->data, tensor_bytes(expected)) != 0)
            fail(c, node, "bytes differ");
        return;
    }
    const float *e = expected->data, *a = actual->data;
    double squares = 0, worst = 0, largest = 0, bound;
    int64_t n = tensor_numel(expected), at = 0;
    for (int64_t i = 0; i < n; i++) {
        double difference = fabs((double)e[i] - a[i]);
        squares += (double)e[i] * e[i];
        largest = fmax(largest, fabs(e[i]));
        if (!(difference <= worst) && !(isnan(e[i]) && isnan(a[i]))) {
            worst = difference;
            at = i;
        }
        if (isnan(worst))
            break;
    }
    if (node->op == OP_SUM) { /* whose terms may cancel */
        const float *x = node->in[0]->data;
        squares = 0;
        for (int64_t i = 0; i < tensor_numel(node->in[0]); i++)
            squares += (double)x[i] * x[i];
    }
    bound = tolerance(c, node->op) * fmax(sqrt(squares / (double)(n ? n : 1)), 0.1 * largest);
    if (!(worst <= bound)) {
        char text[160];
        snprintf(text, sizeof text, "element %lld is %.9g, expected %.9g, differs by %.3g, bound %.3g",
                 (long long)at, a[at], e[at], worst, bound);
        fail(c, node, text);
    }
}

/* Whether outputs, or some of them, are added to. */
static bool adds(Op op)
{
    return op == OP_ADD_INTO || op == OP_LINEAR_GRAD || op == OP_NORM_GRAD || op == OP_GATE_GRAD;
}

static bool run(Backend *base, const Node *node, SoraError *err)
{
    Checked *c = (Checked *)base;
    Backend *backends[MAX_RUNS] = {c->reference, c->one, c->many};
    Guarded in[MAX_RUNS][MAX_INPUTS] = {0}, out[MAX_RUNS][MAX_OUTPUTS] = {0};
    bool ok[MAX_RUNS];
    SoraError errors[MAX_RUNS] = {0};
    c->nodes++;
    for (int r = 0; r < MAX_RUNS; r++) {
        Node copy = *node;
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] != NULL) {
                in[r][i] = guard(node->in[i], true);
                copy.in[i] = &in[r][i].tensor;
            }
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] != NULL) {
                out[r][i] = guard(node->out[i], adds(node->op));
                copy.out[i] = &out[r][i].tensor;
            }
        ok[r] = backends[r]->run(backends[r], &copy, &errors[r]);
    }
    for (int r = 1; r < MAX_RUNS; r++)
        if (ok[r] != ok[0] || strcmp(errors[r].message, errors[0].message) != 0)
            fail(c, node, "not the reference's error");
    for (int r = 0; r < MAX_RUNS; r++) {
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] != NULL && ok[0]) {
                if (!canaries_live(&out[r][i]))
                    fail(c, node, "wrote beyond its output");
                if (r > 0)
                    compare(c, node, &out[0][i].tensor, &out[r][i].tensor);
                if (r > 1 && memcmp(out[1][i].tensor.data, out[r][i].tensor.data, out[r][i].bytes) != 0)
                    fail(c, node, "the number of threads changes the result");
            }
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] != NULL && memcmp(in[r][i].tensor.data, node->in[i]->data, in[r][i].bytes) != 0)
                fail(c, node, "changed its input");
    }
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] != NULL && ok[0])
            memcpy(node->out[i]->data, out[0][i].tensor.data, out[0][i].bytes);
    for (int r = 0; r < MAX_RUNS; r++) {
        for (int i = 0; i < MAX_INPUTS; i++)
            free(in[r][i].block);
        for (int i = 0; i < MAX_OUTPUTS; i++)
            free(out[r][i].block);
    }
    if (!ok[0] && err != NULL)
        *err = errors[0];
    return ok[0];
}

bool checked_init(Checked *c, const char *level, SoraPrecision precision)
{
    SoraError err = {0};
    *c = (Checked){0};
    c->reference = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = SORA_PRECISION_F32, .level = "reference"}, &err);
    c->one = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = precision, .level = level, .int8_smallest = 1}, &err);
    c->many = cpu_backend_new(&(CpuOptions){.threads = 3, .precision = precision, .level = level, .int8_smallest = 1}, &err);
    if (c->reference == NULL || c->one == NULL || c->many == NULL) {
        fprintf(stderr, "%s\n", err.message);
        checked_deinit(c);
        return false;
    }
    c->base = *c->reference;
    c->base.name = "checked";
    c->base.run = run;
    return true;
}

void checked_deinit(Checked *c)
{
    cpu_backend_free(c->reference);
    cpu_backend_free(c->one);
    cpu_backend_free(c->many);
}
