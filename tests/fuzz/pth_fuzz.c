/* PyTorch files from bytes, whole ones and pickles alone: an error, or tensors that can be used. */
#include "weight_file_check.h"
#include "weights/pickle.h"

static void check_pickle(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Arena memory;
    Pickled pickled;
    arena_init(&memory, 4096);
    if (!pickle_read(&pickled, &memory, data, size, "fuzz", &err))
        check_error(&err);
    for (int i = 0; i < pickled.count && err.code == SORA_OK; i++) {
        const PickledTensor *t = &pickled.tensors[i];
        assert(strlen(t->name) <= size && strlen(t->storage) <= size);
        assert(tensor_numel(&t->tensor) >= 0 && t->tensor.ndim <= MAX_DIMS);
    }
    assert(memory.used <= 4096 + 400 * size); /* linear in the pickle */
    arena_deinit(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 0x80)
        check_pickle(data, size);
    return check_weight_file(data, size);
}
