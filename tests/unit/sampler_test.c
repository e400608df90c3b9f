#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "sample/sampler.h"
#include "sample/step_cache.h"

static const SoraSolver SOLVERS[] = {SORA_SOLVER_UNIPC, SORA_SOLVER_DPMPP, SORA_SOLVER_EULER};

static Sampler *make(SoraSolver solver, int steps, double shift, size_t count)
{
    SoraError err = {0};
    Sampler *s = sampler_new(&(SamplerConfig){solver, steps, shift, 0, count}, &err);
    assert_non_null(s);
    return s;
}

/* Data of variance VARIANCE around 0 have this velocity, and paths x(sigma) proportional to deviation(sigma).
 */
#define VARIANCE 0.49

static double deviation(double sigma)
{
    return sqrt((1 - sigma) * (1 - sigma) * VARIANCE + sigma * sigma);
}

static double velocity_of(double x, double sigma)
{
    double x0 = (1 - sigma) * VARIANCE / (deviation(sigma) * deviation(sigma)) * x;
    return (x - x0) / sigma;
}

static double error_after(SoraSolver solver, int steps)
{
    Sampler *s = make(solver, steps, 3, 1);
    float x = 1.25f, v;
    double exact = x * deviation(0) / deviation(sampler_sigma(s, 0));
    for (int i = 0; i < steps; i++) {
        v = (float)velocity_of(x, sampler_sigma(s, i));
        sampler_step(s, &v, &x);
    }
    sampler_free(s);
    return fabs(x - exact);
}

static void solvers_converge_at_their_order(void **state)
{
    double euler = error_after(SORA_SOLVER_EULER, 20) / error_after(SORA_SOLVER_EULER, 80);
    assert_true(euler > 3 && euler < 6); /* first order: 4 */
    for (int i = 0; i < 2; i++) {
        double few = error_after(SOLVERS[i], 10), many = error_after(SOLVERS[i], 40);
        assert_true(few / many > 10); /* second order: 16 */
        assert_true(error_after(SOLVERS[i], 20) < error_after(SORA_SOLVER_EULER, 20) / 3);
    }
}

static void a_constant_prediction_is_reached_exactly(void **state)
{
    static const int STEPS[] = {1, 2, 3, 7, 200, 1000};
    for (int k = 0; k < 3; k++)
        for (int n = 0; n < 6; n++) {
            Sampler *s = make(SOLVERS[k], STEPS[n], 12, 1);
            float x = -0.7f, target = 0.3f;
            for (int i = 0; i < STEPS[n]; i++) {
                float v = (x - target) / sampler_sigma(s, i);
                sampler_step(s, &v, &x);
            }
            assert_float_equal(x, target, 2e-4);
            sampler_free(s);
        }
}

static void schedule_falls_from_noise_to_zero(void **state)
{
    for (int k = 0; k < 3; k++)
        for (double shift = 0.1; shift < 101; shift *= 10)
            for (int steps = 1; steps <= 1000; steps += 333) {
                Sampler *s = make(SOLVERS[k], steps, shift, 1);
                for (int i = 0; i < steps; i++) {
                    assert_true(sampler_sigma(s, i) > sampler_sigma(s, i + 1));
                    float t = sampler_timestep(s, i), exact = 1000 * sampler_sigma(s, i);
                    assert_true(t <= exact * 1.000001f && t > exact * 0.999999f - 1);
                }
                assert_true(sampler_sigma(s, 0) > (k == 0 ? 0.98f : 0.99999f));
                assert_float_equal(sampler_sigma(s, steps), 0, 0);
                sampler_free(s);
            }
}

static void shift_moves_the_middle(void **state)
{
    Sampler *s = make(SORA_SOLVER_EULER, 2, 5, 1);
    assert_float_equal(sampler_sigma(s, 1), 5 * 0.5 / (1 + 4 * 0.5), 1e-6);
    assert_float_equal(sampler_timestep(s, 1), 833.3333, 1e-3);
    sampler_free(s);
    s = make(SORA_SOLVER_DPMPP, 2, 5, 1);
    assert_float_equal(sampler_timestep(s, 1), 833, 0); /* truncated */
    assert_float_equal(sampler_timestep(s, 0), 1000, 0);
    sampler_free(s);
    s = make(SORA_SOLVER_UNIPC, 100, 12, 1); /* the reference fails here: its first integer repeats */
    assert_float_equal(sampler_timestep(s, 0), 999, 0);
    assert_float_equal(sampler_timestep(s, 1), 999, 0);
    sampler_free(s);
}

