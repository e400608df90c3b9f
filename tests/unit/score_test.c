/* What sora score rests on: intervals, what a video counts as, pairs that differ in a word, files of prompts and of sights,
 * the tracker on clips of the stage. */
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
#include "train/look.h"
#include "train/sights.h"

static const char *const NOUNS[] = {"dog", "car", "balloon"};

static Answers make_answers(void)
{
    Answers a;
    SoraError err = {0};
    assert_true(answers_init(&a, NOUNS, 3, &err));
    return a;
}

static char *scratch_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/sora-score-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

/* The examples of Newcombe (1998), Statistics in Medicine 17, table I, method 3; he prints four digits. */
static void intervals_are_wilsons(void **state)
{
    static const struct { int right, asked; double low, high; } CASES[] = {
        {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Tally t = {CASES[i].right, CASES[i].asked}, rest = {t.asked - t.right, t.asked};
        Interval v = tally_interval(t), w = tally_interval(rest);
        assert_true(fabs(v.low - CASES[i].low) < 6e-5);
        assert_true(fabs(v.high - CASES[i].high) < 6e-5);
        assert_true(fabs(w.low - (1 - v.high)) < 1e-12 && fabs(w.high - (1 - v.low)) < 1e-12);
    }
    Interval none = tally_interval((Tally){0, 0});
    assert_true(none.low == 0 && none.high == 1);
}

/* A sight of what is given, moving by (dx, dy). */
static Sight sight_of(int thing, int colour, int direction, double dx, double dy)
{
    Sight s = {.seen = true, .track = {.dx = dx, .dy = dy, .mass = 100}};
    s.verdict.answer[Q_THING] = thing;
    s.verdict.answer[Q_COLOUR] = colour;
    s.verdict.named_colour = colour;
    s.verdict.answer[Q_DIRECTION] = direction;
    return s;
}

static void named_colour_is_asked_by_name(void **state)
{
    Verdict v = {.named_colour = COLOUR_RED};
    v.answer[Q_COLOUR] = COLOUR_NATIVE;
    assert_true(verdict_right(&v, Q_COLOUR, COLOUR_NATIVE));
    assert_true(verdict_right(&v, Q_COLOUR, COLOUR_RED));
    assert_false(verdict_right(&v, Q_COLOUR, COLOUR_BLUE));
    v.named_colour = COLOUR_NATIVE;
    assert_false(verdict_right(&v, Q_COLOUR, COLOUR_RED));
}

static void rows_and_flips_are_counted(void **state)
{
    Answers a = make_answers();
    SoraError err = {0};
    Asks asks;
    char *path = scratch_file("id\tlang\tsplit\tprompt\tthing\tcolour\tdirection\tflip\tof\n"
                              "a\ten\tseen\ta red dog goes left\tdog\tred\tleft\t\t\n"
                              "b\ten\tseen\ta red dog goes right\tdog\tred\tright\tdirection\ta\n"
                              "c\ten\tseen\ta red car goes left\tcar\tred\tleft\tthing\ta\n"
                              "d\ten\tseen\ta blue dog goes left\tdog\tblue\tleft\tcolour\ta\n"
                              "e\tja\tunseen\tballoon\tballoon\t\tup\t\t\n"
                              "f\tja\tseen\tcar\tcar\t\t\t\t\n");
    assert_true(asks_load(&asks, path, &a, &err));
    unlink(path);
    assert_int_equal(asks.count, 6);
    Sight sights[6] = {
        sight_of(0, COLOUR_RED, DIRECTION_LEFT, -0.4, 0),  /* right */
        sight_of(0, COLOUR_RED, DIRECTION_RIGHT, -0.4, 0), /* the track says left again */
        sight_of(0, COLOUR_RED, DIRECTION_LEFT, -0.4, 0),  /* a dog again */
        sight_of(0, COLOUR_BLUE, DIRECTION_LEFT, -0.4, 0), /* right */
        sight_of(2, COLOUR_NATIVE, DIRECTION_UP, 0.01, 0.3), /* the track says down */
        {.seen = false},
    };
    ScorePart p = {0};
    score_add(&p, &asks, sights);
    assert_int_equal(p.videos, 5);
    assert_int_equal(p.rows[Q_THING][GROUP_ALL].asked, 2); /* flips do not count */
    assert_int_equal(p.rows[Q_THING][GROUP_ALL].right, 2);
    assert_int_equal(p.rows[Q_THING][GROUP_UNSEEN].asked, 1);
    assert_int_equal(p.rows[Q_THING][GROUP_SEEN].asked, 1);
    assert_int_equal(p.rows[Q_THING][GROUP_EN].asked, 1);
    assert_int_equal(p.rows[Q_THING][GROUP_JA].asked, 1);
    assert_int_equal(p.rows[Q_COLOUR][GROUP_ALL].asked, 1);
    assert_int_equal(p.rows[Q_PLACE][GROUP_ALL].asked, 0);
    assert_int_equal(p.rows[ROW_TRACK][GROUP_ALL].asked, 2);
    assert_int_equal(p.rows[ROW_TRACK][GROUP_ALL].right, 1);
    assert_int_equal(p.opposite, 1);
    assert_int_equal(p.still, 0);
    assert_int_equal(p.flips[FLIP_DIRECTION].both.right, 1);
    assert_int_equal(p.flips[FLIP_DIRECTION].both.asked, 1);
    assert_int_equal(p.flips[FLIP_TRACK].both.right, 0);
    assert_int_equal(p.flips[FLIP_TRACK].turned.right, 0);
    assert_int_equal(p.flips[FLIP_THING].both.right, 0);
    assert_int_equal(p.flips[FLIP_THING].turned.right, 0);
    assert_int_equal(p.flips[FLIP_COLOUR].both.right, 1);
    assert_int_equal(p.flips[FLIP_COLOUR].turned.right, 1);
    sights[1] = sight_of(0, COLOUR_RED, DIRECTION_UP, 0.4, 0); /* the other way by track, not by the probe, but changed */
    p = (ScorePart){0};
    score_add(&p, &asks, sights);
    assert_int_equal(p.flips[FLIP_DIRECTION].both.right, 0);
    assert_int_equal(p.flips[FLIP_DIRECTION].turned.right, 1);
    assert_int_equal(p.flips[FLIP_TRACK].both.right, 1);
    sights[0].seen = false; /* half a pair is none */
    p = (ScorePart){0};
    score_add(&p, &asks, sights);
    assert_int_equal(p.flips[FLIP_TRACK].both.asked, 0);
    asks_deinit(&asks);
}

static void wrong_prompt_files_name_the_line(void **state)
{
    static const struct { const char *text, *message; } CASES[] = {
        {"", "\"prompt\" among them"},
        {"thing\tplace\n", "\"prompt\" among them"},
        {"prompt\tsize\n", ":1: unknown column \"size\""},
        {"prompt\tthing\n", "no prompts in it"},
        {"prompt\tthing\na dog\tdgo\n", ":2: \"thing\" cannot be \"dgo\""},
        {"prompt\tthing\n\n\na dog\tdog\tred\n", ":4: more fields"},
        {"thing\tprompt\ndog\n", ":2: no prompt"},
        {"prompt\tcount\na dog\t6\n", "\"count\" cannot be \"6\""},
        {"prompt\tlang\na dog\tde\n", "\"lang\" cannot be \"de\""},
        {"prompt\tsplit\na dog\tSEEN\n", "\"split\" cannot be"},
        {"prompt\tflip\na dog\tplace\n", "\"flip\" cannot be \"place\""},
        {"prompt\tthing\tflip\na dog\tdog\tthing\n", "belong together"},
        {"id\tprompt\tof\na\ta dog\ta\n", "no earlier row"},
        {"id\tprompt\tthing\tflip\tof\na\ta dog\tdog\t\t\nb\ta dog\tdog\tthing\ta\n", "must ask for another thing"},
        {"id\tprompt\tthing\tflip\tof\na\ta dog\t\t\t\nb\ta dog\tdog\tthing\ta\n", "must ask for another thing"},
    };
    Answers a = make_answers();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Asks asks;
        SoraError err = {0};
        char *path = scratch_file(CASES[i].text);
        assert_false(asks_load(&asks, path, &a, &err));
        unlink(path);
        if (strstr(err.message, CASES[i].message) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.message, CASES[i].message);
        assert_null(asks.items);
    }
}

