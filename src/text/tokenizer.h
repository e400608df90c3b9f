/* SentencePiece unigram tokenizer: text to ids, as UMT5 and T5 use it, and back.
 *
 * Reads the .model file that sentencepiece writes and the tokenizer.json that Hugging Face's tokenizers make of it
 * (unigram models only), told apart by their content. Encoding gives the ids of
 * SentencePieceProcessor::Encode: no begin or end ids. Names of special pieces in the text, as in
 * "</s>", are ordinary text. A tokenizer is read-only once open and may be shared between threads. */
#ifndef SORA_TEXT_TOKENIZER_H
#define SORA_TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { TOKENIZER_MAX_TEXT = 16 << 20 }; /* bytes of text in one call */

typedef struct Tokenizer Tokenizer;

/* NULL on failure. The file or memory is not needed afterwards. name stands for it in messages. */
Tokenizer *tokenizer_open(const char *path, SoraError *err);
Tokenizer *tokenizer_open_memory(const void *data, size_t size, const char *name, SoraError *err);
void tokenizer_close(Tokenizer *tokenizer);

/* Writes the first max_ids ids (ids may be NULL if max_ids is 0) and returns how many the text has;
 * -1 when the text is over TOKENIZER_MAX_TEXT or there is no memory. Bytes that are not UTF-8 count
 * as U+FFFD. Time and memory are linear in n. */
int tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t n, int32_t *ids, int max_ids);

/* What a text encoder reads: exactly length (> 0) ids, the text's first length - 1, then the end id,
 * then the padding id (0 if the model has none). Returns how many come before the padding; -1 as above. */
int tokenizer_encode_padded(const Tokenizer *tokenizer, const char *text, size_t n, int32_t *ids, int length);

/* The text of the ids, ends with a 0 byte; its length in *n (NULL is allowed); free() it. Control
 * pieces are invisible. An id out of range is an error. */
char *tokenizer_decode(const Tokenizer *tokenizer, const int32_t *ids, int count, size_t *n, SoraError *err);

int tokenizer_vocab_size(const Tokenizer *tokenizer);
/* Ids of special pieces; -1 when the model has none (there is always an unknown id). */
int tokenizer_pad_id(const Tokenizer *tokenizer);
int tokenizer_eos_id(const Tokenizer *tokenizer);
int tokenizer_bos_id(const Tokenizer *tokenizer);
int tokenizer_unk_id(const Tokenizer *tokenizer);
/* The piece's text and score, the tokenizer's own; NULL and 0 when id is out of range. */
const char *tokenizer_piece(const Tokenizer *tokenizer, int id);
float tokenizer_score(const Tokenizer *tokenizer, int id);

#endif
