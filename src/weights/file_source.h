/* A network's tensors from safetensors files (see tensor/params.h). */
#ifndef SORA_WEIGHTS_FILE_SOURCE_H
#define SORA_WEIGHTS_FILE_SOURCE_H

#include "base/arena.h"
#include "tensor/params.h"
#include "weights/safetensors.h"

typedef enum FileSourceMode {
    FILE_SOURCE_MAPPED, /* to run: aligned matrices are the file's own bytes, in its type, read-only */
    FILE_SOURCE_F32,    /* to train: everything is a writable F32 copy */
} FileSourceMode;

/* A weight NAME.weight may be bytes (U8) with F32 NAME.scale and NAME.minimum for each row of its first dimension: they are widened,
 * byte * scale + minimum. Missing tensors, other shapes, types that are no floating numbers and, in copies, numbers that are not finite are
 * errors: file, tensor, fact. */
typedef struct FileSource {
    ParamSource source; /* for params_init() */
    const Safetensors *file;
    FileSourceMode mode;
    Arena memory; /* of what had to be copied */
} FileSource;

/* The file stays the caller's and must be open for as long as the tensors are used. */
void file_source_init(FileSource *s, const Safetensors *file, FileSourceMode mode);
void file_source_deinit(FileSource *s);

#endif
