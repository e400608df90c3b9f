/* Words by what they mean: which of some known words is nearest to another one. From WordNet's tree of kinds
 * (meanings.txt, which meanings.py writes), embedded: English nouns for what can be seen, verbs for what can be seen to
 * be done, and Emoji Stage's Japanese nouns. "corgi" is a kind of "dog", "limousine" of "car".
 *
 *     MeaningQuery q = {.word = "corgi"};
 *     MeaningTerm known[] = {{"car", MEANING_NOUN}, {"dog", MEANING_NOUN}};
 *     if (meanings_find(&q, 1, known, 2) && q.near >= 0)
 *         puts(known[q.near].text); */
#ifndef SORA_TEXT_MEANINGS_H
#define SORA_TEXT_MEANINGS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum MeaningKind { MEANING_NOUN, MEANING_VERB } MeaningKind;

/* A known word or term ("polar bear"), in lower case, in any form. It is taken in its commonest meaning. */
typedef struct MeaningTerm {
    const char *text;
    MeaningKind kind;
} MeaningTerm;

typedef struct MeaningQuery {
    const char *word; /* lower case, in any form: "ran", "mice" */
    int near;         /* the index of the nearest known word; -1: none is near enough */
    double nearness; /* 0 to 1: depth of what both are kinds of, against their own depths (Wu and Palmer); less for rare
                        senses */
    bool real;       /* the word is in the table: it is not one that was misspelt */
} MeaningQuery;

/* Fills near, nearness and real of each query; of equally near ones the first counts. Reads all of the table, which
 * takes some milliseconds. False when out of memory. */
bool meanings_find(MeaningQuery *queries, int count, const MeaningTerm *known, int known_count);

enum { MEANINGS_TERM = 64 };

/* The English word for a Japanese noun of n bytes. */
bool meanings_english(const char *word, size_t n, char english[MEANINGS_TERM]);

/* Of meanings.txt; ends with 0. */
extern const char MEANINGS[];

#endif
