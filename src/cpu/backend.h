/* The CPU backend: runs nodes with the best kernels that this processor has. */
#ifndef SORA_CPU_BACKEND_H
#define SORA_CPU_BACKEND_H

#include <sora.h>
#include "tensor/graph.h"

typedef struct CpuOptions {
    int threads;             /* 0: all cores */
    SoraPrecision precision; /* of matrix products; everything else is f32 */
    const char *level;       /* "reference", "avx2", "avx512", "best"; NULL is "best".
                              * The environment variable SORA_CPU, when set, wins. */
    /* Asked before a kernel's own memory grows to so many bytes; false with *err filled: it may not. NULL: always. */
    bool (*room)(void *user, size_t bytes, SoraError *err);
    void *user; /* for room */
    bool beside;       /* at the level avx2, beside backends of others: oneDNN, whose limit is the process's, keeps to none */
    bool without_vnni; /* int8 as on a processor that lacks those instructions, for tests */
    int int8_smallest; /* linear layers with fewer rows, inputs or outputs are not in int8, nor is attention with fewer
                        * queries or keys; 0: 256, below which it gains nothing */
} CpuOptions;

/* options may be NULL. NULL on failure: a level that this processor lacks, bf16 where there is none. One
 * backend serves one thread at a time. Results depend on the level and the precision, not on the number of
 * threads. */
Backend *cpu_backend_new(const CpuOptions *options, SoraError *err);
void cpu_backend_free(Backend *backend); /* NULL is allowed */

const char *cpu_backend_level(const Backend *backend); /* the level in use */
bool cpu_backend_bf16(const Backend *backend);         /* whether products are in bf16 */
bool cpu_backend_int8(const Backend *backend);         /* and large linear layers in int8 */
int cpu_backend_threads(const Backend *backend);
/* Whether the processor has what the level needs. */
bool cpu_level_supported(const char *level);

/* n floats to BF16, to nearest even, with the best instructions of this processor; by any thread. */
void cpu_narrow(uint16_t *out, const float *x, int64_t n);

#endif
