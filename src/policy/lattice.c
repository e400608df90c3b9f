#include "policy/lattice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNTED_SIZE = 4,   /* letters of words by which mistakes are counted */
    LONG_SIZE = 5,      /* of known words that may be mistakes */
    RUN_SIZE = 8,       /* of an unknown word that may be several, at least */
    LONG_RUN_SIZE = 20, /* of one that may have letters in no word */
    MOST_NEAR = 12,     /* guesses for a word */
    MOST_WORDS = 24,    /* of a phrase */
};

/* As -log: how much less likely a guess may be than the likeliest one where mistakes are few, a cut than the best one;
 * and what a letter of a cut costs on average, at most. */
static const float SURE = 3, SLACK = 8, CUT_COST = 4;

/* Bytes [begin, end) of the text read as a word. */
typedef struct Edge {
    uint32_t begin, end, size;
    const char *bytes;
} Edge;

typedef struct Lattice {
    const Lexicon *lexicon;
    const Folded *text;
    Edge *edges; /* in the order of begin */
    size_t count, capacity;
    uint32_t *first; /* [size + 1] the first edge that begins there or later */
    bool mistaken;   /* known words may be mistakes */
    bool failed;
} Lattice;

static void add_edge(Lattice *a, Edge edge)
{
    if (a->count == a->capacity) {
        size_t capacity = 2 * a->capacity + 128;
        Edge *more = realloc(a->edges, capacity * sizeof *more);
        a->failed = a->failed || more == NULL;
        if (more == NULL)
            return;
        a->edges = more;
        a->capacity = capacity;
    }
    a->edges[a->count++] = edge;
}

/* The bytes from p on that have one class. */
static size_t run_size(const Folded *f, size_t p)
{
    size_t n = 0;
    int class = f->marks[p] & CLASS_MASK;
    while (p + n < f->size && (f->marks[p + n] & CLASS_MASK) == class)
        n++;
    return n;
}

static bool is_known(const Lexicon *l, const char *s, size_t n)
{
    return lexicon_find(l, s, n) != NULL || (n > 3 && s[n - 1] == 's' && lexicon_find(l, s, n - 1) != NULL);
}

/* Is at least half of the words unknown, and so the text full of mistakes? */
static bool is_mistaken(const Lexicon *l, const Folded *f)
{
    size_t all = 0, unknown = 0;
    for (size_t p = 0; p < f->size;) {
        size_t n = run_size(f, p);
        if ((f->marks[p] & CLASS_MASK) == CLASS_WORD && n >= COUNTED_SIZE) {
            all++;
            unknown += !is_known(l, f->bytes + p, n) && lexicon_is_mistake(l, f->bytes + p, n);
        }
        p += n;
    }
    return unknown > 1 && 2 * unknown >= all;
}

/* A word that letters may be cut into; any: foreign ones as well. */
static const LexiconWord *piece(const Lexicon *l, const char *s, size_t n, bool any)
{
    const LexiconWord *w = lexicon_find(l, s, n);
    return w != NULL && !w->name && (any || w->target) ? w : NULL;
}

/* For each place in the n letters the cost of the best cut before and behind it. any: there may be letters in no word,
 * which cost LEXICON_LETTER. */
static void weigh_cuts(const Lexicon *l, const char *s, size_t n, bool any, float *before, float *behind)
{
    float letter = any ? LEXICON_LETTER : INFINITY;
    before[0] = behind[n] = 0;
    for (size_t i = 1; i <= n; i++) {
        before[i] = before[i - 1] + letter;
        for (size_t k = 1; k <= LEXICON_WORD && k <= i; k++) {
            const LexiconWord *w = piece(l, s + i - k, k, any);
            if (w != NULL && before[i - k] + w->cost < before[i])
                before[i] = before[i - k] + w->cost;
        }
    }
    for (size_t i = n; i-- > 0;) {
        behind[i] = behind[i + 1] + letter;
        for (size_t k = 1; k <= LEXICON_WORD && i + k <= n; k++) {
            const LexiconWord *w = piece(l, s + i, k, any);
            if (w != NULL && w->cost + behind[i + k] < behind[i])
                behind[i] = w->cost + behind[i + k];
        }
    }
}

/* Is a letter there four times in a row? Then the letters are stretched, and the forms without that are judged. */
static bool is_stretched(const char *s, size_t n)
{
    for (size_t i = 3; i < n; i++) {
        if (s[i] == s[i - 1] && s[i] == s[i - 2] && s[i] == s[i - 3])
            return true;
    }
    return false;
}

/* The words of all cuts of the letters that are about as good as the best one; joined: letters in no word do not
 * matter. */
static void add_cuts(Lattice *a, size_t p, size_t n, bool joined)
{
    const char *s = a->text->bytes + p;
    float *before = malloc(2 * (n + 1) * sizeof *before), *behind = before + n + 1;
    a->failed = a->failed || before == NULL;
    if (before == NULL)
        return;
    weigh_cuts(a->lexicon, s, n, joined, before, behind);
    bool likely = joined || before[n] <= CUT_COST * (float)n;
    for (size_t i = 0; likely && i < n; i++) {
        for (size_t k = 1; k <= LEXICON_WORD && i + k <= n; k++) {
            const LexiconWord *w = piece(a->lexicon, s + i, k, joined);
            if (w != NULL && before[i] + w->cost + behind[i + k] <= before[n] + SLACK)
                add_edge(a, (Edge){(uint32_t)(p + i), (uint32_t)(p + i + k), (uint32_t)k, s + i});
        }
    }
    free(before);
}

