/* What somebody should know although nothing failed: a list that functions add to on the way (SoraNote in sora.h). */
#ifndef SORA_BASE_NOTES_H
#define SORA_BASE_NOTES_H

#include "base/error.h"

typedef struct Notes {
    SoraNote *items; /* heap; so are their texts */
    int count, capacity;
    bool failed; /* one was lost for lack of memory */
} Notes;

/* about: a constant. The text is one line: what is not printable becomes '?'. */
void notes_add(Notes *n, const char *about, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* NULL when there are no more than i. */
const SoraNote *notes_at(const Notes *n, int i);
/* False with an error when one was lost. */
bool notes_ok(const Notes *n, SoraError *err);
void notes_deinit(Notes *n); /* a zeroed one is allowed */

#endif
