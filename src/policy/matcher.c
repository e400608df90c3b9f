#include "policy/matcher.h"

#include <stdlib.h>

void matcher_deinit(Matcher *m)
{
    trie_deinit(&m->trie);
    free(m->failure);
    free(m->output);
    free(m->length);
    *m = (Matcher){0};
}

uint32_t matcher_next(const Matcher *m, uint32_t state, uint8_t byte)
{
    for (;;) {
        uint32_t child = trie_child(&m->trie, state, byte);
        if (child != 0 || state == 0)
            return child;
        state = m->failure[state];
    }
}

/* Breadth first, since a node's failure is nearer to the root. */
static void link_nodes(Matcher *m, uint32_t *queue)
{
    const TrieNode *nodes = m->trie.nodes;
    size_t head = 0, tail = 0;
    queue[tail++] = 0;
    while (head < tail) {
        uint32_t node = queue[head++];
        for (uint32_t i = 0; i < nodes[node].children; i++) {
            uint32_t child = nodes[node].first_child + i;
            m->length[child] = m->length[node] + 1;
            m->failure[child] = node == 0 ? 0 : matcher_next(m, m->failure[node], nodes[child].label);
            uint32_t f = m->failure[child];
            m->output[child] = nodes[f].value >= 0 ? f : m->output[f];
            queue[tail++] = child;
        }
    }
}

bool matcher_init(Matcher *m, TrieKey *keys, size_t count)
{
    *m = (Matcher){0};
    if (!trie_init(&m->trie, keys, count))
        return false;
    size_t n = m->trie.count;
    uint32_t *queue = calloc(n, sizeof *queue);
    m->failure = calloc(n, sizeof *m->failure);
    m->output = calloc(n, sizeof *m->output);
    m->length = calloc(n, sizeof *m->length);
    bool ok = queue != NULL && m->failure != NULL && m->output != NULL && m->length != NULL;
    if (ok)
        link_nodes(m, queue);
    else
        matcher_deinit(m);
    free(queue);
    return ok;
}
