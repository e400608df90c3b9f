/* The eyes of sora measure: a camera's way and laws of motion, of what is known exactly, of clips of the stage, and of nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/rng.h"
#include "stage_alone.h"
#include "stage_art.h"
#include "train/measures.h"

enum { SIDE = 96, FRAMES = 9, WORLD = 256 };

/* A smooth random landscape. */
static uint8_t world[WORLD][WORLD];

static int set_up(void **state)
{
    Rng rng;
    static double sum[WORLD][WORLD];
    rng_init(&rng, 4, 4);
    for (int wave = 0; wave < 60; wave++) {
        double fx = (double)rng_uniform(&rng) * 0.35, fy = (double)rng_uniform(&rng) * 0.35, phase = (double)rng_uniform(&rng) * 6.3;
        for (int y = 0; y < WORLD; y++)
            for (int x = 0; x < WORLD; x++)
                sum[y][x] += sin(fx * x + fy * y + phase);
    }
    for (int y = 0; y < WORLD; y++)
        for (int x = 0; x < WORLD; x++)
            world[y][x] = (uint8_t)fmax(0, fmin(255, 128 + 16 * sum[y][x]));
    return art_setup(state);
}

/* A camera over it: (x, y) pixels of its way, zoom: how much larger things are at the end. */
static CameraMove look_at(double x, double y, double zoom)
{
    static uint8_t rgb[FRAMES][SIDE * SIDE * 3];
    const uint8_t *frames[FRAMES];
    SoraError err = {0};
    CameraMove move;
    for (int f = 0; f < FRAMES; f++) {
        double u = (double)f / (FRAMES - 1), scale = pow(zoom, u);
        for (int k = 0; k < SIDE * SIDE; k++) {
            double wx = (k % SIDE - SIDE / 2) / scale + WORLD / 2 + x * u, wy = (k / SIDE - SIDE / 2) / scale + WORLD / 2 + y * u;
            memset(&rgb[f][3 * k], world[(int)lrint(wy)][(int)lrint(wx)], 3);
        }
        frames[f] = rgb[f];
    }
    assert_true(camera_move(&(JudgeVideo){frames, FRAMES, SIDE, SIDE}, &move, &err));
    return move;
}

static void a_camera_is_followed(void **state)
{
    static const struct { double x, y, zoom; StageCamera name; } CASES[] = {
        {0, 0, 1, CAMERA_STATIC}, {24, 0, 1, CAMERA_PAN_RIGHT}, {-30, 0, 1, CAMERA_PAN_LEFT},
        {0, -24, 1, CAMERA_RISE}, {0, 0, 1.25, CAMERA_ZOOM_IN}, {0, 0, 1 / 1.25, CAMERA_ZOOM_OUT}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        CameraMove m = look_at(CASES[i].x, CASES[i].y, CASES[i].zoom);
        print_message("%s: right %.3f, down %.3f, closer %.3f, gain %.2f\n", stage_camera_name(CASES[i].name), m.right, m.down, m.closer, m.gain);
        assert_int_equal(camera_named(&m), CASES[i].name);
        assert_true(fabs(m.right - CASES[i].x / SIDE) < 0.06 && fabs(m.down - CASES[i].y / SIDE) < 0.06);
        assert_true(fabs(m.closer - (CASES[i].zoom - 1)) < 0.06);
    }
    SoraError err = {0};
    CameraMove none;
    uint8_t pixel[3] = {0};
    const uint8_t *one[] = {pixel};
    assert_true(camera_move(&(JudgeVideo){one, 1, 1, 1}, &none, &err));
    assert_int_equal(camera_named(&none), CAMERA_STATIC);
}

/* Something heavy enough to be seen in every frame. */
static TrackPath still_path(int count)
{
    TrackPath p = {.count = count};
    for (int f = 0; f < count; f++)
        p.mass[f] = 100;
    return p;
}

