#include "policy/fold.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/runes.h"
#include "text/utf8.h"

enum { MAX_DECOMPOSED = 32, SPACED_LETTERS = 3, THROUGHOUT = 3, NEGATIVE_SQUARED = 0x1f170, NEGATIVE_CIRCLED = 0x1f150, REGIONAL = 0x1f1e6 };

/* Characters with marks beside each: two arrays of the same length. */
typedef struct Marked {
    Runes text, marks;
} Marked;

static void append(Marked *m, int32_t c, int mark)
{
    runes_append(&m->text, c);
    runes_append(&m->marks, mark);
}

static void marked_deinit(Marked *m)
{
    runes_deinit(&m->text);
    runes_deinit(&m->marks);
}

/* Small letters of Cyrillic, Greek and others that look like Latin ones. */
static const struct {
    int32_t from;
    char to;
} CONFUSABLES[] = {
    {0x0430, 'a'}, {0x0435, 'e'}, {0x043e, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'}, {0x0456, 'i'},
    {0x0458, 'j'}, {0x0455, 's'}, {0x0501, 'd'}, {0x04bb, 'h'}, {0x051b, 'q'}, {0x051d, 'w'}, {0x043a, 'k'}, {0x043c, 'm'},
    {0x043d, 'h'}, {0x0442, 't'}, {0x0432, 'b'}, {0x043f, 'n'}, {0x0433, 'r'}, {0x044c, 'b'}, {0x03b1, 'a'}, {0x03b5, 'e'},
    {0x03b9, 'i'}, {0x03bf, 'o'}, {0x03c1, 'p'}, {0x03c5, 'u'}, {0x03bd, 'v'}, {0x03ba, 'k'}, {0x03c4, 't'}, {0x03c7, 'x'},
    {0x03b7, 'n'}, {0x03c9, 'w'}, {0x03b2, 'b'}, {0x03b3, 'y'}, {0x0131, 'i'}, {0x0142, 'l'}, {0x00f8, 'o'}, {0x0111, 'd'},
    {0x0261, 'g'}, {0x0251, 'a'}, {0x0269, 'i'}, {0x1d0f, 'o'}, {0x1d1c, 'u'}, {0x1d07, 'e'}, {0x1d00, 'a'}, {0x0274, 'n'},
    {0x1d05, 'd'}, {0x026a, 'i'}, {0x029f, 'l'}, {0x1d0b, 'k'}, {0x0280, 'r'}, {0xa731, 's'}, {0x1d1b, 't'}, {0x0299, 'b'},
    {0x1d04, 'c'}, {0x0262, 'g'}, {0x029c, 'h'}, {0x1d0d, 'm'}, {0x1d18, 'p'}, {0x1d20, 'v'}, {0x1d21, 'w'}, {0x028f, 'y'},
    {0x1d22, 'z'}, {0x0585, 'o'}, {0x057d, 'u'}, {0x0578, 'n'}, {0x0570, 'h'},
};

static int32_t look_alike(int32_t c)
{
    for (size_t i = 0; c >= 0x80 && i < sizeof CONFUSABLES / sizeof *CONFUSABLES; i++) {
        if (CONFUSABLES[i].from == c)
            return CONFUSABLES[i].to;
    }
    static const int32_t alphabets[] = {NEGATIVE_CIRCLED, NEGATIVE_SQUARED, REGIONAL};
    for (size_t i = 0; i < sizeof alphabets / sizeof *alphabets; i++) {
        if (c >= alphabets[i] && c < alphabets[i] + 26)
            return 'a' + c - alphabets[i];
    }
    return c;
}

static bool is_voicing(int32_t c)
{
    return c == 0x3099 || c == 0x309a;
}

/* Nothing is seen of it: format characters, variation selectors, fillers. */
static bool is_invisible(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_CF || (c >= 0xfe00 && c <= 0xfe0f) || c == 0x034f || c == 0x115f || c == 0x1160 ||
           c == 0x3164 || (c >= 0xe0000 && c <= 0xe0fff);
}

static bool is_sentence_end(int32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == '\n' || c == 0x3002;
}

static bool is_word_character(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO;
}

static int class_of(int32_t c)
{
    if (c == ' ')
        return CLASS_SPACE;
    if ((c >= 0x30a0 && c <= 0x30ff) || (c >= 0x31f0 && c <= 0x31ff))
        return CLASS_KATAKANA;
    bool han = (c >= 0x3400 && c <= 0x9fff) || (c >= 0x20000 && c <= 0x3ffff) || (c >= 0xf900 && c <= 0xfaff);
    return han || (c >= 0x3040 && c <= 0x309f) || c == 0x3005 ? CLASS_FREE : CLASS_WORD;
}

/* A voicing mark joins the kana before it. Others are accents, which go. */
static void append_mark(Marked *m, int32_t c)
{
    size_t n = m->text.count;
    if (!is_voicing(c) || n == 0 || m->text.failed)
        return;
    int32_t pair[2] = {m->text.at[n - 1], c};
    if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1)
        m->text.at[n - 1] = pair[0];
}

