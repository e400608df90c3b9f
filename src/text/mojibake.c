#include "text/mojibake.h"

#include <string.h>

#include "text/buffer.h"
#include "text/utf8.h"

enum {
    LATIN_1 = -1, /* as a code page */
    SUBSTITUTE = 0x1a,
    REPLACEMENT_CHARACTER = 0xfffd,
    NO_BREAK_SPACE_BYTE = 0xa0,
    MAX_DEPTH = 8,    /* of mojibake within mojibake */
    MAX_REPAIRS = 64, /* of one text, each of which nearly always shortens it */
};

/* In the order in which they are tried. */
static const int PAGES[] = {LATIN_1,
                            CODE_PAGE_WINDOWS_1252,
                            CODE_PAGE_WINDOWS_1251,
                            CODE_PAGE_WINDOWS_1250,
                            CODE_PAGE_WINDOWS_1253,
                            CODE_PAGE_WINDOWS_1254,
                            CODE_PAGE_WINDOWS_1257,
                            CODE_PAGE_ISO_8859_2,
                            CODE_PAGE_MAC_ROMAN,
                            CODE_PAGE_437};

/* In these, byte 0x1a stands for U+FFFD: a byte that got lost. */
static bool is_windows(int page)
{
    return page >= CODE_PAGE_WINDOWS_1252 && page <= CODE_PAGE_WINDOWS_1257;
}

static bool in_page(const KindTable *table, int page, int32_t c)
{
    if (page == LATIN_1)
        return c < 0x100;
    if (is_windows(page) && (c == SUBSTITUTE || c == REPLACEMENT_CHARACTER))
        return c == REPLACEMENT_CHARACTER;
    return c < 0x80 || kind_is(table, c, KIND_IN_PAGE + page);
}

static bool all_in_page(const KindTable *table, int page, const Runes *text)
{
    for (size_t i = 0; i < text->count; i++) {
        if (!in_page(table, page, text->at[i]))
            return false;
    }
    return true;
}

/* The byte of a character that is in the page. */
static uint8_t page_byte(int page, int32_t c)
{
    if (page == LATIN_1 || c < 0x80)
        return (uint8_t)c;
    for (int i = 0; i < 128; i++) {
        if (CODE_PAGES[page][i] == c)
            return (uint8_t)(0x80 + i);
    }
    return SUBSTITUTE;
}

static void encode_page(int page, const Runes *text, Buffer *bytes)
{
    for (size_t i = 0; i < text->count; i++) {
        char byte = (char)page_byte(page, text->at[i]);
        buffer_append(bytes, &byte, 1);
    }
}

/* Bytes with their end, so that patterns can look ahead: byte_at is -1 beyond it. */
typedef struct Bytes {
    const uint8_t *at;
    size_t n;
} Bytes;

static int byte_at(Bytes b, size_t i)
{
    return i < b.n ? b.at[i] : -1;
}

static bool between(int x, int low, int high)
{
    return x >= low && x <= high;
}

static bool is_continuation(int byte)
{
    return between(byte, 0x80, 0xbf);
}

/* "à" as a word of its own, whose no-break space became a space: both spaces were meant. Not before the
 * endings of the Portuguese words às, àquele, àquela, àquilo. */
static bool is_grave_word(Bytes b)
{
    static const char *const ENDINGS[] = {" ", "quele", "quela", "quilo", "s "};
    if (byte_at(b, 0) != 0xc3 || byte_at(b, 1) != ' ')
        return false;
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        size_t n = strlen(ENDINGS[i]);
        if (b.n - 2 >= n && memcmp(b.at + 2, ENDINGS[i], n) == 0)
            return false;
    }
    return true;
}

/* Length of a character in UTF-8 that has a space where a no-break space byte belongs; 0: none here.
 * Only lead bytes that make likely characters then. */
static size_t altered_length(Bytes b)
{
    int b0 = byte_at(b, 0), b1 = byte_at(b, 1), b2 = byte_at(b, 2), b3 = byte_at(b, 3);
    bool likely1 = is_continuation(b1) && b1 != 0x85 && b1 != NO_BREAK_SPACE_BYTE;
    bool likely2 = is_continuation(b2) && b2 != 0x85 && b2 != NO_BREAK_SPACE_BYTE;
    if (b1 == ' ' && b0 >= 0xc2 && b0 <= 0xd9 && memchr("\xc2\xc3\xc5\xce\xd0\xd9", b0, 6) != NULL)
        return 2;
    if ((b0 == 0xe2 || b0 == 0xe3) && b1 == ' ' && likely2)
        return 3;
    if (between(b0, 0xe0, 0xe3) && likely1 && b2 == ' ')
        return 3;
    bool one_space = (b1 == ' ' && is_continuation(b2) && is_continuation(b3)) ||
                     (is_continuation(b1) && b2 == ' ' && is_continuation(b3)) ||
                     (is_continuation(b1) && is_continuation(b2) && b3 == ' ');
    return b0 == 0xf0 && one_space ? 4 : 0;
}

