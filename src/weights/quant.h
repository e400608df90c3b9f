/* The arithmetic of every type that a weight file may hold: widening to F32, and F32 to a type. Quantised
 * blocks are those of GGUF; sources: the GGUF specification and the layout of ggml's blocks. Data need not be
 * aligned. */
#ifndef SORA_WEIGHTS_QUANT_H
#define SORA_WEIGHTS_QUANT_H

#include "tensor/tensor.h"

/* Can weight_decode() widen it? False for integers. */
bool weight_is_number(DType dtype);

/* n elements, a multiple of dtype_block(dtype); weight_is_number(dtype). */
void weight_decode(DType dtype, const void *src, int64_t n, float *out);

/* Are all n numbers finite, as weight_decode() widens them? n as there. True for types that are no numbers. */
bool weight_is_finite(DType dtype, const void *src, int64_t n);

/* F32 to the type, to nearest. False when the type cannot hold the numbers: what is not
 * finite has no place in a block, and a block's scale is an F16. Not for F64; false for Q2_K and Q3_K, which are only read. */
bool weight_encode(DType dtype, const float *src, int64_t n, void *out);

#endif
