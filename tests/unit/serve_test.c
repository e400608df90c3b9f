/* Parts of the server that need no server: addresses, signatures, limits, sizes, plans, and the JSON of operations. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "serve/engine_child.h"
#include "serve/fetch.h"
#include "serve/fields.h"
#include "serve/hooks_api.h"
#include "serve/limiter.h"
#include "serve/operation.h"
#include "serve/plans.h"
#include "serve/routes.h"
#include "serve/status_cache.h"

static bool is_public(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return address_is_public((struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return address_is_public((struct sockaddr *)&six);
}

static void test_addresses(void **state)
{
    static const char *const PUBLIC[] = {
        "8.8.8.8",         "1.1.1.1",          "172.15.255.255", "172.32.0.0",      "192.167.255.255",
        "223.255.255.255", "100.63.255.255",   "100.128.0.0",    "2606:4700::1111", "2001:4860:4860::8888",
        "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8", "2002:808:808::1"};
    static const char *const PRIVATE[] = {"127.0.0.1",
                                          "127.255.255.254",
                                          "0.0.0.0",
                                          "10.0.0.1",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.168.1.1",
                                          "169.254.169.254",
                                          "100.64.0.1",
                                          "192.0.0.1",
                                          "192.0.2.1",
                                          "198.18.0.1",
                                          "198.51.100.1",
                                          "203.0.113.1",
                                          "224.0.0.1",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd12::1",
                                          "ff02::1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:10.0.0.1",
                                          "::127.0.0.1",
                                          "64:ff9b::7f00:1",
                                          "2002:7f00:1::",
                                          "2001::1",
                                          "2001:db8::1"};
    for (size_t i = 0; i < sizeof PUBLIC / sizeof *PUBLIC; i++)
        if (!is_public(PUBLIC[i]))
            fail_msg("%s is public", PUBLIC[i]);
    for (size_t i = 0; i < sizeof PRIVATE / sizeof *PRIVATE; i++)
        if (is_public(PRIVATE[i]))
            fail_msg("%s is not public", PRIVATE[i]);
}

static void test_urls(void **state)
{
    SoraError err = {0};
    static const char *const WRONG[] = {
        "", "x", "file:///etc/passwd", "gopher://example.com", "ftp://example.com/", "//example.com", "javascript:alert(1)"};
    assert_true(fetch_check("https://example.com/hook?x=1", &err));
    assert_true(fetch_check("http://example.com:8080", &err));
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        if (fetch_check(WRONG[i], &err))
            fail_msg("%s is taken", WRONG[i]);
    char path[] = "/tmp/sora-test-fetch-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    remove(path);
    assert_false(fetch_file("http://127.0.0.1:1/x", path, false, &err));
    assert_non_null(strstr(err.message, "not a public one"));
    remove(path);
    assert_false(fetch_file("http://[::ffff:7f00:1]:1/x", path, false, &err));
    assert_non_null(strstr(err.message, "not a public one"));
    remove(path);
}

/* The vector of the standard-webhooks specification's libraries. */
static void test_signature(void **state)
{
    char *s = hook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                             "{\"test\": 2432232314}");
    assert_string_equal(s, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    free(s);
}

static void test_limiter(void **state)
{
    Limiter *l = limiter_new();
    assert_non_null(l);
    for (int i = 0; i < 60; i++)
        assert_true(limiter_take(l, "a", 60, 100).allowed);
    LimiterAnswer a = limiter_take(l, "a", 60, 100);
    assert_false(a.allowed);
    assert_int_equal(a.remaining, 0);
    assert_true(a.wait > 0.99 && a.wait < 1.01);
    assert_true(a.reset > 59.9 && a.reset < 60.1);
    assert_true(limiter_take(l, "b", 60, 100).allowed); /* another key's */
    assert_false(limiter_take(l, "a", 60, 100.5).allowed);
    assert_true(limiter_take(l, "a", 60, 101.1).allowed);
    assert_int_equal(limiter_take(l, "a", 60, 1000).remaining, 59); /* never more than a minute's */
    limiter_free(l);
}

static const ModelFacts NANO = {
    .width = 256, .height = 256, .frames = 17, .fps = 12, .multiple = 32, .stride = 4, .most_frames = 33, .most_side = 512};

