#include "policy/lexicon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "text/buffer.h"

enum {
    MENDED_SIZE = 4,      /* at least */
    CERTAIN_SIZE = 6,     /* shorter words must begin with the same letter */
    SENTENCE_SIZE = 20,   /* longer words are sentences without spaces */
    GLUED_SIZE = 10,      /* of a word that is cut into several, at least */
    PIECE_SIZE = 3,       /* of each of them on average, at least */
    NAME_SIZE = 9,        /* letters of a name of two words in which an edit is looked for */
    MAX_DOUBLES = 8,
    LISTED_COUNT = 20,    /* how common a word of the rules is taken to be */
};

static const float TOTAL = 400000; /* words that the vocabulary was counted in, about */

static uint32_t hash_word(const char *s, size_t n)
{
    return hash32(HASH32_START, s, n);
}

static LexiconWord *find(const Lexicon *l, const char *s, size_t n)
{
    for (uint32_t i = hash_word(s, n) & l->slot_mask; l->slots[i] != 0; i = (i + 1) & l->slot_mask) {
        LexiconWord *w = &l->words[l->slots[i] - 1];
        if (w->size == n && memcmp(w->bytes, s, n) == 0)
            return w;
    }
    return NULL;
}

const LexiconWord *lexicon_find(const Lexicon *l, const char *s, size_t n)
{
    return find(l, s, n);
}

/* The word, added when it is new; NULL when it is none that can be mended to. s stays the caller's. */
static LexiconWord *add(Lexicon *l, const char *s, size_t n, float count)
{
    if (n == 0 || n > LEXICON_WORD || 2 * l->count > l->slot_mask)
        return NULL;
    float cost = logf(TOTAL / count);
    LexiconWord *w = find(l, s, n);
    if (w == NULL) {
        uint32_t i = hash_word(s, n) & l->slot_mask;
        while (l->slots[i] != 0)
            i = (i + 1) & l->slot_mask;
        l->slots[i] = l->count + 1;
        w = &l->words[l->count++];
        *w = (LexiconWord){.bytes = s, .size = (uint8_t)n, .cost = cost};
    }
    w->cost = cost < w->cost ? cost : w->cost;
    return w;
}

static bool is_small(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] < 'a' || s[i] > 'z')
            return false;
    }
    return n > 0;
}

static void add_vocabulary(Lexicon *l, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const char *end = memchr(text + i, '\n', size - i);
        size_t n = end != NULL ? (size_t)(end - text) - i : size - i;
        const char *space = memchr(text + i, ' ', n);
        size_t letters = space != NULL ? (size_t)(space - text) - i : n;
        float count = space != NULL ? strtof(space, NULL) : 1;
        LexiconWord *w = is_small(text + i, letters) ? add(l, text + i, letters, count > 1 ? count : 1) : NULL;
        if (w != NULL)
            w->target = true;
        i += n + 1;
    }
}

/* The two words of a name written together, so that an edit in each is seen. False: no memory. */
static bool add_name(Lexicon *l, const char *s, size_t first, const char *rest, size_t second)
{
    size_t n = first + second;
    if (n < NAME_SIZE || n > LEXICON_WORD || !is_small(s, first) || !is_small(rest, second))
        return true;
    char *both = arena_alloc(&l->arena, n);
    if (both == NULL)
        return false;
    memcpy(both, s, first);
    memcpy(both + first, rest, second);
    LexiconWord *w = first >= MENDED_SIZE && second >= MENDED_SIZE && find(l, both, n) == NULL ? add(l, both, n, 1) : NULL;
    if (w != NULL) {
        w->name = true;
        w->cut = (uint8_t)first;
    }
    return true;
}

