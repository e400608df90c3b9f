#include "train/gradient_sum.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 }; /* numbers that are sent together */

typedef struct Place {
    const Tensor *leaf;
    int slot;
} Place;

struct GradientSum {
    AdamW *optimizer;
    Team *team;
    int count;
    Place *places;  /* [count], sorted by leaf */
    int *order;     /* [count]: slots as they are sent; in the first step as they became final */
    int *position;  /* [slots]: where a slot is in order; -1: nowhere yet */
    int64_t *begin; /* [count + 1]: where a position's numbers begin */
    bool *final;    /* [count]: of positions */
    bool learnt;    /* the order is everybody's */
    int seen, ready; /* slots in order while learning; positions that are copied */
    int64_t sent;    /* numbers that are on their way */
    float *numbers;
    SoraError error;
};

static int by_leaf(const void *a, const void *b)
{
    const Tensor *x = ((const Place *)a)->leaf, *y = ((const Place *)b)->leaf;
    return (x > y) - (x < y);
}

GradientSum *gradient_sum_new(AdamW *o, Team *team, SoraError *err)
{
    GradientSum *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    size_t n = (size_t)o->count + 1;
    int64_t total = 0;
    *s = (GradientSum){.optimizer = o, .team = team, .places = calloc(n, sizeof *s->places), .order = calloc(n, sizeof *s->order),
                       .position = malloc(n * sizeof *s->position), .begin = calloc(n, sizeof *s->begin),
                       .final = calloc(n, sizeof *s->final)};
    bool ok = s->places != NULL && s->order != NULL && s->position != NULL && s->begin != NULL && s->final != NULL;
    for (int i = 0; ok && i < o->count; i++) {
        s->position[i] = -1;
        if (o->slots[i].frozen)
            continue;
        s->places[s->count++] = (Place){&o->slots[i].param->tensor, i};
        total += o->slots[i].count;
    }
    s->numbers = ok ? malloc((size_t)total * sizeof *s->numbers + 1) : NULL;
    if (s->numbers == NULL) {
        gradient_sum_free(s);
        error_no_memory(err);
        return NULL;
    }
    qsort(s->places, (size_t)s->count, sizeof *s->places, by_leaf);
    return s;
}

void gradient_sum_free(GradientSum *s)
{
    if (s == NULL)
        return;
    free(s->places);
    free(s->order);
    free(s->position);
    free(s->begin);
    free(s->final);
    free(s->numbers);
    free(s);
}

/* Whole pieces that are complete, and at the end the rest. */
static void send(GradientSum *s)
{
    int64_t until = s->begin[s->ready], all = s->begin[s->count];
    while (s->error.code == SORA_OK && (until - s->sent >= PIECE || (until == all && s->sent < all))) {
        int64_t n = until - s->sent < PIECE ? until - s->sent : PIECE;
        if (s->team->sum_begin(s->team, s->numbers + s->sent, n, &s->error))
            s->sent += n;
    }
}

static void take(GradientSum *s)
{
    while (s->ready < s->count && s->final[s->ready]) {
        const AdamWSlot *slot = &s->optimizer->slots[s->order[s->ready]];
        memcpy(s->numbers + s->begin[s->ready], slot->grad, (size_t)slot->count * sizeof(float));
        s->ready++;
    }
    send(s);
}

static void note_final(void *user, Tensor *leaf)
{
    GradientSum *s = user;
    const Place *p = bsearch(&(Place){.leaf = leaf}, s->places, (size_t)s->count, sizeof *p, by_leaf);
    if (p == NULL)
        return;
    if (s->learnt) {
        s->final[s->position[p->slot]] = true;
        take(s);
    } else if (s->position[p->slot] < 0) {
        s->position[p->slot] = s->seen;
        s->order[s->seen++] = p->slot;
    }
}

/* What no backward came to is last; then rank 0's order is everybody's. */
static bool learn_order(GradientSum *s, SoraError *err)
{
    for (int i = 0; i < s->count; i++)
        if (s->position[s->places[i].slot] < 0)
            s->position[s->places[i].slot] = -2;
    for (int slot = 0; slot < s->optimizer->count; slot++)
        if (s->position[slot] == -2)
            s->order[s->seen++] = slot;
    if (!s->team->share(s->team, 0, s->order, (size_t)s->count * sizeof *s->order, err))
        return false;
    for (int i = 0; i < s->count; i++) {
        s->position[s->order[i]] = i;
        s->begin[i + 1] = s->begin[i] + s->optimizer->slots[s->order[i]].count;
    }
    s->learnt = true;
    return true;
}

void gradient_sum_begin(GradientSum *s, Graph *g)
{
    s->ready = 0;
    s->sent = 0;
    s->error = (SoraError){0};
    memset(s->final, 0, (size_t)s->count * sizeof *s->final);
    graph_on_gradient(g, note_final, s);
}

bool gradient_sum_end(GradientSum *s, Graph *g, SoraError *err)
{
    graph_on_gradient(g, NULL, NULL);
    if (!s->learnt && !learn_order(s, err))
        return false;
    for (int i = 0; i < s->count; i++)
        s->final[i] = true;
    take(s);
    if (s->error.code != SORA_OK)
        return error_set(err, s->error.code, "%s", s->error.message);
    if (!s->team->sum_end(s->team, err))
        return false;
    for (int i = 0; i < s->count; i++) {
        const AdamWSlot *slot = &s->optimizer->slots[s->order[i]];
        memcpy(slot->grad, s->numbers + s->begin[i], (size_t)slot->count * sizeof(float));
    }
    return true;
}