/* Whatever is done to a good file, reading it ends in asks or in an error. */
static void broken_prompt_files_are_errors_or_asks(void **state)
{
    static const char GOOD[] = "id\tlang\tsplit\tprompt\tthing\tcolour\tflip\tof\na\ten\tseen\ta red dog\tdog\tred\t\t\n"
                               "b\tja\tunseen\ta blue dog\tdog\tblue\tcolour\ta\n";
    Answers a = make_answers();
    Rng rng;
    rng_init(&rng, 1, 0);
    int loaded = 0;
    for (int i = 0; i < 300; i++) {
        char text[sizeof GOOD];
        memcpy(text, GOOD, sizeof GOOD);
        for (int k = rng_int(&rng, 4); k >= 0; k--)
            text[rng_int(&rng, sizeof GOOD - 1)] = "\t\n\rx0\xff"[rng_int(&rng, 6)];
        text[1 + rng_int(&rng, sizeof GOOD - 1)] = 0;
        Asks asks;
        SoraError err = {0};
        char *path = scratch_file(text);
        if (asks_load(&asks, path, &a, &err)) {
            assert_true(asks.count >= 1);
            loaded++;
            asks_deinit(&asks);
        } else {
            assert_int_equal(err.code, SORA_ERROR_INPUT);
        }
        unlink(path);
    }
    assert_true(loaded > 0);
}