static bool add_phrase(Lexicon *l, const Rules *r, const RulePhrase *p)
{
    const char *space = memchr(p->bytes, ' ', p->size), *end = p->bytes + p->size;
    for (const char *s = p->bytes; s < end;) {
        const char *next = memchr(s, ' ', (size_t)(end - s));
        size_t n = next != NULL ? (size_t)(next - s) : (size_t)(end - s);
        LexiconWord *w = is_small(s, n) ? add(l, s, n, LISTED_COUNT) : NULL;
        if (w != NULL) {
            w->listed = w->listed || p->list != LIST_INNOCENT;
            w->ruled = true;
            w->target = w->target || r->lists[p->list].names || n >= CERTAIN_SIZE;
        }
        s += n + 1;
    }
    bool named = r->lists[p->list].names && space != NULL;
    return !named || add_name(l, p->bytes, (size_t)(space - p->bytes), space + 1, (size_t)(end - space) - 1);
}

static uint32_t hash_variant(uint32_t hash, const char *s, size_t n, size_t at)
{
    return at < n ? hash32(hash32(hash, s, at), s + at + 1, n - at - 1) : hash32(hash, s, n);
}

static void add_delete(Lexicon *l, uint32_t hash, uint32_t word)
{
    uint32_t k = hash & l->delete_mask;
    while (l->deletes[k] != 0)
        k = (k + 1) & l->delete_mask;
    l->deletes[k] = word + 1;
}

/* A name under each of its first word's variants with each of its second's. */
static void add_name_deletes(Lexicon *l, uint32_t word)
{
    const LexiconWord *w = &l->words[word];
    size_t second = w->size - w->cut;
    for (size_t i = 0; i <= w->cut; i++) {
        uint32_t hash = hash32(hash_variant(HASH32_START, w->bytes, w->cut, i), " ", 1);
        for (size_t k = 0; k <= second; k++)
            add_delete(l, hash_variant(hash, w->bytes + w->cut, second, k), word);
    }
}

static bool add_deletes(Lexicon *l)
{
    size_t entries = 0, capacity = 1024;
    for (uint32_t i = 0; i < l->count; i++) {
        const LexiconWord *w = &l->words[i];
        entries += w->name ? (w->cut + 1u) * (w->size - w->cut + 1u) : w->size + 1u;
    }
    while (capacity < 2 * entries)
        capacity *= 2;
    l->deletes = calloc(capacity, sizeof *l->deletes);
    if (l->deletes == NULL)
        return false;
    l->delete_mask = (uint32_t)capacity - 1;
    for (uint32_t i = 0; i < l->count; i++) {
        const LexiconWord *w = &l->words[i];
        if (w->name)
            add_name_deletes(l, i);
        for (size_t at = 0; !w->name && w->target && w->size >= MENDED_SIZE && at <= w->size; at++)
            add_delete(l, hash_variant(HASH32_START, w->bytes, w->size, at), i);
    }
    return true;
}

bool lexicon_init(Lexicon *l, const Rules *rules, const char *vocabulary, size_t size)
{
    *l = (Lexicon){0};
    arena_init(&l->arena, 1 << 16);
    size_t most = 1024, capacity = 2048;
    for (size_t i = 0; i < size; i++)
        most += vocabulary[i] == '\n';
    for (size_t i = 0; i < rules->phrase_count; i++)
        most += rules->phrases[i].size / 2 + 2u;
    while (capacity < 2 * most)
        capacity *= 2;
    l->slot_mask = (uint32_t)capacity - 1;
    l->words = malloc(most * sizeof *l->words);
    l->slots = calloc(capacity, sizeof *l->slots);
    bool ok = l->words != NULL && l->slots != NULL;
    if (ok)
        add_vocabulary(l, vocabulary, size);
    for (size_t i = 0; ok && i < rules->phrase_count; i++)
        ok = add_phrase(l, rules, &rules->phrases[i]);
    ok = ok && add_deletes(l);
    if (!ok)
        lexicon_deinit(l);
    return ok;
}

void lexicon_deinit(Lexicon *l)
{
    if (l->words == NULL && l->slots == NULL)
        return;
    arena_deinit(&l->arena);
    free(l->words);
    free(l->slots);
    free(l->deletes);
    *l = (Lexicon){0};
}

