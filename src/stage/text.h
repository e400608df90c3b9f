/* Inside src/stage: captions are written into a buffer that never overflows, from lists of phrases. */
#ifndef SORA_STAGE_TEXT_H
#define SORA_STAGE_TEXT_H

#include <stddef.h>
#include "base/rng.h"

typedef struct Text {
    char s[1536];
    size_t n;
} Text;

void text_add(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One of the '|' separated items of list, at random; the buffer is thread-local to the caller. */
const char *text_pick(Rng *rng, const char *list, char buffer[128]);
/* Item k of the list; "" past the end. */
const char *text_item(const char *list, int k, char buffer[128]);

#endif
