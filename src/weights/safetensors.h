/* safetensors: a JSON header and raw tensors. One file, or shards with an index
 * (model.safetensors.index.json). Files are hostile until checked: sizes, types, ranges, overlaps and
 * duplicates are errors that name file and tensor. */
#ifndef SORA_WEIGHTS_SAFETENSORS_H
#define SORA_WEIGHTS_SAFETENSORS_H

#include "base/file.h"
#include "tensor/tensor.h"

typedef struct Safetensors Safetensors;

/* path: a .safetensors file; a .index.json (its shards lie beside it); or a folder that has
 * model.safetensors, else model.safetensors.index.json, else one .safetensors.index.json, else one
 * .safetensors file. Data stays mapped until close; a tensor that is not aligned for its type in the file is
 * copied. NULL on failure. */
Safetensors *safetensors_open(const char *path, SoraError *err);
/* The same for bytes in memory, which stay the caller's; name stands for a path in messages. */
Safetensors *safetensors_open_memory(const void *data, size_t size, const char *name, SoraError *err);
void safetensors_close(Safetensors *s); /* NULL is allowed */

int safetensors_count(const Safetensors *s);
/* In the order of the data, shard by shard. Tensor and name are the file's. Data is read-only. */
const Tensor *safetensors_tensor(const Safetensors *s, int i);
const char *safetensors_tensor_name(const Safetensors *s, int i);
/* NULL when there is none. */
const Tensor *safetensors_find(const Safetensors *s, const char *name);
/* A text of __metadata__ (of the first shard that has it); NULL when there is none. The file's. */
const char *safetensors_metadata(const Safetensors *s, const char *key);
const char *safetensors_path(const Safetensors *s); /* the file or index that was read */

/* Is path one of the files that are read, under whatever name? */
bool safetensors_reads(const Safetensors *s, const char *path);

/* The pages of a tensor need not stay in memory; they come back from the file when they are used again. */
void safetensors_forget(const Safetensors *s, const Tensor *tensor);

/* Writing: declare all, then save, as often as wanted. Tensors are written in the order of their declaration
 * and one after the other, so declare wide types before narrow ones if they mix. The file appears under its
 * name when complete.
 *     SafetensorsWriter *w = safetensors_writer_new(err);
 *     ok = w && safetensors_writer_metadata(w, "step", "100", err) &&
 *          safetensors_writer_add(w, "x", &x, err) && ... && safetensors_writer_save(w, path, err);
 *     safetensors_writer_free(w); */
typedef struct SafetensorsWriter SafetensorsWriter;
SafetensorsWriter *safetensors_writer_new(SoraError *err);
bool safetensors_writer_metadata(SafetensorsWriter *w, const char *key, const char *value, SoraError *err);
/* tensor's shape and data (host memory) are used at save and must live until then; its type stays. name is
 * copied. */
bool safetensors_writer_add(SafetensorsWriter *w, const char *name, const Tensor *tensor, SoraError *err);
/* F32 data written as BF16. */
bool safetensors_writer_add_as(SafetensorsWriter *w, const char *name, const Tensor *tensor, DType dtype,
                               SoraError *err);
bool safetensors_writer_save(SafetensorsWriter *w, const char *path, SoraError *err);
/* Only what comes before the data, for tensors whose data follows piece by piece: theirs may be NULL. */
bool safetensors_writer_header(const SafetensorsWriter *w, FILE *stream, SoraError *err);
void safetensors_writer_free(SafetensorsWriter *w);

#endif
