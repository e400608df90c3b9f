/* What graph.c, the ops and their gradients share. Backward is written with ops: one function per op in one table. */
#ifndef SORA_TENSOR_GRADIENTS_H
#define SORA_TENSOR_GRADIENTS_H

#include "tensor/graph.h"

/* Adds to the gradients of the node's inputs, given those of its outputs. */
void gradient_of(Graph *g, const Node *node);

/* Marks the outputs and records the node without running a kernel (views). */
bool graph_tape(Graph *g, Node *node);

/* Runs an op with one F32 output of the given shape. NULL after a failure. */
Tensor *graph_apply(Graph *g, Node *node, int ndim, const int64_t *shape);

#endif