/* Puts byte 0xa0 back where it became a space within UTF-8. */
static void restore_no_break_spaces(Bytes in, Buffer *out)
{
    bool found = false;
    for (size_t i = 0; i < in.n && !found; i++)
        found = altered_length((Bytes){in.at + i, in.n - i}) > 0;
    Buffer words = {0};
    for (size_t i = 0; i < in.n;) {
        bool word = found && is_grave_word((Bytes){in.at + i, in.n - i});
        buffer_append(&words, word ? "\xc3\xa0 " : (const char *)in.at + i, word ? 3 : 1);
        i += word ? 2 : 1;
    }
    for (size_t i = 0; i < words.size;) {
        Bytes rest = {(const uint8_t *)words.bytes + i, words.size - i};
        size_t length = found ? altered_length(rest) : 0;
        for (size_t k = 0; k < length; k++)
            buffer_append(out, rest.at[k] == ' ' ? "\xa0" : (const char *)rest.at + k, 1);
        if (length == 0)
            buffer_append(out, (const char *)rest.at, 1);
        i += length > 0 ? length : 1;
    }
    out->failed = out->failed || words.failed;
    buffer_deinit(&words);
}

static bool is_lost(int byte)
{
    return byte == SUBSTITUTE;
}

static bool is_lost_or_question(int byte)
{
    return byte == SUBSTITUTE || byte == '?';
}

static bool is_lost_or_continuation(int byte)
{
    return byte == SUBSTITUTE || is_continuation(byte);
}

/* A character beyond U+FFFF as two surrogates in UTF-8 (CESU-8), one of which lost its last byte. */
static bool is_lossy_pair(Bytes b)
{
    int b2 = byte_at(b, 2), b5 = byte_at(b, 5);
    if (byte_at(b, 0) != 0xed || !between(byte_at(b, 1), 0xa0, 0xaf) || byte_at(b, 3) != 0xed ||
        !between(byte_at(b, 4), 0xb0, 0xbf))
        return false;
    return (is_lost_or_question(b2) && (is_lost_or_question(b5) || is_continuation(b5))) ||
           (is_lost_or_question(b5) && is_continuation(b2));
}

/* Length of what is UTF-8 but for lost bytes, at most one of them a question mark; 0: none here. */
static size_t lossy_length(Bytes b)
{
    int b0 = byte_at(b, 0), b1 = byte_at(b, 1), b2 = byte_at(b, 2), b3 = byte_at(b, 3);
    if ((between(b0, 0xc2, 0xdf) && is_lost(b1)) || (between(b0, 0xc2, 0xc3) && b1 == '?'))
        return 2;
    if (is_lossy_pair(b))
        return 6;
    if (between(b0, 0xe0, 0xef) && ((is_lost_or_question(b1) && is_lost_or_continuation(b2)) ||
                                    (is_lost_or_continuation(b1) && is_lost_or_question(b2))))
        return 3;
    if (between(b0, 0xf0, 0xf4) &&
        ((is_lost_or_question(b1) && is_lost_or_continuation(b2) && is_lost_or_continuation(b3)) ||
         (is_lost_or_continuation(b1) && is_lost_or_question(b2) && is_lost_or_continuation(b3)) ||
         (is_lost_or_continuation(b1) && is_lost_or_continuation(b2) && is_lost_or_question(b3))))
        return 4;
    return is_lost(b0) ? 1 : 0;
}

static void replace_lossy(Bytes in, Buffer *out)
{
    for (size_t i = 0; i < in.n;) {
        size_t length = lossy_length((Bytes){in.at + i, in.n - i});
        buffer_append(out, length > 0 ? "\xef\xbf\xbd" : (const char *)in.at + i, length > 0 ? 3 : 1);
        i += length > 0 ? length : 1;
    }
}

/* A regular expression's $: the end, also before a line feed that ends the text. */
static bool is_end(Bytes b, size_t i)
{
    return i == b.n || (i + 1 == b.n && b.at[i] == '\n');
}

/* Java's form of U+0000 or a pair of surrogates (CESU-8) at b: the character, its length; else -1. */
static int32_t decode_variant(Bytes b, int *length)
{
    *length = 2;
    if (byte_at(b, 0) == 0xc0 && b.n > 1 && (b.at[1] == 0x80 || is_end(b, 1)))
        return 0;
    *length = 6;
    if (byte_at(b, 0) == 0xed && b.n >= 6 && between(b.at[1], 0xa0, 0xaf) && is_continuation(b.at[2]) &&
        b.at[3] == 0xed && between(b.at[4], 0xb0, 0xbf) && (is_continuation(b.at[5]) || is_end(b, 5)))
        return ((b.at[1] & 0x0f) << 16) + ((b.at[2] & 0x3f) << 10) + ((b.at[4] & 0x0f) << 6) + (b.at[5] & 0x3f) +
               0x10000;
    return -1;
}

