/* A weight file written as its numbers come, safetensors or GGUF by the end of its name: declare all tensors,
 * begin, then write their bytes one after the other in pieces of any size. The file appears under its name
 * when finished. WeightWriter *w = weight_writer_new("x.gguf", &err); ok = w && weight_writer_add(w, "a",
 * DTYPE_Q8_0, 2, shape, &err) && ... && weight_writer_begin(w, &err) && weight_writer_write(w, bytes, size,
 * &err) && ... && weight_writer_finish(w, &err); weight_writer_free(w); */
#ifndef SORA_WEIGHTS_WEIGHT_WRITER_H
#define SORA_WEIGHTS_WEIGHT_WRITER_H

#include "weights/weight_file.h"

typedef struct WeightWriter WeightWriter;

/* NULL for another end than .safetensors and .gguf. */
WeightWriter *weight_writer_new(const char *path, SoraError *err);
void weight_writer_free(WeightWriter *w); /* NULL is allowed; what was not finished is removed */

WeightFormat weight_writer_format(const WeightWriter *w);
/* Can this format hold the type? Quantised types are GGUF's; GGUF has no bytes without sign and no float8. */
bool weight_writer_takes(const WeightWriter *w, DType dtype);

/* key and value are UTF-8 texts, copied. */
bool weight_writer_metadata(WeightWriter *w, const char *key, const char *value, SoraError *err);
bool weight_writer_add(WeightWriter *w, const char *name, DType dtype, int ndim, const int64_t *shape,
                       SoraError *err);
bool weight_writer_begin(WeightWriter *w, SoraError *err);
bool weight_writer_write(WeightWriter *w, const void *bytes, size_t size, SoraError *err);
/* All bytes of all tensors must have been written. */
bool weight_writer_finish(WeightWriter *w, SoraError *err);

#endif
