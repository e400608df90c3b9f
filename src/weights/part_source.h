/* A network's tensors from a part of any weight file (see tensor/params.h): widened where the network cannot
 * use them as they lie in the file, with LoRAs merged into them. */
#ifndef SORA_WEIGHTS_PART_SOURCE_H
#define SORA_WEIGHTS_PART_SOURCE_H

#include "base/arena.h"
#include "tensor/params.h"
#include "weights/file_source.h"
#include "weights/lora.h"
#include "weights/weight_part.h"

/* FILE_SOURCE_MAPPED: matrices in F32, BF16 and F16 are the file's own bytes; others, float8 and quantised
 * ones, become BF16, and everything else F32. FILE_SOURCE_F32: all F32, writable. Missing tensors, other
 * shapes, types that are no numbers, and numbers that are not finite in what is small or copied are errors: file,
 * tensor, fact. */
typedef struct PartSource {
    ParamSource source; /* for params_init() */
    const WeightPart *part;
    const LoraSet *loras; /* or NULL */
    FileSourceMode mode;
    Arena memory; /* of what had to be copied */
} PartSource;

/* part and loras stay the caller's and must live for as long as the tensors are used. */
void part_source_init(PartSource *s, const WeightPart *part, const LoraSet *loras, FileSourceMode mode);
void part_source_deinit(PartSource *s);

/* The tensor that the network wants under this name, if it is there, of numbers and of this shape. NULL on
 * failure. */
const PartTensor *part_source_find(const WeightPart *part, const char *name, const Tensor *wanted,
                                   SoraError *err);

/* The type that the network gets it in: that of the file, if *copied is set to false, for the bytes are the
 * file's. */
DType part_source_type(const PartSource *s, const PartTensor *t, const Tensor *wanted, bool *copied);

/* The first of the tensors that params has with a number in it that is not finite, as its file says it; NULL: none. Reads
 * all of them. */
const PartTensor *part_find_not_finite(const WeightPart *part, const Params *params);

/* Can the rows of a matrix be widened one by one? Not where a block reaches over what the network calls a row. */
bool part_source_by_rows(const PartTensor *t, const Tensor *shape);

/* Rows first .. first + rows - 1 of the first dimension as F32, LoRAs added: for whoever widens a tensor only
 * when it is used. t: from part_source_find(); shape: what the network wants. A tensor of fewer than two
 * dimensions has one row. */
bool part_source_rows(const PartTensor *t, const LoraSet *loras, const Tensor *shape, int64_t first,
                      int64_t rows, float *out, SoraError *err);

#endif
