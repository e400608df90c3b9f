/* Inside src/tensor: what a graph is made of, for graph.c, accumulate.c and backward.c. Each of these calls only what
 * comes before it: graph.c, the ops, accumulate.c, gradients.c, backward.c. */
#ifndef SORA_TENSOR_GRAPH_STATE_H
#define SORA_TENSOR_GRAPH_STATE_H

#include "base/arena.h"
#include "tensor/graph.h"

typedef struct Chunk {
    char *data;
    size_t size;
} Chunk;

/* A tensor's memory that was taken during backward: a gradient, or a step on the way to one. */
typedef struct Lease {
    char *data;
    size_t size;
    int users;     /* gradients in it that are still wanted */
    uint64_t idle; /* when it became free; 0 while in use */
} Lease;

typedef struct Stored {
    struct Stored *next;
    Tensor **slot;
    Tensor tensor;
    size_t capacity;
} Stored;

struct Graph {
    Backend *backend;
    Arena structs; /* tensors, nodes */
    Chunk *chunks; /* data; [0, chunk) full, [chunk] in use up to offset */
    size_t chunk_count, chunk, offset;
    Node **tape;
    size_t tape_count, tape_capacity;
    Stored *stored;
    Lease *leases;
    size_t lease_count, lease_capacity;
    uint64_t turn; /* of backward, from 1; 0 outside of it */
    bool recording, failed;
    GraphGradient final; /* or NULL */
    void *final_user;
    double flops;
    SoraError error;
};

/* The node, not a copy, becomes the tape's last. */
bool tape_push(Graph *g, Node *node);

/* The lease of d's memory; NULL for what is not leased: it lives as long as the arena. */
Lease *lease_of(Graph *g, const Tensor *d);
/* change: 1 when a tensor's gradient begins to be d, -1 when that is over. */
void lease_count_users(Graph *g, const Tensor *d, int change);
/* After a node: whatever no gradient is in serves the next ones. */
void lease_end_turn(Graph *g);

#endif
