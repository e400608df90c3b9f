/* Which characters occur in mojibake, and whether a text looks as if it had some.
 *
 * The categories of characters and the list of unlikely neighbours are those of ftfy 6.3 (Robyn Speer,
 * Apache-2.0), taken as facts; the code is ours. */
#ifndef SORA_TEXT_BADNESS_H
#define SORA_TEXT_BADNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "text/tables.h"

/* What a character is, as numbers of bits. The first 14 are kinds of characters that mojibake is made of. */
enum {
    KIND_COMMON,
    KIND_C1,
    KIND_BAD,
    KIND_LAW,
    KIND_CURRENCY,
    KIND_START_PUNCTUATION,
    KIND_END_PUNCTUATION,
    KIND_NUMERIC,
    KIND_KAOMOJI,
    KIND_UPPER_ACCENTED,
    KIND_LOWER_ACCENTED,
    KIND_UPPER_COMMON,
    KIND_LOWER_COMMON,
    KIND_BOX,
    KIND_LISTED,
    /* What bytes of UTF-8 look like in Latin-1 and the encodings of Windows. */
    KIND_FIRST_OF_2 = KIND_LISTED,
    KIND_FIRST_OF_3,
    KIND_FIRST_OF_4,
    KIND_CONTINUATION,        /* also a space, as which a no-break space may have ended */
    KIND_CONTINUATION_STRICT, /* not those that often stand for themselves: spaces, dashes, quotes */
    KIND_IN_PAGE,             /* this and the next: the character is in that code page */
    KIND_STORED = KIND_IN_PAGE + CODE_PAGE_COUNT,
};

/* The bits of each character below U+10000; others have none. */
typedef struct KindTable {
    uint32_t bits[0x10000];
} KindTable;

void kind_table_init(KindTable *table);

/* Whether the character is of that kind. */
bool kind_is(const KindTable *table, int32_t c, int kind);

/* Whether some neighbours in the text are unlikely but for mojibake. */
bool badness_found(const KindTable *table, const int32_t *text, size_t n);

#endif
