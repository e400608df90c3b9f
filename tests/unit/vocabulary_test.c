/* Words that a model does not know: English by forms, Japanese by runs, and what is near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/vocabulary.h"

static const char WORDS[] =
    "{\"format\": 1, \"nouns\": [{\"en\": [\"dog\", \"dogs\", \"puppy\"], \"ja\": [\"犬\", \"ワンちゃん\"]}, "
    "{\"en\": [\"soccer ball\"], \"ja\": [\"サッカーボール\"]}, {\"en\": [\"t-shirt\"], \"ja\": [\"Tシャツ\"]}, "
    "{\"en\": [\"apple\"], \"ja\": [\"りんご\"]}],"
    " \"actions\": [{\"en\": [\"walks\", \"walk\", \"runs\"], \"ja\": [\"歩く\", \"走っている\"]}],"
    " \"places\": [{\"en\": [\"living room\"], \"ja\": [\"森の中\", \"街の通り\"]}],"
    " \"counts\": [{\"en\": [\"three\", \"3\"], \"ja\": [\"三匹\"]}]}";

static Vocabulary *open_words(const char *text)
{
    SoraError err = {0};
    Vocabulary *v = vocabulary_open_memory(text, strlen(text), "words.json", &err);
    if (v == NULL)
        fail_msg("%s", err.message);
    return v;
}

/* Unknown words with "(near)" behind them, spaces between. */
static const char *unknown(const Vocabulary *v, const char *text)
{
    static char out[1024];
    UnknownWord words[8];
    int n = vocabulary_unknown(v, text, words, 8);
    out[0] = 0;
    for (int i = 0; i < n && i < 8; i++) {
        size_t used = strlen(out);
        snprintf(out + used, sizeof out - used, "%s%s%s%s%s", i ? " " : "", words[i].word, words[i].near ? "(" : "",
                 words[i].near ? words[i].near : "", words[i].near ? ")" : "");
    }
    return out;
}

static void words_are_found(void **state)
{
    static const char *const CASES[][2] = {
        {"The dog walks across a LIVING room.", ""},
        {"three dogs' walk, and the puppy's t-shirt", ""},
        {"a cat playing piano", "cat(dog) playing piano"},
        {"un chien court; un chien", "un chien court"},
        {"the dog walked", "walked(walk)"},
        {"puppies with a soccer bakl", "puppies(puppy) bakl(ball)"},
        {"3 dogs, 7 dogs", "7"},
        {"собака бежит", "собака бежит"},
        {"a corgi, wolves and a pear", "corgi(dog) wolves(dog) pear(apple)"},
        {"a boar sprints", "boar sprints(walks)"}, /* no boat, and nothing else that is near */
        {"狼", "狼(犬)"},
        {"a", ""},
        {"", ""},
        {"犬が森の中を歩く", ""},
        {"三匹の犬が走っていく。", ""}, /* another form of the verb */
        {"猫がピアノを弾く", "猫(犬) ピアノ 弾"},
        {"サッカーボールとテニスボール", "テニスボール"},
        {"TシャツとAシャツの犬", "シャツ"},
        {"りんごとみかん", ""}, /* hiragana alone is not judged */
    };
    Vocabulary *v = open_words(WORDS);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (strcmp(unknown(v, CASES[i][0]), CASES[i][1]) != 0)
            fail_msg("\"%s\": \"%s\", expected \"%s\"", CASES[i][0], unknown(v, CASES[i][0]), CASES[i][1]);
    assert_int_equal(vocabulary_noun_count(v), 4);
    assert_string_equal(vocabulary_noun(v, 1), "soccer ball");
    assert_null(vocabulary_noun(v, 4));
    UnknownWord one;
    assert_int_equal(vocabulary_unknown(v, "cat piano tree piano", &one, 1), 4); /* what does not fit cannot be told apart */
    vocabulary_close(v);
}

static void long_words_are_cut(void **state)
{
    char text[400];
    UnknownWord words[2];
    Vocabulary *v = open_words(WORDS);
    memset(text, 'x', 300);
    text[300] = 0;
    assert_int_equal(vocabulary_unknown(v, text, words, 2), 1);
    assert_true(strlen(words[0].word) == 63);
    for (int i = 0; i < 99; i++)
        memcpy(text + 3 * i, "漢", 4);
    assert_int_equal(vocabulary_unknown(v, text, words, 2), 1);
    assert_true(strlen(words[0].word) == 63); /* 21 whole ones */
    vocabulary_close(v);
}

static void bad_files_are_refused(void **state)
{
    static const char *const CASES[][2] = {
        {"", "words.json:"},
        {"[1]", "words.json: no JSON object"},
        {"{\"format\": 2}", "words.json: \"format\" is not 1"},
        {"{\"format\": 1, \"nouns\": [", "words.json:"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        assert_null(vocabulary_open_memory(CASES[i][0], strlen(CASES[i][0]), "words.json", &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_non_null(strstr(err.message, CASES[i][1]));
    }
    /* What has other types is left out. */
    Vocabulary *v = open_words("{\"format\": 1, \"nouns\": 3, \"x\": [1, {\"en\": [1, \"dog\"], \"ja\": \"a\"}]}");
    assert_string_equal(unknown(v, "dog cat"), "cat");
    vocabulary_close(v);
}

/* Every prompt of nano's own sheet is made of words that it knows. */
static void nano_knows_its_prompts(void **state)
{
    SoraError err = {0};
    Vocabulary *v = vocabulary_open("models/nano/words.json", &err);
    if (v == NULL)
        fail_msg("%s", err.message);
    FILE *f = fopen("models/nano/prompts.tsv", "r");
    char line[512];
    int prompts = 0;
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f)); /* the names of the columns */
    while (fgets(line, sizeof line, f) != NULL) {
        char *prompt = strchr(strchr(line, '\t') + 1, '\t') + 1;
        prompt[strcspn(prompt, "\t\n")] = 0;
        if (*unknown(v, prompt) != 0)
            fail_msg("\"%s\": %s", prompt, unknown(v, prompt));
        prompts++;
    }
    fclose(f);
    assert_int_equal(prompts, 24);
    assert_string_equal(unknown(v, "a dragon plays poker"), "dragon plays poker");
    vocabulary_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(nano_knows_its_prompts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
