#include "train/estimate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"

/* A block of memory: its size, then what was asked for. It is never touched, so it is never there. */
enum { HEAD = 4096 };

static bool run_nothing(Backend *backend, const Node *node, SoraError *err)
{
    return true;
}

static void *reserve(Backend *backend, size_t bytes)
{
    size_t all = bytes + HEAD;
    size_t *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    *p = all;
    return (char *)p + HEAD;
}

static void give_back(Backend *backend, void *p)
{
    if (p == NULL)
        return;
    size_t *begin = (size_t *)(void *)((char *)p - HEAD);
    munmap(begin, *begin);
}

static void move_nothing(Backend *backend, void *to, const void *from, size_t bytes)
{
}

/* Attention looks at its offsets when its operations are counted. */
static void upload(Backend *backend, void *to, const void *host, size_t bytes)
{
    memcpy(to, host, bytes);
}

static void fill_nothing(Backend *backend, void *host, const void *from, size_t bytes)
{
    memset(host, 0, bytes);
}

static void keep_nothing(Backend *backend, bool on)
{
}

static void trim_nothing(Backend *backend)
{
}

static bool counts(const TrainOptions *o)
{
    return o->estimate != NULL && !o->estimate->timed;
}

Backend *estimate_backend(const TrainOptions *o, Backend *backend, SoraError *err)
{
    if (!counts(o))
        return backend;
    Backend *c = calloc(1, sizeof *c);
    if (c == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *c = (Backend){.name = "counter", .run = run_nothing, .alloc = reserve, .free = give_back, .move = move_nothing,
                   .upload = upload, .download = fill_nothing, .keep_weights = keep_nothing, .trim = trim_nothing,
                   .operand = backend->operand, .pool = backend->pool};
    return c;
}

void estimate_backend_free(Backend *counting, const Backend *backend)
{
    if (counting != backend)
        free(counting);
}

void estimate_prepare(const TrainOptions *o, RandomSource *random, AdamW *optimizer)
{
    random->blank = optimizer->blank = counts(o);
}

/* The first is slower than all others: kernels are made for its shapes. */
static bool time_part(TrainRun *run, void *part, const double sums[RUN_SUMS], double *seconds, SoraError *err)
{
    double loss;
    for (int i = 0; i < 2; i++) {
        double begun = clock_seconds();
        if (!run->learn(run->self, part, sums, &loss, err))
            return false;
        *seconds = clock_seconds() - begun;
    }
    return true;
}

static bool add_kind(TrainRun *run, void *part, double share, TrainEstimate *e, SoraError *err)
{
    double sums[RUN_SUMS], loss, flops = graph_flops(*run->graph), seconds = 0;
    for (int i = 0; i < RUN_SUMS; i++)
        sums[i] = 1;
    bool ok = run->learn(run->self, part, sums, &loss, err);
    e->flops += share * run->settings->accumulate * (graph_flops(*run->graph) - flops);
    if (ok && e->timed)
        ok = time_part(run, part, sums, &seconds, err);
    e->step_seconds += share * run->settings->accumulate * seconds;
    return ok;
}

bool estimate_run(TrainRun *run, SoraError *err)
{
    TrainEstimate *e = run->options->estimate;
    AdamW *o = run->optimizer;
    double trained = 0, shares = 0, share = 1;
    e->parameters = 0;
    for (int i = 0; i < o->count; i++) {
        e->parameters += o->slots[i].count;
        trained += o->slots[i].frozen ? 0 : (double)o->slots[i].count;
    }
    e->steps = o->config.steps;
    e->weights = 5.0 * sizeof(float) * (double)e->parameters;
    e->team = 3.0 * sizeof(float) * trained;
    e->checkpoint = 4.0 * sizeof(float) * (double)e->parameters;
    e->model = 2.0 * (double)e->parameters;
    e->flops = e->step_seconds = 0;
    bool ok = true;
    SoraError wrong = {0};
    for (int kind = 0; ok; kind++) {
        void *part = run->blank(run->self, kind, &share, &wrong);
        if (part == NULL) {
            ok = wrong.code == SORA_OK || error_set(err, wrong.code, "%s", wrong.message);
            break;
        }
        ok = add_kind(run, part, share, e, err);
        run->drop(part);
        shares += share;
    }
    if (ok && e->timed) {
        double begun = clock_seconds();
        adamw_step(o, 0);
        e->step_seconds = shares > 0 ? e->step_seconds / shares : 0;
        e->step_seconds += clock_seconds() - begun;
    }
    e->flops = shares > 0 ? e->flops / shares : 0;
    e->host = 0;
    ok = ok && (run->estimate == NULL || run->estimate(run->self, e, err));
    if (!e->timed)
        e->step = graph_memory(*run->graph) + e->host;
    return ok;
}