static void bad_numbers_are_refused(void **state)
{
    static const SamplerConfig BAD[] = {
        {SORA_SOLVER_UNIPC, 0, 5, 0, 1},    {SORA_SOLVER_UNIPC, 1001, 5, 0, 1},
        {SORA_SOLVER_UNIPC, -3, 5, 0, 1},   {SORA_SOLVER_UNIPC, 20, 0, 0, 1},
        {SORA_SOLVER_UNIPC, 20, NAN, 0, 1}, {SORA_SOLVER_UNIPC, 20, 101, 0, 1},
        {(SoraSolver)9, 20, 5, 0, 1},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        SoraError err = {0};
        assert_null(sampler_new(&BAD[i], &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_true(err.message[0] != 0);
    }
    SoraError err = {0};
    assert_null(sampler_new(&(SamplerConfig){SORA_SOLVER_UNIPC, 4, 5, 0, SIZE_MAX / 8}, &err));
    assert_int_equal(err.code, SORA_ERROR_MEMORY);
}

static void corrected_is_where_the_step_began(void **state)
{
    Sampler *s = make(SORA_SOLVER_UNIPC, 3, 5, 2);
    float x[2] = {1, -2}, v[2] = {0.5f, 0.25f};
    assert_null(sampler_corrected(s));
    sampler_step(s, v, x);
    assert_float_equal(sampler_corrected(s)[1], -2, 0);
    float before = x[0];
    v[0] = 3; /* a surprise: the corrector acts */
    sampler_step(s, v, x);
    assert_true(fabsf(sampler_corrected(s)[0] - before) > 1e-3f);
    sampler_free(s);
    s = make(SORA_SOLVER_EULER, 3, 5, 2);
    sampler_step(s, v, x);
    assert_null(sampler_corrected(s));
    sampler_free(s);
}

static void guidance_goes_beyond_the_condition(void **state)
{
    float cond[2] = {2, 1}, uncond[2] = {1, 1};
    guidance_apply(cond, uncond, 5, 2);
    assert_float_equal(cond[0], 6, 1e-6);
    assert_float_equal(cond[1], 1, 1e-6);
}

static void answers_serve_while_they_change_little(void **state)
{
    StepCache c;
    float answer[4] = {1, -1, 2, 0};
    assert_true(step_cache_init(&c, 0.1, 4));
    assert_false(step_cache_serves(&c, 900));
    step_cache_learn(&c, answer, 1000);
    assert_false(step_cache_serves(&c, 950)); /* one answer says nothing about change */
    answer[2] = 2.08f;                        /* 0.02 of the sum in 100 timesteps */
    step_cache_learn(&c, answer, 900);
    assert_true(step_cache_serves(&c, 800));
    assert_true(step_cache_serves(&c, 450));  /* 0.09 */
    assert_false(step_cache_serves(&c, 350)); /* 0.11 */
    step_cache_forget(&c);
    assert_false(step_cache_serves(&c, 890));
    step_cache_deinit(&c);
    assert_true(step_cache_init(&c, 0, 4)); /* off */
    step_cache_learn(&c, answer, 1000);
    step_cache_learn(&c, answer, 900);
    assert_false(step_cache_serves(&c, 899));
    step_cache_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_serve_while_they_change_little),
        cmocka_unit_test(solvers_converge_at_their_order),
        cmocka_unit_test(a_constant_prediction_is_reached_exactly),
        cmocka_unit_test(schedule_falls_from_noise_to_zero),
        cmocka_unit_test(shift_moves_the_middle),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(corrected_is_where_the_step_began),
        cmocka_unit_test(guidance_goes_beyond_the_condition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
