/* GGUF from bytes: reading ends in an error, or in tensors that can be used. To fuzz:
 *     clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         -Iinclude -Isrc -Itests/fuzz tests/fuzz/gguf_fuzz.c src/base/{arena,error,file,json_file,rng}.c \
 *         src/tensor/{tensor,params}.c src/weights/[a-z]*.c -ljansson -lm -o fuzz
 *     ./fuzz -max_total_time=120 NEW-CORPUS tests/fuzz/corpus/gguf */
#include "weight_file_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return check_weight_file(data, size);
}