static void sights_outlive_the_program(void **state)
{
    SoraError err = {0};
    char *path = scratch_file("0123456789abcdef\t1\t2\t3\t4\t0\t0\t7\t2\t0\t0\t5\t0.25000\t-0.5\t12.5\t0.125\t0.25\t0.5\t0\n"
                              "not a sight\n"
                              "0123456789abcde0\t1\t2\t3\t4\t0\t0\t7\t2\t0\t0\t99999\t0.25\t-0.5\t12.5\t0\t0\t0\t0\n"
                              "0123456789abcde1\t1\t2\t3\t4\t0\t0\t7\t2\t0\t0\t5\tnan\t-0.5\t12.5\t0\t0\t0\t0\n"
                              "0123456789abcde2\t1\t2\t3\t4\t0\t0\t7\t2\t0\t0\t5\t0.25\t-0."); /* died here */
    Sights *s = sights_open(path, &err);
    assert_non_null(s);
    assert_int_equal(sights_count(s), 1);
    Sight got, one = sight_of(2, COLOUR_BLUE, DIRECTION_UP, 0.125, -0.375);
    assert_true(sights_find(s, 0x0123456789abcdefu, &got));
    assert_true(got.seen && got.verdict.answer[Q_ACTION] == 7 && got.verdict.named_colour == 5 && got.track.dy == -0.5 &&
                got.track.rebound == 0.5);
    assert_true(sights_add(s, 42, &one, &err));
    sights_close(s);
    s = sights_open(path, &err);
    assert_int_equal(sights_count(s), 2);
    assert_true(sights_find(s, 42, &got));
    assert_memory_equal(got.verdict.answer, one.verdict.answer, sizeof one.verdict.answer);
    assert_true(got.track.dx == 0.125 && got.track.dy == -0.375);
    assert_false(sights_find(s, 43, &got));
    sights_close(s);
    unlink(path);
    assert_null(sights_open("/nowhere/at/all", &err));
    assert_int_equal(err.code, SORA_ERROR_IO);
}

/* A model's hash follows its weights and not what is written about it. */
static void hash_is_of_the_model(void **state)
{
    SoraError err = {0};
    char dir[] = "/tmp/sora-hash-XXXXXX", path[128], command[128];
    assert_non_null(mkdtemp(dir));
    uint64_t hashes[5];
    static const struct { const char *name, *text; } STEPS[] = {
        {"a.json", "{}"}, {"README.md", "a model"}, {"a.json", "{ }"}, {"b.safetensors", "w"}, {".hidden.json", "x"}};
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, STEPS[i].name);
        FILE *f = fopen(path, "w");
        fputs(STEPS[i].text, f);
        fclose(f);
        assert_true(hash_model(dir, &hashes[i], &err));
    }
    assert_true(hashes[1] == hashes[0] && hashes[2] != hashes[1] && hashes[3] != hashes[2] && hashes[4] == hashes[3]);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
    assert_false(hash_model(dir, &hashes[0], &err));
}

