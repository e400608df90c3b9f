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

/* Sets: a kind, listed characters, either, all but a kind. */
#define OF(k) {.kinds = (k)}
#define ANY(characters) {.also = (characters)}
#define EITHER(k, characters) {.kinds = (k), .also = (characters)}
#define EXCEPT(k) {.kinds = (k), .except = true}

static const Rule RULES[] = {
    {.sets = {OF(K(C1))}},
    {.sets = {OF(ODD | K(BAD)), OF(K(BAD))}},
    {.sets = {OF(LETTER), OF(K(LOWER_COMMON) | K(UPPER_COMMON)), OF(K(BAD))}},
    {.sets = {OF(K(BAD)), OF(ODD)}},
    {.sets = {OF(K(LOWER_ACCENTED) | K(LOWER_COMMON) | K(BOX) | K(END_PUNCTUATION) | K(CURRENCY) | K(NUMERIC)),
              OF(K(UPPER_ACCENTED))}},
    {.sets = {OF(K(BOX) | K(END_PUNCTUATION) | K(CURRENCY) | K(NUMERIC)), OF(K(LOWER_ACCENTED))}},
    {.sets = {OF(K(LOWER_ACCENTED) | K(BOX) | K(END_PUNCTUATION)), OF(K(CURRENCY))}},
    {.sets = {OF(SPACE), OF(K(UPPER_ACCENTED)), OF(K(CURRENCY))}},
    {.sets = {OF(K(UPPER_ACCENTED) | K(BOX)), OF(K(NUMERIC) | K(LAW))}},
    {.sets = {OF(ACCENTED | K(BOX) | K(CURRENCY) | K(END_PUNCTUATION)), OF(K(START_PUNCTUATION)), OF(K(NUMERIC))}},
    {.sets = {OF(ACCENTED | K(CURRENCY) | K(NUMERIC) | K(BOX) | K(LAW)),
              OF(K(END_PUNCTUATION)),
              OF(K(START_PUNCTUATION))}},
    {.sets = {OF(K(CURRENCY) | K(NUMERIC) | K(BOX)), OF(K(START_PUNCTUATION))}},
    {.sets = {OF(SMALL), OF(K(UPPER_ACCENTED)), OF(K(START_PUNCTUATION) | K(CURRENCY))}},
    {.sets = {OF(K(BOX)), OF(K(KAOMOJI))}},
    {.sets = {OF(ACCENTED | K(CURRENCY) | K(NUMERIC) | PUNCTUATION | K(LAW)), OF(K(BOX))}},
    {.sets = {OF(K(BOX)), OF(K(END_PUNCTUATION))}},
    {.sets = {OF(ACCENTED), OF(PUNCTUATION), OF(WORD)}},
    {.sets = {ANY("Œœ"), EXCEPT(LETTER)}},
    {.sets = {OF(K(UPPER_ACCENTED)), ANY("°")}},
    /* Windows-1252 */
    {.sets = {ANY("ÂÃÎÐ"), EITHER(PUNCTUATION, "€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—´")}},
    {.sets = {ANY("×"), ANY("²³")}},
    {.sets = {ANY("ØÙ"), EITHER(ARABIC_LINK, "ŸŠ®°µ»"), ANY("ØÙ"), EITHER(ARABIC_LINK, "ŸŠ®°µ»")}},
    {.sets = {ANY("à"), ANY("²µ¹¼½¾")}},
    /* MacRoman */
    {.sets = {ANY("√"), ANY("±∂†≠®™´≤≥¥µø")}},
    {.sets = {ANY("≈"), ANY("°¢")}},
    {.sets = {ANY("‚"), ANY("Ä"), ANY("ìîïòôúùû†°¢π")}},
    {.sets = {ANY("‚"), ANY("âó"), ANY("àä°ê")}},
    /* Windows-1251 */
    {.sets = {ANY("в"), ANY("Ђ")}},
    {.sets = {ANY("ВГРС"), EITHER(CYRILLIC_LINK, "°µ"), ANY("ВГРС")}},
    {.sets = {ANY("Г"), ANY("ў"), ANY("В"), ANY("Ђ"), ANY("В"), EXCEPT(NEWLINE),
              EITHER(LETTER, " ")}},
    /* Windows-1252 again: "à", "á", a no-break space, and Â before the character that it encodes */
    {.sets = {ANY("Ã"), ANY("\u00a0¡")}},
    {.sets = {OF(SMALL), OF(SPACE), ANY("ÃÂ"), ANY(" ")}},
    {.sets = {OF(SMALL), ANY("ÃÂ"), ANY(" ")}},
    {.sets = {ANY("ÃÂ"), ANY(" ")}, .at_start = true},
    {.sets = {EITHER(SMALL | K(END_PUNCTUATION), ".,?!"), ANY("Â"), EITHER(PUNCTUATION, " ")}},
    /* Windows-1253 */
    {.sets = {ANY("β"), ANY("€"), ANY("™\u00a0Ά\u00ad®°")}},
    {.sets = {ANY("ΒΓΞΟ"), EITHER(CYRILLIC_LINK, "°"), ANY("ΒΓΞΟ")}},
    /* Windows-1257 */
    {.sets = {ANY("ā"), ANY("€")}},
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
