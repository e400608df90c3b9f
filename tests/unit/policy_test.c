/* The verdict on a text: forms, rules, pairs, files of rules, bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"

static Policy *open_rules(const char *rules)
{
    SoraError err = {0};
    Policy *p = policy_open_memory(rules, rules != NULL ? strlen(rules) : 0, "rules.txt", &err);
    if (p == NULL)
        fail_msg("%s", err.message);
    return p;
}

static void expect(const Policy *p, const char *text, const char *category)
{
    SoraError err = {0};
    PolicyVerdict v;
    if (!policy_check(p, text, strlen(text), NULL, NULL, &v, &err))
        fail_msg("%s: %s", text, err.message);
    const char *got = v.allowed ? "allowed" : v.category;
    if (strcmp(got, category) != 0)
        fail_msg("\"%s\": %s, expected %s", text, got, category);
}

static void test_categories(void **state)
{
    Policy *p = open_rules(NULL);
    static const char *const names[] = {"minors", "sexual", "self-harm", "hate", "violence", "people", "brands"};
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(policy_category(p, i), names[i]);
    assert_null(policy_category(p, 7));
    expect(p, "a nude woman on a sofa", "sexual");
    expect(p, "a nude schoolgirl", "minors");
    expect(p, "a man stabs another man", "violence");
    expect(p, "自殺する男", "self-harm");
    expect(p, "a portrait of Taylor Swift", "people");
    expect(p, "ピカチュウが走る", "brands");
    expect(p, "a nazi salute in front of Taylor Swift", "hate"); /* the earlier category decides */
    expect(p, "a fox runs left across the snow", "allowed");
    policy_close(p);
}

