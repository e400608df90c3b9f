/* A training that is killed, before any of its calls that open or change files, and goes on with --resume: losses, checkpoint
 * and model are those of a training that was never killed, and nothing else is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <sys/resource.h>

#include "cpu/backend.h"
#include "train/train.h"
#include "unit/killer.h"
#include "unit/stage_art.h"

#define OPTIMIZER_OF(steps) "\"seed\": 5, \"log_every\": 2, \"checkpoint_every\": 3, \"optimizer\": {\"learning_rate\": 0.01, " \
                            "\"steps\": " steps "}, "
#define OPTIMIZER OPTIMIZER_OF("5")

#define CODEC \
    "\"model\": {\"dim\": 12, \"dec_dim\": 12, \"z_dim\": 8, \"dim_mult\": [1, 1, 1], \"num_res_blocks\": 1, " \
    "\"temperal_downsample\": [true, true], \"patchify\": 2}, \"linear_start\": true, \"width\": 32, \"height\": 32, " \
    "\"frames\": 5, \"crop\": 16, \"crop_frames\": 5, \"batch\": 1, \"data\": {\"seed\": 1}}"

static const char AUTOENCODER[] = "{" OPTIMIZER CODEC;
static const char LONGER_AUTOENCODER[] = "{" OPTIMIZER_OF("8") CODEC;

/* %s: an autoencoder's folder. */
static const char TRANSFORMER[] =
    "{" OPTIMIZER "\"manifest\": {\"format\": 1, \"name\": \"tiny\"}, \"tokenizer\": \"models/nano/tokenizer.model\", "
    "\"codec\": \"%s\", \"transformer\": {\"model_type\": \"ti2v\", \"in_dim\": 8, \"out_dim\": 8, \"dim\": 12, "
    "\"num_heads\": 2, \"ffn_dim\": 16, \"num_layers\": 1, \"patch_size\": [1, 1, 1], \"text_len\": 16, \"text_dim\": 8, "
    "\"freq_dim\": 8}, \"text_encoder\": {\"vocab\": 3072, \"dim\": 8, \"dim_attn\": 8, \"dim_ffn\": 8, \"num_heads\": 2, "
    "\"num_layers\": 1, \"num_buckets\": 8, \"max_dist\": 16}, \"buckets\": [{\"size\": \"32x32\", \"frames\": 5, \"batch\": 2, "
    "\"shard_clips\": 2, \"shards\": 2}], \"first_shards\": 1, \"shard_every\": 2, \"data\": {\"seed\": 1}}";

typedef bool (*Trainer)(Backend *backend, const TrainOptions *options, SoraError *err);

typedef struct Training {
    Trainer trainer;
    char config[128], folder[128];
    const rlim_t *limit;
} Training;

static bool train(void *user)
{
    const Training *t = user;
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = SORA_PRECISION_F32}, &err);
    TrainOptions options = {.config_path = t->config, .folder = t->folder, .resume = true, .stage_pack = art_pack};
    bool ok = backend != NULL && t->trainer(backend, &options, &err);
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    cpu_backend_free(backend);
    return ok;
}

static void write_config(Training *t, const char *name, const char *fmt, const char *argument)
{
    SoraError err = {0};
    FileWriter w;
    snprintf(t->config, sizeof t->config, "%s/%s.json", art_dir, name);
    assert_true(file_writer_open(&w, t->config, &err));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(w.stream, fmt, argument);
#pragma GCC diagnostic pop
    assert_true(file_writer_commit(&w, &err));
}

/* The part of a line of the log that does not depend on the clock. */
static size_t told(const char *line)
{
    const char *s = line;
    for (int tabs = 0; *s != 0 && *s != '\n' && tabs < 4; s++)
        tabs += *s == '\t';
    return (size_t)(s - line);
}

static bool same_log(const char *a, const char *b)
{
    while (*a != 0 && *b != 0) {
        if (told(a) != told(b) || strncmp(a, b, told(a)) != 0)
            return false;
        a = strchrnul(a, '\n') + 1;
        b = strchrnul(b, '\n') + 1;
    }
    return *a == 0 && *b == 0;
}

static void expect_same_file(const char *a, const char *b, const char *name)
{
    SoraError err = {0};
    size_t first, second;
    char *x = file_read(a, 1 << 28, &first, &err), *y = x != NULL ? file_read(b, 1 << 28, &second, &err) : NULL;
    if (y == NULL)
        fail_msg("%s", err.message);
    bool log = strcmp(name, "log.tsv") == 0;
    if (log ? !same_log(x, y) : first != second || memcmp(x, y, first) != 0)
        fail_msg("%s and %s differ%s%s%s%s", a, b, log ? ":\n" : "", log ? x : "", log ? "\nagainst\n" : "", log ? y : "");
    free(x);
    free(y);
}

/* The same entries with the same contents, down to the last folder. */
static void expect_same(const char *a, const char *b)
{
    int entries[2] = {0};
    for (int i = 0; i < 2; i++) {
        DIR *list = opendir(i == 0 ? a : b);
        if (list == NULL)
            fail_msg("%s is missing", i == 0 ? a : b);
        for (struct dirent *e; (e = readdir(list)) != NULL;) {
            char x[600], y[600];
            snprintf(x, sizeof x, "%s/%s", a, e->d_name);
            snprintf(y, sizeof y, "%s/%s", b, e->d_name);
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            entries[i]++;
            if (i == 0 && dir_exists(x))
                expect_same(x, y);
            else if (i == 0)
                expect_same_file(x, y, e->d_name);
        }
        closedir(list);
    }
    if (entries[0] != entries[1])
        fail_msg("%s: %d entries, %s: %d", a, entries[0], b, entries[1]);
}

