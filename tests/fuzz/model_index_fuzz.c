/* model_index.json from bytes. */
#include "weight_file_check.h"
#include "weights/model_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    ModelIndex index;
    if (model_index_parse(&index, (const char *)data, size, "fuzz", &err))
        assert(index.boundary == -1 || (index.boundary >= 0 && index.boundary <= 1));
    else
        check_error(&err);
    return 0;
}