static void looks_are_means_over_areas(void **state)
{
    uint8_t rgb[6 * 3 * 3];
    for (int i = 0; i < 6 * 3; i++)
        rgb[3 * i] = (uint8_t)(10 * (i % 6)), rgb[3 * i + 1] = (uint8_t)(20 * (i / 6)), rgb[3 * i + 2] = 255;
    float out[4 * 4 * 3];
    look_shrink(rgb, 6, 3, 2, out); /* columns 0 to 2 and 3 to 5; rows 0 to 1.5 and 1.5 to 3 */
    assert_true(fabsf((out[0] + 1) * 127.5f - 10) < 1e-3f);
    assert_true(fabsf((out[3] + 1) * 127.5f - 40) < 1e-3f);
    assert_true(fabsf((out[1] + 1) * 127.5f - 20 / 3.0f) < 1e-3f);
    assert_true(fabsf((out[7] + 1) * 127.5f - 100 / 3.0f) < 1e-3f);
    assert_true(fabsf(out[2] - 1) < 1e-6f);
    look_shrink(rgb, 2, 2, 4, out); /* larger: repeated */
    assert_true(out[0] == out[3] && out[3] != out[6]);
    static const int EXPECTED[][4] = {{5, 17, 0, 16}, {5, 17, 2, 8}, {5, 1, 4, 0}, {5, 33, 1, 8}, {5, 3, 1, 1}, {1, 9, 0, 4}};
    assert_int_equal(look_frame(4, 5, 17), 16);
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++)
        if (i > 0)
            assert_int_equal(look_frame(EXPECTED[i][2], EXPECTED[i][0], EXPECTED[i][1]), EXPECTED[i][3]);
    float frame[] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, -1, -1, -1, 1, 1, 1}, scratch[12];
    Rng rng;
    rng_init(&rng, 1, 1);
    look_change(&(LookChange){.gain = 0.5f, .offset = 0.25f, .mirror = true}, &rng, frame, 1, 2, scratch);
    assert_true(fabsf(frame[0] - 0.45f) < 1e-6f && fabsf(frame[3] - 0.3f) < 1e-6f && frame[6] == 0.75f && frame[9] == -0.25f);
}

/* Every clip of the stage in which something goes one way, its camera still: an orange disc, of any size and colour. */
static void tracker_follows_clips_of_the_stage(void **state)
{
    SoraError err = {0};
    Stage *stage = stage_open(art_pack, &err);
    assert_non_null(stage);
    static const struct { const char *noun; int action; } CASES[] = {
        {"dog", ACTION_WALK}, {"car", ACTION_DRIVE}, {"balloon", ACTION_FLOAT_UP}, {"apple", ACTION_FALL}};
    int right = 0, all = 0;
    for (int i = 0; i < 60; i++) {
        StageSpec spec;
        StageClip clip;
        stage_spec_init(&spec);
        spec.width = i % 2 ? 256 : 128;
        spec.height = 128;
        spec.index = (uint64_t)i;
        spec.scene.noun = stage_noun_find(stage, CASES[i % 4].noun);
        spec.scene.action = CASES[i % 4].action;
        spec.scene.other = STAGE_NOBODY;
        spec.scene.camera = CAMERA_STATIC;
        spec.scene.count = 1;
        assert_true(stage_render(stage, &spec, &clip, &err));
        const uint8_t *frames[17];
        for (int f = 0; f < clip.frames; f++)
            frames[f] = clip.rgb + (size_t)f * (size_t)spec.width * 128 * 3;
        Track t, none;
        assert_true(track_video(&(JudgeVideo){frames, clip.frames, spec.width, 128}, &t, &err));
        assert_true(track_video(&(JudgeVideo){frames, 2, spec.width, 128}, &none, &err));
        assert_int_equal(track_direction(&none), DIRECTION_NONE); /* too short */
        right += (int)track_direction(&t) == clip.scene.direction;
        all++;
        for (int f = 0; f < clip.frames; f++)
            frames[f] = clip.rgb;
        assert_true(track_video(&(JudgeVideo){frames, clip.frames, spec.width, 128}, &t, &err));
        assert_int_equal(track_direction(&t), DIRECTION_NONE); /* a still */
        stage_clip_deinit(&clip);
    }
    stage_close(stage);
    print_message("the track is right on %d of %d clips\n", right, all);
    assert_true(right >= all * 98 / 100);
}

/* Most falls, bounces and rises of the stage obey their own law (some are partly hidden, or have their contact between two
 * frames), and hardly ever another one. */
