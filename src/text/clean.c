#include "text/clean.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/badness.h"
#include "text/entities.h"
#include "text/mojibake.h"
#include "text/runes.h"
#include "text/utf8.h"

enum {
    ESCAPE = 0x1b,
    FIRST_DECOMPOSABLE = 0x300, /* text of characters below is in NFC */
    MAX_SEGMENT = 1000000,      /* characters that ftfy repairs at once when there is no line feed */
};

/* Ligatures and digraphs of Latin letters, and U+0149 whose quote becomes straight later. */
static const struct {
    int32_t ligature;
    const char *letters;
} LIGATURES[] = {
    {0x132, "IJ"},          {0x133, "ij"},          {0x149, "\u02bcn"},     {0x1c4, "D\u017d"}, {0x1c5, "D\u017e"},
    {0x1c6, "d\u017e"},     {0x1c7, "LJ"},          {0x1c8, "Lj"},          {0x1c9, "lj"},      {0x1ca, "NJ"},
    {0x1cb, "Nj"},          {0x1cc, "nj"},          {0x1f1, "DZ"},          {0x1f2, "Dz"},      {0x1f3, "dz"},
    {0xfb00, "ff"},         {0xfb01, "fi"},         {0xfb02, "fl"},         {0xfb03, "ffi"},    {0xfb04, "ffl"},
    {0xfb05, "\u017ft"},    {0xfb06, "st"},
};

static bool append_ligature(Runes *out, int32_t c)
{
    for (size_t i = 0; i < sizeof LIGATURES / sizeof *LIGATURES; i++) {
        if (LIGATURES[i].ligature == c) {
            runes_append_utf8(out, LIGATURES[i].letters, strlen(LIGATURES[i].letters));
            return true;
        }
    }
    return false;
}

/* Full and half width forms, as NFKC has them, and the ideographic space. */
static void append_width(Runes *out, int32_t c)
{
    int32_t standard[16];
    if (c == 0x3000) {
        runes_append(out, ' ');
    } else if (c > 0xff00 && c < 0xfff0) {
        int boundary = 0;
        utf8proc_ssize_t n = utf8proc_decompose_char(c, standard, 16, UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &boundary);
        runes_append_all(out, standard, n > 0 && n <= 16 ? (size_t)n : 0);
    } else {
        runes_append(out, c);
    }
}

static bool is_single_quote(int32_t c)
{
    return c == 0x2bc || (c >= 0x2018 && c <= 0x201b);
}

static bool is_double_quote(int32_t c)
{
    return c >= 0x201c && c <= 0x201f;
}

