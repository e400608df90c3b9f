/* A text in the forms in which it is judged: folded to lower case, and with what hides words taken away. */
#ifndef SORA_POLICY_FOLD_H
#define SORA_POLICY_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of each byte. Words end where the class changes; between characters of CLASS_FREE and CLASS_JOINED anywhere. */
enum {
    CLASS_SPACE = 0,
    CLASS_WORD = 1,     /* letters and digits of scripts with spaces */
    CLASS_KATAKANA = 2, /* a run of them is a word */
    CLASS_FREE = 3,     /* kanji and hiragana: no spaces between words */
    CLASS_JOINED = 4,   /* single letters that were written with spaces between */
    CLASS_MASK = 7,
    FOLD_CAPITAL = 8, /* was a capital letter */
    FOLD_FIRST = 16,  /* begins a sentence */
};

typedef struct Folded {
    char *bytes; /* UTF-8; words with single spaces between; no 0 byte after them */
    uint8_t *marks; /* for each byte */
    size_t size;
    bool shouted; /* more capital letters than small ones */
} Folded;

/* FOLD_WRITTEN: NFKC without accents, in small letters. The others also undo look-alike letters of other scripts, invisible
 * characters, digits for letters and spaced letters; they differ in what may be meant. */
typedef enum FoldForm {
    FOLD_WRITTEN,
    FOLD_ONE,   /* letters three times or more become one; 1 is i */
    FOLD_TWO,   /* ... become two */
    FOLD_L,     /* as FOLD_ONE, 1 is l */
    FOLD_GLUED, /* as FOLD_ONE; a dot, star or the like between letters is dropped, where the others have a space */
    FOLD_FORMS,
} FoldForm;

/* Makes forms [0, count) of UTF-8 text. False: no memory; then there is nothing to free. */
bool fold_text(const char *text, size_t n, Folded *out, int count);
void folded_deinit(Folded *f);

#endif