/* Variants are looked for only where a byte 0xc0 or 0xed is, which real UTF-8 rarely has. False: not UTF-8. */
static bool decode_utf8(Bytes b, Runes *out)
{
    int length;
    for (size_t i = 0; i < b.n; i += (size_t)length) {
        int32_t c = decode_variant((Bytes){b.at + i, b.n - i}, &length);
        if (c < 0)
            c = utf8_decode((const char *)b.at + i, b.n - i, &length);
        if (c < 0)
            return false;
        runes_append(out, c);
    }
    return true;
}

/* Reads the text as bytes of the page that are UTF-8. False, and out is empty, when they are not. */
static bool redecode(int page, const Runes *text, Runes *out)
{
    Buffer bytes = {0}, restored = {0}, replaced = {0};
    encode_page(page, text, &bytes);
    Buffer *last = &bytes;
    if (page != CODE_PAGE_MAC_ROMAN) { /* there an en dash and a space would look so */
        restore_no_break_spaces((Bytes){(uint8_t *)bytes.bytes, bytes.size}, &restored);
        last = &restored;
    }
    if (is_windows(page)) {
        replace_lossy((Bytes){(uint8_t *)last->bytes, last->size}, &replaced);
        last = &replaced;
    }
    bool ok = decode_utf8((Bytes){(uint8_t *)last->bytes, last->size}, out);
    out->failed = out->failed || bytes.failed || restored.failed || replaced.failed;
    if (!ok)
        out->count = 0;
    buffer_deinit(&bytes);
    buffer_deinit(&restored);
    buffer_deinit(&replaced);
    return ok;
}

static void fix_at_depth(const KindTable *table, Runes *text, int depth);

/* Length of a row of characters at i that look like UTF-8; 0: none begins here. */
static size_t utf8_like_length(const KindTable *table, const Runes *text, size_t i)
{
    if (i > 0 && kind_is(table, text->at[i - 1], KIND_CONTINUATION_STRICT))
        return 0;
    size_t end = i;
    for (;;) {
        size_t following = 0;
        while (following < 3 && end + 1 + following < text->count &&
               kind_is(table, text->at[end + 1 + following], KIND_CONTINUATION))
            following++;
        int32_t c = end < text->count ? text->at[end] : 0;
        if (kind_is(table, c, KIND_FIRST_OF_2) && following >= 1)
            end += 2;
        else if (kind_is(table, c, KIND_FIRST_OF_3) && following >= 2)
            end += 3;
        else if (kind_is(table, c, KIND_FIRST_OF_4) && following >= 3)
            end += 4;
        else
            return end - i;
    }
}

/* Repairs the parts that look like UTF-8 each for itself. */
static void fix_parts(const KindTable *table, const Runes *text, Runes *out, int depth)
{
    for (size_t i = 0; i < text->count;) {
        size_t length = utf8_like_length(table, text, i);
        if (length == 0) {
            runes_append(out, text->at[i++]);
            continue;
        }
        Runes part = {0};
        runes_append_all(&part, text->at + i, length);
        if (length < text->count && badness_found(table, part.at, part.count))
            fix_at_depth(table, &part, depth + 1);
        runes_append_all(out, part.at, part.count);
        out->failed = out->failed || part.failed;
        runes_deinit(&part);
        i += length;
    }
}

static int32_t windows_1252(int32_t c)
{
    return c >= 0x80 && c <= 0x9f ? CODE_PAGES[CODE_PAGE_WINDOWS_1252][c - 0x80] : c;
}

void mojibake_fix_c1(Runes *text)
{
    for (size_t i = 0; i < text->count; i++)
        text->at[i] = windows_1252(text->at[i]);
}

/* One repair of the text into out; what is beyond repair is copied. */
static void fix_once(const KindTable *table, const Runes *text, Runes *out, int depth)
{
    for (size_t k = 0; k < sizeof PAGES / sizeof *PAGES; k++) {
        if (all_in_page(table, PAGES[k], text) && redecode(PAGES[k], text, out))
            return;
    }
    if (depth < MAX_DEPTH) {
        fix_parts(table, text, out, depth);
        if (out->failed || !runes_equal(text, out))
            return;
        out->count = 0;
    }
    runes_append_all(out, text->at, text->count);
    mojibake_fix_c1(out); /* the rest of mojibake in Latin-1 is Windows-1252 that was taken for it */
}

static bool is_ascii(const Runes *text)
{
    for (size_t i = 0; i < text->count; i++) {
        if (text->at[i] >= 0x80)
            return false;
    }
    return true;
}

static void fix_at_depth(const KindTable *table, Runes *text, int depth)
{
    bool changed = true;
    for (int i = 0; i < MAX_REPAIRS && changed && !text->failed && !is_ascii(text) &&
                    badness_found(table, text->at, text->count);
         i++) {
        Runes fixed = {0};
        fix_once(table, text, &fixed, depth);
        changed = !runes_equal(text, &fixed);
        runes_move(text, &fixed);
    }
}

void mojibake_fix(const KindTable *table, Runes *text)
{
    fix_at_depth(table, text, 0);
}
