/* Trainings over MPI as a user starts them: N ranks with batch B learn what one rank with batch N B learns, and a rank that dies,
 * hangs, or is not like the others ends the run with one line and a checkpoint. Usage: team_test SORA MPIRUN */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit/stage_art.h"
#include "weights/safetensors.h"

enum { MAX_PATH = 512, MAX_COMMAND = 4096, STEPS = 5 };

static const char *sora, *mpirun;

#define COMMON "\"seed\": 5, \"log_every\": 1, \"checkpoint_every\": 3, \"data\": {\"seed\": 1%s}, " \
               "\"optimizer\": {\"learning_rate\": 0.01, \"warmup\": 2, \"steps\": %d, \"accumulate\": %d%s}, "

/* %d: batch */
static const char *const TRAINERS[][2] = {
    {"autoencoder",
     "\"model\": {\"dim\": 12, \"dec_dim\": 12, \"z_dim\": 8, \"dim_mult\": [1, 1, 1], \"num_res_blocks\": 1, "
     "\"temperal_downsample\": [true, true], \"patchify\": 2}, \"width\": 32, \"height\": 32, \"frames\": 5, \"crop\": 16, "
     "\"crop_frames\": 5, \"batch\": %d}"},
    {"text",
     "\"tokenizer\": \"models/nano/tokenizer.model\", \"text_encoder\": {\"vocab\": 3072, \"dim\": 8, \"dim_attn\": 8, \"dim_ffn\": 8, "
     "\"num_heads\": 2, \"num_layers\": 1, \"num_buckets\": 8, \"max_dist\": 16}, \"text_len\": 16, \"frames\": 5, \"batch\": %d}"},
    {"probe",
     "\"probe\": {\"side\": 32, \"frames\": 3, \"patch\": 4, \"channels\": [8, 8], \"residuals\": 1, \"blocks\": 1, \"heads\": 2}, "
     "\"stills\": 0.5, \"test_clips\": 0, \"batch\": %d}"},
    {"transformer",
     "\"manifest\": {\"format\": 1, \"name\": \"tiny\"}, \"tokenizer\": \"models/nano/tokenizer.model\", \"codec\": \"%s\", "
     "\"transformer\": {\"model_type\": \"ti2v\", \"in_dim\": 8, \"out_dim\": 8, \"dim\": 12, \"num_heads\": 2, \"ffn_dim\": 16, "
     "\"num_layers\": 1, \"patch_size\": [1, 1, 1], \"text_len\": 16, \"text_dim\": 8, \"freq_dim\": 8}, \"text_encoder\": "
     "{\"vocab\": 3072, \"dim\": 8, \"dim_attn\": 8, \"dim_ffn\": 8, \"num_heads\": 2, \"num_layers\": 1, \"num_buckets\": 8, "
     "\"max_dist\": 16}, \"classes\": {\"weight\": 0.1}, \"buckets\": [{\"size\": \"32x32\", \"frames\": 5, \"batch\": %d, "
     "\"shard_clips\": 4, \"shards\": 3}, {\"size\": \"48x32\", \"frames\": 1, \"batch\": %d, \"shard_clips\": 4, \"shards\": 3}], "
     "\"first_shards\": 1, \"shard_every\": 2}"},
    {"captioner",
     "\"tokenizer\": \"models/nano/tokenizer.model\", \"codec\": \"%s\", \"captioner\": {\"z_dim\": 8, \"frames\": 2, \"side\": 4, "
     "\"channels\": 8, \"residuals\": 1, \"dim\": 16, \"num_heads\": 2, \"look_layers\": 1, \"say_layers\": 1, \"fps\": 12, "
     "\"vocab\": 3072, \"text_len\": 64}, \"texts\": 2, \"buckets\": [{\"size\": \"32x32\", \"frames\": 5, \"batch\": %d, "
     "\"shard_clips\": 4, \"shards\": 3}, {\"size\": \"32x32\", \"frames\": 1, \"batch\": %d, \"shard_clips\": 4, \"shards\": 3}]}"},
};
enum { AUTOENCODER, TEXT, PROBE, TRANSFORMER, CAPTIONER };

typedef struct Config {
    int trainer, batch, accumulate, steps;
    const char *optimizer; /* more keys */
} Config;

