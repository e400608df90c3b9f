/* Text as an array of characters, for the steps of cleaning. A failed allocation is remembered. */
#ifndef SORA_TEXT_RUNES_H
#define SORA_TEXT_RUNES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Runes {
    int32_t *at; /* no surrogates, at most 0x10FFFF */
    size_t count, capacity;
    bool failed;
} Runes; /* begin with {0} */

void runes_append(Runes *r, int32_t c);
void runes_append_all(Runes *r, const int32_t *from, size_t count);
void runes_append_utf8(Runes *r, const char *text, size_t n); /* n bytes of UTF-8 */
bool runes_equal(const Runes *a, const Runes *b);
void runes_deinit(Runes *r);

/* to gets what from holds, and its failure; from is empty afterwards. */
void runes_move(Runes *to, Runes *from);

/* The text in UTF-8 with a 0 byte after it, to free(); NULL when memory ran out, now or before. */
char *runes_to_utf8(const Runes *r, size_t *n);

#endif
