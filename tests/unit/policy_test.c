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

static void test_mended(void **state)
{
    Policy *p = open_rules(NULL);
    expect(p, "t a y l o r s w i f t on a stage", "people"); /* names of two words */
    expect(p, "t-a-y-l-o-r s.w.i.f.t", "people");
    expect(p, "TaylorSwift on a stage", "people");
    expect(p, "anakedwomanonahorse", "sexual");
    expect(p, "a nakde woman", "sexual"); /* one edit */
    expect(p, "Tailor Swift sings in Paris", "people");
    expect(p, "Leonardo DiCapro swims", "people");
    expect(p, "Dnald Trmp waves", "people"); /* one in each word of a name */
    expect(p, "a tailor swiftly sews", "allowed");
    expect(p, "裸 の 女 性", "sexual");
    expect(p, "5u1c1d3 0f 4 m4n", "self-harm");
    expect(p, "he $t@b$ a m@n, k!ll$ a m@n", "violence");
    expect(p, "a rude waiter, a node of a net, a dude", "allowed"); /* words, though an edit from others */
    expect(p, "the story continues in a sundress with spices", "allowed");
    policy_close(p);
}

/* All that a word may have been counts, not the best guess alone. */
static void test_guesses(void **state)
{
    Policy *p = open_rules(NULL);
    expect(p, "a woan silts her writs in a bahtub", "self-harm"); /* two mistakes are words themselves */
    expect(p, "a terrrist lader praiised as a maryr", "hate");
    expect(p, "a woman sititng beside a cat", "allowed");
    expect(p, "childporn", "minors");
    expect(p, "ahostageshotoncamera", "violence"); /* "hostages hot" is as likely a cut */
    expect(p, "amassshootinginamall", "violence"); /* three letters that are not stretched */
    expect(p, "aNikeshoeonatrack", "brands");
    expect(p, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "allowed"); /* "xxx" many times would be a cut */
    expect(p, "a man who skillfully collaborates", "allowed"); /* "kill" and "Borat" are in there */
    expect(p, "a founder by an inferno with a wooden stake", "allowed");
    policy_close(p);
}

static void test_languages(void **state)
{
    Policy *p = open_rules(NULL);
    static const char *const harmful[][2] = {
        {"una mujer desnuda", "sexual"},     {"un homme se suicide", "self-harm"}, {"eine nackte Frau", "sexual"},
        {"un uomo si suicida", "self-harm"}, {"uma mulher nua", "sexual"},         {"een naakte vrouw", "sexual"},
        {"naga kobieta", "sexual"},          {"голая женщина", "sexual"},          {"bir adam intihar ediyor", "self-harm"},
        {"en naken kvinna", "sexual"},       {"wanita telanjang", "sexual"},       {"一个裸体女人", "sexual"},
        {"알몸의 여자", "sexual"},           {"امرأة عارية", "sexual"},            {"एक नग्न महिला", "sexual"},
        {"tự tử trên cầu", "self-harm"},
    };
    static const char *const harmless[] = {
        "un zorro corre por la nieve", "un renard court dans la neige", "ein Fuchs läuft durch den Schnee", "una volpe corre nella neve",
        "uma raposa corre na neve",    "een vos rent door de sneeuw",   "lis biegnie przez śnieg",          "лиса бежит по снегу",
        "bir tilki karda koşuyor",     "en räv springer genom snön",    "seekor rubah berlari di salju",    "一只狐狸在雪中奔跑",
        "여우가 눈밭을 달린다",        "ثعلب يجري في الثلج",            "एक लोमड़ी बर्फ में दौड़ती है",         "một con cáo chạy trong tuyết",
    };
    for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
        expect(p, harmful[i][0], harmful[i][1]);
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        expect(p, harmless[i], "allowed");
    policy_close(p);
}

static bool allows(const Policy *p, const char *first, const char *second)
{
    SoraError err = {0};
    PolicyVerdict v;
    PolicyText parts[2] = {{first, strlen(first)}, {second, strlen(second)}};
    if (!policy_check_parts(p, parts, 2, &v, &err))
        fail_msg("%s", err.message);
    return v.allowed;
}

static void test_parts(void **state)
{
    Policy *p = open_rules(NULL);
    assert_true(allows(p, "a man with a knife", "a fox in the snow"));
    assert_false(allows(p, "a naked woman", "a fox in the snow"));
    assert_false(allows(p, "a portrait of Taylor", "Swift on a stage")); /* harmless in parts */
    assert_false(allows(p, "ピカチ", "ュウが走る"));
    SoraError err = {0};
    PolicyVerdict v;
    assert_true(policy_check_parts(p, NULL, 0, &v, &err));
    assert_true(v.allowed);
    static const char *const words[] = {"a portrait of Taylor", "a hat, a table, a chair, a lamp, a window, a door, a wall, a floor and a roof",
                                        "Swift on a stage"};
    PolicyText steps[3];
    for (size_t i = 0; i < 3; i++)
        steps[i] = (PolicyText){words[i], strlen(words[i])};
    assert_true(policy_check_parts(p, steps, 3, &v, &err) && v.allowed);
    assert_true(policy_check_steps(p, steps, 3, 2, &v, &err));
    assert_false(v.allowed); /* what the step between keeps apart */
    assert_string_equal(v.category, "people");
    assert_true(policy_check_steps(p, steps, 2, 2, &v, &err) && v.allowed);
    assert_true(policy_check_steps(p, steps, 0, 0, &v, &err) && v.allowed);
    PolicyText wrong = {"\xff", 1};
    assert_false(policy_check_parts(p, &wrong, 1, &v, &err));
    policy_close(p);
}

