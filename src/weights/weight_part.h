/* One network in a weight file, under Wan's own names, whatever the file calls its tensors; and what belongs
 * to a tensor beside its numbers: the scale of float8, the pieces that it is cut into. */
#ifndef SORA_WEIGHTS_WEIGHT_PART_H
#define SORA_WEIGHTS_WEIGHT_PART_H

#include "weights/layout.h"
#include "weights/weight_file.h"

enum { PART_PIECES = 3 };

typedef struct PartTensor {
    const char *name;      /* Wan's own */
    const char *file_name; /* of the first piece */
    Tensor tensor;         /* the whole one's type and shape; data: of the only piece, else NULL */
    const Tensor *pieces[PART_PIECES];
    const char *piece_names[PART_PIECES]; /* in the file */
    int piece_count;
    const Tensor
        *scale; /* F32, one number or one for each row: what the numbers are multiplied by; or NULL */
} PartTensor;

typedef struct WeightPart WeightPart;

/* The file stays the caller's and must be open for as long as the part is. NULL on failure: two tensors of
 * one name, pieces that do not fit together, a scale of another shape. */
WeightPart *weight_part_new(const WeightFile *f, const LayoutMatch *match, SoraError *err);
void weight_part_free(WeightPart *p); /* NULL is allowed */

/* Sorted by name. */
int weight_part_count(const WeightPart *p);
const PartTensor *weight_part_tensor(const WeightPart *p, int i);
const PartTensor *weight_part_find(const WeightPart *p, const char *name); /* NULL when there is none */

ModelPart weight_part_kind(const WeightPart *p);
const Layout *weight_part_layout(const WeightPart *p);
const char *weight_part_prefix(const WeightPart *p);
const WeightFile *weight_part_file(const WeightPart *p);

/* The bytes of a SentencePiece model that the text encoder's file carries: ComfyUI's "spiece_model", or what GGUF's
 * tokenizer.ggml.* say; NULL: there is none. */
const Tensor *weight_part_tokenizer(const WeightPart *p);

/* Elements first .. first + count - 1 as F32, scaled: both multiples of the type's block. t's type is a
 * number. */
void part_tensor_decode(const PartTensor *t, int64_t first, int64_t count, float *out);

/* The same shape, dimensions of 1 aside: files differ in them, and the numbers lie in the same order. So do those of
 * five dimensions whose first two are one, which is how some writers of GGUF get by with four, and those whose last four are one:
 * a patch embedding that was quantised as a matrix. */
bool part_shape_fits(const Tensor *have, const Tensor *want);

#endif
