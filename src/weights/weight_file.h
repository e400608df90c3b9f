/* Named tensors from a weight file of any kind, recognised by its content: safetensors (one file or an index
 * of shards), GGUF version 2 and 3, PyTorch's zip files (.pth, .pt, .bin, .ckpt). Files are hostile until
 * checked; messages name file and tensor. Data stays mapped in the file's type; what is not aligned for its
 * type is copied. Quantised blocks and float8 come as they are: weights/quant.h widens them. */
#ifndef SORA_WEIGHTS_WEIGHT_FILE_H
#define SORA_WEIGHTS_WEIGHT_FILE_H

#include "base/error.h"
#include "tensor/tensor.h"

typedef struct WeightFile WeightFile;

typedef enum WeightFormat { WEIGHT_SAFETENSORS, WEIGHT_GGUF, WEIGHT_PTH } WeightFormat;

/* path: a file, an index (.json) or a folder as safetensors_open() takes it. NULL on failure. */
WeightFile *weight_file_open(const char *path, SoraError *err);
/* The same for bytes in memory, which stay the caller's; name stands for a path in messages. */
WeightFile *weight_file_open_memory(const void *data, size_t size, const char *name, SoraError *err);
void weight_file_close(WeightFile *f); /* NULL is allowed */

int weight_file_count(const WeightFile *f);
/* Tensor and name are the file's. Data is read-only. */
const Tensor *weight_file_tensor(const WeightFile *f, int i);
const char *weight_file_tensor_name(const WeightFile *f, int i);
const Tensor *weight_file_find(const WeightFile *f, const char *name); /* NULL when there is none */

/* Is path one of the files that are read, under whatever name? */
bool weight_file_reads(const WeightFile *f, const char *path);

/* The pages of a tensor need not stay in memory; they come back from the file when they are used again. */
void weight_file_forget(const WeightFile *f, const Tensor *tensor);

/* A text or number of the file's metadata, as text; a list of at most 8 integers as "1,2,3". NULL when there
 * is none of that key. The file's. */
const char *weight_file_metadata(const WeightFile *f, const char *key);
const char *weight_file_path(const WeightFile *f); /* the file or index that was read */
WeightFormat weight_file_format(const WeightFile *f);
const char *weight_format_name(WeightFormat format); /* "safetensors", "GGUF", "PyTorch" */

#endif
