/* The text encoder: UMT5, as Wan uses it (relative positions in every layer, gated feed-forward). Any size;
 * tensors have the names of Wan's checkpoint. Batches are packed: the ids of all texts lie one after the
 * other. */
#ifndef SORA_MODEL_UMT5_H
#define SORA_MODEL_UMT5_H

#include "model/config.h"
#include "tensor/ops.h"
#include "tensor/params.h"

typedef struct Umt5Block {
    Tensor *norm1, *norm2;    /* [dim] */
    Tensor *q, *k, *v, *o;    /* [dim_attn, dim]; o [dim, dim_attn] */
    Tensor *gate, *fc1, *fc2; /* [dim_ffn, dim] twice; fc2 [dim, dim_ffn] */
    Tensor *positions;        /* [num_buckets, num_heads] */
} Umt5Block;

typedef struct Umt5 {
    Umt5Config config;
    Tensor *token_embedding; /* [vocab, dim] */
    Umt5Block *blocks;       /* [num_layers], in the parameters' arena */
    Tensor *norm;            /* [dim] */
} Umt5;

/* Asks p for every tensor. Look at params_ok(p) afterwards. m must not be used after params_deinit(p). */
void umt5_bind(Umt5 *m, const Umt5Config *c, Params *p);

/* Real tokens only: padding neither takes part nor changes anything. All in host memory. */
typedef struct Umt5Batch {
    int samples;
    const int64_t *rows; /* ids of each text, 1 or more */
    const int32_t *ids;  /* those of all texts; an id outside the vocabulary makes the graph fail */
} Umt5Batch;

/* -> [sum of rows, dim] */
Tensor *umt5_forward(Graph *g, const Umt5 *m, const Umt5Batch *b);

/* The mean of each text's rows: x [sum of rows, dim] -> [samples, dim]; zeros for a text of no rows. x may be NULL with the graph
 * failed. */
Tensor *umt5_mean(Graph *g, Tensor *x, int samples, const int64_t *rows);

/* The bucket of a key at distance relative = key - query. */
int umt5_bucket(const Umt5Config *c, int relative);

#endif
