/* The tape, backwards. */
#include "tensor/gradients.h"
#include "tensor/graph_state.h"
#include "tensor/ops.h"

void graph_on_gradient(Graph *g, GraphGradient final, void *user)
{
    g->final = final;
    g->final_user = user;
}

static bool wants_final(const Tensor *t)
{
    return t != NULL && t->leaf && t->requires_grad;
}

static void count_uses(Graph *g)
{
    for (int pass = 0; pass < 2; pass++) /* what a backward that failed has left counts nothing */
        for (size_t i = 0; i < g->tape_count; i++)
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

/* The node's part of backward, if the loss depends on it. */
static void go_back(Graph *g, Node *node)
{
    bool reached = false;
    for (int o = 0; o < node->n_out; o++)
        reached = reached || (node->out[o] != NULL && node->out[o]->grad != NULL);
    if (!reached)
        return;
    gradient_of(g, node);
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o] != NULL && node->out[o]->grad != NULL) {
            lease_count_users(g, node->out[o]->grad, -1);
            node->out[o]->grad = NULL;
        }
    lease_end_turn(g);
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
        count_uses(g);
    for (size_t i = g->tape_count; i-- > 0 && !g->failed;) {
        go_back(g, g->tape[i]);
        if (g->final != NULL)
            tell_final(g, g->tape[i]);
    }
    g->turn = 0;
    g->recording = recording;
    return !g->failed;
}
