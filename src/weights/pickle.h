/* The tensors that a pickle of PyTorch describes. Nothing else comes out of it, and nothing in it is ever
 * called: a pickle is a program, and this runs the part of its instructions that build texts, numbers,
 * tuples, lists and dictionaries, and knows by name the few functions of PyTorch that make a tensor of them.
 * Whatever else is asked for is an error with its name. Time and memory grow with the pickle's size; there is
 * no recursion. */
#ifndef SORA_WEIGHTS_PICKLE_H
#define SORA_WEIGHTS_PICKLE_H

#include <stdint.h>
#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

typedef struct PickledTensor {
    const char *name;
    Tensor tensor;         /* type and shape; data NULL */
    const char *storage;   /* the key of its bytes */
    uint64_t offset;       /* of its first element in them */
    uint64_t storage_size; /* elements, as the pickle says */
} PickledTensor;

typedef struct Pickled {
    PickledTensor *tensors; /* in the order of the dictionary; in the arena */
    int count;
} Pickled;

/* The pickle is a dictionary of tensors; or one that has such a dictionary as its only one with tensors
 * ("state_dict"). path is named in messages. */
bool pickle_read(Pickled *out, Arena *memory, const uint8_t *bytes, size_t size, const char *path,
                 SoraError *err);

#endif
