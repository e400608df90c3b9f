/* Which kind of file it is. */
#include "weights/weight_file.h"

#include <string.h>

#include "weights/message.h"
#include "weights/weight_reader.h"

/* The formats with a mark of their own; *known false: it must be safetensors, which have none. */
static bool read_marked(WeightFile *f, const uint8_t *bytes, size_t size, bool *known, SoraError *err)
{
    *known = true;
    if (size >= 4 && memcmp(bytes, "GGUF", 4) == 0) {
        f->format = WEIGHT_GGUF;
        return gguf_read(f, bytes, size, err) && weight_table_sort(f, err);
    }
    if (size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0) {
        f->format = WEIGHT_PTH;
        return pth_read(f, bytes, size, err) && weight_table_sort(f, err);
    }
    if (size >= 8 && bytes[0] == 0x80 && bytes[1] == 2 &&
        bytes[7] != 0) /* the header would have 2^56 bytes */
        return message_bad(f->path, err,
                           "a PyTorch file of the kind before 1.6, expected a zip file: save it again");
    *known = false;
    return true;
}

WeightFile *weight_file_open_memory(const void *data, size_t size, const char *name, SoraError *err)
{
    WeightFile *f = weight_table_new(name, err);
    if (f == NULL)
        return NULL;
    bool known;
    bool ok = read_marked(f, data, size, &known, err);
    if (ok && !known)
        ok = (f->safetensors = safetensors_open_memory(data, size, name, err)) != NULL;
    if (ok)
        return f;
    weight_file_close(f);
    return NULL;
}

WeightFile *weight_file_open(const char *path, SoraError *err)
{
    WeightFile *f = weight_table_new(path, err);
    if (f == NULL)
        return NULL;
    size_t n = strlen(path);
    bool known = false, ok = true;
    if (!dir_exists(path) && (n < 5 || strcmp(path + n - 5, ".json") != 0)) {
        const FileMap *map = weight_file_map(f, path, err);
        ok = map != NULL && read_marked(f, map->data, map->size, &known, err);
    }
    if (ok && !known) {
        weight_table_unmap(f); /* it is mapped once more, with its shards */
        ok = (f->safetensors = safetensors_open(path, err)) != NULL;
    }
    if (ok)
        return f;
    weight_file_close(f);
    return NULL;
}
