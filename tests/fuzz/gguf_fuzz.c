/* GGUF from bytes: reading ends in an error, or in tensors that can be used. */
#include "weight_file_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return check_weight_file(data, size);
}