/* Let go at height .6 above the ground at .9 with gravity g; the share e of the speed is kept. */
static TrackPath falling(double g, double e, double fps)
{
    TrackPath p = still_path(100);
    double y = 0.3, v = 0, step = 1e-4, t = 0;
    for (int f = 0; f < p.count; f++) {
        for (; t < f / fps - step / 2; t += step) {
            v += g * step;
            y += v * step;
            if (y > 0.9) {
                y = 0.9;
                v = -e * v;
            }
        }
        p.y[f] = y;
    }
    return p;
}

static void laws_are_fitted(void **state)
{
    static const struct { double g, e; } CASES[] = {{2, 0.5}, {4, 0.8}, {8, 0.3}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        TrackPath p = falling(CASES[i].g, CASES[i].e, 48);
        Fall f = physics_fall(&p, 48);
        print_message("gravity %.3f, restitution %.3f, misfit %.4f\n", f.gravity, f.restitution, f.misfit);
        assert_true(f.falls && fabs(f.gravity - CASES[i].g) < 0.05 * CASES[i].g);
        assert_true(fabs(f.restitution - CASES[i].e) < 0.04 && f.misfit < 0.01);
    }
    TrackPath p = still_path(20); /* nothing moves; too few frames; none */
    for (int f = 0; f < 20; f++)
        p.y[f] = 0.5;
    assert_false(physics_fall(&p, 12).falls);
    p = falling(4, 0.5, 48);
    p.count = 2;
    assert_false(physics_fall(&p, 48).falls);
    assert_false(physics_fall(&(TrackPath){0}, 12).falls);
    p = still_path(20); /* at one speed: no gravity */
    for (int f = 0; f < 20; f++)
        p.y[f] = 0.1 + 0.04 * f;
    assert_true(fabs(physics_fall(&p, 12).gravity) < 0.01);
}

/* One thing comes from the left to another at .5, which leaves in the frame `leaves`. */
static TrackPath knock(int leaves, bool comes)
{
    TrackPath p = still_path(17);
    for (int f = 0; f < 17; f++) {
        p.left[f] = comes ? fmin(0.4, 0.05 * f) : 0.05;
        p.right[f] = 0.5 + fmax(0, 0.05 * (f - leaves));
    }
    return p;
}

static void causes_come_first(void **state)
{
    TrackPath p = knock(8, true);
    Knock k = physics_knock(&p, DIRECTION_RIGHT);
    assert_true(k.moved && k.touched);
    p = knock(-2, true); /* it is on its way before anything is there */
    k = physics_knock(&p, DIRECTION_RIGHT);
    assert_true(k.moved && !k.touched);
    p = knock(8, false);
    k = physics_knock(&p, DIRECTION_RIGHT);
    assert_true(k.moved && !k.touched);
    p = knock(17, true);
    k = physics_knock(&p, DIRECTION_RIGHT);
    assert_true(!k.moved && !k.touched);
    k = physics_knock(&p, DIRECTION_UP);
    assert_true(!k.moved && !k.touched);
    for (int f = 0; f < 17; f++) { /* the same, mirrored */
        TrackPath q = knock(8, true);
        p.left[f] = 1 - q.right[f];
        p.right[f] = 1 - q.left[f];
    }
    k = physics_knock(&p, DIRECTION_LEFT);
    assert_true(k.moved && k.touched);
}

