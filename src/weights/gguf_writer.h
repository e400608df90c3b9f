/* What comes before the data of a GGUF file. */
#ifndef SORA_WEIGHTS_GGUF_WRITER_H
#define SORA_WEIGHTS_GGUF_WRITER_H

#include <stdio.h>
#include "tensor/tensor.h"

typedef struct GgufText {
    const char *key, *value;
} GgufText;

typedef struct GgufHeader {
    const GgufText *texts;
    int text_count;
    const char *const *names; /* of the tensors */
    const Tensor *tensors;    /* types and shapes */
    int count;
} GgufHeader;

/* False: writing failed (errno). Padded so that the data begins aligned; each tensor's data must be padded to
 * GGUF_ALIGNMENT too. */
bool gguf_write_header(const GgufHeader *h, FILE *stream);

#endif
