#include "weights/gguf_writer.h"

#include <string.h>

#include "weights/gguf.h"

typedef struct Out {
    FILE *stream;
    uint64_t size;
} Out;

static void put(Out *o, const void *bytes, size_t size)
{
    fwrite(bytes, 1, size, o->stream); /* errors stay in the stream */
    o->size += size;
}

static void put_u32(Out *o, uint32_t v)
{
    put(o, &v, sizeof v);
}

static void put_u64(Out *o, uint64_t v)
{
    put(o, &v, sizeof v);
}

static void put_text(Out *o, const char *text)
{
    put_u64(o, strlen(text));
    put(o, text, strlen(text));
}

/* The outermost dimensions as one, so that four are left. */
static Tensor merge(const Tensor *t)
{
    Tensor out = *t;
    while (out.ndim > GGUF_DIMS) {
        out.shape[0] *= out.shape[1];
        memmove(out.shape + 1, out.shape + 2, (size_t)(out.ndim - 2) * sizeof out.shape[0]);
        out.ndim--;
    }
    return out;
}

static void put_true_shape(Out *o, const char *name, const Tensor *t)
{
    put_u64(o, strlen(GGUF_SHAPE_KEY) + strlen(name));
    put(o, GGUF_SHAPE_KEY, strlen(GGUF_SHAPE_KEY));
    put(o, name, strlen(name));
    put_u32(o, GGUF_LIST);
    put_u32(o, GGUF_I32);
    put_u64(o, (uint64_t)t->ndim);
    for (int d = 0; d < t->ndim; d++)
        put_u32(o, (uint32_t)t->shape[d]);
}

static void put_tensor(Out *o, const char *name, const Tensor *t, uint64_t at)
{
    Tensor merged = merge(t);
    put_text(o, name);
    put_u32(o, (uint32_t)merged.ndim);
    for (int d = merged.ndim - 1; d >= 0; d--)
        put_u64(o, (uint64_t)merged.shape[d]);
    put_u32(o, (uint32_t)gguf_type_id(t->dtype));
    put_u64(o, at);
}

bool gguf_write_header(const GgufHeader *h, FILE *stream)
{
    Out o = {stream, 0};
    uint64_t merged = 0, at = 0;
    for (int i = 0; i < h->count; i++)
        merged += h->tensors[i].ndim > GGUF_DIMS;
    put(&o, "GGUF", 4);
    put_u32(&o, GGUF_VERSION);
    put_u64(&o, (uint64_t)h->count);
    put_u64(&o, (uint64_t)h->text_count + merged);
    for (int i = 0; i < h->text_count; i++) {
        put_text(&o, h->texts[i].key);
        put_u32(&o, GGUF_TEXT);
        put_text(&o, h->texts[i].value);
    }
    for (int i = 0; i < h->count; i++)
        if (h->tensors[i].ndim > GGUF_DIMS)
            put_true_shape(&o, h->names[i], &h->tensors[i]);
    for (int i = 0; i < h->count; i++) {
        put_tensor(&o, h->names[i], &h->tensors[i], at);
        at += (tensor_bytes(&h->tensors[i]) + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
    }
    while (o.size % GGUF_ALIGNMENT != 0)
        put(&o, "", 1);
    return !ferror(stream);
}
