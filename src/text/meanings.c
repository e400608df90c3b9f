#include "text/meanings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DEPTH = 24, /* of the tree: 19 */
    MAX_SENSES = 8, /* of a word that are looked at */
};

/* A word that is looked for: a query's, or a known one. */
typedef struct Form {
    char text[MEANINGS_TERM];
    int owner; /* index into Search.words */
} Form;

/* The place of a word in the tree. */
typedef struct Sense {
    int path[MAX_DEPTH]; /* lines from the root to the meaning itself */
    int depth, number;   /* of the meaning; which of the word's it is, from 1 */
    MeaningKind kind;
} Sense;

typedef struct Word {
    Sense senses[MAX_SENSES];
    int count;
} Word;

typedef struct Search {
    Form *forms, *originals; /* the words in their plain forms, and as they are; sorted */
    int form_count, form_room, word_count;
    Word *words; /* queries, then known ones */
    int person;  /* the line of what all people are */
    bool failed;
} Search;

static void add_form(Search *s, const char *text, size_t n, const char *end, int owner)
{
    size_t m = strlen(end);
    if (n < 2 || n + m >= MEANINGS_TERM)
        return;
    if (s->form_count == s->form_room) {
        int room = s->form_room > 0 ? 2 * s->form_room : 256;
        Form *more = realloc(s->forms, (size_t)room * sizeof *more);
        if (more == NULL) {
            s->failed = true;
            return;
        }
        s->forms = more;
        s->form_room = room;
    }
    Form *f = &s->forms[s->form_count++];
    memcpy(f->text, text, n);
    memcpy(f->text + n, end, m + 1);
    f->owner = owner;
}

/* What the word may be a form of: "foxes" of "foxe" and "fox". */
static void add_plain_forms(Search *s, const char *w, int owner)
{
    static const struct {
        const char *end, *plain;
    } RULES[] = {{"s", ""}, {"es", ""}, {"ies", "y"}, {"ed", ""}, {"ed", "e"}, {"ied", "y"}, {"ing", ""}, {"ing", "e"}};
    size_t n = strlen(w);
    add_form(s, w, n, "", owner);
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        size_t m = strlen(RULES[i].end);
        if (n < m + 2 || strcmp(w + n - m, RULES[i].end) != 0)
            continue;
        add_form(s, w, n - m, RULES[i].plain, owner);
        if (*RULES[i].plain == 0 && m > 1 && w[n - m - 1] == w[n - m - 2]) /* "hopping" */
            add_form(s, w, n - m - 1, "", owner);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const Form *)a)->text, ((const Form *)b)->text);
}