static void test_statuses(void **state)
{
    StatusCache *cache = status_cache_new(100), *short_lived = status_cache_new(-1);
    Status s;
    char *longest = calloc(1, 5000);
    assert_non_null(cache);
    assert_non_null(longest);
    memset(longest, 'x', 4999);
    assert_false(status_cache_get(cache, "video_1", "k", 1, &s));
    status_cache_put(cache, "video_1", "k", 1, &(Status){"{}", 2, true, 7});
    assert_true(status_cache_get(cache, "video_1", "k", 1, &s));
    assert_string_equal(s.text, "{}");
    assert_int_equal(s.size, 2);
    assert_true(s.open);
    assert_int_equal(s.created, 7);
    free((char *)s.text);
    assert_false(status_cache_get(cache, "video_1", "k", 2, &s));     /* it was written to */
    assert_false(status_cache_get(cache, "video_1", "other", 1, &s)); /* it is another one's */
    assert_false(status_cache_get(cache, "video_2", "k", 1, &s));
    status_cache_put(cache, "video_1", "k", 2, &(Status){"[]", 2, false, 7});
    assert_false(status_cache_get(cache, "video_1", "k", 1, &s));
    assert_true(status_cache_get(cache, "video_1", "k", 2, &s));
    assert_string_equal(s.text, "[]");
    free((char *)s.text);
    status_cache_put(cache, "video_3", "k", 1, &(Status){longest, 4999, true, 7});
    assert_false(status_cache_get(cache, "video_3", "k", 1, &s));
    status_cache_put(short_lived, "video_1", "k", 1, &(Status){"{}", 2, true, 7});
    assert_false(status_cache_get(short_lived, "video_1", "k", 1, &s)); /* too old */
    free(longest);
    status_cache_free(cache);
    status_cache_free(short_lived);
}

static void test_fit(void **state)
{
    static const int SIZES[][4] = {
        {256, 256, 256, 256},  {128, 128, 128, 128}, {320, 192, 320, 192}, {1024, 1024, 256, 256}, {1280, 720, 352, 192},
        {720, 1280, 192, 352}, {64, 48, 128, 96},    {1, 1, 32, 32},       {16384, 32, 512, 32},
    };
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        int w = SIZES[i][0], h = SIZES[i][1];
        facts_fit_size(&NANO, &w, &h);
        if (w != SIZES[i][2] || h != SIZES[i][3])
            fail_msg("%dx%d becomes %dx%d, not %dx%d", SIZES[i][0], SIZES[i][1], w, h, SIZES[i][2], SIZES[i][3]);
    }
    assert_int_equal(facts_fit_seconds(&NANO, 1), 13);
    assert_int_equal(facts_fit_seconds(&NANO, 0.1), 5);
    assert_int_equal(facts_fit_seconds(&NANO, 2.75), 33);
    assert_int_equal(facts_fit_seconds(&NANO, 4), 0);
}

static void test_operation(void **state)
{
    SoraError err = {0};
    Operation o = {.kind = OPERATION_BLEND,
                   .model = "m",
                   .prompt = "p",
                   .seed = UINT64_MAX,
                   .guidance = -1,
                   .curve = "smooth",
                   .at_start = true,
                   .strength = 0.25,
                   .inputs = {{INPUT_VIDEO, "a"}, {INPUT_MASK, "b"}},
                   .input_count = 2,
                   .passages = {{"x", 1.5}},
                   .passage_count = 1},
              again;
    json_t *json = operation_json(&o);
    assert_true(operation_read(&again, json, &err));
    assert_int_equal(again.kind, OPERATION_BLEND);
    assert_true(again.seed == UINT64_MAX);
    assert_true(again.strength == 0.25 && again.guidance == -1 && again.at_start);
    assert_string_equal(again.inputs[1].file, "b");
    assert_int_equal(again.inputs[1].use, INPUT_MASK);
    assert_true(again.passages[0].from == 1.5);
    assert_null(again.negative);
    json_decref(json);
}