/* Characters that are never meant: controls but tab, line and form feed; deprecated Arabic ones; annotations. */
static bool is_control(int32_t c)
{
    return c < 0x09 || c == 0x0b || (c >= 0x0e && c < 0x20) || c == 0x7f || (c >= 0x206a && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

/* Ligatures, widths, quotes, line breaks: each character for itself, but for CR LF. */
static void fix_characters(const Runes *text, Runes *out)
{
    Runes wide = {0};
    for (size_t i = 0; i < text->count; i++) {
        if (!append_ligature(&wide, text->at[i]))
            append_width(&wide, text->at[i]);
    }
    for (size_t i = 0; i < wide.count; i++) {
        int32_t c = wide.at[i];
        if (c == '\r' && i + 1 < wide.count && wide.at[i + 1] == '\n')
            continue;
        bool line_break = c == '\r' || c == 0x2028 || c == 0x2029 || c == 0x85;
        runes_append(out, line_break ? '\n' : is_single_quote(c) ? '\'' : is_double_quote(c) ? '"' : c);
    }
    out->failed = out->failed || wide.failed || text->failed;
    runes_deinit(&wide);
}

/* Length of a terminal escape such as ESC [ 1 ; 31 m at i; 0: none here. */
static size_t escape_length(const Runes *text, size_t i)
{
    if (text->at[i] != ESCAPE || i + 1 >= text->count || text->at[i + 1] != '[')
        return 0;
    size_t k = i + 2;
    while (k < text->count && (text->at[k] == ';' || utf8proc_category(text->at[k]) == UTF8PROC_CATEGORY_ND))
        k++;
    bool letter = k < text->count &&
                  ((text->at[k] >= 'a' && text->at[k] <= 'z') || (text->at[k] >= 'A' && text->at[k] <= 'Z'));
    return letter ? k + 1 - i : 0;
}

static void remove_controls(const Runes *text, Runes *out)
{
    for (size_t i = 0; i < text->count;) {
        size_t length = escape_length(text, i);
        if (length == 0 && !is_control(text->at[i]))
            runes_append(out, text->at[i]);
        i += length > 0 ? length : 1;
    }
    out->failed = out->failed || text->failed;
}

static int combining_class(int32_t c)
{
    return c < FIRST_DECOMPOSABLE ? 0 : utf8proc_get_property(c)->combining_class;
}

/* Canonical order: each row of combining marks sorted by class, stable. Linear, as rows may be long. */
static void order_marks(const Runes *text, Runes *out)
{
    for (size_t i = 0; i < text->count;) {
        bool present[256] = {false};
        size_t end = i;
        for (int class = 0; end < text->count && (class = combining_class(text->at[end])) != 0; end++)
            present[class] = true;
        if (end == i)
            runes_append(out, text->at[end++]);
        for (int class = 1; class < 256; class++) {
            for (size_t k = i; present[class] && k < end; k++) {
                if (combining_class(text->at[k]) == class)
                    runes_append(out, text->at[k]);
            }
        }
        i = end;
    }
    out->failed = out->failed || text->failed;
}

/* To normalisation form C. utf8proc_map would do it, in time quadratic in the longest row of marks. */
static void compose(Runes *text)
{
    bool needed = false;
    for (size_t i = 0; i < text->count && !needed; i++)
        needed = text->at[i] >= FIRST_DECOMPOSABLE;
    if (!needed)
        return;
    Runes single = {.failed = text->failed};
    for (size_t i = 0; i < text->count; i++) {
        int32_t parts[8];
        int boundary = 0;
        utf8proc_ssize_t n = utf8proc_decompose_char(text->at[i], parts, 8, UTF8PROC_DECOMPOSE, &boundary);
        runes_append_all(&single, parts, n > 0 && n <= 8 ? (size_t)n : 0);
    }
    text->count = 0;
    order_marks(&single, text);
    runes_deinit(&single);
    utf8proc_ssize_t n = utf8proc_normalize_utf32(text->at, (utf8proc_ssize_t)text->count,
                                                  UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    text->count = n > 0 ? (size_t)n : 0;
}

/* Plain ASCII: only HTML references can be wrong with it. */
static bool is_plain(const Runes *text)
{
    for (size_t i = 0; i < text->count; i++) {
        int32_t c = text->at[i];
        if (c >= 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\f'))
            return false;
    }
    return true;
}

typedef struct Fixer {
    const KindTable *table;
    bool unescape; /* HTML references too */
} Fixer;

/* One line: all steps, again as long as something changes. */
static void fix_segment(const Fixer *fixer, Runes *text)
{
    bool changed = true;
    for (int pass = 0; pass < CLEAN_MAX_PASSES && changed && !text->failed; pass++) {
        Runes next = {0}, other = {0};
        if (fixer->unescape)
            entities_decode_unambiguous(text, &next);
        else
            runes_append_all(&next, text->at, text->count);
        if (!is_plain(&next)) {
            mojibake_fix(fixer->table, &next);
            mojibake_fix_c1(&next);
            fix_characters(&next, &other);
            next.count = 0;
            remove_controls(&other, &next);
            compose(&next);
        }
        changed = !runes_equal(text, &next);
        runes_move(text, &next);
        runes_deinit(&other);
    }
}

/* HTML references are left alone from the first line on that has a "<": then it may be a web page. */
static void fix_text(const KindTable *table, const Runes *text, Runes *out)
{
    Fixer fixer = {table, true};
    for (size_t begin = 0, end; begin < text->count && !out->failed; begin = end) {
        for (end = begin; end < text->count && text->at[end] != '\n';)
            end++;
        end += end < text->count;
        if (end - begin > MAX_SEGMENT)
            end = begin + MAX_SEGMENT;
        Runes segment = {0};
        runes_append_all(&segment, text->at + begin, end - begin);
        for (size_t i = 0; i < segment.count; i++)
            fixer.unescape = fixer.unescape && segment.at[i] != '<';
        fix_segment(&fixer, &segment);
        runes_append_all(out, segment.at, segment.count);
        out->failed = out->failed || segment.failed;
        runes_deinit(&segment);
    }
}

/* White space at the ends goes, inside it becomes one space. */
static void collapse_spaces(const Runes *text, Runes *out)
{
    bool pending = false;
    for (size_t i = 0; i < text->count; i++) {
        if (utf8_is_space(text->at[i])) {
            pending = out->count > 0;
            continue;
        }
        if (pending)
            runes_append(out, ' ');
        pending = false;
        runes_append(out, text->at[i]);
    }
    out->failed = out->failed || text->failed;
}

/* What the reference does after ftfy. */
static void finish_prompt(Runes *text)
{
    Runes other = {0};
    entities_decode(text, &other);
    text->count = 0;
    entities_decode(&other, text);
    other.count = 0;
    collapse_spaces(text, &other);
    runes_move(text, &other);
}

/* text[0, n) as characters; false when it is no text. */
static bool read_text(const char *text, size_t n, Runes *out, SoraError *err)
{
    if (n > CLEAN_MAX_TEXT)
        return error_set(err, SORA_ERROR_INPUT, "the prompt has %zu bytes, at most %d are accepted", n, CLEAN_MAX_TEXT);
    if (!utf8_check(text, n, "the prompt", err))
        return false;
    runes_append_utf8(out, text, n);
    return true;
}

/* ftfy.fix_text; false when text is no text. */
static bool fix(const char *text, size_t n, Runes *out, SoraError *err)
{
    Runes raw = {0};
    if (!read_text(text, n, &raw, err))
        return false;
    KindTable *table = malloc(sizeof *table);
    out->failed = table == NULL || raw.failed;
    if (table != NULL) {
        kind_table_init(table);
        fix_text(table, &raw, out);
    }
    free(table);
    runes_deinit(&raw);
    return true;
}

/* Frees the characters. */
static char *write_text(Runes *text, size_t *size, SoraError *err)
{
    char *utf8 = runes_to_utf8(text, size);
    if (utf8 == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory for a prompt of %zu characters", text->count);
    runes_deinit(text);
    return utf8;
}

char *clean_prompt(const char *text, size_t n, size_t *size, SoraError *err)
{
    Runes fixed = {0};
    if (!fix(text, n, &fixed, err))
        return NULL;
    finish_prompt(&fixed);
    return write_text(&fixed, size, err);
}

char *clean_fix_text(const char *text, size_t n, size_t *size, SoraError *err)
{
    Runes fixed = {0};
    return fix(text, n, &fixed, err) ? write_text(&fixed, size, err) : NULL;
}
