/* A model of TensorFlow.js in JavaScript: the object, a 0 byte, the bytes of its shards. An error, or tensors within
 * the bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "weights/tfjs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    const uint8_t *end = memchr(data, 0, size);
    if (end == NULL)
        return 0;
    size_t used = (size_t)(end - data) + 1;
    TfjsModel *m = tfjs_open_memory((const char *)data, data + used, size - used, &err);
    if (m == NULL) {
        assert(err.code != SORA_OK && strlen(err.message) > 0);
        for (const char *s = err.message; *s != 0; s++)
            assert((unsigned char)*s >= 32 && *s != 127);
        return 0;
    }
    const TfjsTensor *t = tfjs_find(m, "a");
    unsigned sum = 0;
    for (int64_t i = 0; t != NULL && i < tensor_numel(&t->tensor); i++)
        sum += ((const uint8_t *)t->tensor.data)[i];
    assert(sum < 1u << 31);
    tfjs_close(m);
    return 0;
}
