/* Backward is written with ops: one function for each op, in one table. */
#ifndef SORA_TENSOR_GRADIENTS_H
#define SORA_TENSOR_GRADIENTS_H

#include "tensor/graph.h"

/* Adds to the gradients of the node's inputs, given those of its outputs. */
void gradient_of(Graph *g, const Node *node);

#endif