static void laws_hold_on_clips_of_the_stage(void **state)
{
    SoraError err = {0};
    Stage *stage = stage_open(art_pack, &err);
    assert_non_null(stage);
    static const struct {
        const char *noun;
        int action;
        TrackLaw law;
    } CASES[] = {{"apple", ACTION_FALL, LAW_FALL},
                 {"soccer ball", ACTION_BOUNCE, LAW_BOUNCE},
                 {"balloon", ACTION_FLOAT_UP, LAW_RISE},
                 {"rocket", ACTION_FLY_UP, LAW_RISE},
                 {"dog", ACTION_WALK, LAW_FALL}}; /* obeys none */
    int seen[5][3] = {{0}};
    enum { CLIPS = 40 };
    for (int i = 0; i < 5 * CLIPS; i++) {
        StageClip clip;
        const uint8_t *frames[ALONE_FRAMES];
        stage_alone(stage, i, CASES[i % 5].noun, CASES[i % 5].action, &clip, frames);
        Track t;
        assert_true(track_video(&(JudgeVideo){frames, clip.frames, 128, 128}, &t, &err));
        for (int law = 0; law < 3; law++)
            seen[i % 5][law] += track_obeys(&t, (TrackLaw)law);
        stage_clip_deinit(&clip);
    }
    stage_close(stage);
    for (int c = 0; c < 5; c++)
        print_message("%s, %d clips: a fall %d, a bounce %d, a rise %d\n", CASES[c].noun, CLIPS, seen[c][LAW_FALL],
                      seen[c][LAW_BOUNCE], seen[c][LAW_RISE]);
    for (int c = 0; c < 5; c++)
        for (int law = 0; law < 3; law++)
            assert_true(c < 4 && law == (int)CASES[c].law ? seen[c][law] >= CLIPS * 80 / 100 : seen[c][law] <= CLIPS / 20);
}

/* An action that needs somebody else becomes another one when there is nobody, and then has that one's direction. */
static void a_fall_has_no_side(void **state)
{
    SoraError err = {0};
    Stage *stage = stage_open(art_pack, &err);
    int falls = 0;
    for (int i = 0; i < 200; i++) {
        StageSpec spec;
        StageClip clip;
        stage_spec_init(&spec);
        spec.width = spec.height = 32;
        spec.frames = 2;
        spec.index = (uint64_t)i;
        spec.scene.noun = stage_noun_find(stage, "apple");
        spec.scene.other = STAGE_NOBODY;
        assert_true(stage_render(stage, &spec, &clip, &err));
        if (clip.scene.action == ACTION_FALL) {
            falls++;
            assert_int_equal(clip.scene.direction, DIRECTION_DOWN);
        }
        assert_true(stage_scene_fits(stage, &clip.scene));
        clip.scene.noun = stage_noun_find(stage, "car"); /* cars do not fall, roll or spin */
        assert_true(clip.scene.action == ACTION_IDLE || !stage_scene_fits(stage, &clip.scene));
        stage_clip_deinit(&clip);
    }
    assert_true(falls > 10);
    stage_close(stage);
}

/* What is made asks for what its caption says, and reads back; pairs differ in a word. */
static void made_prompts_read_back(void **state)
{
    SoraError err = {0};
    Stage *stage = stage_open(art_pack, &err);
    Answers a = make_answers();
    assert_true(answers_find_nouns(&a, stage, &err));
    char *path = scratch_file("");
    AskMaking making = {.stage = stage, .answers = &a, .seed = 5, .count = 60, .flips = 3};
    FILE *f = fopen(path, "w");
    assert_true(asks_make(&making, f, &err));
    fclose(f);
    Asks asks;
    assert_true(asks_load(&asks, path, &a, &err));
    unlink(path);
    int flips = 0, unseen = 0;
    for (int i = 0; i < asks.count; i++) {
        const Ask *k = &asks.items[i];
        StageScene scene;
        flips += k->of >= 0;
        unseen += k->of < 0 && k->unseen;
        assert_true(k->want[Q_THING] != NO_ANSWER && k->want[Q_PLACE] != NO_ANSWER && k->want[Q_COUNT] != NO_ANSWER);
        if (k->language == LANGUAGE_EN && k->want[Q_COLOUR] != NO_ANSWER)
            assert_non_null(strstr(k->prompt, stage_colour_name(k->want[Q_COLOUR])));
        if (k->language == LANGUAGE_EN && k->want[Q_DIRECTION] == DIRECTION_LEFT)
            assert_non_null(strstr(k->prompt, "left"));
        assert_true(asks_scene(k, &a, stage, &scene, &err));
        assert_int_equal(scene.noun, a.noun[k->want[Q_THING]]);
        for (int q = 0; q < QUESTIONS && k->of >= 0; q++) /* nothing else differs */
            assert_true((k->want[q] == asks.items[k->of].want[q]) == (q != (int)k->flip));
    }
    assert_int_equal(asks.count, 60 + flips);
    assert_in_range(flips, 10, 18);
    assert_in_range(unseen, 15, 30);
    asks_deinit(&asks);
    stage_close(stage);
}

