#include "text/badness.h"

#include <string.h>
#include <utf8proc.h>

#include "text/utf8.h"

_Static_assert(KIND_STORED <= 32, "the bits of a character fit");

/* Members of each kind; a-b is a range. C1 is U+0080 to U+009F. */
static const char *const MEMBERS[KIND_LISTED] = {
    [KIND_COMMON] = "\u00a0\u00ad´·–—―’…",
    [KIND_BAD] = "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\ufffd",
    [KIND_LAW] = "§¶",
    [KIND_CURRENCY] = "¢£¥₧€",
    [KIND_START_PUNCTUATION] = "¡©«¿΄΅‘‚“„•‹\uf8ff",
    [KIND_END_PUNCTUATION] = "®»˝”›™",
    [KIND_NUMERIC] = "±-³µ¹¼-¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥",
    [KIND_KAOMOJI] = "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ",
    [KIND_UPPER_ACCENTED] = "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ",
    [KIND_LOWER_ACCENTED] = "ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ",
    [KIND_UPPER_COMMON] = "ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я",
    [KIND_LOWER_COMMON] = "ά-ωа-џ",
    [KIND_BOX] = "│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓",
};

typedef struct Set {
    uint64_t kinds;   /* any of these bits */
    const char *also; /* these too; NULL: none */
    bool except;      /* all but those */
} Set;

/* Sets that follow each other in unlikely text; the row ends with an empty set. */
typedef struct Rule {
    Set sets[8];
    bool at_start; /* of the text only */
} Rule;

/* Found out when asked for, not stored. */
#define SMALL (1ull << KIND_STORED)
#define CAPITAL (2ull << KIND_STORED)
#define WORD (4ull << KIND_STORED)
#define SPACE (8ull << KIND_STORED)
#define NEWLINE (16ull << KIND_STORED)

#define K(kind) (1ull << KIND_##kind)
#define ACCENTED (K(LOWER_ACCENTED) | K(UPPER_ACCENTED))
#define PUNCTUATION (K(START_PUNCTUATION) | K(END_PUNCTUATION))
#define LETTER (SMALL | CAPITAL)
#define ODD (ACCENTED | K(BOX) | PUNCTUATION | K(CURRENCY) | K(NUMERIC) | K(LAW))
#define CYRILLIC_LINK (K(C1) | K(BAD) | PUNCTUATION | K(CURRENCY))
#define ARABIC_LINK (K(COMMON) | K(CURRENCY) | K(BAD) | K(NUMERIC) | K(START_PUNCTUATION))

static const Rule RULES[] = {
    {.sets = {{K(C1)}}},
    {.sets = {{ODD | K(BAD)}, {K(BAD)}}},
    {.sets = {{LETTER}, {K(LOWER_COMMON) | K(UPPER_COMMON)}, {K(BAD)}}},
    {.sets = {{K(BAD)}, {ODD}}},
    {.sets = {{K(LOWER_ACCENTED) | K(LOWER_COMMON) | K(BOX) | K(END_PUNCTUATION) | K(CURRENCY) |
               K(NUMERIC)},
              {K(UPPER_ACCENTED)}}},
    {.sets = {{K(BOX) | K(END_PUNCTUATION) | K(CURRENCY) | K(NUMERIC)}, {K(LOWER_ACCENTED)}}},
    {.sets = {{K(LOWER_ACCENTED) | K(BOX) | K(END_PUNCTUATION)}, {K(CURRENCY)}}},
    {.sets = {{SPACE}, {K(UPPER_ACCENTED)}, {K(CURRENCY)}}},
    {.sets = {{K(UPPER_ACCENTED) | K(BOX)}, {K(NUMERIC) | K(LAW)}}},
    {.sets = {{ACCENTED | K(BOX) | K(CURRENCY) | K(END_PUNCTUATION)}, {K(START_PUNCTUATION)}, {K(NUMERIC)}}},
    {.sets = {{ACCENTED | K(CURRENCY) | K(NUMERIC) | K(BOX) | K(LAW)},
              {K(END_PUNCTUATION)},
              {K(START_PUNCTUATION)}}},
    {.sets = {{K(CURRENCY) | K(NUMERIC) | K(BOX)}, {K(START_PUNCTUATION)}}},
    {.sets = {{SMALL}, {K(UPPER_ACCENTED)}, {K(START_PUNCTUATION) | K(CURRENCY)}}},
    {.sets = {{K(BOX)}, {K(KAOMOJI)}}},
    {.sets = {{ACCENTED | K(CURRENCY) | K(NUMERIC) | PUNCTUATION | K(LAW)}, {K(BOX)}}},
    {.sets = {{K(BOX)}, {K(END_PUNCTUATION)}}},
    {.sets = {{ACCENTED}, {PUNCTUATION}, {WORD}}},
    {.sets = {{0, "Œœ"}, {LETTER, .except = true}}},
    {.sets = {{K(UPPER_ACCENTED)}, {0, "°"}}},
    /* Windows-1252 */
    {.sets = {{0, "ÂÃÎÐ"}, {PUNCTUATION, "€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—´"}}},
    {.sets = {{0, "×"}, {0, "²³"}}},
    {.sets = {{0, "ØÙ"}, {ARABIC_LINK, "ŸŠ®°µ»"}, {0, "ØÙ"}, {ARABIC_LINK, "ŸŠ®°µ»"}}},
    {.sets = {{0, "à"}, {0, "²µ¹¼½¾"}}},
    /* MacRoman */
    {.sets = {{0, "√"}, {0, "±∂†≠®™´≤≥¥µø"}}},
    {.sets = {{0, "≈"}, {0, "°¢"}}},
    {.sets = {{0, "‚"}, {0, "Ä"}, {0, "ìîïòôúùû†°¢π"}}},
    {.sets = {{0, "‚"}, {0, "âó"}, {0, "àä°ê"}}},
    /* Windows-1251 */
    {.sets = {{0, "в"}, {0, "Ђ"}}},
    {.sets = {{0, "ВГРС"}, {CYRILLIC_LINK, "°µ"}, {0, "ВГРС"}}},
    {.sets = {{0, "Г"}, {0, "ў"}, {0, "В"}, {0, "Ђ"}, {0, "В"}, {NEWLINE, .except = true},
              {LETTER, " "}}},
    /* Windows-1252 again: "à", "á", a no-break space, and Â before the character that it encodes */
    {.sets = {{0, "Ã"}, {0, "\u00a0¡"}}},
    {.sets = {{SMALL}, {SPACE}, {0, "ÃÂ"}, {0, " "}}},
    {.sets = {{SMALL}, {0, "ÃÂ"}, {0, " "}}},
    {.sets = {{0, "ÃÂ"}, {0, " "}}, .at_start = true},
    {.sets = {{SMALL | K(END_PUNCTUATION), ".,?!"}, {0, "Â"}, {PUNCTUATION, " "}}},
    /* Windows-1253 */
    {.sets = {{0, "β"}, {0, "€"}, {0, "™\u00a0Ά\u00ad®°"}}},
    {.sets = {{0, "ΒΓΞΟ"}, {CYRILLIC_LINK, "°"}, {0, "ΒΓΞΟ"}}},
    /* Windows-1257 */
    {.sets = {{0, "ā"}, {0, "€"}}},
};