/* Compatibility forms taken apart, small letters, no accents. */
static void decompose(const char *text, size_t n, Marked *out, bool *shouted)
{
    size_t capitals = 0, small = 0;
    bool first = true;
    int length;
    for (size_t i = 0; i < n; i += (size_t)length) {
        int32_t parts[MAX_DECOMPOSED], c = utf8_decode(text + i, n - i, &length);
        utf8proc_category_t k = utf8proc_category(c < 0 ? 0xfffd : c);
        int boundary = 0, mark = k == UTF8PROC_CATEGORY_LU ? FOLD_CAPITAL : 0;
        capitals += k == UTF8PROC_CATEGORY_LU;
        small += k == UTF8PROC_CATEGORY_LL;
        utf8proc_ssize_t count = utf8proc_decompose_char(c < 0 ? 0xfffd : c, parts, MAX_DECOMPOSED,
                                                         UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD, &boundary);
        if (count < 0 || count > MAX_DECOMPOSED)
            count = 0;
        for (utf8proc_ssize_t j = 0; j < count; j++) {
            bool accent = utf8proc_category(parts[j]) == UTF8PROC_CATEGORY_MN && !is_invisible(parts[j]);
            bool word = is_word_character(parts[j]);
            if (accent)
                append_mark(out, parts[j]);
            else
                append(out, parts[j], mark | (first && word ? FOLD_FIRST : 0));
            first = word ? false : first || is_sentence_end(parts[j]);
        }
    }
    *shouted = capitals > small;
}

/* The letter that a digit or sign stands for inside a word; 0: none. */
static char leet(int32_t c, char one)
{
    static const char from[] = "034578@$!|", to[] = "oeastbasil";
    const char *at = c > 0 && c < 128 ? strchr(from, c) : NULL;
    return c == '1' ? one : at != NULL && *at != 0 ? to[at - from] : 0;
}

static bool is_latin(int32_t c)
{
    return c >= 'a' && c <= 'z';
}

/* Dots, stars and the like in the midst of a word. */
static bool is_glue(int32_t c)
{
    return c > 0 && c < 128 && strchr(".*_|~+", c) != NULL;
}

static bool is_digit(int32_t c)
{
    return c >= '0' && c <= '9';
}

/* How many words have letters and digits or signs that stand for letters. */
static size_t count_mixed(const Runes *text, char one)
{
    size_t count = 0;
    for (size_t i = 0; i < text->count;) {
        bool letters = false, others = false;
        size_t n = 0;
        for (; i + n < text->count && text->at[i + n] != ' '; n++) {
            letters = letters || is_latin(text->at[i + n]);
            others = others || leet(text->at[i + n], one) != 0;
        }
        count += letters && others;
        i += n + 1;
    }
    return count;
}

/* Digits and signs before a letter, from the end first, so that in "53x" both are; then those behind letters, but for ! and |, which
 * end sentences. In a text that is written so throughout, words of signs alone as well. */
static void reveal_leet(Marked *m, char one)
{
    int32_t *at = m->text.at;
    bool throughout = count_mixed(&m->text, one) >= THROUGHOUT;
    for (int round = 0; round < 2; round++) {
        for (size_t i = m->text.count; i-- > 1;) {
            if (is_latin(at[i]) && leet(at[i - 1], one) != 0)
                at[i - 1] = leet(at[i - 1], one);
        }
        for (size_t i = 1; i < m->text.count; i++) {
            bool stands = is_digit(at[i]) || at[i] == '$' || at[i] == '@';
            if (stands && is_latin(at[i - 1]) && leet(at[i], one) != 0)
                at[i] = leet(at[i], one);
        }
    }
    for (size_t i = 0; throughout && i < m->text.count; i++)
        at[i] = leet(at[i], one) != 0 ? leet(at[i], one) : at[i];
}