static void path_of(char path[MAX_PATH], const char *name)
{
    snprintf(path, MAX_PATH, "%s/%s", art_dir, name);
}

static void write_config(const Config *c, const char *name)
{
    char path[MAX_PATH], codec[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s.json", art_dir, name);
    path_of(codec, "autoencoder-1/model/vae");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputc('{', f);
    fprintf(f, COMMON, c->trainer == PROBE ? ", \"nouns\": [\"dog\", \"car\"]" : "", c->steps, c->accumulate, c->optimizer);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (c->trainer >= TRANSFORMER)
        fprintf(f, TRAINERS[c->trainer][1], codec, c->batch, c->batch);
    else
        fprintf(f, TRAINERS[c->trainer][1], c->batch);
#pragma GCC diagnostic pop
    assert_int_equal(fclose(f), 0);
}

/* Runs sh; its exit code. */
static int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *fmt, ...)
{
    char command[MAX_COMMAND];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    assert_true(n < MAX_COMMAND);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Trains NAME.json into the folder NAME. */
static int train(int ranks, int trainer, const char *name, const char *more)
{
    char start[MAX_PATH] = "";
    if (ranks > 1)
        snprintf(start, sizeof start, "%s -n %d ", mpirun, ranks);
    return shell("%s%s train %s %s/%s.json --out %s/%s --stage %s --threads 1 --precision f32 %s >%s/%s.txt 2>&1", start, sora,
                 TRAINERS[trainer][0], art_dir, name, art_dir, name, art_pack, more, art_dir, name);
}

static void expect_trained(int ranks, int trainer, const char *name, const char *more)
{
    int code = train(ranks, trainer, name, more);
    if (code != 0) {
        shell("cat %s/%s.txt", art_dir, name);
        fail_msg("%s with %d ranks: exit code %d", name, ranks, code);
    }
}

typedef struct Log {
    int lines;
    double loss[64], norm[64];
} Log;

static Log read_log(const char *name)
{
    char path[MAX_PATH], line[256];
    Log log = {0};
    snprintf(path, sizeof path, "%s/%s/log.tsv", art_dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL && log.lines < 64) {
        int step;
        double rate;
        if (sscanf(line, "%d %lf %lf %lf", &step, &log.loss[log.lines], &rate, &log.norm[log.lines]) == 4)
            assert_int_equal(step, ++log.lines);
    }
    fclose(f);
    return log;
}

/* Losses, norms of gradients and, at the end, weights; within: of each, as a part. */
static void expect_same_run(const char *a, const char *b, double within)
{
    Log x = read_log(a), y = read_log(b);
    assert_int_equal(x.lines, y.lines);
    for (int i = 0; i < x.lines; i++)
        if (fabs(x.loss[i] - y.loss[i]) > within * fabs(x.loss[i]) || fabs(x.norm[i] - y.norm[i]) > 10 * within * x.norm[i])
            fail_msg("%s and %s differ at step %d: loss %g and %g, norm %g and %g", a, b, i + 1, x.loss[i], y.loss[i], x.norm[i], y.norm[i]);
    char path[2][MAX_PATH];
    Safetensors *f[2];
    SoraError err = {0};
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], MAX_PATH, "%s/%s/checkpoint.safetensors", art_dir, i == 0 ? a : b);
        assert_non_null(f[i] = safetensors_open(path[i], &err));
    }
    double difference = 0, size = 0;
    for (int i = 0; i < safetensors_count(f[0]); i++) {
        const char *name = safetensors_tensor_name(f[0], i);
        const Tensor *t = safetensors_tensor(f[0], i), *u = safetensors_find(f[1], name);
        assert_non_null(u);
        for (int64_t k = 0; k < tensor_numel(t) && strncmp(name, "weight/", 7) == 0; k++) {
            double p = (double)((const float *)t->data)[k], q = (double)((const float *)u->data)[k];
            difference += (p - q) * (p - q);
            size += p * p;
        }
    }
    if (difference > 100 * within * within * size) /* the optimiser makes steps of equal size of small gradients, too */
        fail_msg("%s and %s: weights differ by %g of their size", a, b, sqrt(difference / size));
    safetensors_close(f[0]);
    safetensors_close(f[1]);
}

