#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linear_time.h"
#include "text/clean.h"
#include "text/entities.h"
#include "text/tables.h"

static void expect(const char *raw, const char *cleaned)
{
    SoraError err = {0};
    size_t n;
    char *text = clean_prompt(raw, strlen(raw), &n, &err);
    if (text == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(text, cleaned);
    assert_int_equal(n, strlen(cleaned));
    free(text);
}

/* Expectations here and below are what ftfy 6.3.1 and html.unescape of Python 3.11 give. */
static void plain_prompts_stay(void **state)
{
    expect("a fox runs left across the snow", "a fox runs left across the snow");
    expect("", "");
    expect("caf\u00e9, \u4f60\u597d \u3053\u3093\u306b\u3061\u306f \U0001f600", "caf\u00e9, \u4f60\u597d \u3053\u3093\u306b\u3061\u306f \U0001f600");
    expect("\u00abguillemets\u00bb \u2013 \u2014 \u2026", "\u00abguillemets\u00bb \u2013 \u2014 \u2026");
}

static void white_space_collapses(void **state)
{
    expect(" \t a \r\n\n b\u3000\u00a0c\u2028 \f", "a b c");
    expect("\n", "");
}

static void characters_are_made_standard(void **state)
{
    expect("\u201ccurly\u201d \u2018quotes\u2019", "\"curly\" 'quotes'");
    expect("\uff26\uff35\uff2c\uff2c \uff76\uff9e", "FULL \u30ac");
    expect("\ufb01ne \ufb03 \u01c6 \u0149", "fine ffi d\u017e 'n");
    expect("Cafe\u0301 \u1112\u1161\u11ab", "Caf\u00e9 \ud55c");
    expect("a\u0327\u0301 a\u0301\u0327", "\u00e1\u0327 \u00e1\u0327"); /* canonical order */
    expect("\x1b[1;31mred\x1b[0m \x1b[", "red [");
    expect("a\x01\x7f\ufeff\ufffc\u206a" "b", "ab");
}

static void mojibake_is_repaired(void **state)
{
    expect("sch\u00c3\u00b6n", "sch\u00f6n");
    expect("don\u00e2\u20ac\u2122t", "don't");
    expect("voil\u00c3 le travail", "voil\u00e0 le travail");
    expect("\u00f0\u0178\u02dc\u20ac", "\U0001f600");
    expect("\u0420\u0457\u0421\u0402\u0420\u0451\u0420\u0406\u0420\u00b5\u0421\u201a", "\u043f\u0440\u0438\u0432\u0435\u0442");
    expect("\u00c3\u0192\u00c2\u00a9t\u00c3\u0192\u00c2\u00a9", "\u00e9t\u00e9"); /* twice */
    expect("\u00e2\u20ac\u0153 like this \u00e2\u20ac\ufffd", "\" like this \ufffd");
    expect("\u4f60\u597d sch\u00c3\u00b6n", "\u4f60\u597d sch\u00f6n"); /* a part of the text */
    expect("a\xc2\x85" "b", "a\u2026" "b");
    expect("\u00c3\u201cscar", "\u00d3scar");
    expect("\u00c5 i \u00e5a \u00e4 e \u00f6", "\u00c5 i \u00e5a \u00e4 e \u00f6"); /* not mojibake */
}

static void html_references_are_decoded(void **state)
{
    expect("&lt;b&gt; &amp;amp;amp;lt; &#39;&#x1F600;", "<b> < '\U0001f600");
    expect("P&EACUTE;REZ BUNDESSTRA&SZLIG;E", "P\u00c9REZ BUNDESSTRASSE");
    expect("&copy 2024 &notit; &hearts", "\u00a9 2024 \u00acit; &hearts");
    expect("&#128;&#0;&#xd800;&#x110000;&#1;&#59;&#99999999999999999999;", "\u20ac\ufffd\ufffd\ufffd;\ufffd");
    expect("& && &; &# &#x &#xg; &nosuchname;", "& && &; &# &#x &#xg; &nosuchname;");
    expect("&NotEqualTilde;&CounterClockwiseContourIntegral;", "\u2242\u0338\u2233");
    expect("<i>&EACUTE;</i>\n&EACUTE;", "<i>&EACUTE;</i> &EACUTE;"); /* left alone after a < */
}

static void every_entity_is_found(void **state)
{
    assert_int_equal(HTML_ENTITY_COUNT, 2125);
    for (int i = 0; i < HTML_ENTITY_COUNT; i++) {
        const HtmlEntity *e = &HTML_ENTITIES[i];
        char text[64];
        Runes in = {0}, out = {0};
        snprintf(text, sizeof text, "&%s;", e->name);
        runes_append_utf8(&in, text, strlen(text));
        entities_decode(&in, &out);
        assert_int_equal(out.count, e->second != 0 ? 2 : 1);
        assert_int_equal(out.at[0], e->first);
        runes_deinit(&in);
        runes_deinit(&out);
    }
}

static void expect_error(const char *raw, size_t n, const char *message)
{
    SoraError err = {0};
    assert_null(clean_prompt(raw, n, NULL, &err));
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, SORA_ERROR_INPUT);
}

static void what_is_no_text_is_refused(void **state)
{
    expect_error("fox \xff", 5, "byte 5 (0xff) of the prompt is not UTF-8");
    expect_error("fox \xe2\x80", 6, "byte 5 (0xe2) of the prompt is not UTF-8");
    expect_error("\xed\xa0\x80", 3, "byte 1 (0xed) of the prompt is not UTF-8");
    char *big = malloc(CLEAN_MAX_TEXT + 1);
    memset(big, 'a', CLEAN_MAX_TEXT + 1);
    expect_error(big, CLEAN_MAX_TEXT + 1, "the prompt has 1048577 bytes, at most 1048576 are accepted");
    free(big);
    SoraError err = {0};
    size_t n;
    char *text = clean_prompt("a\0b\0", 4, &n, &err);
    assert_string_equal(text, "ab");
    assert_int_equal(n, 2);
    free(text);
}

/* size bytes of text that repeats a unit. */
static void clean_repeated(const void *arg, size_t size)
{
    const char *unit = arg;
    size_t n = strlen(unit), count = size / n;
    char *text = malloc(4 + n * count);
    memcpy(text, "\u00e9 &", 4);
    for (size_t i = 0; i < count; i++)
        memcpy(text + 4 + n * i, unit, n);
    SoraError err = {0};
    char *cleaned = clean_prompt(text, 4 + n * count, NULL, &err);
    assert_non_null(cleaned);
    free(cleaned);
    free(text);
}

/* Text that is costly to clean: nested references, rows of marks, mojibake throughout. */
static void hostile_text_takes_linear_time(void **state)
{
    static const char *const UNITS[] = {"amp;", "\u0301\u0327", "\u00c3\u00a9 \u8272", "\x1b[1", "&#", "&x"};
    for (size_t k = 0; k < sizeof UNITS / sizeof *UNITS; k++)
        assert_true(takes_linear_time(clean_repeated, UNITS[k], 50000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_prompts_stay),
        cmocka_unit_test(white_space_collapses),
        cmocka_unit_test(characters_are_made_standard),
        cmocka_unit_test(mojibake_is_repaired),
        cmocka_unit_test(html_references_are_decoded),
        cmocka_unit_test(every_entity_is_found),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(hostile_text_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
