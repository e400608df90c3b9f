/* What is near in meaning: kinds of things and deeds, in any form, and nothing where nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "text/meanings.h"

static const MeaningTerm KNOWN[] = {
    {"dog", MEANING_NOUN},   {"car", MEANING_NOUN},       {"horse", MEANING_NOUN}, {"bird", MEANING_NOUN},
    {"apple", MEANING_NOUN}, {"house", MEANING_NOUN},     {"red", MEANING_NOUN},   {"polar bear", MEANING_NOUN},
    {"pig", MEANING_NOUN},   {"astronaut", MEANING_NOUN}, {"drum", MEANING_NOUN},  {"runs", MEANING_VERB},
    {"walks", MEANING_VERB}, {"drives", MEANING_VERB},
};
enum { COUNT = sizeof KNOWN / sizeof *KNOWN };

static void kinds_are_near(void **state)
{
    static const char *const CASES[][2] = {
        {"corgi", "dog"},
        {"poodles", "dog"},
        {"limousine", "car"},
        {"taxi", "car"},
        {"ponies", "horse"},
        {"sparrow", "bird"},
        {"cottage", "house"},
        {"crimson", "red"},
        {"sprinted", "runs"},
        {"ran", "runs"},
        {"strolling", "walks"},
        {"boar", "pig"},
        {"grizzly", "polar bear"},
        {"pear", "apple"},
        {"guitar", "drum"},
        {"dog", "dog"},
        /* nothing that can be seen, no kind of any, and people are not all alike */
        {"eats", NULL},
        {"idea", NULL},
        {"justice", NULL},
        {"chien", NULL},
        {"woman", NULL},
        {"", NULL},
        {"the", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        MeaningQuery q = {.word = CASES[i][0]};
        assert_true(meanings_find(&q, 1, KNOWN, COUNT));
        const char *found = q.near >= 0 ? KNOWN[q.near].text : "nothing",
                   *right = CASES[i][1] != NULL ? CASES[i][1] : "nothing";
        if (strcmp(found, right) != 0)
            fail_msg("%s: %s (%.2f), expected %s", CASES[i][0], found, q.nearness, right);
        assert_true(q.near < 0 || (q.nearness > 0 && q.nearness <= 1));
    }
}

static void words_are_told_from_misspelt_ones(void **state)
{
    MeaningQuery q[] = {{.word = "boat"}, {.word = "baot"}, {.word = "mice"}, {.word = "chien"}};
    assert_true(meanings_find(q, 4, KNOWN, COUNT));
    assert_true(q[0].real && !q[1].real && q[2].real && !q[3].real);
}

static void nothing_is_known(void **state)
{
    char word[300];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = 0;
    MeaningQuery q[] = {{.word = "dog"}, {.word = word}};
    assert_true(meanings_find(q, 2, NULL, 0));
    assert_true(q[0].near == -1 && q[1].near == -1 && !q[1].real);
    assert_true(meanings_find(NULL, 0, KNOWN, COUNT));
}

static void japanese_has_english(void **state)
{
    char english[MEANINGS_TERM];
    assert_true(meanings_english("狼", 3, english));
    assert_string_equal(english, "wolf");
    assert_true(meanings_english("シロクマ", 12, english));
    assert_string_equal(english, "polar bear");
    assert_false(meanings_english("狼だ", 6, english));
    assert_false(meanings_english("", 0, english));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_near),
        cmocka_unit_test(words_are_told_from_misspelt_ones),
        cmocka_unit_test(nothing_is_known),
        cmocka_unit_test(japanese_has_english),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
