/* Every op at odd sizes. A case builds the graph; leaves are made on the first build and kept for the next.
 */
#ifndef TESTS_OP_CASES_H
#define TESTS_OP_CASES_H

#include "base/rng.h"
#include "tensor/ops.h"

enum { MAX_LEAVES = 16 };

typedef struct Leaf {
    void *data;
    Tensor *tensor; /* in the graph of the latest build */
} Leaf;

typedef struct Maker {
    Graph *g;
    Rng rng;
    Leaf leaves[MAX_LEAVES];
    int made, used; /* leaves made so far; used in this build */
} Maker;

enum {
    LARGE = 1, /* too slow for finite differences in the reference */
    FAILS = 2, /* the op must report an error */
    SHARP = 4, /* not for int8: rounding moves scores further than they are apart; see tests/unit/int8_test.c */
};

typedef struct Case {
    const char *name;
    Tensor *(*build)(Maker *m, int variant);
    int variants;
    int flags;
} Case;

extern const Case CASES[];
extern const int CASE_COUNT;

#endif
