#include "base/finite.h"

#include <stdint.h>
#include <string.h>

/* With integers and without an early end, so that it is made of vectors. */
static bool part_is_finite(const float *x, size_t n)
{
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        found |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return found == 0;
}

bool all_finite(const float *x, size_t n)
{
    enum { PART = 1 << 16 };
    for (size_t at = 0; at < n; at += PART)
        if (!part_is_finite(x + at, n - at < PART ? n - at : PART))
            return false;
    return true;
}
