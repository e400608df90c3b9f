#include "train/adamw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096, UPDATE_CHUNK = 1 << 15, LANES = 16 }; /* elements of one sum, of one piece of work */

AdamWConfig adamw_defaults(void)
{
    return (AdamWConfig){.learning_rate = 1e-3, .final_ratio = 0.05, .warmup = 200, .steps = 10000,
                         .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01, .clip = 1,
                         .ema = 0.999};
}

void adamw_init(AdamW *o, const AdamWConfig *config, Pool *pool)
{
    *o = (AdamW){.config = *config, .pool = pool};
    arena_init(&o->memory, (size_t)16 << 20);
}

void adamw_deinit(AdamW *o)
{
    for (int i = 0; i < o->count; i++)
        o->slots[i].param->tensor.grad = NULL;
    arena_deinit(&o->memory);
    free(o->slots);
    *o = (AdamW){0};
}

static bool add_slot(AdamW *o, const char *set, Param *param)
{
    AdamWSlot *slots = realloc(o->slots, (size_t)(o->count + 1) * sizeof *slots);
    if (slots == NULL)
        return false;
    o->slots = slots;
    int64_t n = tensor_numel(&param->tensor);
    Tensor *grad = arena_alloc(&o->memory, sizeof *grad);
    float *memory = o->blank ? NULL : arena_calloc(&o->memory, 4 * (size_t)n * sizeof *memory);
    if (grad == NULL || (memory == NULL && !o->blank))
        return false;
    if (o->blank) {
        slots[o->count++] = (AdamWSlot){.set = set, .name = param->name, .param = param, .count = n};
        *grad = tensor_over(NULL, DTYPE_F32, param->tensor.ndim, param->tensor.shape);
        param->tensor.requires_grad = param->tensor.leaf = true;
        param->tensor.grad = grad;
        return true;
    }
    slots[o->count] = (AdamWSlot){.set = set, .name = param->name, .param = param, .count = n,
                                  .value = param->tensor.data, .grad = memory, .m = memory + n, .v = memory + 2 * n,
                                  .ema = memory + 3 * n, .decays = params_is_matrix(&param->tensor), .rate = 1};
    memcpy(memory + 3 * n, param->tensor.data, (size_t)n * sizeof *memory);
    *grad = tensor_over(memory, DTYPE_F32, param->tensor.ndim, param->tensor.shape);
    param->tensor.requires_grad = param->tensor.leaf = true;
    param->tensor.grad = grad;
    o->count++;
    return true;
}

bool adamw_add(AdamW *o, const char *set, Params *p, SoraError *err)
{
    for (int i = 0; i < p->count; i++) {
        if (p->items[i]->tensor.dtype != DTYPE_F32)
            return error_set(err, SORA_ERROR_INPUT, "tensor \"%s\": training needs F32 weights", p->items[i]->name);
        if (!add_slot(o, set, p->items[i]))
            return error_set(err, SORA_ERROR_MEMORY, "out of memory for the optimiser");
    }
    return true;
}

void adamw_freeze(AdamW *o, const char *prefix)
{
    for (int i = 0; i < o->count; i++)
        if (strncmp(o->slots[i].name, prefix, strlen(prefix)) == 0) {
            o->slots[i].frozen = true;
            o->slots[i].param->tensor.requires_grad = false;
        }
}

void adamw_set_rate(AdamW *o, const char *set, double rate)
{
    for (int i = 0; i < o->count; i++)
        if (strcmp(o->slots[i].set, set) == 0)
            o->slots[i].rate = rate;
}

double adamw_rate(const AdamW *o, int64_t step)
{
    const AdamWConfig *c = &o->config;
    double warm = c->warmup > 0 ? fmin(1.0, (double)(step + 1) / (double)c->warmup) : 1.0;
    if (c->cooldown > 0) {
        double left = fmin(1.0, fmax(0.0, (double)(c->steps - step) / (double)c->cooldown));
        return c->learning_rate * warm * (c->final_ratio + (1 - c->final_ratio) * left);
    }
    double done = c->steps > c->warmup ? (double)(step - c->warmup) / (double)(c->steps - c->warmup) : 1.0;
    done = fmin(1.0, fmax(0.0, done));
    return c->learning_rate * warm * (c->final_ratio + (1 - c->final_ratio) * 0.5 * (1 + cos(M_PI * done)));
}