/* One rank with batch 4; two with 2; four with 1; two with 1 that accumulate 2; one that accumulates 4. */
static void ranks_learn_what_one_learns(void **state)
{
    static const int CASES[][3] = {{1, 4, 1}, {2, 2, 1}, {4, 1, 1}, {2, 1, 2}, {1, 1, 4}};
    for (int trainer = AUTOENCODER; trainer <= CAPTIONER; trainer++)
        for (int i = 0; i < 5; i++) {
            Config c = {trainer, CASES[i][1], CASES[i][2], STEPS, ""};
            char name[64], first[64];
            snprintf(first, sizeof first, "%s-1", TRAINERS[trainer][0]);
            snprintf(name, sizeof name, "%s-%d", TRAINERS[trainer][0], i + 1);
            write_config(&c, name);
            expect_trained(CASES[i][0], trainer, name, "");
            if (i > 0)
                expect_same_run(first, name, 2e-4);
        }
}

/* Every shard was made once: by one owner. */
static void goes_on_with_another_number_of_ranks(void **state)
{
    write_config(&(Config){TRANSFORMER, 2, 1, 3, ""}, "changing");
    expect_trained(2, TRANSFORMER, "changing", "");
    write_config(&(Config){TRANSFORMER, 1, 1, STEPS, ""}, "changing");
    expect_trained(4, TRANSFORMER, "changing", "--resume");
    write_config(&(Config){TRANSFORMER, 4, 1, STEPS + 1, ""}, "changing");
    expect_trained(1, TRANSFORMER, "changing", "--resume");
    Log log = read_log("changing"), whole = read_log("transformer-1");
    assert_int_equal(log.lines, STEPS + 1);
    for (int i = 0; i < STEPS; i++) /* another length of the run is another learning rate, a little */
        assert_true(fabs(log.loss[i] - whole.loss[i]) < 0.05 * whole.loss[i]);
    assert_true(fabs(log.loss[0] - whole.loss[0]) < 2e-4 * whole.loss[0]);
}

/* As exact as BF16, and half of the bytes. */
static void gradients_may_travel_as_bf16(void **state)
{
    write_config(&(Config){TRANSFORMER, 2, 1, STEPS, ", \"gradients\": \"bf16\""}, "half");
    expect_trained(2, TRANSFORMER, "half", "");
    expect_same_run("transformer-1", "half", 0.01);
    char path[MAX_PATH], line[256];
    double megabytes[2] = {0};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/team.tsv", art_dir, i == 0 ? "transformer-2" : "half");
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f) != NULL)
            sscanf(line, "%*d\t%*d\t%*f\t%*f\t%lf", &megabytes[i]);
        fclose(f);
    }
    assert_true(megabytes[0] > 0 && fabs(megabytes[1] / megabytes[0] - 0.5) < 0.01);
}

/* How often the output of a run has a line of ours, and whether it is this one. */
static void expect_one_line(const char *name, const char *pattern)
{
    bool one = shell("test $(grep -c '^sora train' %s/%s.txt) = 1", art_dir, name) == 0;
    if (!one || shell("grep -Eq '^sora train.*%s' %s/%s.txt", pattern, art_dir, name) != 0) {
        shell("cat %s/%s.txt", art_dir, name);
        fail_msg("%s: not one line of \"%s\"", name, pattern);
    }
}

/* Rank 1 is started otherwise: by this program, configuration or pack. */
static int train_unlike(const char *program, const char *config, const char *pack)
{
    shell("rm -rf %s/unlike", art_dir);
    return shell("%s -n 1 %s train text %s/text-2.json --out %s/unlike --stage %s --threads 1 : "
                 "-n 1 %s train text %s --out %s/unlike --stage %s --threads 1 >%s/unlike.txt 2>&1",
                 mpirun, sora, art_dir, art_dir, art_pack, program, config, art_dir, pack, art_dir);
}

