#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "tensor/ops.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/eigen.h"
#include "weights/param_sources.h"

static void eigen_rebuilds_the_matrix(void **state)
{
    enum { N = 23 };
    double a[N * N], copy[N * N], values[N], v[N * N];
    Rng rng;
    rng_init(&rng, 3, 0);
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++)
            a[i * N + j] = a[j * N + i] = rng_normal(&rng);
    memcpy(copy, a, sizeof a);
    eigen_symmetric(N, a, values, v);
    for (int i = 0; i < N; i++) {
        assert_true(i == 0 || values[i] <= values[i - 1]);
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += v[k * N + i] * values[k] * v[k * N + j];
            assert_true(fabs(sum - copy[i * N + j]) < 1e-9);
        }
    }
}

static void solve_right_inverts(void **state)
{
    enum { N = 9, ROWS = 4 };
    double f[N * N], a[N * N], keep[N * N], b[ROWS * N], x[ROWS * N];
    Rng rng;
    rng_init(&rng, 4, 0);
    for (int i = 0; i < N * N; i++)
        f[i] = rng_normal(&rng);
    for (int i = 0; i < ROWS * N; i++)
        x[i] = b[i] = rng_normal(&rng);
    multiply((Product){N, N, N, 1}, f, f, a);
    memcpy(keep, a, sizeof a);
    solve_right(N, a, 0, ROWS, x);
    double back[ROWS * N];
    multiply((Product){ROWS, N, N, 0}, x, keep, back);
    for (int i = 0; i < ROWS * N; i++)
        assert_true(fabs(back[i] - b[i]) < 1e-7);
}

/* Two parameters of a made-up network. */
typedef struct Two {
    RandomSource source;
    Params params;
    AdamW optimizer;
} Two;

static void two_init(Two *t, const AdamWConfig *config)
{
    SoraError err = {0};
    random_source_init(&t->source, 5);
    params_init(&t->params, &t->source.source);
    const int64_t matrix[2] = {6, 7}, vector[1] = {5};
    params_get(&t->params, (Init){INIT_NORMAL, 1}, 2, matrix, "matrix");
    params_get(&t->params, (Init){INIT_NORMAL, 1}, 1, vector, "vector");
    adamw_init(&t->optimizer, config, NULL);
    assert_true(adamw_add(&t->optimizer, "set", &t->params, &err));
}

static void two_deinit(Two *t)
{
    adamw_deinit(&t->optimizer);
    params_deinit(&t->params);
    random_source_deinit(&t->source);
}

static void set_gradients(Two *t, int step)
{
    Rng rng;
    rng_init(&rng, 6, (uint64_t)step);
    for (int i = 0; i < t->optimizer.count; i++)
        for (int64_t k = 0; k < t->optimizer.slots[i].count; k++)
            t->optimizer.slots[i].grad[k] = rng_normal(&rng);
}

/* The update as the paper writes it, in double precision, element by element. */
static void adamw_matches_double_precision(void **state)
{
    AdamWConfig c = adamw_defaults();
    c.steps = 20;
    c.warmup = 3;
    c.weight_decay = 0.1;
    Two t;
    two_init(&t, &c);
    double x[2][42], m[2][42] = {{0}}, v[2][42] = {{0}}, ema[2][42];
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < t.optimizer.slots[i].count; k++)
            x[i][k] = ema[i][k] = t.optimizer.slots[i].value[k];
    for (int step = 0; step < 10; step++) {
        set_gradients(&t, step);
        double norm = 0, rate = adamw_rate(&t.optimizer, step), decay = fmin(c.ema, (step + 1.0) / (step + 10.0));
        for (int i = 0; i < 2; i++)
            for (int k = 0; k < t.optimizer.slots[i].count; k++)
                norm += pow(t.optimizer.slots[i].grad[k], 2);
        norm = sqrt(norm);
        for (int i = 0; i < 2; i++)
            for (int k = 0; k < t.optimizer.slots[i].count; k++) {
                double g = t.optimizer.slots[i].grad[k] * fmin(1, c.clip / norm);
                m[i][k] = c.beta1 * m[i][k] + (1 - c.beta1) * g;
                v[i][k] = c.beta2 * v[i][k] + (1 - c.beta2) * g * g;
                double mh = m[i][k] / (1 - pow(c.beta1, step + 1)), vh = v[i][k] / (1 - pow(c.beta2, step + 1));
                x[i][k] -= rate * (mh / (sqrt(vh) + c.eps) + (i == 0 ? c.weight_decay * x[i][k] : 0));
                ema[i][k] = decay * ema[i][k] + (1 - decay) * x[i][k];
            }
        adamw_step(&t.optimizer, step);
        assert_true(fabs(t.optimizer.gradient_norm - norm) < 1e-4);
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < t.optimizer.slots[i].count; k++) {
            assert_true(fabs(t.optimizer.slots[i].value[k] - x[i][k]) < 2e-6);
            assert_true(fabs(t.optimizer.slots[i].ema[k] - ema[i][k]) < 2e-6);
            assert_true(t.optimizer.slots[i].grad[k] == 0);
        }
    two_deinit(&t);
}

