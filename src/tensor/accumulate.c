/* How gradients add up: in place where nobody else has the memory. */
#include "tensor/graph_state.h"
#include "tensor/ops.h"

static void add_into(Graph *g, Tensor *sum, Tensor *d)
{
    Node add = {.op = OP_ADD_INTO, .n_in = 2, .n_out = 1, .in = {sum, d}, .out = {sum}};
    graph_run(g, &add);
}

/* The gradient of what an op made: d itself at first, which others may have too. */
static void accumulate_inner(Graph *g, Tensor *t, Tensor *d)
{
    Lease *lease = t->grad != NULL ? lease_of(g, t->grad) : NULL;
    if (lease != NULL && lease->users == 1) {
        add_into(g, t->grad, d);
        return;
    }
    Tensor *sum = t->grad == NULL ? d : op_add(g, t->grad, d);
    if (sum != NULL)
        lease_count_users(g, sum, 1);
    if (t->grad != NULL)
        lease_count_users(g, t->grad, -1);
    t->grad = sum;
}

Tensor *graph_leaf_gradient(Graph *g, Tensor *t)
{
    if (g->failed || t == NULL || !t->requires_grad || !t->leaf)
        return NULL;
    if (t->grad == NULL) {
        t->grad = op_fill(g, t->ndim, t->shape, 0);
        if (t->grad != NULL)
            lease_count_users(g, t->grad, 1);
    }
    return t->grad;
}

void graph_accumulate(Graph *g, Tensor *t, Tensor *d)
{
    if (g->failed || t == NULL || !t->requires_grad || d == NULL)
        return;
    if (!t->leaf) {
        accumulate_inner(g, t, d);
        return;
    }
    if (t->grad == NULL) { /* a copy: it will be added to in place, and d may be shared */
        Node copy = {.op = OP_COPY, .n_in = 1, .n_out = 1, .in = {d}};
        copy.out[0] = t->grad = graph_tensor(g, DTYPE_F32, t->ndim, t->shape);
        if (t->grad != NULL && graph_run(g, &copy))
            lease_count_users(g, t->grad, 1);
        return;
    }
    add_into(g, t->grad, d);
}