/* What hides words is undone, in the manner of the form. */
static void reveal(const Marked *in, FoldForm form, Marked *out)
{
    Marked seen = {0};
    for (size_t i = 0; i < in->text.count; i++) {
        if (!is_invisible(in->text.at[i]))
            append(&seen, look_alike(in->text.at[i]), in->marks.at[i]);
    }
    if (!seen.text.failed && !seen.marks.failed)
        reveal_leet(&seen, form == FOLD_L ? 'l' : 'i');
    size_t n = seen.text.failed || seen.marks.failed ? 0 : seen.text.count;
    const int32_t *at = seen.text.at;
    size_t most = form == FOLD_TWO ? 2 : 1;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && at[end] == at[i])
            end++;
        bool inside = i > 0 && end < n && is_latin(at[i - 1]) && is_latin(at[end]);
        size_t keep = end - i >= 3 && is_word_character(at[i]) && !(at[i] >= '0' && at[i] <= '9') ? most : end - i;
        if (form == FOLD_GLUED && inside && is_glue(at[i]))
            keep = 0;
        for (size_t j = 0; j < keep; j++)
            append(out, at[i], seen.marks.at[i + j]);
        i = end;
    }
    out->text.failed = out->text.failed || seen.text.failed || seen.marks.failed;
    marked_deinit(&seen);
}

/* Words with single spaces between. */
static void space_words(const Marked *in, Marked *out)
{
    bool pending = false;
    for (size_t i = 0; i < in->text.count; i++) {
        int32_t c = in->text.at[i];
        if (!is_word_character(c)) {
            pending = out->text.count > 0;
            continue;
        }
        if (pending)
            append(out, ' ', CLASS_SPACE);
        pending = false;
        append(out, c, in->marks.at[i] | class_of(c));
    }
    out->text.failed = out->text.failed || in->text.failed || in->marks.failed;
}

/* Is there a word of one character at i: a Latin letter, or one of a script without spaces? */
static bool is_single(const Marked *m, size_t i)
{
    if (i >= m->text.count || (i + 1 < m->text.count && m->text.at[i + 1] != ' '))
        return false;
    int class = m->marks.at[i] & CLASS_MASK;
    return is_latin(m->text.at[i]) || class == CLASS_FREE || class == CLASS_KATAKANA;
}

/* Characters of scripts without spaces are as if there had been none between. */
static int joined_mark(const Marked *m, size_t i)
{
    int mark = (int)m->marks.at[i];
    return is_latin(m->text.at[i]) ? (mark & ~CLASS_MASK) | CLASS_JOINED : mark;
}

/* "n u d e" becomes "nude". */
static void join_letters(const Marked *in, Marked *out)
{
    for (size_t i = 0; i < in->text.count;) {
        bool begins = i == 0 || in->text.at[i - 1] == ' ';
        size_t letters = 0;
        while (begins && is_single(in, i + 2 * letters))
            letters++;
        for (size_t j = 0; letters >= SPACED_LETTERS && j < letters; j++)
            append(out, in->text.at[i + 2 * j], joined_mark(in, i + 2 * j));
        if (letters >= SPACED_LETTERS) {
            i += 2 * letters - 1;
        } else {
            append(out, in->text.at[i], in->marks.at[i]);
            i++;
        }
    }
    out->text.failed = out->text.failed || in->text.failed || in->marks.failed;
}

static bool encode(const Marked *m, Folded *out)
{
    if (m->text.failed || m->marks.failed)
        return false;
    out->bytes = malloc(4 * m->text.count + 1);
    out->marks = malloc(4 * m->text.count + 1);
    if (out->bytes == NULL || out->marks == NULL)
        return false;
    for (size_t i = 0; i < m->text.count; i++) {
        int size = utf8_encode(m->text.at[i], out->bytes + out->size);
        memset(out->marks + out->size, (int)m->marks.at[i], (size_t)size);
        out->size += (size_t)size;
    }
    return true;
}

static bool make_form(const Marked *base, FoldForm form, Folded *out)
{
    Marked plain = {0}, words = {0}, joined = {0};
    if (form != FOLD_WRITTEN)
        reveal(base, form, &plain);
    space_words(form == FOLD_WRITTEN ? base : &plain, &words);
    words.text.failed = words.text.failed || plain.text.failed || plain.marks.failed;
    if (form != FOLD_WRITTEN)
        join_letters(&words, &joined);
    bool ok = encode(form == FOLD_WRITTEN ? &words : &joined, out);
    marked_deinit(&plain);
    marked_deinit(&words);
    marked_deinit(&joined);
    return ok;
}

bool fold_text(const char *text, size_t n, Folded *out, int count)
{
    Marked base = {0};
    bool shouted, ok;
    decompose(text, n, &base, &shouted);
    ok = !base.text.failed && !base.marks.failed;
    for (int i = 0; i < count; i++) {
        out[i] = (Folded){.shouted = shouted};
        ok = ok && make_form(&base, (FoldForm)i, &out[i]);
    }
    marked_deinit(&base);
    for (int i = 0; i < count && !ok; i++)
        folded_deinit(&out[i]);
    return ok;
}

void folded_deinit(Folded *f)
{
    free(f->bytes);
    free(f->marks);
    *f = (Folded){0};
}
