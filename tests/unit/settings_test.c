/* Training configurations: every key that is not known is an error, at every depth, and so is a value of another type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/json_file.h"
#include "base/nearest.h"
#include "temp_dir.h"
#include "train/settings.h"

static const struct Shipped {
    const char *path;
    TrainerKind trainer;
} SHIPPED[] = {
    {"models/nano/train/codec.json", TRAINER_AUTOENCODER},
    {"models/nano/train/nano.json", TRAINER_TRANSFORMER},
    {"models/nano/train/text.json", TRAINER_TEXT},
};

enum { SHIPPED_COUNT = sizeof SHIPPED / sizeof SHIPPED[0] };

static void shipped_configurations_are_accepted(void **state)
{
    for (int i = 0; i < SHIPPED_COUNT; i++) {
        TrainSettings s;
        SoraError err = {0};
        if (!settings_load(&s, SHIPPED[i].path, SHIPPED[i].trainer, &err))
            fail_msg("%s", err.message);
        settings_deinit(&s);
    }
}

/* Puts a misspelt key into one object after the other, at every depth; returns how many there were. */
static int misspell(json_t *root, json_t *at, const char *path, TrainerKind trainer)
{
    if (strcmp(path, "data.nouns.") == 0)
        return 0;
    int objects = json_is_object(at);
    SoraError err = {0};
    if (objects) {
        char expected[256];
        json_object_set_new(at, "sede", json_integer(1));
        assert_false(train_keys_check(root, trainer, &err));
        snprintf(expected, sizeof expected, "unknown key \"%ssede\"; the nearest is \"", path);
        if (strstr(err.message, expected) == NULL)
            fail_msg("%s\nexpected %s", err.message, expected);
        json_object_del(at, "sede");
        json_object_set_new(at, "_sede", json_integer(1)); /* a note */
        assert_true(train_keys_check(root, trainer, &err));
        json_object_del(at, "_sede");
    }
    const char *key;
    json_t *value;
    size_t index;
    char inner[128];
    json_object_foreach(at, key, value) {
        snprintf(inner, sizeof inner, "%s%s%s", path, key, json_is_array(value) ? "[]." : ".");
        objects += misspell(root, value, inner, trainer);
    }
    json_array_foreach(at, index, value)
        objects += misspell(root, value, path, trainer);
    return objects;
}

static void unknown_keys_are_errors_at_every_depth(void **state)
{
    for (int i = 0; i < SHIPPED_COUNT; i++) {
        SoraError err = {0};
        json_t *root = json_file_read(SHIPPED[i].path, &err);
        assert_non_null(root);
        int objects = misspell(root, root, "", SHIPPED[i].trainer);
        assert_true(objects >= (SHIPPED[i].trainer == TRAINER_TRANSFORMER ? 10 : 4));
        json_decref(root);
    }
}

static bool load_text(const char *text, TrainerKind trainer, SoraError *err)
{
    char path[256];
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    TrainSettings s;
    bool ok = settings_load(&s, path, trainer, err);
    if (ok)
        settings_deinit(&s);
    return ok;
}

