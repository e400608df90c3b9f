/* The contents of a tokenizer.json of Hugging Face's tokenizers, as they make it from a SentencePiece model: the
 * same pieces, normaliser and flags. The file is not trusted. */
#ifndef SORA_TEXT_SPM_JSON_H
#define SORA_TEXT_SPM_JSON_H

#include "text/spm_model.h"

enum { SPM_MAX_JSON = 64 << 20 }; /* bytes; UMT5's has 17 MB */

/* Does it begin as such a file does? A .model file never does. */
bool spm_json_is(const uint8_t *data, size_t size);

/* As spm_model_init(). Unigram models alone, and of normalisers and pre-tokenizers those that SentencePiece has;
 * anything else is an error that names it. */
bool spm_json_init(SpmModel *model, const uint8_t *data, size_t size, const char *name, SoraError *err);

#endif
