/* What is given to a video: the list, the canvas that it is painted on, and what a level between clean and noise means:
 * one thing, for networks that take a timestep for every patch and for those that take one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "sample/canvas.h"
#include "sample/sampler.h"

static const int64_t GRID[3] = {3, 2, 3};

static void the_later_part_lies_over_the_earlier(void **state)
{
    float mask[2 * 1 * 2] = {0, 0.5f, 1, 0.25f};
    Given g = {.grid = {3, 2, 3}};
    assert_true(given_level(&g, 0, 0, 0) == 1); /* nothing is given */
    assert_true(given_add(&g, given_frames(GRID, 0, 2, 0.75f)));
    assert_true(given_add(&g, (GivenPart){.first = {1, 1, 1}, .size = {2, 1, 2}, .level = 0.3f, .mask = mask}));
    for (int64_t row = 0; row < 2; row++)
        for (int64_t column = 0; column < 3; column++) {
            assert_true(given_level(&g, 0, row, column) == 0.75f);
            bool masked = row == 1 && column > 0;
            /* The mask's own level where it is above the part's. */
            assert_true(given_level(&g, 1, row, column) == (!masked ? 0.75f : column == 1 ? 0.3f : 0.5f));
            assert_true(given_level(&g, 2, row, column) == (masked && column == 2 ? 0.3f : 1));
        }
    assert_true(given_noise(0, 0.4f) == 0 && given_noise(1, 0.4f) == 0.4f); /* what the trainer makes of a level */
    assert_true(given_noise(0.3f, 0.4f) == 0.3f && given_noise(0.5f, 0.4f) == 0.4f);
}

static void parts_outside_of_the_video_are_refused(void **state)
{
    Given g = {.grid = {3, 2, 3}};
    assert_false(given_add(&g, given_frames(GRID, 3, 1, 0)));
    assert_false(given_add(&g, given_frames(GRID, 0, 4, 0)));
    assert_false(given_add(&g, given_frames(GRID, -1, 1, 0)));
    assert_false(given_add(&g, given_frames(GRID, 1, 0, 0)));
    assert_false(given_add(&g, given_frames(GRID, INT64_MAX, 1, 0)));
    assert_false(given_add(&g, given_frames(GRID, 0, 1, 1.5f)));
    assert_false(given_add(&g, given_frames(GRID, 0, 1, NAN)));
    assert_false(given_add(&g, (GivenPart){.first = {0, 1, 0}, .size = {1, 2, 1}}));
    assert_int_equal(g.count, 0);
    for (int i = 0; i < GIVEN_MAX; i++)
        assert_true(given_add(&g, given_frames(GRID, 2, 1, 0)));
    assert_false(given_add(&g, given_frames(GRID, 2, 1, 0)));
}

static void canvas_keeps_what_is_given(void **state)
{
    enum { C = 2, F = 3, H = 4, W = 6, CELLS = C * F * H * W, PATCHES = F * (H / 2) * (W / 2) };
    SoraError err = {0};
    Canvas c;
    assert_true(canvas_init(&c, &(CanvasShape){C, F, H, W, {1, 2, 2}}, &err));
    assert_int_equal(c.patches, PATCHES);
    float latent[CELLS], noise[CELLS], first[C * H * W], levels[PATCHES];
    int32_t index[PATCHES];
    for (int i = 0; i < CELLS; i++)
        latent[i] = 100, noise[i] = 10;
    canvas_insert(&c, 0, noise, latent);
    assert_float_equal(latent[0], 100, 0); /* nothing given yet */
    for (int i = 0; i < C * H * W; i++)
        first[i] = (float)i;
    GivenPart second = given_frames(c.grid, 1, 1, 0);
    canvas_give(&c, &second, first);
    assert_int_equal(canvas_levels(&c, levels, index), 2);
    for (int i = 0; i < PATCHES; i++)
        assert_float_equal(levels[index[i]], (i / 6 == 1 ? 0 : 1), 0);
    canvas_insert(&c, 0.5f, noise, latent);
    for (int i = 0; i < CELLS; i++) {
        int ch = i / (F * H * W), f = i / (H * W) % F, cell = i % (H * W);
        assert_float_equal(latent[i], (f == 1 ? (float)(ch * H * W + cell) : 100), 0);
    }
    canvas_insert_noisy(&c, 0.25f, noise, latent);
    assert_float_equal(latent[H * W + 4], 0.75 * 4 + 0.25 * 10, 1e-6);
    assert_float_equal(latent[0], 100, 0);
    canvas_deinit(&c);
}

