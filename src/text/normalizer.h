/* SentencePiece's text normalisation: a trie of replacements (NFKC and the like, compiled into the
 * model file), spaces collapsed and shown as U+2581, a space put in front. */
#ifndef SORA_TEXT_NORMALIZER_H
#define SORA_TEXT_NORMALIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "text/spm_model.h"
#include "text/trie.h"

enum {
    NORMALIZER_MAX_KEY = 128,         /* bytes that one replacement may match; longer keys never match */
    NORMALIZER_MAX_REPLACEMENT = 256, /* bytes of a replacement; NFKC needs 33 */
};

typedef struct Normalizer {
    uint32_t *units; /* double array of the replacements' keys; NULL: none */
    size_t unit_count;
    char *replacements; /* strings, each with its 0 byte, addressed by offset */
    size_t replacements_size;
    const Trie *fixed; /* user-defined pieces: they pass unchanged */
    bool add_prefix, add_suffix, remove_extra_spaces, escape_spaces;
} Normalizer;

/* Copies what it needs of the model; fixed stays the caller's and must outlive the normaliser. */
bool normalizer_init(Normalizer *n, const SpmModel *model, const Trie *fixed, const char *name, SoraError *err);
void normalizer_deinit(Normalizer *n);

/* The normalised text in heap memory, its length in *out_size; free() it. NULL: no memory. */
char *normalizer_apply(const Normalizer *n, const char *text, size_t size, size_t *out_size);

#endif
