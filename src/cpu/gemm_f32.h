/* Products in F32 at AVX2 level. Weights stay as they are in memory: a thread widens those of some columns into panels when it
 * needs them, for many rows. */
#ifndef SORA_CPU_GEMM_F32_H
#define SORA_CPU_GEMM_F32_H

#include "cpu/gemm.h"

bool gemm_f32(CpuContext *ctx, const Product *p, SoraError *err);

#endif
