/* The folder with keys: out of date, exposed, or with a damaged policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <sora.h>
#include "base/file.h"
#include "credentials/keys.h"
#include "temp_dir.h"

static const time_t YEAR = 365 * 86400;

static const char *in_dir(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void make_keys(const char *folder, time_t now)
{
    SoraError err = {0};
    KeysMade made;
    KeysPlan plan = {.algorithm = "ed25519", .organization = "Fox Films", .name = "Studio 1", .now = now};
    if (!keys_init(folder, &plan, &made, &err))
        fail_msg("%s", err.message);
    assert_int_equal(made, KEYS_MADE);
}

static void expect_closed(const char *folder, SoraErrorCode code, const char *part, const char *advice)
{
    SoraError err = {0};
    assert_null(sora_credentials_open(folder, &err));
    assert_int_equal(err.code, code);
    if (strstr(err.message, part) == NULL || strstr(err.message, advice) == NULL)
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err.message, part, advice);
}

static int count_certificates(const char *path)
{
    SoraError err = {0};
    int count = 0;
    char *text = file_read(path, 1 << 20, NULL, &err);
    assert_non_null(text);
    for (const char *p = text; (p = strstr(p, "BEGIN CERTIFICATE")) != NULL; p++)
        count++;
    free(text);
    return count;
}

/* Made under a wrong clock, or long ago: renewed, with the same names and algorithm, and earlier roots are kept. */
static void own_keys_are_renewed(void **state)
{
    static const char *const names[] = {"early", "late"};
    for (int late = 0; late <= 1; late++) {
        SoraError err = {0};
        Signer s;
        KeysMade made;
        const char *folder = in_dir(names[late]);
        make_keys(folder, late ? time(NULL) + 70 * YEAR : 20 * YEAR);
        expect_closed(folder, SORA_ERROR_NOT_FOUND, late ? "is not valid yet (valid 20" : "expired (valid 1989-12-26 to 1999-12-25)",
                      "`sora credentials init` renews it");
        assert_true(sora_credentials_init(folder, &err));
        SoraCredentials *c = sora_credentials_open(folder, &err);
        assert_non_null(c);
        sora_credentials_close(c);
        assert_true(keys_init(folder, &(KeysPlan){0}, &made, &err));
        assert_int_equal(made, KEYS_KEPT);
        assert_true(keys_open(folder, &s, &err));
        assert_int_equal(s.alg, COSE_ED25519);
        char text[64];
        X509_NAME *subject = X509_get_subject_name(sk_X509_value(s.chain, 0));
        X509_NAME_get_text_by_NID(subject, NID_organizationName, text, sizeof text);
        assert_string_equal(text, "Fox Films");
        X509_NAME_get_text_by_NID(subject, NID_commonName, text, sizeof text);
        assert_string_equal(text, "Studio 1");
        signer_close(&s);
        char root[300];
        snprintf(root, sizeof root, "%s/root.pem", folder);
        assert_int_equal(count_certificates(root), 2);
    }
}

/* Those of others are not ours to renew. */
static void bought_ones_are_refused(void **state)
{
    SoraError err = {0};
    KeysMade made;
    const char *folder = in_dir("bought");
    make_keys(folder, 20 * YEAR);
    unlink(in_dir("bought/root.key"));
    unlink(in_dir("bought/root.pem"));
    expect_closed(folder, SORA_ERROR_INPUT, "expired", "`sora credentials import` takes a new one");
    assert_true(keys_init(folder, &(KeysPlan){0}, &made, &err));
    assert_int_equal(made, KEYS_KEPT);
    /* nor are they when a root of our own lies beside */
    make_keys(in_dir("own"), time(NULL));
    assert_true(file_copy(in_dir("own/root.key"), in_dir("bought/root.key"), &err));
    assert_true(file_copy(in_dir("own/root.pem"), in_dir("bought/root.pem"), &err));
    expect_closed(folder, SORA_ERROR_INPUT, "expired", "import");
}

static void expect_exposed(const char *path, mode_t mode, const char *part)
{
    char text[256];
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(chmod(path, mode), 0);
    assert_true(keys_are_exposed(in_dir("modes"), text, sizeof text));
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", text, part);
    assert_int_equal(chmod(path, st.st_mode & 0777), 0);
    assert_false(keys_are_exposed(in_dir("modes"), text, sizeof text));
}

static void modes_are_looked_at(void **state)
{
    char text[256];
    make_keys(in_dir("modes"), time(NULL));
    assert_false(keys_are_exposed(in_dir("modes"), text, sizeof text));
    expect_exposed(in_dir("modes"), 0777, "others may write there (mode 777); chmod 700");
    expect_exposed(in_dir("modes"), 0770, "others may write there (mode 770)");
    expect_exposed(in_dir("modes/signer.pem"), 0644, "signer.pem: others may read this private key (mode 644); chmod 600");
    expect_exposed(in_dir("modes/root.key"), 0640, "root.key: others may read");
    assert_false(keys_are_exposed(in_dir("none"), text, sizeof text));
}

static void write_policy(const char *text)
{
    SoraError err = {0};
    FileWriter w;
    assert_true(dir_make(in_dir("policy"), &err));
    assert_true(file_writer_open(&w, in_dir("policy/policy.json"), &err));
    fputs(text, w.stream);
    assert_true(file_writer_commit(&w, &err));
}

static void a_policy_is_read_or_an_error(void **state)
{
    static const char *const bad[] = {"", "{\"required\": true", "{\"required\": 1}", "secret words", "[]"};
    SoraError err = {0};
    bool required;
    assert_true(keys_required(in_dir("no-policy"), &required, &err) && !required);
    write_policy("{\"required\": true}");
    assert_true(keys_required(in_dir("policy"), &required, &err) && required);
    write_policy("{}");
    assert_true(keys_required(in_dir("policy"), &required, &err) && !required);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_policy(bad[i]);
        assert_false(keys_required(in_dir("policy"), &required, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_null(strstr(err.message, "secret"));
        assert_false(required);
    }
    unlink(in_dir("policy/policy.json"));
    assert_int_equal(mkdir(in_dir("policy/policy.json"), 0700), 0);
    assert_false(keys_required(in_dir("policy"), &required, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_keys_are_renewed),
        cmocka_unit_test(bought_ones_are_refused),
        cmocka_unit_test(modes_are_looked_at),
        cmocka_unit_test(a_policy_is_read_or_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