static void add_word(Lattice *a, size_t p, size_t n)
{
    const char *s = a->text->bytes + p;
    const LexiconWord *near[MOST_NEAR];
    bool known = is_known(a->lexicon, s, n);
    add_edge(a, (Edge){(uint32_t)p, (uint32_t)(p + n), (uint32_t)n, s});
    size_t count = !known || (a->mistaken && n >= LONG_SIZE)
                       ? lexicon_near(a->lexicon, s, n, a->mistaken ? INFINITY : SURE, near, MOST_NEAR)
                       : 0;
    for (size_t i = 0; i < count; i++) {
        if (!known || (near[i]->size >= LONG_SIZE && near[i]->bytes[0] == s[0]))
            add_edge(a, (Edge){(uint32_t)p, (uint32_t)(p + n), near[i]->size, near[i]->bytes});
    }
    if (!known && n >= RUN_SIZE && !is_stretched(s, n))
        add_cuts(a, p, n, n >= LONG_RUN_SIZE);
}

static int by_begin(const void *a, const void *b)
{
    const Edge *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static bool build(Lattice *a)
{
    const Folded *f = a->text;
    for (size_t p = 0; p < f->size;) {
        size_t n = run_size(f, p);
        int class = f->marks[p] & CLASS_MASK;
        if (class == CLASS_WORD)
            add_word(a, p, n);
        else if (class == CLASS_JOINED)
            add_cuts(a, p, n, true);
        p += n;
    }
    a->first = malloc((f->size + 1) * sizeof *a->first);
    if (a->failed || a->first == NULL)
        return false;
    if (a->count > 0)
        qsort(a->edges, a->count, sizeof *a->edges, by_begin);
    size_t e = 0;
    for (size_t p = 0; p <= f->size; p++) {
        while (e < a->count && a->edges[e].begin < p)
            e++;
        a->first[p] = (uint32_t)e;
    }
    return true;
}

/* The words so far of a phrase. */
typedef struct Way {
    uint32_t begin;
    int words;
    bool capital; /* each begins with a capital letter */
} Way;

typedef struct Search {
    const Lattice *a;
    const Rules *rules;
    const Trie *trie;
    Hits *hits;
    bool ok;
} Search;

/* May a phrase of that kind end where `rest` bytes of the word are left? */
static bool ends(const Search *s, const RulePhrase *p, const Way *way, const Edge *e, uint32_t rest)
{
    const char *left = e->bytes + e->size - rest;
    bool first = (s->a->text->marks[way->begin] & FOLD_FIRST) != 0;
    switch ((RuleKind)p->kind) {
    case RULE_PART:
        return false; /* found without words */
    case RULE_STEM:
        return true;
    case RULE_EXACT:
        return rest == 0;
    case RULE_CAPITAL:
        return rest == 0 && way->capital && !s->a->text->shouted && (way->words > 1 || !first);
    default:
        return rest == 0 ||
               (p->size >= HITS_PLURAL && ((rest == 1 && *left == 's') || (rest == 2 && memcmp(left, "es", 2) == 0)));
    }
}

static void take(Search *s, int32_t phrase, const Way *way, const Edge *e, uint32_t rest)
{
    for (; phrase >= 0; phrase = s->rules->phrases[phrase].next) {
        const RulePhrase *p = &s->rules->phrases[phrase];
        if (ends(s, p, way, e, rest))
            s->ok = s->ok && hits_add(s->hits, (Hit){p, way->begin, e->end});
    }
}

/* All words from byte `at` on that go on from a node of the trie. */
static void follow(Search *s, uint32_t node, uint32_t at, Way way)
{
    const Lattice *a = s->a;
    for (uint32_t i = a->first[at]; i < a->count && a->edges[i].begin == at && s->ok; i++) {
        const Edge *e = &a->edges[i];
        Way now = {way.begin, way.words + 1, way.capital && (a->text->marks[at] & FOLD_CAPITAL) != 0};
        uint32_t n = node, k = 0;
        while (k < e->size && (n = trie_child(s->trie, n, (uint8_t)e->bytes[k])) != 0) {
            k++;
            if (s->trie->nodes[n].value >= 0)
                take(s, s->trie->nodes[n].value, &now, e, e->size - k);
        }
        uint32_t next = n != 0 ? trie_child(s->trie, n, ' ') : 0, to = e->end;
        to += to < a->text->size && a->text->bytes[to] == ' ';
        if (next != 0 && to < a->text->size && now.words < MOST_WORDS)
            follow(s, next, to, now);
    }
}

static int by_end(const void *a, const void *b)
{
    const Hit *x = a, *y = b;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

bool lattice_find(const Lexicon *l, const Rules *rules, const Matcher *m, const Folded *text, Hits *hits)
{
    if (m->trie.nodes == NULL || text->size == 0)
        return true;
    Lattice a = {.lexicon = l, .text = text, .mistaken = is_mistaken(l, text)};
    Search s = {&a, rules, &m->trie, hits, build(&a)};
    for (uint32_t p = 0; s.ok && p < text->size; p++)
        follow(&s, 0, p, (Way){p, 0, true});
    if (s.ok && hits->count > 0)
        qsort(hits->at, hits->count, sizeof *hits->at, by_end);
    free(a.edges);
    free(a.first);
    return s.ok;
}
