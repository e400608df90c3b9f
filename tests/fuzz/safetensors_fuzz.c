/* Safetensors from bytes: reading ends in an error, or in tensors whose every byte can be read. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "weights/file_source.h"

static void check_tensor(const Safetensors *s, FileSource *source, int i)
{
    const Tensor *t = safetensors_tensor(s, i);
    const char *name = safetensors_tensor_name(s, i);
    assert(safetensors_find(s, name) == t);
    assert(t->ndim >= 0 && t->ndim <= MAX_DIMS && tensor_numel(t) >= 0);
    assert((uintptr_t)t->data % dtype_size(t->dtype) == 0);
    const volatile uint8_t *data = t->data;
    for (size_t k = 0; k < tensor_bytes(t); k++)
        (void)data[k];
    Tensor wanted = tensor_over(NULL, DTYPE_F32, t->ndim, t->shape);
    SoraError err;
    bool ok = source->source.fill(&source->source, name, &wanted, (Init){INIT_ZERO, 0}, &err);
    assert(ok == (t->dtype == DTYPE_F32 || t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F16 ||
                  t->dtype == DTYPE_F64));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Safetensors *s = safetensors_open_memory(data, size, "fuzz", &err);
    if (s == NULL) {
        assert(err.code != SORA_OK && err.message[0] != 0);
        for (const char *c = err.message; *c; c++)
            assert((unsigned char)*c >= 32);
        return 0;
    }
    FileSource source;
    file_source_init(&source, s, FILE_SOURCE_MAPPED);
    size_t bytes = 0;
    for (int i = 0; i < safetensors_count(s); i++) {
        check_tensor(s, &source, i);
        bytes += tensor_bytes(safetensors_tensor(s, i));
    }
    assert(bytes <= size);
    (void)safetensors_metadata(s, "config");
    file_source_deinit(&source);
    safetensors_close(s);
    return 0;
}