/* At most one letter more, less or other, or two exchanged. */
static bool is_near(const char *a, size_t n, const char *b, size_t m)
{
    size_t i = 0;
    while (i < n && i < m && a[i] == b[i])
        i++;
    if (n == m) {
        bool other = i == n || memcmp(a + i + 1, b + i + 1, n - i - 1) == 0;
        bool exchanged = i + 1 < n && a[i] == b[i + 1] && a[i + 1] == b[i] && memcmp(a + i + 2, b + i + 2, n - i - 2) == 0;
        return other || exchanged;
    }
    if (n + 1 == m)
        return memcmp(a + i, b + i + 1, n - i) == 0;
    return m + 1 == n && memcmp(a + i + 1, b + i, m - i) == 0;
}

/* Is b a better guess than a for a word that begins with that letter? Words of the rules first, then those that begin alike, then
 * common ones. */
static bool is_better(const LexiconWord *a, const LexiconWord *b, char first)
{
    if (a == NULL || a->listed != b->listed)
        return a == NULL || b->listed;
    bool alike = a->bytes[0] == first;
    return alike != (b->bytes[0] == first) ? !alike : b->cost < a->cost;
}

typedef bool NearListener(void *user, const LexiconWord *word);

/* Calls for every word an edit away, some more than once, until it answers false. */
static void visit_near(const Lexicon *l, const char *s, size_t n, NearListener *listener, void *user)
{
    if (n < MENDED_SIZE || n > LEXICON_WORD || !is_small(s, n))
        return;
    for (size_t at = 0; at <= n; at++) {
        uint32_t k = hash_variant(HASH32_START, s, n, at) & l->delete_mask;
        for (; l->deletes[k] != 0; k = (k + 1) & l->delete_mask) {
            const LexiconWord *w = &l->words[l->deletes[k] - 1];
            bool sure = (n >= CERTAIN_SIZE && w->size >= CERTAIN_SIZE) || w->bytes[0] == s[0];
            if (!w->name && sure && is_near(s, n, w->bytes, w->size) && !listener(user, w))
                return;
        }
    }
}

typedef struct Guess {
    const LexiconWord *best;
    char first; /* letter of the word */
} Guess;

static bool take_better(void *user, const LexiconWord *w)
{
    Guess *g = user;
    if (is_better(g->best, w, g->first))
        g->best = w;
    return true;
}

/* The best guess, or NULL. */
static const LexiconWord *find_near(const Lexicon *l, const char *s, size_t n)
{
    Guess guess = {NULL, *s};
    visit_near(l, s, n, take_better, &guess);
    return guess.best;
}

typedef struct Guesses {
    const LexiconWord **at;
    size_t count, most;
    float least; /* cost of any word an edit away, of the rules or not */
} Guesses;

static bool take_ruled(void *user, const LexiconWord *w)
{
    Guesses *g = user;
    bool there = !w->ruled || g->count == g->most;
    for (size_t i = 0; i < g->count && !there; i++)
        there = g->at[i] == w;
    if (!there)
        g->at[g->count++] = w;
    g->least = w->cost < g->least ? w->cost : g->least;
    return true;
}

size_t lexicon_near(const Lexicon *l, const char *s, size_t n, float slack, const LexiconWord **out, size_t most)
{
    Guesses g = {out, 0, most, INFINITY};
    visit_near(l, s, n, take_ruled, &g);
    size_t kept = 0;
    for (size_t i = 0; i < g.count; i++) {
        if (out[i]->cost <= g.least + slack)
            out[kept++] = out[i];
    }
    return kept;
}

bool lexicon_is_mistake(const Lexicon *l, const char *s, size_t n)
{
    return find_near(l, s, n) != NULL;
}

/* A name of which each word is at most an edit away. */
static const LexiconWord *find_near_name(const Lexicon *l, const char *a, size_t n, const char *b, size_t m)
{
    for (size_t i = 0; i <= n; i++) {
        uint32_t hash = hash32(hash_variant(HASH32_START, a, n, i), " ", 1);
        for (size_t j = 0; j <= m; j++) {
            uint32_t k = hash_variant(hash, b, m, j) & l->delete_mask;
            for (; l->deletes[k] != 0; k = (k + 1) & l->delete_mask) {
                const LexiconWord *w = &l->words[l->deletes[k] - 1];
                if (w->name && is_near(a, n, w->bytes, w->cut) && is_near(b, m, w->bytes + w->cut, w->size - w->cut))
                    return w;
            }
        }
    }
    return NULL;
}