/* The first form of that text in a sorted list; NULL: none. */
static const Form *find(const Form *list, int count, const char *text)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (strcmp(list[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(list[low].text, text) == 0 ? &list[low] : NULL;
}

static bool begin_search(Search *s, const MeaningQuery *queries, int count, const MeaningTerm *known, int known_count)
{
    s->word_count = count + known_count;
    s->words = calloc((size_t)s->word_count + 1, sizeof *s->words);
    s->originals = calloc((size_t)s->word_count + 1, sizeof *s->originals);
    if (s->words == NULL || s->originals == NULL)
        return false;
    for (int i = 0; i < s->word_count; i++) {
        Form *f = &s->originals[i];
        snprintf(f->text, sizeof f->text, "%s", i < count ? queries[i].word : known[i - count].text);
        for (char *c = f->text; *c != 0; c++)
            *c = *c == ' ' ? '_' : *c;
        f->owner = i;
        add_plain_forms(s, f->text, i);
    }
    qsort(s->originals, (size_t)s->word_count, sizeof *s->originals, compare);
    return !s->failed;
}

/* The next word of a line, and past it; 0 bytes at the line's end. */
static size_t next_term(const char **line, char term[MEANINGS_TERM])
{
    size_t n = strcspn(*line + (**line == ' '), " \n");
    const char *begin = *line + (**line == ' ');
    size_t kept = n < MEANINGS_TERM - 1 ? n : MEANINGS_TERM - 1;
    memcpy(term, begin, kept);
    term[kept] = 0;
    *line = begin + n;
    return n;
}

/* "= mice mouse" */
static void take_form(Search *s, const char *line)
{
    char form[MEANINGS_TERM], plain[MEANINGS_TERM];
    line++;
    next_term(&line, form);
    next_term(&line, plain);
    const Form *f = find(s->originals, s->word_count, form);
    for (; f != NULL && f < s->originals + s->word_count && strcmp(f->text, form) == 0; f++)
        add_form(s, plain, strlen(plain), "", f->owner);
}

/* "13 dog domestic_dog", as line number `at`. */
static void take_meaning(Search *s, const char *line, MeaningKind kind, int at, int path[MAX_DEPTH])
{
    char term[MEANINGS_TERM];
    int depth = atoi(line);
    if (depth < 0 || depth >= MAX_DEPTH)
        return;
    path[depth] = at;
    next_term(&line, term); /* the depth */
    while (next_term(&line, term) > 0) {
        char *colon = strchr(term, ':');
        int number = colon != NULL ? atoi(colon + 1) : 1;
        if (colon != NULL)
            *colon = 0;
        if (s->person == 0 && number == 1 && strcmp(term, "person") == 0)
            s->person = at;
        const Form *f = find(s->forms, s->form_count, term);
        for (; f != NULL && f < s->forms + s->form_count && strcmp(f->text, term) == 0; f++) {
            Word *w = &s->words[f->owner];
            if (w->count == MAX_SENSES)
                continue;
            Sense *sense = &w->senses[w->count++];
            sense->depth = depth;
            sense->number = number;
            sense->kind = kind;
            memcpy(sense->path, path, (size_t)(depth + 1) * sizeof *path);
        }
    }
}

static void read_table(Search *s)
{
    int path[MAX_DEPTH] = {0}, at = 0;
    bool sorted = false;
    MeaningKind kind = MEANING_NOUN;
    for (const char *line = MEANINGS; *line != 0; at++) {
        if (*line == '=') {
            take_form(s, line);
        } else if (*line == '-') {
            kind = MEANING_VERB;
        } else if (*line != '>') {
            if (!sorted && s->form_count > 0)
                qsort(s->forms, (size_t)s->form_count, sizeof *s->forms, compare);
            sorted = true;
            take_meaning(s, line, kind, at, path);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
}

/* What both are kinds of must be narrow enough to say something: below "artifact" and "organism", and more than people;
 * of verbs, which have many roots, anything. */
static double nearness(const Search *s, const Sense *a, const Sense *b)
{
    static const double RARE = 0.05;
    enum { NOUN_DEPTH = 6 };
    int common = 0;
    if (a->kind != b->kind)
        return 0;
    while (common <= a->depth && common <= b->depth && a->path[common] == b->path[common])
        common++;
    if (common == 0 || (a->kind == MEANING_NOUN && common <= NOUN_DEPTH) || a->path[common - 1] == s->person)
        return 0;
    return 2.0 * common / (a->depth + b->depth + 2) - RARE * (a->number - 1);
}

/* Its commonest meaning of that kind that can be seen; NULL: none. */
static const Sense *commonest(const Word *w, MeaningKind kind)
{
    const Sense *best = NULL;
    for (int i = 0; i < w->count; i++)
        if (w->senses[i].kind == kind && (best == NULL || w->senses[i].number < best->number))
            best = &w->senses[i];
    return best;
}

/* Whether what the word means most often can be seen: "chess" is a grass too. */
static bool is_visible(const Word *w, MeaningKind kind)
{
    const Sense *first = commonest(w, kind);
    return first != NULL && first->number == 1;
}

static void choose(const Search *s, MeaningQuery *q, const Word *word, const MeaningTerm *terms, int known_count)
{
    static const double ENOUGH = 0.76;
    const Word *known = s->words + s->word_count - known_count;
    q->near = -1;
    q->nearness = 0;
    q->real = word->count > 0;
    for (int k = 0; k < known_count; k++) {
        const Sense *meant = commonest(&known[k], terms[k].kind);
        for (int i = 0; meant != NULL && i < word->count; i++) {
            double n = is_visible(word, terms[k].kind) ? nearness(s, &word->senses[i], meant) : 0;
            if (n >= ENOUGH && n > q->nearness) {
                q->near = k;
                q->nearness = n;
            }
        }
    }
}

bool meanings_find(MeaningQuery *queries, int count, const MeaningTerm *known, int known_count)
{
    Search s = {0};
    bool ok = begin_search(&s, queries, count, known, known_count);
    if (ok)
        read_table(&s);
    ok = ok && !s.failed;
    for (int i = 0; ok && i < count; i++)
        choose(&s, &queries[i], &s.words[i], known, known_count);
    free(s.forms);
    free(s.originals);
    free(s.words);
    return ok;
}

bool meanings_english(const char *word, size_t n, char english[MEANINGS_TERM])
{
    for (const char *line = MEANINGS; *line == '=' || *line == '>'; line += strcspn(line, "\n") + 1) {
        char term[MEANINGS_TERM];
        const char *at = line + 1;
        if (*line != '>' || next_term(&at, term) != n || memcmp(term, word, n) != 0)
            continue;
        next_term(&at, english);
        for (char *c = english; *c != 0; c++)
            *c = *c == '_' ? ' ' : *c;
        return true;
    }
    return false;
}
