/* Ways in which people hide what they ask for, for `sora redteam`: each makes another text of a prompt. */
#ifndef SORA_POLICY_ATTACKS_H
#define SORA_POLICY_ATTACKS_H

#include "text/buffer.h"

typedef struct Attack {
    const char *name, *what;
    /* Appends the text changed to out. */
    void (*change)(const char *text, size_t n, Buffer *out);
    bool cards; /* out is two texts with a 0 byte between: cards of a storyboard */
} Attack;

extern const Attack ATTACKS[]; /* ends with a NULL name */

#endif
