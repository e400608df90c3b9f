#include "text/trie.h"

#include <stdlib.h>
#include <string.h>

/* What a node stands for while the trie is built: sorted keys [low, high), equal in their first bytes. */
typedef struct Range {
    uint32_t low, high, depth;
} Range;

static int compare_keys(const void *a, const void *b)
{
    const TrieKey *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->size < y->size ? x->size : y->size);
    return order != 0 ? order : x->size < y->size ? -1 : x->size > y->size;
}

/* One node per prefix that the key does not share with the key before it. */
static size_t count_nodes(const TrieKey *keys, size_t count)
{
    size_t total = 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t shared = 0;
        while (i > 0 && shared < keys[i].size && shared < keys[i - 1].size &&
               keys[i].bytes[shared] == keys[i - 1].bytes[shared])
            shared++;
        total += keys[i].size - shared;
    }
    return total;
}

static uint8_t byte_at(const TrieKey *key, uint32_t depth)
{
    return (uint8_t)key->bytes[depth];
}

/* Gives node k its value and appends its children. */
static void expand(Trie *trie, const TrieKey *keys, Range *ranges, uint32_t k)
{
    Range r = ranges[k];
    TrieNode *node = &trie->nodes[k];
    while (r.low < r.high && keys[r.low].size == r.depth)
        node->value = keys[r.low++].value;
    node->first_child = trie->count;
    while (r.low < r.high) {
        uint32_t next = r.low + 1;
        while (next < r.high && byte_at(&keys[next], r.depth) == byte_at(&keys[r.low], r.depth))
            next++;
        trie->nodes[trie->count] = (TrieNode){.value = -1, .label = byte_at(&keys[r.low], r.depth)};
        ranges[trie->count++] = (Range){r.low, next, r.depth + 1};
        node->children++;
        r.low = next;
    }
}

bool trie_init(Trie *trie, TrieKey *keys, size_t count)
{
    *trie = (Trie){0};
    if (count == 0)
        return true;
    qsort(keys, count, sizeof *keys, compare_keys);
    size_t total = count_nodes(keys, count);
    Range *ranges = total < UINT32_MAX ? malloc(total * sizeof *ranges) : NULL;
    trie->nodes = total < UINT32_MAX ? malloc(total * sizeof *trie->nodes) : NULL;
    if (ranges == NULL || trie->nodes == NULL) {
        free(ranges);
        trie_deinit(trie);
        return false;
    }
    trie->nodes[0] = (TrieNode){.value = -1};
    ranges[0] = (Range){0, (uint32_t)count, 0};
    trie->count = 1;
    for (uint32_t k = 0; k < trie->count; k++)
        expand(trie, keys, ranges, k);
    free(ranges);
    return true;
}

void trie_deinit(Trie *trie)
{
    free(trie->nodes);
    *trie = (Trie){0};
}

uint32_t trie_child(const Trie *trie, uint32_t node, uint8_t label)
{
    uint32_t low = trie->nodes[node].first_child, high = low + trie->nodes[node].children;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint8_t found = trie->nodes[middle].label;
        if (found == label)
            return middle;
        if (found < label)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

size_t trie_longest_prefix(const Trie *trie, const char *text, size_t n)
{
    size_t longest = 0;
    if (trie->nodes == NULL)
        return 0;
    uint32_t node = 0;
    for (size_t i = 0; i < n && (node = trie_child(trie, node, (uint8_t)text[i])) != 0; i++) {
        if (trie->nodes[node].value >= 0)
            longest = i + 1;
    }
    return longest;
}