/* 10 steps of warm-up, then the same rate, then 4 steps down to a tenth of it. */
static void rate_cools_down_at_the_end(void **state)
{
    AdamWConfig c = adamw_defaults();
    c.learning_rate = 2;
    c.final_ratio = 0.1;
    c.warmup = 10;
    c.steps = 100;
    c.cooldown = 4;
    AdamW o = {.config = c};
    const int64_t steps[] = {0, 9, 50, 96, 98, 99, 100};
    const double rates[] = {0.2, 2, 2, 2, 1.1, 0.65, 0.2};
    for (int i = 0; i < 7; i++)
        assert_float_equal(adamw_rate(&o, steps[i]), rates[i], 1e-6);
}

static void frozen_parameters_stay(void **state)
{
    AdamWConfig c = adamw_defaults();
    Two t;
    two_init(&t, &c);
    adamw_freeze(&t.optimizer, "mat");
    float before = t.optimizer.slots[0].value[3], free_before = t.optimizer.slots[1].value[3];
    set_gradients(&t, 0);
    adamw_step(&t.optimizer, 0);
    assert_true(t.optimizer.slots[0].value[3] == before);
    assert_true(t.optimizer.slots[1].value[3] != free_before);
    two_deinit(&t);
}

static void checkpoint_restores_everything(void **state)
{
    SoraError err = {0};
    char path[] = "/tmp/sora-checkpoint-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    AdamWConfig c = adamw_defaults();
    Two a, b;
    two_init(&a, &c);
    for (int step = 0; step < 3; step++) {
        set_gradients(&a, step);
        adamw_step(&a.optimizer, step);
    }
    assert_true(checkpoint_save(&a.optimizer, &(CheckpointState){3, 0.1, 2}, "{}", path, &err));
    two_init(&b, &c);
    CheckpointState s;
    assert_true(checkpoint_load(&b.optimizer, &s, path, &err));
    assert_int_equal(s.step, 3);
    assert_true(s.loss == 0.1 && s.losses == 2);
    char *config = checkpoint_config(path, &err);
    assert_string_equal(config, "{}");
    free(config);
    set_gradients(&a, 3);
    set_gradients(&b, 3);
    adamw_step(&a.optimizer, 3);
    adamw_step(&b.optimizer, 3);
    for (int i = 0; i < 2; i++)
        assert_memory_equal(a.optimizer.slots[i].ema, b.optimizer.slots[i].ema,
                            (size_t)a.optimizer.slots[i].count * sizeof(float));
    b.optimizer.slots[0].name = "other";
    assert_false(checkpoint_load(&b.optimizer, &s, path, &err));
    assert_non_null(strstr(err.message, "other"));
    two_deinit(&a);
    two_deinit(&b);
    unlink(path);
}

typedef struct Finals {
    const Tensor *leaf[4];
    float grad[4]; /* its first number when it was told */
    int count;
} Finals;

static void note_final(void *user, Tensor *leaf)
{
    Finals *f = user;
    assert_true(f->count < 4);
    f->leaf[f->count] = leaf;
    f->grad[f->count++] = ((const float *)leaf->grad->data)[0];
}

/* loss = sum((a x + b) * a): a is used twice, so it is final last, and b as soon as the sum is taken back. */
static void gradients_are_told_when_they_are_final(void **state)
{
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = SORA_PRECISION_F32}, &err);
    Graph *g = graph_new(backend);
    float a_data[2] = {3, 4}, b_data[2] = {5, 6}, x_data[2] = {7, 8}, gradients[4] = {0};
    Tensor grads[2] = {tensor_over(gradients, DTYPE_F32, 1, (const int64_t[]){2}), tensor_over(gradients + 2, DTYPE_F32, 1, (const int64_t[]){2})};
    Tensor a = tensor_over(a_data, DTYPE_F32, 1, (const int64_t[]){2}), b = tensor_over(b_data, DTYPE_F32, 1, (const int64_t[]){2});
    a.leaf = a.requires_grad = b.leaf = b.requires_grad = true;
    a.grad = &grads[0];
    b.grad = &grads[1];
    for (int pass = 0; pass < 2; pass++) { /* what a step counted is forgotten in the next */
        Finals f = {0};
        memset(gradients, 0, sizeof gradients);
        graph_reset(g);
        graph_record(g, true);
        graph_on_gradient(g, note_final, &f);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(2), x_data);
        graph_backward(g, op_sum(g, op_mul(g, op_add(g, op_mul(g, &a, x), &b), &a)));
        assert_true(graph_ok(g, &err));
        assert_int_equal(f.count, 2);
        assert_ptr_equal(f.leaf[0], &b);
        assert_ptr_equal(f.leaf[1], &a);
        assert_float_equal(f.grad[0], 3, 0);              /* a */
        assert_float_equal(f.grad[1], 2 * 3 * 7 + 5, 0); /* 2 a x + b */
    }
    graph_free(g);
    cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigen_rebuilds_the_matrix),
        cmocka_unit_test(solve_right_inverts),
        cmocka_unit_test(adamw_matches_double_precision),
        cmocka_unit_test(rate_cools_down_at_the_end),
        cmocka_unit_test(frozen_parameters_stay),
        cmocka_unit_test(checkpoint_restores_everything),
        cmocka_unit_test(gradients_are_told_when_they_are_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
