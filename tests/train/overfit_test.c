/* The trainers end to end on four clips in a folder: the loss falls, a run that was stopped and resumed gives the
 * same losses as one that was not, and what is wrong is said. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "cpu/backend.h"
#include "media/video_writer.h"
#include "train/train.h"

enum { SIDE = 32, FRAMES = 5, MAX_PATH = 512 };

static char root[] = "/tmp/sora-overfit-XXXXXX";

static const char *in_root(const char *name)
{
    static char paths[4][MAX_PATH];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, MAX_PATH, "%s/%s", root, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A square of one of two colours goes left or right. WebM, because libx264 makes pictures as small as these depend on
 * what was in the memory that it got. */
static void write_clip(int i)
{
    static const char *const CAPTIONS[] = {"red left\n", "red right\n", "blue left\n", "blue right\n"};
    SoraError err = {0};
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/clips/%d.webm", root, i);
    VideoFormat format = {.width = SIDE, .height = SIDE, .fps = 12};
    VideoWriter *w = video_writer_open(path, &format, &err);
    assert_non_null(w);
    for (int f = 0; f < FRAMES; f++) {
        uint8_t rgb[SIDE * SIDE * 3];
        int left = i % 2 ? 2 + 4 * f : 18 - 4 * f;
        for (int p = 0; p < SIDE * SIDE; p++) {
            bool inside = p % SIDE >= left && p % SIDE < left + 12 && p / SIDE >= 10 && p / SIDE < 22;
            rgb[3 * p] = inside && i < 2 ? 230 : 90;
            rgb[3 * p + 1] = 90;
            rgb[3 * p + 2] = inside && i >= 2 ? 230 : 90;
        }
        assert_true(video_writer_write(w, rgb, &err));
    }
    assert_true(video_writer_commit(w, &err));
    snprintf(path, sizeof path, "%s/clips/%d.txt", root, i);
    write_text(path, CAPTIONS[i]);
}

static void write_configs(const char *tokenizer)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{\"seed\": 1, \"model\": {\"dim\": 16, \"dec_dim\": 8, \"z_dim\": 12, \"dim_mult\": [1, 2, 2],"
             "\"num_res_blocks\": 1, \"temperal_downsample\": [true, true], \"patchify\": 2},"
             "\"width\": 32, \"height\": 32, \"frames\": 5, \"fps\": 12, \"crop\": 32, \"crop_frames\": 5, \"batch\": 1,"
             "\"optimizer\": {\"learning_rate\": 0.01, \"warmup\": 5, \"steps\": 160, \"ema\": 0.9}, \"log_every\": 10,"
             "\"checkpoint_every\": 50, \"data\": {\"folder\": \"%s/clips\"}}", root);
    write_text(in_root("codec.json"), text);
    snprintf(text, sizeof text,
             "{\"seed\": 1, \"manifest\": {\"name\": \"tiny\"}, "
             "\"transformer\": {\"model_type\": \"ti2v\", \"in_dim\": 12, \"out_dim\": 12, \"dim\": 64,"
             "\"num_heads\": 2, \"ffn_dim\": 128, \"num_layers\": 2, \"patch_size\": [1, 2, 2], \"text_len\": 8,"
             "\"text_dim\": 32, \"freq_dim\": 64}, \"text_encoder\": {\"vocab\": 2000, \"dim\": 32, \"dim_attn\": 32,"
             "\"dim_ffn\": 64, \"num_heads\": 2, \"num_layers\": 1}, \"tokenizer\": \"%s\", \"codec\": \"%s/codec/model/vae\","
             "\"buckets\": [{\"size\": \"32x32\", \"frames\": 5, \"batch\": 8, \"shard_clips\": 4, \"shards\": 1}],"
             "\"condition_dropout\": 0, \"given\": {\"first_frame\": 0, \"both_ends\": 0, \"region\": 0},"
             "\"optimizer\": {\"learning_rate\": 0.01, \"warmup\": 10, \"steps\": 300, \"final_ratio\": 0.1}, \"log_every\": 10,"
             "\"checkpoint_every\": 60, \"data\": {\"folder\": \"%s/clips\"}}", tokenizer, root, root);
    write_text(in_root("dit.json"), text);
}

typedef struct Losses {
    double values[64];
    int count, stop_after; /* reports */
} Losses;

/* Progress comes with every step; a new loss with every line of the log, none before the first. */
static bool note(void *user, const TrainProgress *p)
{
    enum { LOG_EVERY = 10 }; /* as in the configurations */
    Losses *l = user;
    if (strcmp(p->phase, "training") == 0 && p->loss > 0 && p->done % LOG_EVERY == 0 && l->count < 64)
        l->values[l->count++] = p->loss;
    return l->stop_after == 0 || l->count < l->stop_after;
}

typedef bool (*Trainer)(Backend *backend, const TrainOptions *options, SoraError *err);

static bool run(Trainer trainer, const char *config, const char *out, bool resume, Losses *l, SoraError *err)
{
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, err);
    assert_non_null(backend);
    TrainOptions o = {.config_path = config, .folder = out, .resume = resume, .hooks = {.user = l, .progress = note}};
    bool ok = trainer(backend, &o, err);
    cpu_backend_free(backend);
    return ok;
}

/* One run from start to end, one stopped at the first checkpoint and resumed. */
static void learns_and_resumes(Trainer trainer, const char *config, const char *out, double fall)
{
    SoraError err = {0};
    Losses whole = {0}, first = {.stop_after = 2}, second = {0};
    char other[MAX_PATH];
    snprintf(other, sizeof other, "%s-again", out);
    assert_true(run(trainer, config, out, false, &whole, &err));
    print_message("loss %.4f -> %.4f\n", whole.values[0], whole.values[whole.count - 1]);
    assert_true(whole.values[whole.count - 1] < fall * whole.values[0]);
    assert_false(run(trainer, config, other, false, &first, &err));
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    assert_false(run(trainer, config, other, false, &second, &err)); /* a checkpoint is there */
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_true(run(trainer, config, other, true, &second, &err));
    assert_int_equal(first.count + second.count, whole.count);
    for (int i = 0; i < second.count; i++)
        assert_true(second.values[i] == whole.values[first.count + i]);
}

static void codec_then_transformer(void **state)
{
    const char *tokenizer = "tests/data/wan/tokenizer/spm_bf.model";
    SoraError err = {0};
    assert_non_null(mkdtemp(root));
    assert_true(dir_make(in_root("clips"), &err));
    for (int i = 0; i < 4; i++)
        write_clip(i);
    write_configs(tokenizer);
    learns_and_resumes(train_autoencoder, in_root("codec.json"), in_root("codec"), 0.3);
    learns_and_resumes(train_transformer, in_root("dit.json"), in_root("dit"), 0.35);
    assert_true(file_exists(in_root("dit/model/transformer/model.safetensors")));
    assert_true(file_exists(in_root("dit/model/vae/model.safetensors")));
    write_text(in_root("clips/0.txt"), "\n");
    assert_false(run(train_transformer, in_root("dit.json"), in_root("bare"), false, &(Losses){0}, &err));
    assert_non_null(strstr(err.message, "no caption"));
}

static int remove_root(void **state)
{
    char command[MAX_PATH];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(codec_then_transformer, remove_root)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
