/* The words that a model knows, from words.json in its folder (docs/model-format.md), and those of a prompt that it does
 * not. English: every word form that is in none of the terms, function words aside; other languages in Latin, Greek or
 * Cyrillic letters are looked up in the same way, so all of their words are unknown. Japanese: runs of kanji and of katakana
 * that no term covers; of a verb the kanji are enough. Nouns of Emoji Stage have near ones too. What is written in hiragana alone is not judged. */
#ifndef SORA_TEXT_VOCABULARY_H
#define SORA_TEXT_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

typedef struct Vocabulary Vocabulary;

Vocabulary *vocabulary_open(const char *path, SoraError *err);
/* The text is the caller's; name stands for it in messages. */
Vocabulary *vocabulary_open_memory(const char *text, size_t size, const char *name, SoraError *err);
void vocabulary_close(Vocabulary *v); /* NULL is allowed */

const char *vocabulary_json(const Vocabulary *v); /* all of it, its own */
/* How many nouns there are, and the plainest word of the i-th in English; NULL: it has none, or there are no more. */
int vocabulary_noun_count(const Vocabulary *v);
const char *vocabulary_noun(const Vocabulary *v, int i);

typedef struct UnknownWord {
    char word[64];    /* UTF-8, cut if it is longer */
    const char *near; /* a known one, the vocabulary's: another form of it, else one that is near in meaning (text/meanings.h),
                         else, of what is no English word, one that is written nearly so; NULL: none */
} UnknownWord;

/* The unknown words of a text (UTF-8), each once, in their order: the first max of them go to words. Returns how many
 * there are; -1: out of memory. */
int vocabulary_unknown(const Vocabulary *v, const char *text, UnknownWord *words, int max);

#endif