/* One mending: the text so far and its marks. */
typedef struct Mending {
    const Lexicon *l;
    Buffer bytes, marks;
} Mending;

static void put(Mending *m, const char *s, size_t n, int first_mark, int mark)
{
    for (size_t i = 0; i < n; i++) {
        char c = (char)(i == 0 ? first_mark : mark);
        buffer_append(&m->marks, &c, 1);
    }
    buffer_append(&m->bytes, s, n);
}

static void put_word(Mending *m, const char *s, size_t n, int mark)
{
    int plain = CLASS_WORD;
    if (m->bytes.size > 0 && m->bytes.bytes[m->bytes.size - 1] != ' ')
        put(m, " ", 1, CLASS_SPACE, CLASS_SPACE);
    put(m, s, n, plain | (mark & (FOLD_CAPITAL | FOLD_FIRST)), plain);
}

/* The cheapest cut of the n letters into known words; sizes[i] gets the size of the piece that ends at i. Letters in no word are
 * pieces of one letter. any: foreign words count too. whole: all are in words, which have PIECE_SIZE letters on average. False: no memory. */
static bool cut(const Lexicon *l, const char *s, size_t n, bool any, uint8_t *sizes, bool *whole)
{
    float *cost = malloc((n + 1) * sizeof *cost);
    if (cost == NULL)
        return false;
    cost[0] = 0;
    for (size_t i = 1; i <= n; i++) {
        cost[i] = cost[i - 1] + LEXICON_LETTER;
        sizes[i] = 1;
        for (size_t k = 1; k <= LEXICON_WORD && k <= i; k++) {
            const LexiconWord *w = find(l, s + i - k, k);
            if (w != NULL && (any || w->target) && !w->name && cost[i - k] + w->cost < cost[i]) {
                cost[i] = cost[i - k] + w->cost;
                sizes[i] = (uint8_t)k;
            }
        }
    }
    size_t pieces = 0;
    *whole = true;
    for (size_t i = n; i > 0; i -= sizes[i]) {
        pieces++;
        *whole = *whole && (sizes[i] > 1 || cost[i] - cost[i - 1] < LEXICON_LETTER);
    }
    *whole = *whole && pieces * PIECE_SIZE <= n;
    free(cost);
    return true;
}

/* The pieces of a cut as words; pieces of one letter that follow each other stay together. */
static bool put_pieces(Mending *m, const char *s, const uint8_t *marks, size_t n, const uint8_t *sizes)
{
    uint8_t *starts = calloc(n + 1, 1);
    if (starts == NULL)
        return false;
    for (size_t i = n; i > 0; i -= sizes[i])
        starts[i - sizes[i]] = sizes[i];
    for (size_t i = 0; i < n;) {
        size_t end = i + starts[i];
        while (starts[i] == 1 && end < n && starts[end] == 1)
            end++;
        put_word(m, s + i, end - i, marks[i]);
        i = end;
    }
    free(starts);
    return true;
}

/* A run of letters that were written with spaces between, or together: cut into words. */
static bool mend_run(Mending *m, const char *s, const uint8_t *marks, size_t n, bool joined)
{
    uint8_t *sizes = malloc(n + 1);
    bool whole = false, ok = sizes != NULL && cut(m->l, s, n, joined, sizes, &whole);
    if (ok && (joined || whole))
        ok = put_pieces(m, s, marks, n, sizes);
    else if (ok)
        put_word(m, s, n, marks[0]);
    free(sizes);
    return ok;
}

/* The size of two words from s on that are a name but for one edit, as it stands in the lists; 0: they are none. */
static size_t mend_name(Mending *m, const Folded *in, size_t begin, size_t first)
{
    size_t next = begin + first + 1, end = next;
    while (end < in->size && in->bytes[end] != ' ')
        end++;
    size_t second = end - (next < end ? next : end);
    bool capital = second > 0 && (in->marks[begin] & FOLD_CAPITAL) && (in->marks[next] & FOLD_CAPITAL);
    if (!capital || first + second + 2 < NAME_SIZE || first + second > LEXICON_WORD)
        return 0;
    const LexiconWord *w = find_near_name(m->l, in->bytes + begin, first, in->bytes + next, second);
    if (w == NULL)
        return 0;
    put_word(m, w->bytes, w->cut, in->marks[begin]);
    put_word(m, w->bytes + w->cut, w->size - w->cut, in->marks[next]);
    return end - begin;
}

