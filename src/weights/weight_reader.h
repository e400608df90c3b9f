/* Inside weight_file.c and the readers of its formats. */
#ifndef SORA_WEIGHTS_WEIGHT_READER_H
#define SORA_WEIGHTS_WEIGHT_READER_H

#include <stdint.h>
#include "base/arena.h"
#include "base/file.h"
#include "weights/message.h"
#include "weights/safetensors.h"
#include "weights/weight_file.h"

typedef struct WeightItem {
    const char *name;
    Tensor tensor;
} WeightItem;

typedef struct WeightMetadata WeightMetadata;
struct WeightMetadata {
    const char *key, *value;
    WeightMetadata *next;
};

struct WeightFile {
    Arena memory;
    const char *path;
    WeightFormat format;
    FileMap map;
    Safetensors *safetensors; /* or NULL; else the items are in this struct */
    WeightItem *items;        /* sorted by name when the file is open */
    int count, capacity;
    WeightMetadata *metadata;
};

/* Adds a tensor whose shape the reader has checked and whose data lies in the file; copies data that is not
 * aligned. The name must be printable ASCII; it is copied. */
bool weight_file_add(WeightFile *f, const char *name, size_t name_size, Tensor tensor, SoraError *err);
/* key and value are in the file's arena. */
bool weight_file_add_metadata(WeightFile *f, const char *key, const char *value, SoraError *err);

bool gguf_read(WeightFile *f, const uint8_t *bytes, size_t size, SoraError *err);
bool pth_read(WeightFile *f, const uint8_t *bytes, size_t size, SoraError *err);

#endif