/* First and last frame of nine: the mask's channel k of latent frame f is frame 4 (f - 1) + 1 + k. */
static void a_condition_says_which_frames_are_given(void **state)
{
    enum { C = 2, F = 3, H = 2, W = 2, PLANE = H * W };
    SoraError err = {0};
    Canvas c;
    assert_true(canvas_init(&c, &(CanvasShape){C, F, H, W, {1, 2, 2}}, &err));
    assert_null(c.condition);
    float latent[C * F * PLANE], before[C * F * PLANE];
    for (int i = 0; i < C * F * PLANE; i++)
        latent[i] = before[i] = (float)i;
    bool given[9] = {true, false, false, false, false, false, false, false, true};
    for (int again = 0; again < 2; again++)
        assert_true(canvas_condition(&c, &(CanvasClip){given, 9, 4, latent}, &err));
    assert_int_equal(c.condition_channels, 4 + C);
    for (int k = 0; k < 4; k++)
        for (int f = 0; f < F; f++)
            for (int i = 0; i < PLANE; i++)
                assert_float_equal(c.condition[(k * F + f) * PLANE + i], f == 0 || (f == 2 && k == 3), 0);
    assert_memory_equal(c.condition + 4 * F * PLANE, latent, sizeof latent);
    canvas_insert(&c, 0.5f, before, latent); /* nothing is fixed */
    assert_memory_equal(latent, before, sizeof latent);
    canvas_deinit(&c);
}

/* --- levels --- */

enum { C = 2, F = 3, H = 4, W = 6, CELLS = C * F * H * W, PATCHES = F * (H / 2) * (W / 2) };
static const SoraSolver SOLVERS[] = {SORA_SOLVER_UNIPC, SORA_SOLVER_DPMPP, SORA_SOLVER_EULER};

/* A video of normal numbers, all of it given; patch p at LEVELS[p % 6]. */
static const float LEVELS[6] = {0, 0.3f, 0.55f, 0.8f, 0.9995f, 1};

typedef struct Scene {
    Canvas canvas;
    float known[CELLS], noise[CELLS], levels[PATCHES];
} Scene;

static void open_scene(Scene *s)
{
    SoraError err = {0};
    Rng rng;
    rng_init(&rng, 4, 0);
    rng_fill_normal(&rng, s->known, CELLS);
    rng_fill_normal(&rng, s->noise, CELLS);
    assert_true(canvas_init(&s->canvas, &(CanvasShape){C, F, H, W, {1, 2, 2}}, &err));
    for (int i = 0; i < PATCHES; i++)
        s->levels[i] = LEVELS[i % 6];
    GivenPart all = given_frames(s->canvas.grid, 0, F, 0);
    all.mask = s->levels;
    canvas_give(&s->canvas, &all, s->known);
    assert_memory_equal(s->canvas.mask, s->levels, sizeof s->levels);
}

static float level_of(const Scene *s, int cell)
{
    int f = cell / (H * W) % F, y = cell / W % H, x = cell % W;
    return s->levels[(f * (H / 2) + y / 2) * (W / 2) + x / 2];
}

/* However often it is put back: at sigma and above its level a patch is the known one with the noise of one level, never a
 * blend of a blend; below, nothing happens to it. */
static void putting_back_does_not_compound(void **state)
{
    static const float SIGMA[] = {0.999f, 0.9f, 0.7f, 0.5f, 0.2f, 0};
    Scene s;
    open_scene(&s);
    float own[CELLS], at_sigma[CELLS];
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < CELLS; i++)
            own[i] = at_sigma[i] = 100;
        for (int again = 0; again < 3; again++) {
            canvas_insert(&s.canvas, SIGMA[k], s.noise, own);
            canvas_insert_noisy(&s.canvas, SIGMA[k], s.noise, at_sigma);
        }
        for (int i = 0; i < CELLS; i++) {
            float level = level_of(&s, i), sigma = SIGMA[k];
            bool held = level < 1 && level <= sigma;
            assert_float_equal(own[i], held ? (1 - level) * s.known[i] + level * s.noise[i] : 100, 1e-6);
            assert_float_equal(at_sigma[i], held ? (1 - sigma) * s.known[i] + sigma * s.noise[i] : 100, 1e-6);
        }
    }
    canvas_deinit(&s.canvas);
}

/* What a network says of a cell that it is shown at this noise level. */
typedef float (*Answer)(const Scene *s, int cell, float x, float sigma);