/* A known word that the n letters are when some of their doubled letters are single ones, as in "wiinniie"; NULL: none. */
static const LexiconWord *find_single(const Lexicon *l, const char *s, size_t n)
{
    size_t doubles = 0;
    for (size_t i = 1; i < n; i++)
        doubles += s[i] == s[i - 1];
    if (doubles == 0 || doubles > MAX_DOUBLES || n > 2 * LEXICON_WORD)
        return NULL;
    for (uint32_t choice = 1; choice < 1u << doubles; choice++) {
        char shorter[2 * LEXICON_WORD];
        size_t size = 0, k = 0;
        for (size_t i = 0; i < n; i++) {
            bool drop = i > 0 && s[i] == s[i - 1] && (choice >> k++ & 1);
            if (!drop)
                shorter[size++] = s[i];
        }
        const LexiconWord *w = size <= LEXICON_WORD ? find(l, shorter, size) : NULL;
        if (w != NULL && !w->name)
            return w;
    }
    return NULL;
}

/* A word that is not known: what it may have been. */
static bool mend_word(Mending *m, const Folded *in, size_t begin, size_t n)
{
    const char *s = in->bytes + begin;
    const LexiconWord *known = n <= LEXICON_WORD ? find(m->l, s, n) : NULL;
    if (known != NULL && known->name) {
        put_word(m, s, known->cut, in->marks[begin]);
        put_word(m, s + known->cut, n - known->cut, in->marks[begin]);
        return true;
    }
    bool plural = n > MENDED_SIZE && s[n - 1] == 's' && find(m->l, s, n - 1) != NULL;
    const LexiconWord *w = known == NULL ? find_single(m->l, s, n) : NULL;
    if (w == NULL && known == NULL && !plural)
        w = find_near(m->l, s, n);
    if (w == NULL && known == NULL && !plural && n >= GLUED_SIZE && is_small(s, n))
        return mend_run(m, s, in->marks + begin, n, n >= SENTENCE_SIZE);
    put_word(m, w != NULL ? w->bytes : s, w != NULL ? w->size : n, in->marks[begin]);
    return true;
}

static bool mend(Mending *m, const Folded *in)
{
    bool ok = true;
    for (size_t i = 0; ok && i < in->size;) {
        int class = in->marks[i] & CLASS_MASK;
        size_t n = 0;
        while (i + n < in->size && (in->marks[i + n] & CLASS_MASK) == class)
            n++;
        bool alone = (i == 0 || in->bytes[i - 1] == ' ') && (i + n == in->size || in->bytes[i + n] == ' ');
        size_t name = 0;
        if (class == CLASS_JOINED)
            ok = mend_run(m, in->bytes + i, in->marks + i, n, true);
        else if (class == CLASS_WORD && alone && (name = mend_name(m, in, i, n)) == 0)
            ok = mend_word(m, in, i, n);
        else if (name == 0)
            for (size_t k = 0; k < n; k++)
                put(m, in->bytes + i + k, 1, in->marks[i + k], 0);
        i += name > 0 ? name : n;
    }
    return ok && !m->bytes.failed && !m->marks.failed;
}

bool lexicon_mend(const Lexicon *l, const Folded *in, Folded *out)
{
    Mending m = {.l = l};
    *out = (Folded){.shouted = in->shouted};
    if (!mend(&m, in)) {
        buffer_deinit(&m.bytes);
        buffer_deinit(&m.marks);
        return false;
    }
    size_t unused;
    out->size = m.bytes.size;
    out->bytes = buffer_take(&m.bytes, &unused);
    out->marks = (uint8_t *)buffer_take(&m.marks, &unused);
    if (out->bytes == NULL || out->marks == NULL)
        folded_deinit(out);
    return out->bytes != NULL;
}
