/* An index of shards from bytes, beside two shards: an error, or tensors that can be used; no file outside of
 * the folder. To fuzz:
 *     clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         -Iinclude -Isrc -Itests/fuzz tests/fuzz/shard_index_fuzz.c
 * src/base/{arena,error,file,json_file,rng}.c \ src/tensor/{tensor,params}.c src/weights/[a-z]*.c -ljansson
 * -lm -o fuzz
 *     ./fuzz -max_total_time=120 NEW-CORPUS tests/fuzz/corpus/shard_index */
#include <stdio.h>
#include <unistd.h>

#include "weight_file_check.h"

static char dir[] = "/tmp/sora-fuzz-XXXXXX";

static void write_file(const char *name, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

static void remove_folder(void)
{
    static const char *const NAMES[] = {"a.safetensors", "b.safetensors", "model.safetensors.index.json"};
    char path[128];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, NAMES[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* One tensor each, "a" and "b": 4 bytes. */
static void make_folder(void)
{
    static const char *const NAMES[] = {"a", "b"};
    assert(mkdtemp(dir) != NULL);
    atexit(remove_folder);
    for (int i = 0; i < 2; i++) {
        char name[32], text[128] = {0};
        uint64_t size = 64;
        snprintf(name, sizeof name, "%s.safetensors", NAMES[i]);
        memcpy(text, &size, 8);
        snprintf(text + 8, 65, "%-64s",
                 i == 0 ? "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"
                        : "{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}");
        write_file(name, text, 8 + 64 + 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    if (dir[sizeof dir - 2] == 'X')
        make_folder();
    write_file("model.safetensors.index.json", data, size);
    WeightFile *f = weight_file_open(dir, &err);
    if (f == NULL)
        check_error(&err);
    for (int i = 0; f != NULL && i < weight_file_count(f); i++)
        check_tensor(f, i);
    weight_file_close(f);
    return 0;
}
