/* Sights that were taken, kept in a file, so that a score that was interrupted goes on. A line a sight; the last line of a
 * program that died may be half, and is not counted. */
#ifndef SORA_TRAIN_SIGHTS_H
#define SORA_TRAIN_SIGHTS_H

#include <stddef.h>
#include <stdint.h>
#include "train/score.h"

typedef struct Sights Sights;

/* path: made when it is not there. NULL with *err when it cannot be read or written. */
Sights *sights_open(const char *path, SoraError *err);
void sights_close(Sights *s);
int sights_count(const Sights *s);

/* key: a hash of all that the sight depends on. */
bool sights_find(const Sights *s, uint64_t key, Sight *out);
bool sights_add(Sights *s, uint64_t key, const Sight *sight, SoraError *err); /* written at once */

/* FNV-1a over a model: one file, or the names and bytes of all weights, configurations and tokenizers of a folder and those
 * below it. What is only written about it (.md, .tsv, pictures) does not count. */
bool hash_model(const char *path, uint64_t *hash, SoraError *err);

#endif
