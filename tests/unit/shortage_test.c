/* One failed allocation, whichever it is, does not make a good file a bad one, nor a report half of one: the call fails
 * with SORA_ERROR_MEMORY, or nothing is missing. The same of a file whose bytes cannot be read, with SORA_ERROR_IO.
 * Each allocation or read that a call makes fails once (SORA_SWEEP=1), or some of them do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json_file.h"
#include "media/video_writer.h"
#include "policy/policy.h"
#include "weights/weight_file.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"
#include "tiny_model.h"
#include "unit/shortage.h"
#include "unit/temp_dir.h"

static const char *in_dir(const char *name)
{
    static char path[8][128];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static const char *only; /* cases with this in their names; NULL: all */

/* A call that is tried: what it found, as a text on the heap; NULL on failure. */
typedef char *Work(const char *path, SoraError *err);

/* What a test does by itself does not fail. */
static char *keep(const char *text)
{
    bool outer = atomic_exchange(&shortage_paused, true);
    char *copy = strdup(text);
    shortage_paused = outer;
    return copy;
}

static char *verify(const char *path, SoraError *err)
{
    SoraVerification *v = sora_verify(path, NULL, err);
    char *json = v != NULL ? keep(sora_verification_json(v)) : NULL;
    sora_verification_free(v);
    return json;
}

/* A copy of the file, made from it. What is signed is looked at when memory is there again. */
static char *sign_copy(const char *path, SoraError *err)
{
    const char *copy = in_dir("copy.png");
    SoraError ignored = {0};
    SoraInput input = {.path = path};
    shortage_paused = true;
    SoraCredentials *c = sora_credentials_open(in_dir("keys"), &ignored);
    bool ok = c != NULL && file_copy(in_dir("plain.png"), copy, &ignored);
    shortage_paused = false;
    SoraInputs *inputs = ok ? sora_inputs_open(&input, 1, err) : NULL;
    ok = inputs != NULL && sora_sign(c, copy, &(SoraSigning){.prompt = "a fox", .inputs = inputs}, NULL, err);
    shortage_paused = true;
    SoraVerification *v = ok ? sora_verify(copy, NULL, &ignored) : NULL;
    char text[64];
    snprintf(text, sizeof text, "verdict %d", v != NULL ? (int)sora_verification_verdict(v) : -1);
    sora_verification_free(v);
    sora_inputs_close(inputs);
    sora_credentials_close(c);
    char *found = ok ? keep(text) : NULL;
    shortage_paused = false;
    return found;
}

static char *open_credentials(const char *path, SoraError *err)
{
    SoraCredentials *c = sora_credentials_open(path, err);
    sora_credentials_close(c);
    return c != NULL ? keep("open") : NULL;
}

/* Strings at whose closing quotes jansson's buffer grows, from 16 bytes on to 512. */
static char *read_json(const char *path, SoraError *err)
{
    char text[4096] = "[0";
    shortage_paused = true;
    for (int n = 14; n < 600; n = 2 * n + 2)
        snprintf(text + strlen(text), sizeof text - strlen(text), ", {\"%0*d\": \"%0*d\\n\"}", n, n, n - 2, n);
    strcat(text, "]");
    shortage_paused = false;
    json_error_t why;
    json_t *json = json_load_bytes(text, strlen(text), JSON_REJECT_DUPLICATES, &why);
    if (json == NULL)
        error_set(err, json_short_of_memory(&why) ? SORA_ERROR_MEMORY : SORA_ERROR_INPUT, "%s", why.text);
    shortage_paused = true;
    char *found = json != NULL ? json_dumps(json, 0) : NULL;
    json_decref(json);
    shortage_paused = false;
    return found;
}

static char *open_words(const char *path, SoraError *err)
{
    Vocabulary *v = vocabulary_open(path, err);
    char *json = v != NULL ? keep(vocabulary_json(v)) : NULL;
    vocabulary_close(v);
    return json;
}