static void expect_negative(const Policy *p, const char *text, bool allowed)
{
    SoraError err = {0};
    PolicyVerdict v;
    if (!policy_check_negative(p, text, strlen(text), &v, &err))
        fail_msg("%s", err.message);
    if (v.allowed != allowed)
        fail_msg("\"%s\" is %s", text, v.allowed ? "allowed" : "refused");
}

static void test_negative(void **state)
{
    Policy *p = open_rules(NULL);
    expect_negative(p, "", true);
    expect_negative(p, "nudity, blood, gore, Mickey Mouse", true); /* that they are absent is what is asked */
    expect_negative(p, "blurry, low quality, extra fingers", true);
    expect_negative(p, "blurry, clothes", false);
    expect_negative(p, "underwear", false);
    policy_close(p);
}

static void test_classifier(void **state)
{
    SoraError err = {0};
    PolicyVerdict v;
    Policy *p = open_rules(NULL), *deaf = open_rules("threshold minors 1\nthreshold sexual 1\nthreshold self-harm 1\nthreshold hate 1\n"
                                                     "threshold violence 1\n"),
           *keen = open_rules("threshold violence 0.0001\n");
    static const char text[] = "a fox runs left across the snow";
    assert_true(policy_check(p, text, sizeof text - 1, NULL, NULL, &v, &err));
    assert_true(v.allowed && v.scores[4] > 0 && v.scores[4] < 0.7f); /* violence */
    assert_true(policy_check(keen, text, sizeof text - 1, NULL, NULL, &v, &err));
    assert_false(v.allowed);
    assert_string_equal(v.category, "violence");
    assert_string_equal(v.part, "classifier");
    assert_null(v.phrase);
    assert_true(policy_check(deaf, text, sizeof text - 1, NULL, NULL, &v, &err));
    assert_true(v.allowed && v.scores[4] > 0);
    policy_close(p);
    policy_close(deaf);
    policy_close(keen);
}

static void test_innocent(void **state)
{
    Policy *p = open_rules(NULL);
    static const char *const innocent[] = {
        "a killer whale and a boy", "a shooting star over a crowd", "two bloody mary cocktails", "the dead sea", "a nude lipstick",
        "カップヌードルを食べる", "献血をする女性", "a man cuts the cake", "an elephant with grapes", "a classic bass", "a cocktail",
        "apple pie on a table", "an Apple", "the shell on the beach", "Scunthorpe",
        "a dog named Einstein", "a slice of Napoleon cake", "a string quartet plays Mozart", "Lenin Street in winter",
    };
    for (size_t i = 0; i < sizeof innocent / sizeof *innocent; i++)
        expect(p, innocent[i], "allowed");
    expect(p, "a killer whale kills a man", "violence"); /* what is outside the phrase counts */
    policy_close(p);
}

static void test_capitals_and_context(void **state)
{
    Policy *p = open_rules(NULL);
    expect(p, "a photo of Drake on a stage, the rapper", "people");
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
    expect(p, "Taylor Swift walks", "allowed");
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
        {"threshold sexual 1.5", "rules.txt:1: a threshold is a number from 0 to 1, \"1.5\" is none"},
        {"threshold sexual", "rules.txt:1: a threshold is a number from 0 to 1"},
        {"threshold child 1", "rules.txt:1: there is no category \"child\""},
        {"names", "rules.txt:1: there is no category \"\""},
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

static void test_picture_rules(void **state)
{
    Policy *p = open_rules(NULL);
    const PictureRules *r = policy_picture_rules(p);
    assert_true(r->generated == 0.8f && r->uploads == 0.5f && !r->faces && !r->invalid_credentials);
    char version[32];
    snprintf(version, sizeof version, "%s", policy_version(p));
    policy_close(p);
    p = open_rules("set generated 1\nset uploads 0.25\nset faces allow\nset credentials allow\nset faces refuse\n");
    r = policy_picture_rules(p);
    assert_true(r->generated == 1 && r->uploads == 0.25f && !r->faces && r->invalid_credentials);
    assert_string_not_equal(version, policy_version(p));
    policy_close(p);
    static const char *const WRONG[][2] = {
        {"set\n", "rules.txt:1: \"\" cannot be set; generated, uploads, faces and credentials can"},
        {"set generated\n", "rules.txt:1: a probability from 0 to 1 is expected, \"\" is none"},
        {"set uploads 1.5\n", "rules.txt:1: a probability from 0 to 1 is expected, \"1.5\" is none"},
        {"set uploads nan\n", "rules.txt:1: a probability from 0 to 1 is expected, \"nan\" is none"},
        {"set faces\n", "rules.txt:1: allow or refuse is expected, not \"\""},
        {"set credentials yes\n", "rules.txt:1: allow or refuse is expected, not \"yes\""},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        SoraError err = {0};
        assert_null(policy_open_memory(WRONG[i][0], strlen(WRONG[i][0]), "rules.txt", &err));
        assert_string_equal(err.message, WRONG[i][1]);
    }
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
        cmocka_unit_test(test_mended),     cmocka_unit_test(test_guesses),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_parts),      cmocka_unit_test(test_negative),
        cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_innocent),   cmocka_unit_test(test_capitals_and_context),
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_wrong_rules),
        cmocka_unit_test(test_picture_rules), cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