static void ranks_must_be_alike(void **state)
{
    char program[MAX_PATH], config[MAX_PATH], pack[MAX_PATH];
    path_of(program, "other-sora");
    path_of(config, "text-2.json");
    path_of(pack, "other.pack");
    assert_int_equal(shell("cp %s %s && echo >>%s && cp %s %s && printf '\\0' >>%s", sora, program, program, art_pack, pack, pack), 0);
    assert_int_not_equal(train_unlike(program, config, art_pack), 0);
    expect_one_line("unlike", "rank 1 .* has another sora program than rank 0");
    assert_int_not_equal(train_unlike(sora, config, pack), 0);
    expect_one_line("unlike", "rank 1 .* has another pack of Emoji Stage than rank 0");
    path_of(config, "text-3.json");
    assert_int_not_equal(train_unlike(sora, config, art_pack), 0);
    expect_one_line("unlike", "rank 1 .* has another configuration than rank 0");
    path_of(config, "nothing.json");
    assert_int_not_equal(train_unlike(sora, config, art_pack), 0);
    expect_one_line("unlike", "rank 1 .*nothing.json");
}

static void wait_for(const char *what)
{
    for (int i = 0; shell("test -s %s/%s", art_dir, what) != 0; i++) {
        assert_true(i < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static pid_t read_pid(int rank)
{
    char path[MAX_PATH];
    int pid = 0;
    snprintf(path, sizeof path, "%s/pid.%d", art_dir, rank);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

/* Sends a signal to a rank after the first checkpoint; the run ends by itself. */
static void end_rank(const char *name, int rank, int number, const char *more)
{
    write_config(&(Config){AUTOENCODER, 1, 1, 1000000, ""}, name);
    shell("rm -f %s/pid.*", art_dir);
    pid_t child = fork();
    if (child == 0)
        _exit(shell("%s -n 3 sh -c 'echo $$ >%s/pid.$OMPI_COMM_WORLD_RANK; exec \"$@\"' rank %s train autoencoder %s/%s.json --out "
                    "%s/%s --stage %s --threads 1 %s >%s/%s.txt 2>&1", mpirun, art_dir, sora, art_dir, name, art_dir, name, art_pack,
                    more, art_dir, name));
    char checkpoint[MAX_PATH];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", name);
    wait_for(checkpoint);
    kill(read_pid(rank), number);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

/* The checkpoint is whole and the run goes on from it, with the lines of the log that belong to it. */
static void expect_goes_on(const char *name)
{
    expect_trained(2, AUTOENCODER, name, "--resume --minutes 0.00001");
    read_log(name);
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s", art_dir, name);
    assert_int_not_equal(shell("ls -A %s | grep -q '[.]part'", path), 0);
}

static void a_rank_that_dies_ends_the_run(void **state)
{
    end_rank("died", 1, SIGKILL, "");
    expect_one_line("died", "rank 1 .* has ended; go on with --resume");
    expect_goes_on("died");
    end_rank("first-died", 0, SIGKILL, "");
    expect_one_line("first-died", "rank 0 .* has ended; go on with --resume");
    expect_goes_on("first-died");
}

static void a_rank_that_hangs_ends_the_run(void **state)
{
    end_rank("hung", 2, SIGSTOP, "--patience 3");
    expect_one_line("hung", "rank 2 .* has not answered for 3 s; go on with --resume");
    expect_goes_on("hung");
    end_rank("first-hung", 0, SIGSTOP, "--patience 3");
    expect_one_line("first-hung", "rank 0 .* has not answered for 3 s; go on with --resume");
    expect_goes_on("first-hung");
}

/* Ctrl-C at any rank is everybody's; nothing is lost and nobody is blamed. */
static void a_rank_that_is_stopped_stops_all(void **state)
{
    end_rank("stopped", 2, SIGINT, "");
    expect_one_line("stopped", "stopped; go on with --resume");
    expect_goes_on("stopped");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 77;
    sora = argv[1];
    mpirun = argv[2];
    /* For a machine with other things to do, and a user who may be root. */
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
    setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 1);
    setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_learn_what_one_learns),
        cmocka_unit_test(goes_on_with_another_number_of_ranks), /* beside what the first has left, like the next two */
        cmocka_unit_test(gradients_may_travel_as_bf16),
        cmocka_unit_test(ranks_must_be_alike),
        cmocka_unit_test(a_rank_that_dies_ends_the_run),
        cmocka_unit_test(a_rank_that_hangs_ends_the_run),
        cmocka_unit_test(a_rank_that_is_stopped_stops_all),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