/* Kills before a call and a later one and so on, until a training comes to its end before it would be killed. With SORA_SWEEP
 * set, before each call; else before every 11th. */
static void kill_everywhere(Training *t, const char *whole)
{
    bool ok = false, ended = false;
    long n = 0;
    while (!ended) {
        n += getenv("SORA_SWEEP") != NULL ? 1 : 11;
        snprintf(t->folder, sizeof t->folder, "%s/killed", art_dir);
        ended = killer_run(n, train, t, &ok);
        if (!ended && !(killer_run(0, train, t, &ok) && ok))
            fail_msg("killed before call %ld, it does not go on", n);
        assert_true(ok);
        expect_same(whole, t->folder);
        nftw(t->folder, art_remove, 16, FTW_DEPTH | FTW_PHYS);
    }
    assert_true(n > 50); /* it was killed at all */
}

static void run_whole(Training *t, const char *name)
{
    bool ok;
    snprintf(t->folder, sizeof t->folder, "%s/%s", art_dir, name);
    assert_true(killer_run(0, train, t, &ok));
    assert_true(ok);
}

static void an_autoencoder_resumes_after_any_kill(void **state)
{
    Training t = {.trainer = train_autoencoder};
    char whole[128];
    write_config(&t, "codec", AUTOENCODER, "");
    run_whole(&t, "codec");
    snprintf(whole, sizeof whole, "%s", t.folder);
    kill_everywhere(&t, whole);
}

static void a_transformer_resumes_after_any_kill(void **state)
{
    Training t = {.trainer = train_transformer};
    char whole[128], codec[160];
    snprintf(codec, sizeof codec, "%s/codec/model/vae", art_dir);
    write_config(&t, "transformer", TRANSFORMER, codec);
    run_whole(&t, "whole");
    snprintf(whole, sizeof whole, "%s", t.folder);
    kill_everywhere(&t, whole);
}

/* A dry run writes nothing, and knows how large the checkpoint is that a real one has left. */
static void a_dry_run_knows_the_sizes(void **state)
{
    static const Trainer TRAINERS[] = {train_autoencoder, train_transformer};
    for (int i = 0; i < 2; i++) {
        SoraError err = {0};
        char config[128], folder[128], checkpoint[160];
        TrainEstimate e = {0};
        snprintf(config, sizeof config, "%s/%s.json", art_dir, i == 0 ? "codec" : "transformer");
        snprintf(folder, sizeof folder, "%s/dry", art_dir);
        snprintf(checkpoint, sizeof checkpoint, "%s/%s/checkpoint.safetensors", art_dir, i == 0 ? "codec" : "whole");
        Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = SORA_PRECISION_F32}, &err);
        TrainOptions options = {.config_path = config, .folder = folder, .stage_pack = art_pack, .estimate = &e};
        assert_true(TRAINERS[i](backend, &options, &err));
        TrainEstimate counted = e;
        e.timed = true;
        assert_true(TRAINERS[i](backend, &options, &err));
        cpu_backend_free(backend);
        assert_false(dir_exists(folder));
        struct stat st;
        assert_int_equal(stat(checkpoint, &st), 0);
        assert_true(counted.checkpoint <= (double)st.st_size && (double)st.st_size < counted.checkpoint + 65536);
        assert_true(counted.parameters == e.parameters && counted.step > 0 && counted.step == e.step && counted.steps == 5);
        assert_true(counted.flops > 0 && fabs(counted.flops - e.flops) < 1e-6 * e.flops);
        assert_true(e.step_seconds > 0 && counted.step_seconds == 0);
        assert_true((i == 0) == (counted.latents == 0));
    }
}

static bool train_on_a_full_disk(void *user)
{
    struct rlimit most = {.rlim_cur = *((const Training *)user)->limit, .rlim_max = *((const Training *)user)->limit};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &most) == 0 && train(user);
}

/* No room for another checkpoint: the last one stays, whole, with nothing beside it; with room it goes on. */
static void a_full_disk_keeps_the_last_checkpoint(void **state)
{
    Training t = {.trainer = train_autoencoder};
    bool ok;
    char checkpoint[192], copy[192];
    struct stat st;
    write_config(&t, "full", AUTOENCODER, "");
    run_whole(&t, "full");
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", t.folder);
    snprintf(copy, sizeof copy, "%s/kept.safetensors", art_dir);
    SoraError err = {0};
    assert_true(file_copy(checkpoint, copy, &err));
    assert_int_equal(stat(checkpoint, &st), 0);
    write_config(&t, "full", LONGER_AUTOENCODER, "");
    rlim_t limit = (rlim_t)st.st_size / 2;
    t.limit = &limit;
    assert_true(killer_run(0, train_on_a_full_disk, &t, &ok));
    assert_false(ok);
    expect_same_file(copy, checkpoint, "checkpoint.safetensors");
    DIR *list = opendir(t.folder);
    for (struct dirent *e; (e = readdir(list)) != NULL;)
        assert_null(strstr(e->d_name, ".part"));
    closedir(list);
    assert_true(killer_run(0, train, &t, &ok));
    assert_true(ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_autoencoder_resumes_after_any_kill),
        cmocka_unit_test(a_transformer_resumes_after_any_kill), /* with the autoencoder that the first one left */
        cmocka_unit_test(a_dry_run_knows_the_sizes),             /* of what these two left */
        cmocka_unit_test(a_full_disk_keeps_the_last_checkpoint),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
