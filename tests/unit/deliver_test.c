/* How a video leaves: written, signed, known to `sora trace`. */
#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <sora.h>
#include "base/file.h"
#include "deliver/deliver.h"
#include "engine/video.h"
#include "temp_dir.h"
#include "trace/trace_index.h"

static SoraCredentials *credentials;

static const char *in_dir(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int set_up(void **state)
{
    SoraError err = {0};
    if (setup(state) != 0)
        return 1;
    setenv("SORA_TRACE_INDEX", in_dir("own.sqlite"), 1);
    const char *keys = in_dir("keys");
    assert_null(sora_credentials_open(keys, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_true(sora_credentials_init(keys, &err));
    credentials = sora_credentials_open(keys, &err);
    assert_non_null(credentials);
    return 0;
}

static int tear_down(void **state)
{
    sora_credentials_close(credentials);
    return teardown(state);
}

/* Moving waves: something that a fingerprint can tell from others. */
static SoraVideo *make_video(int frames, const char *prompt, int speed)
{
    enum { SIDE = 128 };
    SoraError err = {0};
    SoraVideo *v = calloc(1, sizeof *v);
    *v = (SoraVideo){.width = SIDE, .height = SIDE, .frames = frames, .fps = 12};
    assert_true(video_init_frames(v, &err) && uuid_make_v7(v->id, &err));
    for (int f = 0; f < frames; f++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                double wave = sin(x / (5.0 + speed) + 0.1 * speed * f) + sin(y / 9.0 - 0.2 * f) + sin((x + speed * y) / 23.0 + 0.3 * f);
                memset(video_frame(v, f) + 3 * (y * SIDE + x), (int)(128 + 40 * wave), 3);
            }
    v->prompt = prompt ? strdup(prompt) : NULL;
    v->parameters = strdup(prompt ? "{\"prompt\":\"a secret dog\"}" : "{\"seed\":7}");
    return v;
}

static bool is_valid(const char *path)
{
    SoraError err = {0};
    SoraVerification *v = sora_verify(path, NULL, &err);
    bool valid = v != NULL && sora_verification_verdict(v) == SORA_VERDICT_VALID;
    sora_verification_free(v);
    return valid;
}

static bool holds(const char *path, const char *text)
{
    SoraError err = {0};
    size_t size;
    char *data = file_read(path, 16 << 20, &size, &err);
    assert_non_null(data);
    bool found = memmem(data, size, text, strlen(text)) != NULL;
    free(data);
    return found;
}

/* The id under which an index knows the file; "": it does not. */
static const char *trace(const char *index, const char *path)
{
    static char id[UUID_SIZE];
    SoraError err = {0};
    Fingerprint f;
    TraceResult result = {0};
    TraceIndex *x = trace_index_open(index, TRACE_INDEX_READ, &err);
    *id = 0;
    if (x == NULL)
        return id;
    assert_true(fingerprint_read_file(&f, path, FINGERPRINT_QUERY_RATE, &err));
    assert_true(trace_index_find(x, &f, &result, &err));
    if (result.found > 0)
        memcpy(id, result.matches[0].entry.id, sizeof id);
    fingerprint_deinit(&f);
    trace_index_close(x);
    return id;
}

static void written_signed_and_traced(void **state)
{
    SoraError err = {0};
    SoraSigned result;
    SoraVideo *video = make_video(9, "a secret dog", 3);
    const char *path = in_dir("signed.mp4");
    SoraSigning what = {.model = "nano"};
    if (!sora_video_write_signed(video, path, credentials, &what, &result, &err))
        fail_msg("%s", err.message);
    assert_memory_equal(result.manifest, "urn:c2pa:", 9);
    assert_string_equal(result.note, "");
    assert_string_equal(result.untraced, "");
    assert_true(is_valid(path));
    assert_true(holds(path, result.manifest));
    assert_true(holds(path, "a secret dog"));
    assert_string_equal(trace(in_dir("own.sqlite"), path), sora_video_id(video));
    sora_video_free(video);
}

static void pictures_are_signed_one_by_one(void **state)
{
    SoraError err = {0};
    SoraSigned result;
    char path[2][512];
    SoraVideo *video = make_video(2, "a dog", 5);
    assert_true(sora_video_write_signed(video, in_dir("two.png"), credentials, &(SoraSigning){0}, &result, &err));
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s", in_dir(i ? "two-0002.png" : "two-0001.png"));
        assert_true(is_valid(path[i]));
    }
    assert_false(holds(path[0], result.manifest));
    assert_true(holds(path[1], result.manifest));
    sora_video_free(video);
}

static void what_is_not_told_is_not_in_the_file(void **state)
{
    SoraError err = {0};
    SoraVideo *video = make_video(5, NULL, 2);
    assert_true(sora_video_write(video, in_dir("plain.mp4"), &err));
    assert_false(is_valid(in_dir("plain.mp4")));
    assert_string_equal(trace(in_dir("own.sqlite"), in_dir("plain.mp4")), "");
    assert_true(sora_video_write_signed(video, in_dir("private.mp4"), credentials, &(SoraSigning){0}, NULL, &err));
    assert_true(holds(in_dir("private.mp4"), "seed"));
    assert_false(holds(in_dir("private.mp4"), "a secret dog"));
    sora_video_free(video);
}

static void failures_leave_nothing(void **state)
{
    SoraError err = {0};
    SoraVideo *video = make_video(1, "a dog", 1);
    assert_false(sora_video_write_signed(video, in_dir("a.webm"), credentials, &(SoraSigning){0}, NULL, &err));
    assert_int_equal(err.code, SORA_ERROR_UNSUPPORTED);
    assert_false(sora_video_write_signed(video, in_dir("a.mp4"), credentials, &(SoraSigning){.prompt = "\xff"}, NULL, &err));
    assert_non_null(strstr(err.message, "/a.mp4: model, LoRA, prompt"));
    assert_null(strstr(err.message, "part"));
    assert_false(file_exists(in_dir("a.mp4")));
    assert_false(sora_video_write_signed(video, in_dir("none/a.mp4"), credentials, &(SoraSigning){0}, NULL, &err));
    assert_null(strstr(err.message, "part"));
    /* An index that cannot be written is no reason to lose a video. */
    SoraSigned result;
    setenv("SORA_TRACE_INDEX", "/dev/null/index.sqlite", 1);
    assert_true(sora_video_write_signed(video, in_dir("b.png"), credentials, &(SoraSigning){0}, &result, &err));
    assert_true(is_valid(in_dir("b.png")));
    assert_non_null(strstr(result.untraced, "/dev/null"));
    setenv("SORA_TRACE_INDEX", in_dir("own.sqlite"), 1);
    sora_video_free(video);
}

static int asked;

/* Hangs up on everybody, and counts. */
static void *refuse_all(void *user)
{
    for (int fd; (fd = accept(*(int *)user, NULL, NULL)) >= 0; close(fd))
        asked++;
    return NULL;
}

static void a_service_that_refuses_is_asked_once(void **state)
{
    SoraError err = {0};
    SoraSigned result;
    pthread_t thread;
    char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&thread, NULL, refuse_all, &fd), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    SoraVideo *video = make_video(4, "a dog", 1);
    assert_true(sora_video_write_signed(video, in_dir("four.png"), credentials, &(SoraSigning){.time_authority = url}, &result, &err));
    shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
    assert_int_equal(asked, 1);
    assert_false(result.time_stamped);
    assert_non_null(strstr(result.note, "no answer from the time-stamp service"));
    assert_true(is_valid(in_dir("four-0001.png")) && is_valid(in_dir("four-0004.png")));
    sora_video_free(video);
}

/* As a program delivers that makes a video of two others, to an index that it names. */
static void with_inputs_and_an_index_of_its_own(void **state)
{
    SoraError err = {0};
    SoraVideo *video = make_video(5, "a dog", 4);
    assert_true(sora_video_write(video, in_dir("from.png"), &err));
    SoraInputs *in = sora_inputs_open(&(SoraInput){in_dir("from-0001.png"), NULL, SORA_INPUT_PARENT}, 1, &err);
    assert_non_null(in);
    Delivery d;
    delivery_init(&d, &(DeliveryPlan){.path = in_dir("to.mp4"),
                                      .credentials = credentials,
                                      .signing = {.operation = "looped", .inputs = in},
                                      .index = in_dir("other.sqlite"),
                                      .keep = true});
    for (int i = 0; i < 5; i++)
        assert_true(delivery_frame(&d, video, i, &err));
    assert_false(file_exists(in_dir("to.mp4")));
    assert_true(delivery_commit(&d, video, &err));
    assert_string_equal(d.path, in_dir("to.mp4"));
    delivery_deinit(&d);
    sora_inputs_close(in);
    SoraVerification *v = sora_verify(in_dir("to.mp4"), in_dir("keys/root.pem"), &err);
    assert_true(sora_verification_trusted(v));
    assert_non_null(strstr(sora_verification_json(v), "\"description\": \"looped\""));
    assert_non_null(strstr(sora_verification_json(v), "\"from-0001.png\""));
    sora_verification_free(v);
    assert_string_equal(trace(in_dir("other.sqlite"), in_dir("to.mp4")), sora_video_id(video));
    assert_string_equal(trace(in_dir("own.sqlite"), in_dir("to.mp4")), "");
    sora_video_free(video);
}

static void a_file_of_that_name_may_stay(void **state)
{
    SoraError err = {0};
    SoraVideo *video = make_video(1, "a dog", 4);
    assert_true(sora_video_write(video, in_dir("stays.png"), &err));
    for (int keep = 1; keep >= 0; keep--) {
        Delivery d;
        delivery_init(&d, &(DeliveryPlan){.path = in_dir("stays.png"), .credentials = credentials, .keep = keep});
        assert_true(delivery_frame(&d, video, 0, &err) && delivery_commit(&d, video, &err));
        assert_string_equal(d.path, in_dir(keep ? "stays-2.png" : "stays.png"));
        assert_true(is_valid(d.path));
        assert_int_equal(is_valid(in_dir("stays.png")), !keep);
        delivery_deinit(&d);
    }
    sora_video_free(video);
}

/* A second time nothing changes. */
static void keys_are_made_once(void **state)
{
    SoraError err = {0};
    size_t size[2];
    char *before = file_read(in_dir("keys/signer.pem"), 1 << 20, &size[0], &err);
    assert_true(sora_credentials_init(in_dir("keys"), &err));
    char *after = file_read(in_dir("keys/signer.pem"), 1 << 20, &size[1], &err);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_false(sora_credentials_init("/dev/null/keys", &err));
    assert_non_null(strstr(err.message, "/dev/null/keys: cannot make folder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_made_once),
        cmocka_unit_test(written_signed_and_traced),
        cmocka_unit_test(pictures_are_signed_one_by_one),
        cmocka_unit_test(what_is_not_told_is_not_in_the_file),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(with_inputs_and_an_index_of_its_own),
        cmocka_unit_test(a_file_of_that_name_may_stay),
        cmocka_unit_test(a_service_that_refuses_is_asked_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