static char *open_tokenizer(const char *path, SoraError *err)
{
    int32_t ids[16] = {0};
    char text[16 * 12] = "";
    Tokenizer *t = tokenizer_open(path, err);
    int n = t != NULL ? tokenizer_encode(t, "a fox runs", 10, ids, 16) : 0;
    for (int i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", ids[i]);
    if (t != NULL && n < 0)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    tokenizer_close(t);
    return t != NULL && n >= 0 ? keep(text) : NULL;
}

static char *open_weights(const char *path, SoraError *err)
{
    char text[4096] = "";
    WeightFile *f = weight_file_open(path, err);
    for (int i = 0; f != NULL && i < weight_file_count(f); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", weight_file_tensor_name(f, i));
    bool ok = f != NULL;
    weight_file_close(f);
    return ok ? keep(text) : NULL;
}

static char *open_engine(const char *path, SoraError *err)
{
    SoraEngine *e = sora_engine_open(path, &(SoraOptions){.threads = 1}, err);
    char *name = e != NULL ? keep(sora_engine_name(e)) : NULL;
    sora_engine_close(e);
    return name;
}

static char *judge(const char *path, SoraError *err)
{
    static const char text[] = "an innocent fox runs over the snow, and nobody is hurt";
    PolicyVerdict verdict;
    Policy *p = policy_open(NULL, err);
    bool ok = p != NULL && policy_check(p, text, strlen(text), NULL, NULL, &verdict, err);
    policy_close(p);
    return ok ? keep(verdict.allowed ? "allowed" : "refused") : NULL;
}

typedef struct Case {
    const char *name;
    Work *work;
    const char *path;
    bool reads; /* with fread(), which fails too */
    long ends;  /* at most so many end the process: oneDNN 2.6's dnnl_engine_create() and dnnl_stream_create() crash */
} Case;

static const Case CASES[] = {
    {"verify a picture", verify, "signed.png", true, 0},
    {"verify a video", verify, "signed.mp4", true, 0},
    {"verify what has inputs", verify, "made.png", true, 0},
    {"verify without credentials", verify, "plain.png", true, 0},
    {"sign a picture", sign_copy, "signed.png", true, 0},
    {"open credentials", open_credentials, "keys", false, 0},
    {"read JSON", read_json, "", false, 0},
    {"open words", open_words, "words.json", false, 0},
    {"open a tokenizer", open_tokenizer, "tiny/tokenizer.model", false, 0},
    {"open weights", open_weights, "tiny/transformer/model.safetensors", false, 0},
    {"open an engine", open_engine, "tiny", false, 3},
    {"judge a text", judge, "", false, 0},
};

enum { SAME, FAILED, WRONG, FEW = 60 };

/* In a child: the n-th call of what *left counts fails. */
static int try(const Case *c, const char *path, const char *right, atomic_long *left, long n)
{
    static const int CAUGHT[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}; /* by cmocka */
    SoraError err = {0};
    for (size_t i = 0; i < sizeof CAUGHT / sizeof *CAUGHT; i++)
        signal(CAUGHT[i], SIG_DFL);
    atomic_store(left, n);
    char *found = c->work(path, &err);
    shortage_paused = true;
    SoraErrorCode code = left == &shortage_reads_left ? SORA_ERROR_IO : SORA_ERROR_MEMORY;
    int verdict = found == NULL ? (err.code == code ? FAILED : WRONG) : strcmp(found, right) == 0 ? SAME : WRONG;
    if (verdict == WRONG)
        print_error("%s, call %ld: %s\n", c->name, n, found != NULL ? "another result" : err.message);
    return verdict;
}

/* Each of them, or about FEW. How many ended otherwise than they should. */
static long sweep(const Case *c, const char *right, atomic_long *left, long calls)
{
    const char *path = in_dir(c->path);
    long step = getenv("SORA_SWEEP") != NULL || calls <= FEW ? 1 : calls / FEW, failed = 0, wrong = 0, ended = 0;
    for (long n = 1; n <= calls; n += step) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(try(c, path, right, left, n));
        assert_int_equal(waitpid(child, &status, 0), child);
        failed += WIFEXITED(status) && WEXITSTATUS(status) == FAILED;
        wrong += WIFEXITED(status) && WEXITSTATUS(status) == WRONG;
        ended += !WIFEXITED(status);
        if (!WIFEXITED(status))
            print_error("%s, call %ld: %s\n", c->name, n, strsignal(WTERMSIG(status)));
    }
    print_message("%s: %ld calls, every %ldth tried, %ld failures that were said, %ld signals\n", c->name, calls, step,
                  failed, ended);
    return wrong + (ended > c->ends ? ended : 0);
}

static void one_failure_is_said(void **state)
{
    long wrong = 0;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const Case *c = &CASES[i];
        SoraError err = {0};
        const char *path = in_dir(c->path);
        if (only != NULL && strstr(c->name, only) == NULL)
            continue;
        free(c->work(path, &err)); /* what libraries keep is there from now on */
        long calls = shortage_calls, reads = shortage_reads;
        char *right = c->work(path, &err);
        if (right == NULL)
            fail_msg("%s: %s", c->name, err.message);
        wrong += sweep(c, right, &shortage_left, shortage_calls - calls);
        if (c->reads)
            wrong += sweep(c, right, &shortage_reads_left, shortage_reads - reads);
        free(right);
    }
    assert_int_equal(wrong, 0);
}

static void write_frame(const char *name)
{
    static uint8_t rgb[32 * 32 * 3];
    SoraError err = {0};
    VideoWriter *w = video_writer_open(in_dir(name), &(VideoFormat){32, 32, 12, "t", NULL}, &err);
    if (w == NULL || !video_writer_write(w, rgb, &err) || !video_writer_commit(w, &err))
        fail_msg("%s", err.message);
}

static void sign(const char *name, const SoraSigning *what)
{
    SoraError err = {0};
    write_frame(name);
    SoraCredentials *keys = sora_credentials_open(in_dir("keys"), &err);
    if (keys == NULL || !sora_sign(keys, in_dir(name), what, NULL, &err))
        fail_msg("%s", err.message);
    sora_credentials_close(keys);
}

static int make_files(void **state)
{
    static const TinyModel MODEL = {
        .manifest = "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 17}, \"defaults\": "
                    "{\"width\": 32, \"height\": 16, \"frames\": 5, \"fps\": 8, \"steps\": 2, \"shift\": 3, "
                    "\"guidance_scale\": 1, \"negative_prompt\": \"\", \"solver\": \"euler\"}}",
        .tokenizer = "models/nano/tokenizer.model",
    };
    SoraError err = {0};
    if (setup(state) != 0 || !sora_credentials_init(in_dir("keys"), &err) ||
        !file_copy("models/nano/words.json", in_dir("words.json"), &err))
        return 1;
    tiny_model_write(in_dir("tiny"), &MODEL);
    write_frame("plain.png");
    sign("signed.png", &(SoraSigning){.prompt = "a fox"});
    sign("signed.mp4", &(SoraSigning){.prompt = "a fox"});
    SoraInput list[] = {{.path = in_dir("signed.mp4")}, {.path = in_dir("signed.png"), .role = SORA_INPUT_SOURCE}};
    SoraInputs *inputs = sora_inputs_open(list, 2, &err);
    assert_non_null(inputs);
    sign("made.png", &(SoraSigning){.prompt = "a fox", .inputs = inputs});
    sora_inputs_close(inputs);
    return 0;
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failure_is_said),
    };
    return cmocka_run_group_tests(tests, make_files, teardown);
}
