/* Phrases of the lists that were found in a text. */
#ifndef SORA_POLICY_HITS_H
#define SORA_POLICY_HITS_H

#include <stdbool.h>
#include <stddef.h>
#include "policy/rules.h"

typedef struct Hit {
    const RulePhrase *phrase;
    size_t begin, end; /* bytes of the folded text */
} Hit;

typedef struct Hits {
    Hit *at; /* heap */
    size_t count, capacity;
} Hits;

/* False: no memory; what was there stays. */
bool hits_add(Hits *hits, Hit hit);

enum { HITS_PLURAL = 3 /* letters of a word that may have a plural, at least */ };

#endif
