/* Numbers that are none. */
#ifndef SORA_BASE_FINITE_H
#define SORA_BASE_FINITE_H

#include <stdbool.h>
#include <stddef.h>

/* Is none of them NaN or infinite? As fast as memory. */
bool all_finite(const float *x, size_t n);

/* The fact in messages about a tensor: "... holds numbers that are not finite". */
#define NOT_FINITE "holds numbers that are not finite"

#endif
