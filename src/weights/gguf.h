/* What reading and writing GGUF share. Source: the GGUF specification in ggml's docs/gguf.md. */
#ifndef SORA_WEIGHTS_GGUF_H
#define SORA_WEIGHTS_GGUF_H

#include <stdint.h>
#include "base/arena.h"
#include "weights/weight_file.h"

enum {
    GGUF_VERSION = 3,
    GGUF_ALIGNMENT = 32, /* of the data, when the file says nothing else */
    GGUF_DIMS = 4,       /* that every reader takes; more are merged, see GGUF_SHAPE_KEY */
};

/* Types of metadata. */
enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_TEXT,
    GGUF_LIST,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
};

/* Followed by a tensor's name: its true shape, outermost first, as a list of I32. A convention of
 * ComfyUI-GGUF for tensors of more than four dimensions. */
#define GGUF_SHAPE_KEY "comfy.gguf.orig_shape."

/* The number of a type in the format; -1: it has none. */
int gguf_type_id(DType dtype);
/* False when the number is none of the supported types. */
bool gguf_type_parse(uint32_t id, DType *dtype);

/* The file's tokenizer.ggml.* as the bytes of a SentencePiece model, in memory; no data: it has none of T5's kind.
 * false: it has one that is damaged. */
bool gguf_tokenizer(const WeightFile *f, Arena *memory, Tensor *model, SoraError *err);

#endif
