/* An index of shards from bytes, beside two shards: an error, or tensors that can be used; no file outside of the
 * folder. */
#include <stdio.h>
#include <unistd.h>

#include "weight_file_check.h"

/* In memory where there is such a place: a file system on disk writes each rewritten file out at once. */
static char dir[] = "/dev/shm/sora-fuzz-XXXXXX";

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
    if (mkdtemp(dir) == NULL)
        assert(mkdtemp(strcpy(dir, "/tmp/sora-fuzz-XXXXXX")) != NULL);
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
    if (dir[strlen(dir) - 1] == 'X')
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
