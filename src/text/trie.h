/* A set of byte strings, walked one byte at a time. */
#ifndef SORA_TEXT_TRIE_H
#define SORA_TEXT_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct TrieKey {
    const char *bytes; /* not empty */
    uint32_t size;
    int32_t value; /* >= 0 */
} TrieKey;

typedef struct TrieNode {
    uint32_t first_child; /* children lie together, sorted by label */
    int32_t value;        /* of the key that ends here, or -1 */
    uint16_t children;
    uint8_t label;
} TrieNode;

typedef struct Trie {
    TrieNode *nodes; /* nodes[0] is the root; NULL when there are no keys */
    uint32_t count;
} Trie;

/* Sorts the keys in place and builds. Of equal keys one stays. False: no memory. */
bool trie_init(Trie *trie, TrieKey *keys, size_t count);
void trie_deinit(Trie *trie);

/* The child of node under that byte, or 0 when there is none. */
uint32_t trie_child(const Trie *trie, uint32_t node, uint8_t label);

/* Bytes of the longest key that text begins with, 0 when there is none. */
size_t trie_longest_prefix(const Trie *trie, const char *text, size_t n);

#endif
