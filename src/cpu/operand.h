/* The input of a convolution as tiles read it: [samples, rows, times, columns, channels] in the products' type, with the
 * zeros around it, the past, the edge, the norm and the repeats (ConvBlock, tensor/ops.h) all written out. Rows come
 * before times, so that some rows of all times lie together and a tile can read them where they are. */
#ifndef SORA_CPU_OPERAND_H
#define SORA_CPU_OPERAND_H

#include "cpu/kernel.h"

typedef struct Operand {
    const Tensor *x, *norm, *past, *edge; /* all but x may be NULL */
    Tensor *last, *rim;                   /* what is remembered, or NULL */
    int edge_dim;
    int64_t repeat;
    int64_t before[3], dilate[3]; /* T, H, W: zeros before, and dilate - 1 between neighbours */
    bool times_are_samples;
    int64_t samples, rows, times, columns; /* of the operand; what lies beyond the input is zeros */
    char *data;
} Operand;

/* Bytes of one sample's row of all times. */
size_t operand_row_bytes(const CpuContext *ctx, const Operand *o);
size_t operand_bytes(const CpuContext *ctx, const Operand *o);
/* Writes o->data, and what is remembered, on all threads. */
void operand_fill(CpuContext *ctx, const Operand *o);

#endif