static double squares(const AdamWSlot *s)
{
    double sum = 0;
    for (int64_t first = 0; first < s->count; first += CHUNK) {
        int64_t end = first + CHUNK < s->count ? first + CHUNK : s->count;
        float part[LANES] = {0}; /* side by side, as vectors have them */
        for (int64_t i = first; i + LANES <= end; i += LANES)
            for (int l = 0; l < LANES; l++)
                part[l] += s->grad[i + l] * s->grad[i + l];
        for (int64_t i = end - (end - first) % LANES; i < end; i++)
            part[0] += s->grad[i] * s->grad[i];
        for (int l = 0; l < LANES; l++)
            sum += (double)part[l];
    }
    return sum;
}

/* Numbers of one step that are the same for every parameter. */
typedef struct Step {
    float rate, scale, decay, beta1, beta2, correct1, correct2, eps, ema;
} Step;

typedef struct Update {
    const AdamWSlot *slot;
    const Step *step;
} Update;

static void update_chunk(void *arg, int64_t chunk, int worker)
{
    const AdamWSlot *slot = ((Update *)arg)->slot;
    const Step *k = ((Update *)arg)->step;
    int64_t first = chunk * UPDATE_CHUNK, end = first + UPDATE_CHUNK < slot->count ? first + UPDATE_CHUNK : slot->count;
    float rate = k->rate * (float)slot->rate, keep = 1 - rate * (slot->decays ? k->decay : 0);
    float *value = slot->value, *grad = slot->grad, *m = slot->m, *v = slot->v, *ema = slot->ema;
    for (int64_t i = first; i < end; i++) {
        float g = grad[i] * k->scale;
        m[i] = k->beta1 * m[i] + (1 - k->beta1) * g;
        v[i] = k->beta2 * v[i] + (1 - k->beta2) * g * g;
        value[i] = value[i] * keep - rate * (m[i] * k->correct1) / (sqrtf(v[i] * k->correct2) + k->eps);
        ema[i] += (1 - k->ema) * (value[i] - ema[i]);
        grad[i] = 0;
    }
}

static void update(AdamW *o, const AdamWSlot *slot, const Step *k)
{
    pool_run(o->pool, (slot->count + UPDATE_CHUNK - 1) / UPDATE_CHUNK, update_chunk, &(Update){slot, k});
}

void adamw_step(AdamW *o, int64_t step)
{
    const AdamWConfig *c = &o->config;
    double sum = 0;
    for (int i = 0; i < o->count; i++)
        sum += squares(&o->slots[i]);
    o->gradient_norm = sqrt(sum);
    double t = (double)(step + 1);
    Step k = {.rate = (float)adamw_rate(o, step),
              .scale = c->clip > 0 && o->gradient_norm > c->clip ? (float)(c->clip / o->gradient_norm) : 1.0f,
              .decay = (float)c->weight_decay, .beta1 = (float)c->beta1, .beta2 = (float)c->beta2,
              .correct1 = (float)(1 / (1 - pow(c->beta1, t))), .correct2 = (float)(1 / (1 - pow(c->beta2, t))),
              .eps = (float)c->eps, .ema = (float)fmin(c->ema, t / (9 + t))};
    if (!isfinite(sum)) /* one bad batch must not ruin the weights */
        k.scale = k.rate = 0;
    for (int i = 0; i < o->count; i++) {
        if (o->slots[i].frozen)
            continue;
        if (!isfinite(sum))
            memset(o->slots[i].grad, 0, (size_t)o->slots[i].count * sizeof(float));
        update(o, &o->slots[i], &k);
    }
}

void adamw_swap_ema(AdamW *o)
{
    for (int i = 0; i < o->count; i++) {
        AdamWSlot *s = &o->slots[i];
        for (int64_t j = 0; j < s->count; j++) {
            float x = s->value[j];
            s->value[j] = s->ema[j];
            s->ema[j] = x;
        }
    }
}
