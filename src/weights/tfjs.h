/* Weights of a TensorFlow.js layers model whose numbers are bytes: model.json with its shards, or the same wrapped in
 * JavaScript as npm packages have it (model.min.js, NAME.min.js with base64). Nothing of the JavaScript is run. Hostile
 * until checked. */
#ifndef SORA_WEIGHTS_TFJS_H
#define SORA_WEIGHTS_TFJS_H

#include "base/error.h"
#include "tensor/tensor.h"

typedef struct TfjsModel TfjsModel;

/* A number is byte * scale + minimum. */
typedef struct TfjsTensor {
    const char *name;
    Tensor tensor; /* U8 */
    double scale, minimum;
} TfjsTensor;

bool tfjs_recognised(const char *folder);                 /* has it such a model? */
TfjsModel *tfjs_open(const char *folder, SoraError *err); /* NULL on failure */
/* The same of the text of a model and the bytes of all its shards, wherever it says that they are. */
TfjsModel *tfjs_open_memory(const char *model, const void *bytes, size_t size, SoraError *err);
void tfjs_close(TfjsModel *m);                                     /* NULL is allowed */
const TfjsTensor *tfjs_find(const TfjsModel *m, const char *name); /* NULL when there is none */
const char *tfjs_path(const TfjsModel *m);

#endif
