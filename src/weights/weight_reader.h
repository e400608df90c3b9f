/* Inside src/weights: the readers of formats, for weight_file.c. */
#ifndef SORA_WEIGHTS_WEIGHT_READER_H
#define SORA_WEIGHTS_WEIGHT_READER_H

#include "weights/weight_table.h"

/* The other parts of a split file are looked for beside f's path; in memory (f has no maps) there are none. */
bool gguf_read(WeightFile *f, const uint8_t *bytes, size_t size, SoraError *err);
bool pth_read(WeightFile *f, const uint8_t *bytes, size_t size, SoraError *err);

#endif
