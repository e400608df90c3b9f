#include "train/classes.h"

#include <stdlib.h>

#include "stage/stage.h"

const int PATCH_HEAD_SIZES[PATCH_HEADS] = {1 + MAX_CLASS_NOUNS, 1 + COLOUR_COUNT, 1 + MOTION_COUNT};

void class_heads_init(ClassHeads *h, ParamSource *source, int64_t dim, const int *sizes, int count)
{
    *h = (ClassHeads){.count = count};
    params_init(&h->params, source);
    for (int i = 0; i < count; i++) {
        h->w[i] = params_get(&h->params, (Init){INIT_ZERO, 0}, SHAPE(sizes[i], dim), "heads.%d.weight", i);
        h->b[i] = params_get(&h->params, (Init){INIT_ZERO, 0}, SHAPE(sizes[i]), "heads.%d.bias", i);
    }
}

void class_heads_deinit(ClassHeads *h)
{
    params_deinit(&h->params);
}

static float weight_of(const ClassRule *rule, const Batch *b, int64_t token)
{
    int row = b->t_index[token], sample = b->t_sample[row];
    bool counts = row < b->samples && !b->dropped[sample] && (double)b->timesteps[row] >= 1000 * rule->above;
    return counts ? (b->labels[token].noun != 0 ? 1 : (float)rule->nobody) : 0;
}

double class_weights(const ClassRule *rule, const Batch *b)
{
    double sum = 0;
    for (int64_t i = 0; i < b->tokens; i++)
        sum += (double)weight_of(rule, b, i);
    return sum;
}

/* [tokens] each: what the heads are to say, and how much it counts. */
static void fill_targets(const ClassRule *rule, const Batch *b, int32_t *const labels[PATCH_HEADS], float *weight)
{
    for (int64_t i = 0; i < b->tokens; i++) {
        const CellLabel *l = &b->labels[i];
        labels[0][i] = l->noun;
        labels[1][i] = l->colour;
        labels[2][i] = l->motion;
        for (int k = 0; k < PATCH_HEADS; k++) /* a shard's bytes */
            if (labels[k][i] >= PATCH_HEAD_SIZES[k])
                labels[k][i] = 0;
        weight[i] = weight_of(rule, b, i);
    }
}

Tensor *class_loss(Graph *g, const ClassHeads *h, const ClassRule *rule, Tensor *tokens, const Batch *b, int64_t step,
                   double sum)
{
    double factor = rule->weight;
    if (rule->fade > 0)
        factor *= step < rule->fade ? 1 - (double)step / (double)rule->fade : 0;
    if (factor == 0 || tokens == NULL)
        return NULL;
    int32_t *memory = calloc((size_t)b->tokens, PATCH_HEADS * sizeof *memory + sizeof(float));
    if (memory == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
    float *weight = (float *)(memory + PATCH_HEADS * b->tokens);
    int32_t *const labels[PATCH_HEADS] = {memory, memory + b->tokens, memory + 2 * b->tokens};
    fill_targets(rule, b, labels, weight);
    Tensor *w = graph_input(g, DTYPE_F32, SHAPE(b->tokens), weight), *loss = NULL;
    for (int i = 0; i < PATCH_HEADS && sum > 0; i++) {
        Tensor *label = graph_input(g, DTYPE_I32, SHAPE(b->tokens), labels[i]);
        Tensor *one = op_cross_entropy(g, op_linear(g, tokens, h->w[i], h->b[i], UNARY_NONE), label, w);
        loss = loss == NULL ? one : op_add(g, loss, one);
    }
    free(memory);
    return loss == NULL ? NULL : op_scale(g, loss, factor / (PATCH_HEADS * sum), 0);
}
