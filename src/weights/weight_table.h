/* Inside src/weights: what a file of any format is once it is read: named tensors, metadata, and the maps that they lie in.
 * Readers add to it; weight_file.h is how everybody else sees it. */
#ifndef SORA_WEIGHTS_WEIGHT_TABLE_H
#define SORA_WEIGHTS_WEIGHT_TABLE_H

#include <stdint.h>
#include "base/arena.h"
#include "base/file.h"
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

/* A list in GGUF's metadata, where it lies in the file; its bytes have been counted. */
typedef struct WeightList WeightList;
struct WeightList {
    const char *key;
    uint32_t type; /* of GGUF's */
    uint64_t count;
    const uint8_t *data; /* the first number; or the first text: its size in 8 bytes, then its bytes, and so on */
    WeightList *next;
};

struct WeightFile {
    Arena memory;
    const char *path;
    WeightFormat format;
    FileMap *maps; /* of the file and, of split GGUF, the parts that follow it */
    int map_count;
    Safetensors *safetensors; /* or NULL; else the items are in this struct */
    WeightItem *items;        /* sorted by name when the file is open */
    int count, capacity;
    WeightMetadata *metadata; /* the first part's come first */
    WeightList *lists;        /* the same */
};

/* Adds a tensor whose shape the reader has checked and whose data lies in the file; copies data that is not
 * aligned. The name must be printable ASCII; it is copied. */
bool weight_file_add(WeightFile *f, const char *name, size_t name_size, Tensor tensor, SoraError *err);
/* Maps one more file of this one. NULL on failure; the pointer is good until the next one. */
const FileMap *weight_file_map(WeightFile *f, const char *path, SoraError *err);
const WeightList *weight_file_list(const WeightFile *f, const char *key); /* NULL when there is none */

/* An empty one for the file of that path; weight_file_close() frees it. NULL when out of memory. */
WeightFile *weight_table_new(const char *path, SoraError *err);
/* Once all tensors are added: sorts them by name. false if two have the same. */
bool weight_table_sort(WeightFile *f, SoraError *err);
/* Forgets the maps, before anything lies in them. */
void weight_table_unmap(WeightFile *f);

#endif
