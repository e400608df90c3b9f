/* CBOR from bytes: an error, or a tree whose every span lies in the source or the arena. */
#include <assert.h>
#include "fuzz.h"
#include "credentials/cbor_data.h"

static size_t walk(const CborValue *v)
{
    size_t sum = (size_t)v->number;
    for (size_t i = 0; i < v->bytes.size; i++)
        sum += v->bytes.data[i];
    size_t items = v->kind == CBOR_MAP                               ? 2 * v->count
                   : v->kind == CBOR_ARRAY || v->kind == CBOR_TAGGED ? v->count
                                                                     : 0;
    for (size_t i = 0; i < items; i++)
        sum += walk(&v->items[i]);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena arena;
    SoraError err = {0};
    arena_init(&arena, 4096);
    const CborValue *v = cbor_parse(&arena, (Span){data, size}, &err);
    assert((v == NULL) == (err.code != SORA_OK));
    if (v != NULL) {
        volatile size_t sum = walk(v); /* so that it is not left out */
        (void)sum;
        (void)cbor_find(v, "hash");
        (void)cbor_find_number(v, 33);
    }
    arena_deinit(&arena);
    return 0;
}