static void probe_files_that_are_wrong_are_said(void **state)
{
    static const struct { const char *json, *message; } CASES[] = {
        {"{\"model_type\": \"ti2v\"}", "\"model_type\" is not \"probe\""},
        {"{\"model_type\": \"probe\"}", "\"side\" must be"},
        {"{\"model_type\": \"probe\", \"side\": 30, \"frames\": 2, \"patch\": 4, \"channels\": [8, 16], \"residuals\": 1,"
         "\"blocks\": 1, \"heads\": 2}", "\"side\" is 30, a multiple of 8"},
        {"{\"model_type\": \"probe\", \"side\": 32, \"frames\": 2, \"patch\": 4, \"channels\": [8, 15], \"residuals\": 1,"
         "\"blocks\": 1, \"heads\": 2}", "15 channels do not divide"},
        {"{\"model_type\": \"probe\", \"side\": 32, \"frames\": 2, \"patch\": 4, \"channels\": [8, 0], \"residuals\": 1,"
         "\"blocks\": 1, \"heads\": 2}", "\"channels\"[1]"},
        {"{\"model_type\": \"probe\", \"side\": 32, \"frames\": 2, \"patch\": 4, \"channels\": [8, 16], \"residuals\": 1,"
         "\"blocks\": 1, \"heads\": 2}", "at least two nouns"},
        {"{\"model_type\": \"probe\", \"side\": 32, \"frames\": 2, \"patch\": 4, \"channels\": [8, 16], \"residuals\": 1,"
         "\"blocks\": 1, \"heads\": 2, \"answers\": {\"thing\": [\"dog\", 3]}}", "\"thing\"[1] is no name"},
        {"{\"model_type\": \"probe\", \"side\": 32, \"frames\": 2, \"patch\": 4, \"channels\": [8, 16], \"residuals\": 1,"
         "\"blocks\": 1, \"heads\": 2, \"answers\": {\"thing\": [\"dog\", \"cat\"], \"colour\": [\"red\"]}}",
         "answers of \"colour\" are not this program's"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        Answers a;
        ProbeConfig c;
        json_t *json = json_loads(CASES[i].json, 0, NULL);
        assert_non_null(json);
        assert_false(answers_read(&a, &c, json, &err));
        if (strstr(err.message, CASES[i].message) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.message, CASES[i].message);
        json_decref(json);
    }
}

/* A square that goes right by three pixels a frame, and from frame 24 on otherwise. */
static void speeds_on_both_sides(void **state)
{
    enum { SIDE = 192, FRAMES = 48, AT = 24, SQUARE = 12 };
    static uint8_t pixels[FRAMES][SIDE * SIDE * 3];
    const uint8_t *frames[FRAMES];
    SoraError err = {0};
    for (int after = 1; after < 4; after++) {
        for (int f = 0; f < FRAMES; f++) {
            int left = 4 + (f < AT ? 3 * f : 3 * AT + after * (f - AT));
            memset(pixels[f], 60, sizeof pixels[f]);
            for (int y = 40; y < 40 + SQUARE; y++)
                memset(pixels[f] + 3 * (y * SIDE + left), 250, 3 * SQUARE);
            frames[f] = pixels[f];
        }
        TrackSpeeds s;
        assert_true(track_speeds(&(JudgeVideo){frames, FRAMES, SIDE, SIDE}, AT, 8, &s, &err));
        assert_true(fabs(s.before[0] * SIDE - 3) < 0.3 && fabs(s.before[1] * SIDE) < 0.1);
        assert_true(fabs(s.after[0] * SIDE - after) < 0.3);
        assert_true(track_speeds(&(JudgeVideo){frames, FRAMES, SIDE, SIDE}, 0, 8, &s, &err) && s.after[0] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speeds_on_both_sides),
        cmocka_unit_test(intervals_are_wilsons),
        cmocka_unit_test(named_colour_is_asked_by_name),
        cmocka_unit_test(rows_and_flips_are_counted),
        cmocka_unit_test(wrong_prompt_files_name_the_line),
        cmocka_unit_test(broken_prompt_files_are_errors_or_asks),
        cmocka_unit_test(sights_outlive_the_program),
        cmocka_unit_test(hash_is_of_the_model),
        cmocka_unit_test(looks_are_means_over_areas),
        cmocka_unit_test(tracker_follows_clips_of_the_stage),
        cmocka_unit_test(laws_hold_on_clips_of_the_stage),
        cmocka_unit_test(a_fall_has_no_side),
        cmocka_unit_test(made_prompts_read_back),
        cmocka_unit_test(probe_files_that_are_wrong_are_said),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