static void errors_name_what_was_meant(void **state)
{
    static const struct Wrong {
        TrainerKind trainer;
        const char *text, *message;
    } WRONG[] = {
        {TRAINER_TEXT, "{", ":1:"},
        {TRAINER_TEXT, "{\"seed\": \"x\"}", "\"seed\" is not a number"},
        {TRAINER_TEXT, "{\"seed\": -1}", "\"seed\" is -1"},
        {TRAINER_TEXT, "{\"optimizer\": {\"steps\": 1.5}}", "\"steps\" is 1.5"},
        {TRAINER_TEXT, "{\"data\": {\"nouns\": []}}", "\"nouns\" names none"},
        {TRAINER_TEXT, "{\"seed\": 1, \"seed\": 2}", "duplicate"},
        {TRAINER_TEXT, "{\"sede\": 3}", "unknown key \"sede\"; the nearest is \"seed\""},
        {TRAINER_TEXT, "{\"optimizer\": {\"leraning_rate\": 1}}", "unknown key \"optimizer.leraning_rate\"; the nearest is \"learning_rate\""},
        {TRAINER_TEXT, "{\"crop\": 64}", "unknown key \"crop\"; the nearest is \""}, /* the autoencoder's */
        {TRAINER_AUTOENCODER, "{\"given\": {}}", "unknown key \"given\""},           /* the transformer's */
        {TRAINER_TEXT, "{\"optimizer\": 3}", "\"optimizer\" is not an object"},
        {TRAINER_TRANSFORMER, "{\"buckets\": {}}", "\"buckets\" is not a list"},
        {TRAINER_TRANSFORMER, "{\"buckets\": [{\"size\": \"64x64\"}, 3]}", "\"buckets\": entry 2 is not an object"},
        {TRAINER_TRANSFORMER, "{\"init\": 3}", "\"init\" is not an object or a folder's name"},
        {TRAINER_TEXT, "{\"data\": {\"folder\": 3}}", "\"folder\" is not a text"},
        {TRAINER_TEXT, "{\"data\": {\"folder\": \"clips\", \"nouns\": [\"dog\"]}}", "\"nouns\" is of Emoji Stage"},
        {TRAINER_TEXT, "{\"data\": {\"nouns\": \"dog\"}}", "\"nouns\" is neither a list nor an object"},
        {TRAINER_TEXT, "{\"data\": {\"nouns\": [\"dog\", 3]}}", "\"nouns\" has an entry that is not a text"},
        {TRAINER_TEXT, "{\"data\": {\"nouns\": {\"dog\": 1.5}}}", "weight of \"dog\""},
        {TRAINER_TEXT, "{\"data\": {\"nouns\": {\"dog\": 1024, \"cat\": 1}}}", "more than 1024"},
        {TRAINER_TEXT, "{\"data\": {\"nouns\": {}}}", "\"nouns\" names none"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        SoraError err = {0};
        assert_false(load_text(WRONG[i].text, WRONG[i].trainer, &err));
        if (strstr(err.message, WRONG[i].message) == NULL || strstr(err.message, "config.json:") == NULL)
            fail_msg("%s\nexpected %s", err.message, WRONG[i].message);
    }
    SoraError err = {0};
    assert_true(load_text("{\"crop\": 64, \"given\": {\"region\": 0}, \"text_len\": 3}", TRAINER_ANY, &err));
    assert_false(load_text("{\"crop\": 64, \"given\": {\"reigon\": 0}}", TRAINER_ANY, &err));
    assert_true(load_text("{\"data\": {\"nouns\": {\"dog\": 1024, \"cat\": 0}}}", TRAINER_TEXT, &err));
}

static void flags_are_true_or_false(void **state)
{
    SoraError err = {0};
    json_t *o = json_pack("{s:b, s:i}", "on", 1, "number", 1);
    bool flag;
    assert_true(settings_flag(o, "on", false, &flag, &err) && flag);
    assert_true(settings_flag(o, "off", false, &flag, &err) && !flag);
    assert_true(settings_flag(o, "off", true, &flag, &err) && flag);
    assert_false(settings_flag(o, "number", true, &flag, &err));
    assert_string_equal(err.message, "\"number\" is neither true nor false");
    json_decref(o);
}

static void expect_nearest(const char *word, const char *words, const char *expected)
{
    size_t length = 0;
    const char *found = word_nearest(word, words, &length);
    assert_non_null(found);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(found, expected, length);
}

static void nearest_words(void **state)
{
    const char *words = "seed steps size a_much_longer_word";
    expect_nearest("sede", words, "seed");
    expect_nearest("step", words, "steps");
    expect_nearest("sizes", words, "size");
    expect_nearest("", words, "seed"); /* four letters; the first of two */
    expect_nearest("a_much_longerword_", words, "a_much_longer_word");
    char *long_word = calloc(5000, 1);
    memset(long_word, 'x', 4999);
    expect_nearest(long_word, words, "seed"); /* all are 63 edits away */
    free(long_word);
    size_t length;
    assert_null(word_nearest("seed", "", &length));
    assert_true(word_listed("size", words) && word_listed("seed", words) && word_listed("a_much_longer_word", words));
    assert_false(word_listed("see", words) || word_listed("seeds", words) || word_listed("", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_configurations_are_accepted), cmocka_unit_test(unknown_keys_are_errors_at_every_depth),
        cmocka_unit_test(errors_name_what_was_meant),          cmocka_unit_test(flags_are_true_or_false),
        cmocka_unit_test(nearest_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
