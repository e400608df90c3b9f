/* A tiny probe learns from clips of the stage, goes on where it was stopped, and judges videos from its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../unit/stage_art.h"
#include "cpu/backend.h"
#include "train/judge.h"
#include "train/train.h"

enum { MAX_PATH = 512 };

/* Art of discs: no thing can be told from another, but places can. */
static const char CONFIG[] =
    "{\"seed\": 1, \"probe\": {\"side\": 32, \"frames\": 3, \"patch\": 4, \"channels\": [16, 32], \"residuals\": 1, \"blocks\": 1,"
    "\"heads\": 2}, \"batch\": 16, \"test_clips\": %d, \"data\": {\"seed\": 3, \"nouns\": [\"dog\", \"car\", \"dog\"]%s}%s,"
    "\"optimizer\": {\"learning_rate\": 0.004, \"warmup\": 5, \"steps\": 60, \"ema\": 0.9}, \"log_every\": 10,"
    "\"checkpoint_every\": 40}";

static char *path_of(const char *name)
{
    static char paths[4][MAX_PATH];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, MAX_PATH, "%s/%s", art_dir, name);
    return path;
}

static void write_config(const char *name, int test_clips, const char *data, const char *more)
{
    FILE *f = fopen(path_of(name), "w");
    fprintf(f, CONFIG, test_clips, data, more);
    fclose(f);
}

/* user: the step to stop at; 0: none. */
static bool note(void *user, const TrainProgress *p)
{
    const int64_t *stop = user;
    return *stop == 0 || p->done < *stop;
}

static bool run(Backend *backend, const char *config, const char *out, int64_t stop, SoraError *err)
{
    TrainOptions o = {.config_path = path_of(config), .folder = path_of(out), .stage_pack = art_pack,
                      .hooks = {.user = &stop, .progress = note}};
    char checkpoint[MAX_PATH];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", o.folder);
    o.resume = file_exists(checkpoint);
    return train_probe(backend, &o, err);
}

/* The losses of OUT/log.tsv. */
static int losses_of(const char *out, double losses[16])
{
    char path[MAX_PATH], line[256];
    snprintf(path, sizeof path, "%s/log.tsv", path_of(out));
    FILE *f = fopen(path, "r");
    int count = 0, step;
    assert_non_null(f);
    while (count < 16 && fgets(line, sizeof line, f) != NULL)
        count += sscanf(line, "%d %lf", &step, &losses[count]) == 2;
    fclose(f);
    return count;
}

/* Right answers of the saved probe about places, in percent: 15 of them, and the stage likes some more than others. */
static int places_right(Backend *backend, const char *model)
{
    enum { CLIPS = 60 };
    SoraError err = {0};
    Stage *stage = stage_open(art_pack, &err);
    Judge *judge = judge_open(model, backend, &err);
    assert_non_null(judge);
    assert_true(judge_find_nouns(judge, stage, &err));
    int right = 0;
    for (int i = 0; i < CLIPS; i++) {
        StageSpec spec;
        StageClip clip;
        Verdict v;
        stage_spec_init(&spec);
        spec.seed = 99;
        spec.index = (uint64_t)i;
        spec.width = i % 2 ? 96 : 64;
        spec.height = 64;
        spec.frames = 1 + i % 5;
        spec.scene.noun = stage_noun_find(stage, "car");
        assert_true(stage_render(stage, &spec, &clip, &err));
        const uint8_t *frames[5];
        for (int f = 0; f < clip.frames; f++)
            frames[f] = clip.rgb + (size_t)f * (size_t)spec.width * 64 * 3;
        assert_true(judge_look(judge, &(JudgeVideo){frames, clip.frames, spec.width, 64}, &v, &err));
        right += verdict_right(&v, Q_PLACE, clip.scene.place);
        stage_clip_deinit(&clip);
    }
    judge_close(judge);
    stage_close(stage);
    return 100 * right / CLIPS;
}

static void learns_and_resumes(void **state)
{
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    double whole[16], again[16];
    write_config("probe.json", 10, "", ", \"stills\": 0.3");
    if (!run(backend, "probe.json", "probe", 0, &err))
        fail_msg("%s", err.message);
    int count = losses_of("probe", whole);
    assert_int_equal(count, 6);
    print_message("loss %.3f -> %.3f\n", whole[0], whole[count - 1]);
    assert_true(whole[count - 1] < 0.85 * whole[0]);
    int right = places_right(backend, path_of("probe/model"));
    print_message("places: %d %% right\n", right);
    assert_true(right >= 50);
    assert_true(file_exists(path_of("probe/accuracy.tsv")));

    assert_false(run(backend, "probe.json", "again", 33, &err));
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    assert_true(run(backend, "probe.json", "again", 0, &err));
    assert_int_equal(losses_of("again", again), count);
    for (int i = 0; i < count; i++)
        assert_true(again[i] == whole[i]);
    cpu_backend_free(backend);
}

static void wrong_configurations_are_said(void **state)
{
    static const struct { const char *data, *more, *message; } CASES[] = {
        {", \"folder\": \"clips\"", "", "\"folder\""},
        {"", ", \"codec_share\": 0.5", "\"codec_share\" needs \"codec\""},
        {"", ", \"codec_share\": 2", "\"codec_share\" is 2"},
        {"", ", \"codec_share\": 0.5, \"codec\": \"none/such\"", "none/such/config.json"},
    };
    SoraError err = {0};
    Backend *backend = cpu_backend_new(NULL, &err);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        write_config("wrong.json", 0, CASES[i].data, CASES[i].more);
        assert_false(run(backend, "wrong.json", "wrong", 0, &err));
        if (strstr(err.message, CASES[i].message) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.message, CASES[i].message);
        assert_false(file_exists(path_of("wrong/checkpoint.safetensors")));
    }
    assert_null(judge_open(path_of("wrong"), backend, &err)); /* no model there */
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_resumes),
        cmocka_unit_test(wrong_configurations_are_said),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
