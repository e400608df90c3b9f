/* A backend around another one that keeps the weights of a large model out of memory until an op uses them, and the
 * process under a limit. Weights are of two kinds: those that lie in a mapped file as the network wants them, and those
 * that are widened when they are used (quantised blocks, float8, with LoRAs), one at a time, and kept so where they are used
 * often, products are in BF16 and there is no limit. Before an op runs, what it will bring into memory is counted: its
 * weight, its outputs' pages, and what its kernel asks for. Files' pages that were used longest ago are given back
 * to the system until that fits; if it never does, the op fails before it began. The weight that comes next is asked for ahead. */
#ifndef SORA_ENGINE_PAGER_H
#define SORA_ENGINE_PAGER_H

#include "tensor/graph.h"
#include "weights/part_source.h"

typedef struct PagerEntry PagerEntry;

typedef struct Pager {
    Backend base; /* give this to a graph; its trim() gives back all weights if there is a limit */
    Backend *inner;
    size_t limit; /* bytes of the whole process; 0: none */
    PagerEntry *entries; /* sorted by address */
    int count, capacity, last; /* last: the entry that was used last, or -1 */
    bool sorted;
    uint64_t clock;
    size_t resident;     /* bytes of the files that were used and not given back */
    bool keeping;        /* kernels keep what they make of convolutions' weights */
    size_t pending;      /* bytes that the node at hand will bring into memory */
    size_t kept;         /* bytes of weights that are kept as they were widened */
    void *scratch;       /* of the weights of the node at hand */
    size_t scratch_bytes;
} Pager;

/* inner stays the caller's, and weights are widened by its threads. */
void pager_init(Pager *p, Backend *inner, size_t limit);
void pager_deinit(Pager *p);

/* Room for bytes that are about to be written, by a kernel for example (see CpuOptions). false: there is none, and *err
 * says how much was wanted. */
bool pager_room(void *pager, size_t bytes, SoraError *err);

/* Bytes that are left of the limit, at least 1; 0: there is none. */
size_t pager_left(const Pager *p);

/* A network's tensors through the pager (see tensor/params.h): large matrices are mapped or widened when used, the rest
 * is read at once. Tensors must only be used by graphs on the pager. */
typedef struct PagedSource {
    ParamSource source; /* for params_init() */
    PartSource part;
    Pager *pager;
} PagedSource;

/* part and loras as part_source_init() has them. */
void paged_source_init(PagedSource *s, Pager *pager, const WeightPart *part, const LoraSet *loras);
void paged_source_deinit(PagedSource *s); /* graphs must not use its tensors any more */

#endif