/* The ranges that are called the stage's law: of its own drops nearly all are within, and of what walks hardly any. */
static void the_stage_obeys_its_law(void **state)
{
    SoraError err = {0};
    Stage *stage = stage_open(art_pack, &err);
    assert_non_null(stage);
    static const int ACTIONS[] = {ACTION_FALL, ACTION_BOUNCE, ACTION_WALK};
    int right[3][2] = {{0}};
    for (int i = 0; i < 120; i++) {
        StageClip clip;
        int action = ACTIONS[i % 3];
        const uint8_t *frames[ALONE_FRAMES];
        stage_alone(stage, i, action == ACTION_WALK ? "dog" : i % 2 ? "soccer ball" : "basketball", action, &clip, frames);
        Ask ask = {.camera = NO_ANSWER};
        for (int q = 0; q < QUESTIONS; q++)
            ask.want[q] = NO_ANSWER;
        ask.want[Q_ACTION] = action == ACTION_WALK ? ACTION_FALL : action;
        Seen seen;
        Sight sight = {.seen = true};
        assert_true(measure_take(NULL, &(JudgeVideo){frames, clip.frames, 128, 128}, clip.fps, &ask, &sight, &seen, &err));
        right[i % 3][0] += measure_right(&ask, &seen, ROW_GRAVITY);
        right[i % 3][1] += measure_right(&ask, &seen, ROW_RESTITUTION);
        stage_clip_deinit(&clip);
    }
    stage_close(stage);
    for (int i = 0; i < 3; i++)
        print_message("%s: gravity %d, restitution %d of 40\n", stage_action_name(ACTIONS[i]), right[i][0], right[i][1]);
    for (int i = 0; i < 2; i++)
        assert_true(right[i][0] >= 34 && right[i][1] >= 34);
    assert_true(right[2][0] <= 4 && right[2][1] <= 4);
}

static void rows_are_asked_of_their_prompts(void **state)
{
    static const char *const NOUNS[] = {"dog", "ball"};
    static const char TEXT[] = "prompt\tthing\taction\tdirection\tcamera\n"
                               "a dog stands\tdog\tidle\t\tpan left\n"
                               "a ball falls\tball\tfall\tdown\t\n"
                               "a ball rolls\tball\tknock\tleft\t\n"
                               "a dog passes\tdog\tpass behind\tright\t\n";
    static const int ROWS[4][2] = {{ROW_CAMERA, -1}, {ROW_GRAVITY, ROW_RESTITUTION}, {ROW_CONTACT, -1}, {ROW_AFTER, -1}};
    char path[] = "/tmp/sora-measure-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, TEXT, sizeof TEXT - 1), sizeof TEXT - 1);
    close(fd);
    Answers answers;
    Asks asks;
    SoraError err = {0};
    assert_true(answers_init(&answers, NOUNS, 2, &err) && asks_load(&asks, path, &answers, &err));
    for (int i = 0; i < 4; i++)
        for (int row = SCORE_ROWS; row < MEASURE_ROWS; row++)
            assert_int_equal(measure_asked(&asks.items[i], row), row == ROWS[i][0] || row == ROWS[i][1]);
    assert_int_equal(asks.items[0].camera, CAMERA_PAN_LEFT);
    Seen seen = {.camera = {.right = -0.2, .gain = 0.5}, .seen = true};
    assert_true(measure_right(&asks.items[0], &seen, ROW_CAMERA));
    seen.camera.right = 0.2;
    assert_false(measure_right(&asks.items[0], &seen, ROW_CAMERA));
    seen.after.answer[Q_THING] = 1; /* a ball came out again */
    assert_false(measure_right(&asks.items[3], &seen, ROW_AFTER));
    seen.after.answer[Q_THING] = 0;
    assert_true(measure_right(&asks.items[3], &seen, ROW_AFTER));
    asks_deinit(&asks);
    FILE *f = fopen(path, "w");
    fputs("prompt\tcamera\na dog\tsideways\n", f);
    fclose(f);
    assert_false(asks_load(&asks, path, &answers, &err));
    assert_non_null(strstr(err.message, ":2: \"camera\" cannot be \"sideways\""));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_is_followed), cmocka_unit_test(laws_are_fitted), cmocka_unit_test(causes_come_first),
        cmocka_unit_test(the_stage_obeys_its_law), cmocka_unit_test(rows_are_asked_of_their_prompts),
    };
    return cmocka_run_group_tests(tests, set_up, art_teardown);
}
