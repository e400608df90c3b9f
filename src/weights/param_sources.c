#include "weights/param_sources.h"

#include <string.h>

#include "base/hash.h"
#include "base/rng.h"

enum { PATTERN_BYTES = 1 << 20 };

static bool allocate(Arena *memory, const char *name, Tensor *tensor, SoraError *err)
{
    tensor->data = arena_alloc(memory, tensor_bytes(tensor));
    return tensor->data != NULL ||
           error_set(err, SORA_ERROR_MEMORY, "tensor \"%s\": out of memory (%zu bytes)", name,
                     tensor_bytes(tensor));
}

static bool fill_random(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    RandomSource *s = (RandomSource *)source;
    tensor->dtype = DTYPE_F32;
    if (s->blank)
        return true;
    if (!allocate(&s->memory, name, tensor, err))
        return false;
    Rng rng;
    rng_init(&rng, s->seed, hash64(HASH64_START, name, strlen(name)));
    float *data = tensor->data;
    int64_t n = tensor_numel(tensor);
    for (int64_t i = 0; i < n; i++)
        data[i] = init.kind == INIT_NORMAL    ? init.scale * rng_normal(&rng)
                  : init.kind == INIT_UNIFORM ? rng_range(&rng, -init.scale, init.scale)
                                              : (float)(init.kind == INIT_ONE);
    return true;
}

void random_source_init(RandomSource *s, uint64_t seed)
{
    *s = (RandomSource){.source = {fill_random}, .seed = seed};
    arena_init(&s->memory, 0);
}

void random_source_deinit(RandomSource *s)
{
    arena_deinit(&s->memory);
}

/* Of standard deviation 1/32: a few layers deep the numbers are neither denormal nor huge. */
static bool make_pattern(BenchSource *s)
{
    s->pattern = arena_alloc(&s->memory, PATTERN_BYTES);
    if (s->pattern == NULL)
        return false;
    Rng rng;
    rng_init(&rng, 0, 0);
    for (size_t i = 0; i < PATTERN_BYTES / dtype_size(s->dtype); i++) {
        float x = rng_normal(&rng) / 32;
        if (s->dtype == DTYPE_BF16)
            ((uint16_t *)s->pattern)[i] = f32_to_bf16(x);
        else
            ((float *)s->pattern)[i] = x;
    }
    return true;
}

static bool fill_bench(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    BenchSource *s = (BenchSource *)source;
    bool matrix = params_is_matrix(tensor);
    tensor->dtype = matrix ? s->dtype : DTYPE_F32;
    if (!allocate(&s->memory, name, tensor, err))
        return false;
    if (!matrix) {
        for (int64_t i = 0; i < tensor_numel(tensor); i++)
            ((float *)tensor->data)[i] = 0.0625f;
        return true;
    }
    if (s->pattern == NULL && !make_pattern(s))
        return error_set(err, SORA_ERROR_MEMORY, "tensor \"%s\": out of memory", name);
    size_t bytes = tensor_bytes(tensor);
    for (size_t at = 0; at < bytes; at += PATTERN_BYTES)
        memcpy((char *)tensor->data + at, s->pattern,
               bytes - at < PATTERN_BYTES ? bytes - at : PATTERN_BYTES);
    return true;
}

void bench_source_init(BenchSource *s, DType dtype)
{
    *s = (BenchSource){.source = {fill_bench}, .dtype = dtype};
    arena_init(&s->memory, 0);
}

void bench_source_deinit(BenchSource *s)
{
    arena_deinit(&s->memory);
}