enum { RULE_COUNT = sizeof RULES / sizeof *RULES };

static void add(KindTable *table, int32_t first, int32_t last, int kind)
{
    for (int32_t c = first; c <= last; c++)
        table->bits[c] |= 1u << kind;
}

/* Adds the characters of a list such as "°Ò-Ö". */
static void add_members(KindTable *table, const char *members, int kind)
{
    int length;
    for (const char *s = members; *s != 0; s += length) {
        int32_t first = utf8_decode(s, strlen(s), &length), last = first;
        if (s[length] == '-') {
            s += length + 1;
            last = utf8_decode(s, strlen(s), &length);
        }
        add(table, first, last, kind);
    }
}

/* The character of a byte from 0x80 on, in Latin-1 (page -1) or a code page. */
static void add_byte(KindTable *table, int byte, int page)
{
    int32_t c = page < 0 ? byte : CODE_PAGES[page][byte - 0x80];
    if (byte < 0xc0) {
        add(table, c, c, KIND_CONTINUATION);
        add(table, c, c, KIND_CONTINUATION_STRICT);
    } else if (byte >= 0xc2 && byte < 0xe0) {
        add(table, c, c, KIND_FIRST_OF_2);
    } else if (byte >= 0xe0 && byte < 0xf0) {
        add(table, c, c, KIND_FIRST_OF_3);
    } else if (byte == 0xf0 || byte == 0xf3) {
        add(table, c, c, KIND_FIRST_OF_4);
    }
}

void kind_table_init(KindTable *table)
{
    memset(table, 0, sizeof *table);
    for (int kind = 0; kind < KIND_LISTED; kind++) {
        if (MEMBERS[kind] != NULL)
            add_members(table, MEMBERS[kind], kind);
    }
    add(table, 0x80, 0x9f, KIND_C1);
    for (int byte = 0x80; byte < 0x100; byte++) {
        for (int page = -1; page <= CODE_PAGE_WINDOWS_1257; page++)
            add_byte(table, byte, page);
        for (int page = 0; page < CODE_PAGE_COUNT; page++)
            add(table, CODE_PAGES[page][byte - 0x80], CODE_PAGES[page][byte - 0x80], KIND_IN_PAGE + page);
    }
    add(table, ' ', ' ', KIND_CONTINUATION);
    for (const char *s = "–—―‘’‚“”„•…"; *s != 0;) {
        int length;
        table->bits[utf8_decode(s, strlen(s), &length)] &= ~(1u << KIND_CONTINUATION_STRICT);
        s += length;
    }
}

bool kind_is(const KindTable *table, int32_t c, int kind)
{
    return c < 0x10000 && (table->bits[c] >> kind & 1) != 0;
}

static bool is_word(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return c == '_' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

static bool listed(const char *characters, int32_t c)
{
    int length;
    for (const char *s = characters; s != NULL && *s != 0; s += length) {
        if (utf8_decode(s, strlen(s), &length) == c)
            return true;
    }
    return false;
}

static bool holds(const KindTable *table, const Set *set, int32_t c)
{
    bool in = (c < 0x10000 && (table->bits[c] & set->kinds) != 0) || ((set->kinds & SMALL) && c >= 'a' && c <= 'z') ||
              ((set->kinds & CAPITAL) && c >= 'A' && c <= 'Z') || ((set->kinds & NEWLINE) && c == '\n') ||
              ((set->kinds & WORD) && is_word(c)) || ((set->kinds & SPACE) && utf8_is_space(c)) ||
              listed(set->also, c);
    return in != set->except;
}

static bool matches(const KindTable *table, const Rule *rule, const int32_t *text, size_t n)
{
    const Set *set = rule->sets;
    for (size_t i = 0; set->kinds != 0 || set->also != NULL; i++, set++) {
        if (i == n || !holds(table, set, text[i]))
            return false;
    }
    return true;
}

bool badness_found(const KindTable *table, const int32_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < RULE_COUNT; k++) {
            if ((!RULES[k].at_start || i == 0) && matches(table, &RULES[k], text + i, n - i))
                return true;
        }
    }
    return false;
}
