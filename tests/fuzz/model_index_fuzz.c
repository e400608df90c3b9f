/* model_index.json from bytes. To fuzz:
 *     clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         -Iinclude -Isrc -Itests/fuzz tests/fuzz/model_index_fuzz.c
 * src/base/{arena,error,file,json_file,rng}.c \ src/tensor/{tensor,params}.c src/weights/[a-z]*.c -ljansson
 * -lm -o fuzz
 *     ./fuzz -max_total_time=120 NEW-CORPUS tests/fuzz/corpus/model_index */
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
