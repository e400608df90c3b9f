/* Every kernel of every level against the plain reference, and every gradient against finite differences.
 *     op                      all levels that this processor has, each in a process of its own
 *     op LEVEL PRECISION [CASE]   one: op avx512 bf16 linear; op reference f32 checks the gradients */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "checked.h"

enum { PROBES = 6 };
static const double STEP = 1e-2;

static int passed, failed;

static void report(const Case *c, int variant, const char *message)
{
    if (message == NULL) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED %s %d: %s\n", c->name, variant, message);
}

/* A fixed random weighting of the outputs, so that no gradient cancels. */
static float weight(int64_t i)
{
    uint32_t out[4];
    philox4x32((uint32_t[4]){(uint32_t)i, 1}, (uint32_t[2]){2, 3}, out);
    return (float)out[0] * 0x1p-31f - 1;
}

static Tensor *weighted_sum(Graph *g, Tensor *y)
{
    if (y == NULL)
        return NULL;
    int64_t n = tensor_numel(y);
    float *w = malloc((size_t)n * sizeof *w + 1);
    for (int64_t i = 0; i < n; i++)
        w[i] = weight(i);
    Tensor *loss = op_sum(g, op_mul(g, y, graph_input(g, DTYPE_F32, y->ndim, y->shape, w)));
    free(w);
    return loss;
}

static Tensor *build(Maker *m, const Case *c, int variant)
{
    graph_reset(m->g);
    m->used = 0;
    return c->build(m, variant);
}

static void free_leaves(Maker *m)
{
    for (int i = 0; i < m->made; i++)
        free(m->leaves[i].data);
}

/* The case forward and backward, every node compared. */
static void check_kernels(const Case *c, int variant, const char *level, SoraPrecision precision)
{
    Checked checked;
    SoraError err = {0};
    if (!checked_init(&checked, level, precision)) {
        report(c, variant, "no backend");
        return;
    }
    Maker m = {.g = graph_new(&checked.base)};
    rng_init(&m.rng, 5, (uint64_t)variant);
    graph_record(m.g, true);
    Tensor *loss = weighted_sum(m.g, build(&m, c, variant));
    if (loss != NULL && loss->requires_grad && graph_ok(m.g, &err))
        graph_backward(m.g, loss);
    bool ok = graph_ok(m.g, &err);
    if (c->flags & FAILS)
        report(c, variant, ok ? "no error" : err.code != SORA_ERROR_INPUT ? err.message : NULL);
    else
        report(c, variant, !ok ? err.message : checked.failed ? checked.message : NULL);
    graph_free(m.g);
    free_leaves(&m);
    checked_deinit(&checked);
}

static double evaluate(Maker *m, const Case *c, int variant)
{
    Tensor *y = build(m, c, variant);
    double sum = 0;
    for (int64_t i = 0; y != NULL && i < tensor_numel(y); i++)
        sum += (double)((float *)y->data)[i] * weight(i);
    return sum;
}

/* Central differences at a few elements of each leaf; message gets the first that is wrong. */
static bool probe(Maker *m, const Case *c, int variant, char *message, size_t size)
{
    for (int l = 0; l < m->made; l++) {
        const Tensor *t = m->leaves[l].tensor;
        if (!t->requires_grad)
            continue;
        int64_t n = tensor_numel(t);
        float *gradient = calloc((size_t)n + 1, sizeof *gradient), *x = m->leaves[l].data;
        double squares = 0;
        for (int64_t i = 0; i < n && t->grad != NULL; i++) {
            gradient[i] = ((float *)t->grad->data)[i];
            squares += (double)gradient[i] * gradient[i];
        }
        for (int p = 0; p < PROBES && n > 0; p++) {
            int64_t i = rng_int(&m->rng, (int)n);
            float old = x[i];
            x[i] = old + (float)STEP;
            double up = evaluate(m, c, variant);
            x[i] = old - (float)STEP;
            double difference = (up - evaluate(m, c, variant)) / (2 * STEP);
            x[i] = old;
            if (!(fabs(difference - gradient[i]) <=
                  5e-3 * (fabs(difference) + sqrt(squares / (double)n)) + 1e-5)) {
                snprintf(message, size, "leaf %d element %lld has gradient %g, differences say %g", l,
                         (long long)i, gradient[i], difference);
                free(gradient);
                return false;
            }
        }
        free(gradient);
        build(m, c, variant); /* leaves' tensors for the next; gradients are gone, so run again */
        graph_backward(m->g, weighted_sum(m->g, build(m, c, variant)));
    }
    return true;
}

