/* Words that are known, and texts mended by them: letters with spaces between and words written together are cut into known words,
 * and an unknown word one edit away from a known one (a letter more, less, another, or two exchanged) becomes it. */
#ifndef SORA_POLICY_LEXICON_H
#define SORA_POLICY_LEXICON_H

#include "policy/fold.h"
#include "policy/rules.h"

enum { LEXICON_WORD = 24 /* letters of a word that is mended or mended to, at most */ };
static const float LEXICON_LETTER = 14; /* the cost of a letter in no word */

typedef struct LexiconWord {
    const char *bytes;
    float cost;      /* -log of how common it is */
    uint8_t size;
    bool listed;     /* in a phrase of the rules that is not innocent */
    bool ruled;      /* in any phrase of the rules */
    bool target;     /* unknown words may be mended to it: ordinary English, a name, or long */
    bool name;       /* two words of a listed name, written together */
    uint8_t cut;     /* of a name: the size of its first word */
} LexiconWord;

typedef struct Lexicon {
    Arena arena;
    LexiconWord *words;
    uint32_t count, capacity;
    uint32_t *slots;   /* index + 1 by the word's hash */
    uint32_t *deletes; /* index + 1 by the hash of the word, and of the word with a letter taken away; several of one hash in a row */
    uint32_t slot_mask, delete_mask;
} Lexicon;

/* vocabulary: lines "WORD COUNT" of ordinary English. False: no memory. */
bool lexicon_init(Lexicon *l, const Rules *rules, const char *vocabulary, size_t size);
void lexicon_deinit(Lexicon *l);

/* A word that is known exactly so; NULL: none. */
const LexiconWord *lexicon_find(const Lexicon *l, const char *s, size_t n);
/* Words of the rules an edit away from the n letters, at most `most`: how many are in out. Those that are less likely than the likeliest
 * word an edit away, of the rules or not, by more than slack (as -log) are not among them. */
size_t lexicon_near(const Lexicon *l, const char *s, size_t n, float slack, const LexiconWord **out, size_t most);
/* Is any word an edit away? */
bool lexicon_is_mistake(const Lexicon *l, const char *s, size_t n);

/* in mended by the best guesses. False: no memory; then there is nothing to free. */
bool lexicon_mend(const Lexicon *l, const Folded *in, Folded *out);

#endif
