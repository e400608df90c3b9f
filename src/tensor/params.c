#include "tensor/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void params_init(Params *p, ParamSource *source)
{
    *p = (Params){.source = source, .prefix = ""};
    arena_init(&p->arena, 0);
}

void params_deinit(Params *p)
{
    arena_deinit(&p->arena);
    free(p->items);
    *p = (Params){.prefix = ""};
}

static Tensor *fail(Params *p, SoraErrorCode code, const char *what, const char *name)
{
    p->failed = true;
    error_set(&p->error, code, "tensor \"%s\": %s", name, what);
    return NULL;
}

static bool grow(Params *p)
{
    if (p->count < p->capacity)
        return true;
    int capacity = p->capacity ? 2 * p->capacity : 64;
    Param **items = realloc(p->items, (size_t)capacity * sizeof *items);
    if (items == NULL)
        return false;
    p->items = items;
    p->capacity = capacity;
    return true;
}

Tensor *params_get(Params *p, Init init, int ndim, const int64_t *shape, const char *fmt, ...)
{
    if (p->failed)
        return NULL;
    va_list args;
    va_start(args, fmt);
    char *tail = arena_vprintf(&p->arena, fmt, args);
    va_end(args);
    char *name = tail ? arena_printf(&p->arena, "%s%s", p->prefix, tail) : NULL;
    Param *param = arena_calloc(&p->arena, sizeof *param);
    if (name == NULL || param == NULL || !grow(p))
        return fail(p, SORA_ERROR_MEMORY, "out of memory", tail ? tail : fmt);
    if (params_find(p, name) != NULL)
        return fail(p, SORA_ERROR_INTERNAL, "asked for twice", name);
    param->name = name;
    param->init = init;
    param->tensor = tensor_over(NULL, DTYPE_F32, ndim, shape);
    if (!p->source->fill(p->source, name, &param->tensor, init, &p->error)) {
        p->failed = true;
        return NULL;
    }
    p->items[p->count++] = param;
    return &param->tensor;
}

bool params_ok(const Params *p, SoraError *err)
{
    if (p->failed && err != NULL)
        *err = p->error;
    return !p->failed;
}

Param *params_find(const Params *p, const char *name)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->items[i]->name, name) == 0)
            return p->items[i];
    return NULL;
}

int64_t params_numel(const Params *p)
{
    int64_t sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += tensor_numel(&p->items[i]->tensor);
    return sum;
}

bool params_is_matrix(const Tensor *t)
{
    return t->ndim > 1 && t->shape[0] > 1 && tensor_numel(t) > t->shape[0];
}

Init init_xavier(int64_t fan_out, int64_t fan_in)
{
    return (Init){INIT_UNIFORM, sqrtf(6.0f / (float)(fan_out + fan_in))};
}