static void check_gradient(const Case *c, int variant)
{
    SoraError err = {0};
    char message[200] = "";
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = SORA_PRECISION_F32, .level = "reference"}, &err);
    Maker m = {.g = graph_new(backend)};
    rng_init(&m.rng, 6, (uint64_t)variant);
    graph_record(m.g, true);
    Tensor *loss = weighted_sum(m.g, build(&m, c, variant));
    if (loss != NULL && loss->requires_grad) {
        if (!graph_backward(m.g, loss) || !probe(&m, c, variant, message, sizeof message))
            graph_ok(m.g, &err);
        report(c, variant, err.message[0] ? err.message : message[0] ? message : NULL);
    }
    graph_free(m.g);
    free_leaves(&m);
    cpu_backend_free(backend);
}

static void check_options(void)
{
    static const Case OPTIONS = {.name = "options"};
    SoraError err = {0};
    Backend *b = cpu_backend_new(&(CpuOptions){.level = "sse9"}, &err);
    report(&OPTIONS, 0, b == NULL && err.code == SORA_ERROR_INPUT ? NULL : "an unknown level is accepted");
    b = cpu_backend_new(&(CpuOptions){.level = "reference", .precision = SORA_PRECISION_BF16}, &err);
    report(&OPTIONS, 1,
           b == NULL && err.code == SORA_ERROR_UNSUPPORTED ? NULL : "bf16 in the reference is accepted");
    setenv("SORA_CPU", "reference", 1);
    b = cpu_backend_new(&(CpuOptions){.level = "best", .threads = 2}, &err);
    bool ok = b != NULL && strcmp(cpu_backend_level(b), "reference") == 0 && cpu_backend_threads(b) == 2;
    report(&OPTIONS, 2, ok ? NULL : "SORA_CPU does not decide");
    cpu_backend_free(b);
    unsetenv("SORA_CPU");
}

static int run_one(const char *level, const char *precision_name, const char *only)
{
    SoraPrecision precision = strcmp(precision_name, "int8") == 0   ? SORA_PRECISION_INT8
                              : strcmp(precision_name, "bf16") == 0 ? SORA_PRECISION_BF16
                                                                    : SORA_PRECISION_F32;
    bool reference = strcmp(level, "reference") == 0;
    if (reference)
        check_options();
    for (int i = 0; i < CASE_COUNT; i++) {
        if (precision == SORA_PRECISION_INT8 && (CASES[i].flags & SHARP))
            continue;
        for (int v = 0; v < CASES[i].variants && (only == NULL || strcmp(only, CASES[i].name) == 0); v++) {
            check_kernels(&CASES[i], v, level, precision);
            if (reference && CASES[i].flags == 0)
                check_gradient(&CASES[i], v);
        }
    }
    printf("%s %s: %d passed, %d failed\n", level, precision_name, passed, failed);
    return failed > 0 || passed == 0;
}

static int run_child(char *program, char *level, char *precision)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execv(program, (char *[]){program, level, precision, NULL});
        _exit(127);
    }
    int status = 1;
    return pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0;
}

int main(int argc, char **argv)
{
    static char *const RUNS[][2] = {
        {"reference", "f32"}, {"avx2", "f32"}, {"avx2", "int8"}, {"avx512", "f32"}, {"avx512", "bf16"}, {"avx512", "int8"}};
    unsetenv("SORA_CPU");
    if (argc > 2)
        return run_one(argv[1], argv[2], argc > 3 ? argv[3] : NULL);
    int bad = 0, good = 0;
    for (size_t i = 0; i < sizeof RUNS / sizeof RUNS[0]; i++) {
        bool f32 = strcmp(RUNS[i][1], "f32") == 0, int8 = strcmp(RUNS[i][1], "int8") == 0;
        if (!cpu_level_supported(RUNS[i][0]) || (!f32 && !int8 && !__builtin_cpu_supports("avx512bf16"))) {
            printf("%s %s: skipped, this processor lacks it\n", RUNS[i][0], RUNS[i][1]);
            continue;
        }
        if (run_child(argv[0], RUNS[i][0], RUNS[i][1]))
            bad++;
        else
            good++;
    }
    printf("%d passed, %d failed\n", good, bad);
    return bad > 0;
}
