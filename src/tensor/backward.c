/* The tape, backwards. */
#include <string.h>

#include "tensor/gradients.h"
#include "tensor/graph_state.h"
#include "tensor/ops.h"

void graph_on_gradient(Graph *g, GraphGradient final, void *user)
{
    g->final = final;
    g->final_user = user;
}

/* A node of the tape that stands for all of f's. */
typedef struct Again {
    Node node; /* op OP_COUNT */
    GraphPart f;
    void *arg;
} Again;

Tensor *graph_recompute(Graph *g, GraphPart f, const void *arg, size_t size, int n, Tensor *const *in)
{
    Again *again = g->recording && !g->failed ? arena_calloc(&g->structs, sizeof *again) : NULL;
    void *copy = again != NULL ? arena_alloc(&g->structs, size) : NULL;
    if (g->recording && !g->failed && copy == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "out of memory for the tape");
    if (again == NULL)
        return f(g, (void *)(uintptr_t)arg, in);
    memcpy(copy, arg, size);
    *again = (Again){.node = {.op = OP_COUNT, .n_in = n, .n_out = 1}, .f = f, .arg = copy};
    for (int i = 0; i < n; i++)
        again->node.in[i] = in[i];
    g->recording = false;
    GraphScope scope = graph_scope(g);
    Tensor *out = graph_keep(g, scope, f(g, copy, in));
    g->recording = true;
    if (out == NULL)
        return NULL;
    out->leaf = false;
    out->requires_grad = true;
    again->node.out[0] = out;
    if (!tape_push(g, &again->node))
        return graph_fail(g, SORA_ERROR_MEMORY, "out of memory for the tape");
    return out;
}

static bool wants_final(const Tensor *t)
{
    return t != NULL && t->leaf && t->requires_grad;
}

static void count_uses(Graph *g, size_t first)
{
    for (int pass = 0; pass < 2; pass++) /* what a backward that failed has left counts nothing */
        for (size_t i = first; i < g->tape_count; i++)
            for (int k = 0; k < g->tape[i]->n_in; k++)
                if (wants_final(g->tape[i]->in[k]))
                    g->tape[i]->in[k]->uses = pass == 0 ? 0 : g->tape[i]->in[k]->uses + 1;
}

static void tell_final(Graph *g, const Node *node)
{
    for (int k = 0; k < node->n_in && !g->failed; k++)
        if (wants_final(node->in[k]) && --node->in[k]->uses == 0)
            g->final(g->final_user, node->in[k]);
}

static void walk_back(Graph *g, size_t first);

/* f once more, with the tape on, from copies of its inputs whose gradients lie below what it computes; then back over
 * it. */
static void go_back_again(Graph *g, const Again *again)
{
    const Node *node = &again->node;
    Tensor *copies[MAX_INPUTS] = {NULL}, *sums[MAX_INPUTS] = {NULL}, *dy = node->out[0]->grad;
    size_t tape = g->tape_count, leases;
    for (int i = 0; i < node->n_in; i++) {
        Tensor *t = node->in[i];
        copies[i] = t == NULL ? NULL : graph_view(g, t->data, t->dtype, t->ndim, t->shape);
        if (copies[i] == NULL || !t->requires_grad)
            continue;
        copies[i]->requires_grad = copies[i]->leaf = true;
        copies[i]->grad = sums[i] = op_fill(g, t->ndim, t->shape, 0);
        if (sums[i] != NULL)
            lease_count_users(g, sums[i], 1);
    }
    leases = g->lease_count;
    GraphScope scope = graph_scope(g);
    ArenaMark mark = arena_mark(&g->structs);
    uint64_t turn = g->turn;
    g->turn = 0;
    g->recording = true;
    Tensor *y = again->f(g, again->arg, copies);
    g->recording = false;
    g->turn = turn;
    if (y != NULL && !g->failed) {
        y->grad = dy;
        lease_count_users(g, dy, 1);
        if (g->final != NULL)
            count_uses(g, tape);
        walk_back(g, tape);
    }
    g->tape_count = tape;
    g->lease_count = leases;
    if (g->failed)
        return;
    g->chunk = scope.chunk;
    g->offset = scope.offset;
    arena_release(&g->structs, mark);
    for (int i = 0; i < node->n_in; i++)
        if (sums[i] != NULL) {
            graph_accumulate(g, node->in[i], sums[i]);
            lease_count_users(g, sums[i], -1);
        }
}

/* The node's part of backward, if the loss depends on it. */
static void go_back(Graph *g, Node *node)
{
    bool reached = false;
    for (int o = 0; o < node->n_out; o++)
        reached = reached || (node->out[o] != NULL && node->out[o]->grad != NULL);
    if (!reached)
        return;
    if (node->op == OP_COUNT)
        go_back_again(g, (const Again *)(void *)node);
    else
        gradient_of(g, node);
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o] != NULL && node->out[o]->grad != NULL) {
            lease_count_users(g, node->out[o]->grad, -1);
            node->out[o]->grad = NULL;
        }
    lease_end_turn(g);
}

/* Over the tape from its end to that node. */
static void walk_back(Graph *g, size_t first)
{
    for (size_t i = g->tape_count; i-- > first && !g->failed;) {
        go_back(g, g->tape[i]);
        if (g->final != NULL)
            tell_final(g, g->tape[i]);
    }
}

bool graph_backward(Graph *g, Tensor *loss)
{
    if (g->failed || loss == NULL)
        return false;
    if (tensor_numel(loss) != 1 || !loss->requires_grad) {
        graph_fail(g, SORA_ERROR_INTERNAL, "backward: the loss is no scalar that was recorded");
        return false;
    }
    bool recording = g->recording;
    g->recording = false;
    g->lease_count = 0;
    g->turn = 1;
    graph_accumulate(g, loss, op_fill(g, loss->ndim, loss->shape, 1.0f));
    if (g->final != NULL)
        count_uses(g, 0);
    walk_back(g, 0);
    g->turn = 0;
    g->recording = recording;
    return !g->failed;
}