static void test_plans(void **state)
{
    SoraError err = {0};
    Plans *plans = plans_open(NULL, &err);
    assert_non_null(plans);
    const Plan *pro = plans_find(plans, "pro");
    assert_int_equal(plan_credits(pro, 1280, 720, 4), 37); /* 10 x 4 x 0.9216, up */
    assert_int_equal(plan_credits(plans_find(plans, "unlimited"), 1280, 720, 4), 1);
    plans_close(plans);
    static const char *const WRONG[] = {"{}",
                                        "{\"free\": {}}",
                                        "{\"unlimited\": 5}",
                                        "{\"unlimited\": {\"videos\": 1}}",
                                        "{\"unlimited\": {\"at_once\": -1}}",
                                        "{\"unlimited\": {\"at_once\": 1.5}}",
                                        "{\"unlimited\": {\"watermark\": 1}}"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        json_t *root = json_loads(WRONG[i], 0, NULL);
        plans = plans_open_json(root, "plans.json", &err);
        json_decref(root);
        if (plans != NULL)
            fail_msg("%s is taken", WRONG[i]);
        assert_memory_equal(err.message, "plans.json:", 11);
    }
}

static void test_routes(void **state)
{
    const Route *r;
    const char *names[CALL_MOST_NAMES] = {NULL};
    char buffer[128];
    assert_int_equal(route_find("GET", "/v1/videos/video_1/content", &r, names, buffer), ROUTE_FOUND);
    assert_string_equal(r->id, "downloadVideo");
    assert_string_equal(names[0], "video_1");
    assert_int_equal(route_find("POST", "/v1/videos/edits", &r, names, buffer), ROUTE_FOUND);
    assert_string_equal(r->id, "editVideo");
    assert_int_equal(route_find("GET", "/v1/videos/characters/char_1", &r, names, buffer), ROUTE_FOUND);
    assert_string_equal(r->id, "getCharacter");
    assert_int_equal(route_find("PUT", "/v1/videos", &r, names, buffer), ROUTE_NO_METHOD);
    assert_int_equal(route_find("GET", "/v1/nothing", &r, names, buffer), ROUTE_NO_PATH);
    assert_int_equal(route_find("GET", "/app.js", &r, names, buffer), ROUTE_FOUND);
    assert_string_equal(r->id, "web");
}

static void test_fields(void **state)
{
    SoraError err = {0};
    json_t *root = json_object();
    assert_true(fields_add(root, "characters[][id]", "a", 1, &err));
    assert_true(fields_add(root, "characters[][id]", "b", 1, &err));
    assert_true(fields_add(root, "video[id]", "v", 1, &err));
    assert_false(fields_add(root, "video", "v", 0, &err) && fields_add(root, "video[x]", "v", 1, &err));
    assert_false(fields_add(root, "bad", "\xff", 1, &err));
    assert_int_equal(json_array_size(json_object_get(root, "characters")), 2);
    json_decref(root);
    size_t size;
    unsigned char *bytes = data_url_decode("data:image/png;base64,aGVsbG8=", &size);
    assert_non_null(bytes);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "hello", 5);
    free(bytes);
    assert_null(data_url_decode("data:image/png,hello", &size));
    assert_null(data_url_decode("data:image/png;base64,a?b=", &size));
    int64_t first, last;
    assert_int_equal(range_parse("bytes=0-", 10, &first, &last), RANGE_PART);
    assert_true(first == 0 && last == 9);
    assert_int_equal(range_parse("bytes=-3", 10, &first, &last), RANGE_PART);
    assert_true(first == 7 && last == 9);
    assert_int_equal(range_parse("bytes=10-", 10, &first, &last), RANGE_UNSATISFIABLE);
    assert_int_equal(range_parse("bytes=-0", 10, &first, &last), RANGE_UNSATISFIABLE);
    assert_int_equal(range_parse("bytes=0-1,3-4", 10, &first, &last), RANGE_WHOLE);
    assert_int_equal(range_parse("lines=0-1", 10, &first, &last), RANGE_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_urls),  cmocka_unit_test(test_signature),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_limiter),   cmocka_unit_test(test_fit),   cmocka_unit_test(test_routes),
        cmocka_unit_test(test_operation), cmocka_unit_test(test_plans), cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
