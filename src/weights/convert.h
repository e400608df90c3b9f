/* A weight file as another one: other types, another container. Memory does not grow with the file. */
#ifndef SORA_WEIGHTS_CONVERT_H
#define SORA_WEIGHTS_CONVERT_H

#include "base/error.h"
#include "tensor/tensor.h"

typedef struct ConvertOptions {
    DType type;     /* of matrices; a type of numbers. Everything else keeps 16 or 32 bits */
    bool own_names; /* Wan's own instead of the file's, without its prefix */
    /* After each tensor; false cancels. May be NULL. */
    bool (*progress)(void *user, int done, int total);
    void *user;
} ConvertOptions;

/* from: a file, an index or a folder of shards. to: .safetensors or .gguf; quantised types need GGUF. Scales
 * of float8 are multiplied in. A matrix whose rows are no multiple of the type's block becomes Q8_0 or F16.
 * Numbers that the type cannot hold are an error. */
bool weights_convert(const char *from, const char *to, const ConvertOptions *options, SoraError *err);

/* The type for "bf16", "q4_k" ...; the words are in CONVERT_TYPES, in one order. */
#define CONVERT_TYPES "f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q4_k|q5_k|q6_k"
DType convert_type(int choice);

#endif