static void test_forms(void **state)
{
    Policy *p = open_rules(NULL);
    static const char *const hidden[] = {
        "a N U D E woman",      "a n.u.d.e woman",      "a nuuuude woman", "a n\xd1\x83""de woman nak3d", "a nu\xe2\x80\x8b""de woman",
        "a \xef\xbd\x8e\xef\xbd\x95\xef\xbd\x84\xef\xbd\x85 woman", "a n\xc3\xbc""d\xc3\xa9 woman",   "a nud\xd0\xb5 woman",
        "a na.ked woman",       "a n4ked woman",        "a N\xc2\xad""ude woman",
        "\xf0\x9d\x93\x83\xf0\x9d\x93\x8a\xf0\x9d\x92\xb9\xf0\x9d\x91\x92 woman", /* mathematical script */
        "\xef\xbe\x87\xef\xbd\xb0\xef\xbe\x84\xef\xbe\x9e",   /* half-width katakana */
        "a woman with b0000bs", /* as two letters */
        "a 5tr1pper",           "a b1ow job",           /* 1 as i, and as l */
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        expect(p, hidden[i], "sexual");
    policy_close(p);
}

static void test_innocent(void **state)
{
    Policy *p = open_rules(NULL);
    static const char *const innocent[] = {
        "a killer whale and a boy", "a shooting star over a crowd", "two bloody mary cocktails", "the dead sea", "a nude lipstick",
        "カップヌードルを食べる", "献血をする女性", "a man cuts the cake", "an elephant with grapes", "a classic bass", "a cocktail",
        "apple pie on a table", "an Apple", "the shell on the beach", "Scunthorpe",
    };
    for (size_t i = 0; i < sizeof innocent / sizeof *innocent; i++)
        expect(p, innocent[i], "allowed");
    expect(p, "a killer whale kills a man", "violence"); /* what is outside the phrase counts */
    policy_close(p);
}

static void test_capitals_and_context(void **state)
{
    Policy *p = open_rules(NULL);
    expect(p, "a photo of Drake on a stage", "people");
    expect(p, "a drake on a pond", "allowed");
    expect(p, "Drake on a pond", "allowed"); /* every sentence begins so */
    expect(p, "A DRAKE ON A POND", "allowed");
    expect(p, "an apple logo on a wall", "brands");
    expect(p, "an apple on a wall", "allowed");
    policy_close(p);
}

static void test_rules(void **state)
{
    Policy *plain = open_rules(NULL);
    Policy *p = open_rules("# ours\r\n"
                           "category weapons No weapons here.\n"
                           "weapons word rifle\n"
                           "weapons stem explos\n"
                           "group fire\ngroup house\nfire word burns\nhouse exact barn\npair weapons fire house\n"
                           "off brands\n"
                           "remove taylor swift\n"
                           "innocent word toy rifle");
    expect(p, "two rifles", "weapons");
    expect(p, "an explosive barrel", "weapons");
    expect(p, "the barn burns", "weapons");
    expect(p, "a toy rifle", "allowed");
    expect(p, "Pikachu runs", "allowed");
    expect(p, "Taylor Swift sings", "allowed");
    expect(p, "a nude woman", "sexual");
    assert_string_not_equal(policy_version(p), policy_version(plain));
    SoraError err = {0};
    PolicyVerdict v;
    assert_true(policy_check(p, "the barn burns", 14, NULL, NULL, &v, &err));
    assert_string_equal(v.sentence, "No weapons here.");
    assert_string_equal(v.part, "pair");
    assert_string_equal(v.place, "rules.txt:7");
    assert_string_equal(v.second_place, "rules.txt:8");
    policy_close(p);
    policy_close(plain);
}

static void test_wrong_rules(void **state)
{
    static const struct {
        const char *rules, *message;
    } cases[] = {
        {"\nnosuch word x", "rules.txt:2: there is no category or group \"nosuch\""},
        {"sexual sometimes x", "rules.txt:1: \"sometimes\" is no rule; word, exact, stem, part and capital are"},
        {"sexual word", "rules.txt:1: the phrase \"\" has no letters"},
        {"sexual word ---", "rules.txt:1: the phrase \"---\" has no letters"},
        {"sexual", "rules.txt:1: \"\" is no rule"},
        {"off", "rules.txt:1: there is no category \"\""},
        {"off child", "rules.txt:1: there is no category \"child\""},
        {"pair sexual child nude", "rules.txt:1: there is no group \"nude\""},
        {"category weapons", "rules.txt:1: category weapons needs a sentence"},
        {"category sexual Again.", "rules.txt:1: there is a list \"sexual\" already"},
        {"group Pair", "rules.txt:1: \"Pair\" cannot be a name"},
        {"group pair", "rules.txt:1: \"pair\" cannot be a name"},
        {"remove wombat", "rules.txt:1: there is no phrase \"wombat\" to remove"},
        {"version", "rules.txt:1: a version is a word"},
        {"# fine\nsexual word \xff", "rules.txt:2: byte 13 (0xff) of line 2 is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SoraError err = {0};
        Policy *p = policy_open_memory(cases[i].rules, strlen(cases[i].rules), "rules.txt", &err);
        assert_null(p);
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("\"%s\", expected \"%s\"", err.message, cases[i].message);
    }
    SoraError err = {0};
    assert_null(policy_open("no-such-rules.txt", &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_null(policy_open_memory("sexual word a\0b", 15, "rules.txt", &err));
    assert_non_null(strstr(err.message, "0 byte"));
}

static void test_texts(void **state)
{
    Policy *p = open_rules(NULL);
    SoraError err = {0};
    PolicyVerdict v;
    expect(p, "", "allowed");
    expect(p, "🍆🍑🔥", "allowed");
    expect(p, "犬 fox лиса 🦊 ثعلب", "allowed");
    assert_false(policy_check(p, "a\xff", 2, NULL, NULL, &v, &err));
    assert_string_equal(err.message, "byte 2 (0xff) of the text is not UTF-8");
    size_t n = 32000;
    char *text = malloc(POLICY_MAX_TEXT + 1);
    assert_non_null(text);
    memset(text, 'a', POLICY_MAX_TEXT + 1);
    memcpy(text + n - 5, " nude", 5);
    assert_true(policy_check(p, text, n, NULL, NULL, &v, &err));
    assert_false(v.allowed);
    assert_true(policy_check(p, text, n - 6, NULL, NULL, &v, &err));
    assert_true(v.allowed);
    for (size_t i = 0; i + 5 <= n; i += 5)
        memcpy(text + i, "stab ", 5);
    assert_true(policy_check(p, text, n, NULL, NULL, &v, &err)); /* thousands of halves of pairs */
    assert_false(policy_check(p, text, POLICY_MAX_TEXT + 1, NULL, NULL, &v, &err));
    assert_string_equal(err.message, "the text has 1048577 bytes, at most 1048576 are accepted");
    free(text);
    policy_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_categories), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_innocent),   cmocka_unit_test(test_capitals_and_context),
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_wrong_rules),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