/* The sampling loop of engine/denoise.c with a network that looks at each cell alone. own: it takes a level for each. */
static void sample(Scene *s, SoraSolver solver, int steps, bool own, Answer answer, float *latent)
{
    SoraError err = {0};
    uint8_t held[CELLS];
    float v[CELLS];
    void (*insert)(const Canvas *, float, const float *, float *) = own ? canvas_insert : canvas_insert_noisy;
    Sampler *sampler = sampler_new(&(SamplerConfig){solver, steps, 3, 0, CELLS}, &err);
    memcpy(latent, s->noise, sizeof s->noise);
    insert(&s->canvas, sampler_sigma(sampler, 0), s->noise, latent);
    for (int k = 0; k < steps; k++) {
        CanvasStep step = {sampler_sigma(sampler, k), sampler_sigma(sampler, k + 1), s->noise, v};
        for (int i = 0; i < CELLS; i++)
            v[i] = answer(s, i, latent[i], own ? given_noise(level_of(s, i), step.sigma) : step.sigma);
        canvas_release(&s->canvas, &step, latent, held);
        sampler_restart(sampler, held);
        sampler_step(sampler, v, latent);
        insert(&s->canvas, step.next, s->noise, latent);
    }
    sampler_free(sampler);
}

/* Knows the video: the way from anywhere to it, which is straight. */
static float knowing(const Scene *s, int cell, float x, float sigma)
{
    return sigma > 0 ? (x - s->known[cell]) / sigma : 0;
}

static void a_network_that_knows_the_video_ends_there(void **state)
{
    Scene s;
    float latent[CELLS];
    open_scene(&s);
    for (int k = 0; k < 3; k++)
        for (int own = 0; own < 2; own++) {
            sample(&s, SOLVERS[k], 7, own != 0, knowing, latent);
            for (int i = 0; i < CELLS; i++)
                assert_float_equal(latent[i], s.known[i], 2e-6);
        }
    canvas_deinit(&s.canvas);
}

/* Videos of normal numbers with this variance: paths x(sigma) are proportional to deviation(sigma). */
#define VARIANCE 0.49

static double deviation(double sigma)
{
    return sqrt((1 - sigma) * (1 - sigma) * VARIANCE + sigma * sigma);
}

static float of_normal_numbers(const Scene *s, int cell, float x, float sigma)
{
    double x0 = (1 - (double)sigma) * VARIANCE / (deviation(sigma) * deviation(sigma)) * x;
    return sigma > 0 ? (float)((x - x0) / sigma) : 0;
}

/* Where a patch of that level must end: it begins at its level, as the given video with noise in it, and follows the path
 * from there. One that is held at no level of the schedule begins as noise. */
static double path_end(const Scene *s, int cell, double sigma_0)
{
    double level = level_of(s, cell), known = s->known[cell], noise = s->noise[cell];
    if (level >= 1 || level > sigma_0)
        return noise * deviation(0) / deviation(sigma_0);
    return ((1 - level) * known + level * noise) * deviation(0) / deviation(level);
}

/* The root mean square distance from there, over cells of one level. */
static double distance(const Scene *s, SoraSolver solver, float level, const float *latent)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < CELLS; i++)
        if (level_of(s, i) == level) {
            double d = latent[i] - path_end(s, i, solver == SORA_SOLVER_UNIPC ? 0.999 : 1);
            sum += d * d;
            n++;
        }
    return sqrt(sum / n);
}

static void a_patch_begins_at_its_level(void **state)
{
    Scene s;
    open_scene(&s);
    for (int k = 0; k < 3; k++)
        for (int own = 0; own < 2; own++)
            for (int l = 0; l < 6; l++) {
                float few[CELLS], many[CELLS];
                sample(&s, SOLVERS[k], 10, own != 0, of_normal_numbers, few);
                sample(&s, SOLVERS[k], 160, own != 0, of_normal_numbers, many);
                double a = distance(&s, SOLVERS[k], LEVELS[l], few);
                double b = distance(&s, SOLVERS[k], LEVELS[l], many);
                if (!(a < 0.2 && b < 0.012 && (b < a / 4 || b < 1e-5)))
                    fail_msg("solver %d, own %d, level %g: %g from the path, %g with more steps", k, own,
                             (double)LEVELS[l], a, b);
            }
    canvas_deinit(&s.canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_later_part_lies_over_the_earlier),
        cmocka_unit_test(parts_outside_of_the_video_are_refused),
        cmocka_unit_test(canvas_keeps_what_is_given),
        cmocka_unit_test(a_condition_says_which_frames_are_given),
        cmocka_unit_test(putting_back_does_not_compound),
        cmocka_unit_test(a_network_that_knows_the_video_ends_there),
        cmocka_unit_test(a_patch_begins_at_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
