#include "golden/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static bool fill(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    Tensor t = fixture_tensor((Fixture *)source, "%s", name);
    if (t.data == NULL || !tensor_same_shape(&t, tensor)) {
        char have[128], want[128];
        return error_set(err, SORA_ERROR_INPUT, "tensor \"%s\" is %s, expected %s", name,
                         tensor_shape_text(&t, have, sizeof have), tensor_shape_text(tensor, want, sizeof want));
    }
    tensor->data = t.data;
    tensor->dtype = t.dtype;
    return true;
}

bool fixture_open(Fixture *f, const char *dir, const char *name, const char *kind)
{
    *f = (Fixture){.source = {fill}};
    snprintf(f->path, sizeof f->path, "%s/%s%s%s.safetensors", dir, name, kind ? "." : "", kind ? kind : "");
    if (!file_exists(f->path))
        return false;
    SoraError err = {0};
    f->bytes = file_read(f->path, (size_t)1 << 32, &f->size, &err);
    uint64_t length = 0;
    if (f->bytes != NULL && f->size >= 8)
        memcpy(&length, f->bytes, 8);
    if (length > 0 && length <= f->size - 8)
        f->header = json_loadb(f->bytes + 8, length, 0, NULL);
    f->start = 8 + length;
    if (f->header != NULL)
        return true;
    fprintf(stderr, "%s: no safetensors file %s\n", f->path, err.message);
    fixture_close(f);
    return false;
}

void fixture_close(Fixture *f)
{
    json_decref(f->header);
    free(f->bytes);
    *f = (Fixture){0};
}

Tensor fixture_tensor(const Fixture *f, const char *fmt, ...)
{
    char name[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    Tensor t = {.leaf = true};
    const json_t *entry = json_object_get(f->header, name);
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    if (entry == NULL || json_array_size(shape) > MAX_DIMS ||
        !dtype_parse(json_string_value(json_object_get(entry, "dtype")), &t.dtype))
        return t;
    for (size_t i = 0; i < json_array_size(shape); i++)
        t.shape[t.ndim++] = json_integer_value(json_array_get(shape, i));
    size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
    if (begin <= f->size - f->start && tensor_bytes(&t) <= f->size - f->start - begin)
        t.data = f->bytes + f->start + begin;
    return t;
}

json_t *fixture_metadata(const Fixture *f, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(f->header, "__metadata__"), key));
    return text ? json_loads(text, 0, NULL) : NULL;
}
