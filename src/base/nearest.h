/* The word that was probably meant. */
#ifndef SORA_BASE_NEAREST_H
#define SORA_BASE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Whether word is one of words, which are separated by single spaces. */
bool word_listed(const char *word, const char *words);

/* The one of words with the fewest insertions, deletions, replacements and exchanges of neighbours from word; of equal
 * ones the first. Returns where it begins in words and sets *length; NULL if words is empty. Words are compared up to
 * 63 bytes. */
const char *word_nearest(const char *word, const char *words, size_t *length);

#endif
