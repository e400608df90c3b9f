/* What people type becomes what a model knows: a text in the form of its captions, step by step. Each step is kept, with what it
 * did; words that cannot be brought to known ones are named and never dropped without a word.
 *
 *   form    spaces, capitals and exclamation marks; words around the wish ("please make a video of ...")
 *   words   unknown words become the nearest known ones (text/vocabulary.h)
 *   clause  a text that is no clause as captions have it is said again from what it says: who, how many, doing what, where, when
 *   open    a place that was left open is one that goes with who acts; a direction is drawn by the seed
 *
 * A text that is in the captions' form already and leaves nothing open comes back as it is. */
#ifndef SORA_TEXT_REWRITE_H
#define SORA_TEXT_REWRITE_H

#include <stdint.h>
#include "text/facts.h"
#include "text/vocabulary.h"

typedef struct Rewriter Rewriter;

/* vocabulary: the caller's, which outlives it. */
Rewriter *rewriter_new(const Vocabulary *vocabulary, SoraError *err);
void rewriter_free(Rewriter *r); /* NULL is allowed */

enum { REWRITE_STEPS = 4, REWRITE_MAX_LOST = 16, REWRITE_TEXT = 4096 };

typedef struct RewriteStep {
    const char *name;           /* "form" */
    char text[REWRITE_TEXT];    /* after it, UTF-8 */
    char note[512];             /* what it did; "": nothing */
} RewriteStep;

typedef struct Rewriting {
    RewriteStep steps[REWRITE_STEPS];
    int count;                             /* of steps */
    UnknownWord lost[REWRITE_MAX_LOST];    /* words that stand for nothing that the model knows */
    int lost_count;
    bool changed;
} Rewriting;

/* text: UTF-8, at most REWRITE_TEXT - 1 bytes. The result is the last step's text; the same for the same text and seed. */
bool rewrite_text(const Rewriter *r, const char *text, uint64_t seed, Rewriting *out, SoraError *err);

#endif
