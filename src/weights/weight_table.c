#include "weights/weight_table.h"

#include <stdlib.h>
#include <string.h>

#include "weights/message.h"

bool weight_file_add(WeightFile *f, const char *name, size_t name_size, Tensor tensor, SoraError *err)
{
    char buf[SHOWN_SIZE];
    for (size_t i = 0; i < name_size; i++)
        if (name[i] < 32 || name[i] > 126)
            return message_bad(f->path, err, "tensor \"%s\": the name is not printable ASCII",
                               message_shown_bytes(name, name_size, buf));
    if (f->count == f->capacity) {
        int capacity = f->capacity ? 2 * f->capacity : 256;
        WeightItem *items = realloc(f->items, (size_t)capacity * sizeof *items);
        if (items == NULL)
            return message_no_memory(f->path, err);
        f->items = items;
        f->capacity = capacity;
    }
    char *copy = arena_alloc(&f->memory, name_size + 1);
    if (copy == NULL)
        return message_no_memory(f->path, err);
    memcpy(copy, name, name_size);
    copy[name_size] = 0;
    tensor.leaf = true;
    if (dtype_block(tensor.dtype) == 1 && (uintptr_t)tensor.data % dtype_size(tensor.dtype) != 0) {
        void *data = arena_alloc(&f->memory, tensor_bytes(&tensor) + 1);
        if (data == NULL)
            return message_no_memory(f->path, err);
        tensor.data = memcpy(data, tensor.data, tensor_bytes(&tensor));
    }
    f->items[f->count++] = (WeightItem){copy, tensor};
    return true;
}

const FileMap *weight_file_map(WeightFile *f, const char *path, SoraError *err)
{
    FileMap *maps = realloc(f->maps, ((size_t)f->map_count + 1) * sizeof *maps);
    if (maps == NULL) {
        message_no_memory(path, err);
        return NULL;
    }
    f->maps = maps;
    return file_map_open(&maps[f->map_count], path, err) ? &maps[f->map_count++] : NULL;
}

void weight_table_unmap(WeightFile *f)
{
    for (int i = 0; i < f->map_count; i++)
        file_map_close(&f->maps[i]);
    f->map_count = 0;
}

const WeightList *weight_file_list(const WeightFile *f, const char *key)
{
    const WeightList *l = f->lists;
    while (l != NULL && strcmp(l->key, key) != 0)
        l = l->next;
    return l;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const WeightItem *)a)->name, ((const WeightItem *)b)->name);
}

bool weight_table_sort(WeightFile *f, SoraError *err)
{
    if (f->count > 0)
        qsort(f->items, (size_t)f->count, sizeof *f->items, compare);
    for (int i = 1; i < f->count; i++) {
        char buf[SHOWN_SIZE];
        if (strcmp(f->items[i - 1].name, f->items[i].name) == 0)
            return message_bad(f->path, err, "tensor \"%s\" is there twice",
                               message_shown(f->items[i].name, buf));
    }
    return true;
}

WeightFile *weight_table_new(const char *path, SoraError *err)
{
    WeightFile *f = calloc(1, sizeof *f);
    if (f == NULL) {
        message_no_memory(path, err);
        return NULL;
    }
    arena_init(&f->memory, 1 << 16);
    if ((f->path = arena_strdup(&f->memory, path)) == NULL) {
        message_no_memory(path, err);
        weight_file_close(f);
        return NULL;
    }
    return f;
}

void weight_file_close(WeightFile *f)
{
    if (f == NULL)
        return;
    safetensors_close(f->safetensors);
    weight_table_unmap(f);
    free(f->maps);
    free(f->items);
    arena_deinit(&f->memory);
    free(f);
}

int weight_file_count(const WeightFile *f)
{
    return f->safetensors != NULL ? safetensors_count(f->safetensors) : f->count;
}

const Tensor *weight_file_tensor(const WeightFile *f, int i)
{
    return f->safetensors != NULL ? safetensors_tensor(f->safetensors, i) : &f->items[i].tensor;
}

const char *weight_file_tensor_name(const WeightFile *f, int i)
{
    return f->safetensors != NULL ? safetensors_tensor_name(f->safetensors, i) : f->items[i].name;
}

const Tensor *weight_file_find(const WeightFile *f, const char *name)
{
    if (f->safetensors != NULL)
        return safetensors_find(f->safetensors, name);
    WeightItem key = {.name = name};
    const WeightItem *found =
        f->count ? bsearch(&key, f->items, (size_t)f->count, sizeof *f->items, compare) : NULL;
    return found != NULL ? &found->tensor : NULL;
}

bool weight_file_reads(const WeightFile *f, const char *path)
{
    for (int i = 0; i < f->map_count; i++)
        if (file_map_is(&f->maps[i], path))
            return true;
    return f->safetensors != NULL && safetensors_reads(f->safetensors, path);
}

void weight_file_forget(const WeightFile *f, const Tensor *tensor)
{
    if (f->safetensors != NULL)
        safetensors_forget(f->safetensors, tensor);
    for (int i = 0; i < f->map_count; i++)
        file_map_forget(&f->maps[i], tensor->data, tensor_bytes(tensor));
}

const char *weight_file_metadata(const WeightFile *f, const char *key)
{
    if (f->safetensors != NULL)
        return safetensors_metadata(f->safetensors, key);
    for (const WeightMetadata *m = f->metadata; m != NULL; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m->value;
    return NULL;
}

const char *weight_file_path(const WeightFile *f)
{
    return f->safetensors != NULL ? safetensors_path(f->safetensors) : f->path;
}

WeightFormat weight_file_format(const WeightFile *f)
{
    return f->format;
}

const char *weight_format_name(WeightFormat format)
{
    static const char *const NAMES[] = {"safetensors", "GGUF", "PyTorch"};
    return NAMES[format];
}
