/* Finds all of many phrases in one pass (Aho and Corasick, 1975), byte by byte. */
#ifndef SORA_POLICY_MATCHER_H
#define SORA_POLICY_MATCHER_H

#include "text/trie.h"

typedef struct Matcher {
    Trie trie;         /* a node's value: what was given with the key that ends there, or -1 */
    uint32_t *failure; /* for each node, that of its longest proper suffix which is in the trie */
    uint32_t *output;  /* for each node, the nearest along the failures that ends a key; 0: none */
    uint32_t *length;  /* bytes of the node's string */
} Matcher;

/* Keys with different bytes; they are sorted in place. At least one. False: no memory. */
bool matcher_init(Matcher *m, TrieKey *keys, size_t count);
void matcher_deinit(Matcher *m);

/* The state after one more byte; 0 is the beginning. */
uint32_t matcher_next(const Matcher *m, uint32_t state, uint8_t byte);

/* Keys that end at this state: begin with the state itself, until 0. */
static inline uint32_t matcher_output(const Matcher *m, uint32_t state)
{
    return m->output[state];
}

#endif
