/* What a caption or a prompt says happens, in the classes of words.json (docs/model-format.md): who, how many, in which colour,
 * doing what, going where, in which place, at what time. It reads the sentences of Emoji Stage's captions, English and Japanese, and
 * what is written like them: longest known terms, and a few rules for what stands beside them. It is no parser of language. */
#ifndef SORA_TEXT_FACTS_H
#define SORA_TEXT_FACTS_H

#include <stdint.h>
#include "base/error.h"

typedef struct FactReader FactReader;

/* words: the text of a words.json. NULL when it is none. */
FactReader *fact_reader_new(const char *words, SoraError *err);
void fact_reader_free(FactReader *r); /* NULL is allowed */

enum { FACT_NONE = -1, FACT_SCENERY = 1000 };
enum { FACT_LEFT = 0, FACT_RIGHT = 1 };

/* Numbers of the entries in the lists of words.json; FACT_NONE: it is not said. */
typedef struct Facts {
    int noun, other;   /* the first two; from FACT_SCENERY on they are of "scenery" */
    int colour, other_colour;
    int count;         /* 1 to 5 */
    uint32_t actions;  /* a bit for each that the verb may stand for; 0: none is said */
    char verb[64];     /* the form that says it; "": none */
    int direction;     /* FACT_LEFT, FACT_RIGHT */
    int place, time, weather, camera;
    bool sunny;        /* which is day and clear weather */
} Facts;

/* text: UTF-8. */
Facts facts_read(const FactReader *r, const char *text);

/* The plainest word of entry i of a list ("places"); NULL: there is none. The reader's. */
const char *fact_word(const FactReader *r, const char *list, int i, bool japanese);
/* Form `form` of entry i in English: of nouns 0 is one, 1 several; NULL: there are no more. The reader's. */
const char *fact_form(const FactReader *r, const char *list, int i, int form);
/* The entry of a list that has this word form; FACT_NONE: none has. */
int fact_find(const FactReader *r, const char *list, const char *word);

#endif
