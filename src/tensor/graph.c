#include "tensor/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/graph_state.h"

enum { DATA_ALIGN = 64, MIN_CHUNK = 1 << 20, MAX_CHUNK = 1 << 26 };

const char *op_name(Op op)
{
    static const char *const NAMES[OP_COUNT] = {
#define X(name, kernel) [OP_##name] = #kernel,
        SORA_OPS(X)
#undef X
    };
    return NAMES[op];
}

Graph *graph_new(Backend *backend)
{
    Graph *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->backend = backend;
    arena_init(&g->structs, 0);
    return g;
}

static void free_chunks(Graph *g)
{
    for (size_t i = 0; i < g->chunk_count; i++)
        g->backend->free(g->backend, g->chunks[i].data);
    free(g->chunks);
    g->chunks = NULL;
    g->chunk_count = 0;
}

void graph_free(Graph *g)
{
    if (g == NULL)
        return;
    while (g->stored != NULL)
        graph_free_slot(g, g->stored->slot);
    free_chunks(g);
    free(g->tape);
    free(g->leases);
    arena_deinit(&g->structs);
    free(g);
}

void graph_reset(Graph *g)
{
    arena_release(&g->structs, (ArenaMark){0});
    g->chunk = g->offset = g->tape_count = 0;
    g->failed = false;
}

DType graph_operand(const Graph *g)
{
    return g->backend->operand;
}

Pool *graph_pool(const Graph *g)
{
    return g->backend->pool;
}

void graph_keep_weights(Graph *g, bool on)
{
    g->backend->keep_weights(g->backend, on);
}

void graph_trim(Graph *g)
{
    graph_reset(g);
    free_chunks(g);
    g->backend->trim(g->backend);
}

void graph_record(Graph *g, bool on)
{
    g->recording = on;
}

bool graph_recording(const Graph *g)
{
    return g->recording;
}

bool graph_ok(const Graph *g, SoraError *err)
{
    if (g->failed && err != NULL)
        *err = g->error;
    return !g->failed;
}

Tensor *graph_fail(Graph *g, SoraErrorCode code, const char *fmt, ...)
{
    if (g->failed)
        return NULL;
    va_list args;
    va_start(args, fmt);
    g->failed = true;
    g->error.code = code;
    vsnprintf(g->error.message, sizeof g->error.message, fmt, args);
    va_end(args);
    return NULL;
}

/* A new chunk just after the one in use, so that marks on earlier ones stay valid. */
static bool insert_chunk(Graph *g, size_t at, size_t need)
{
    size_t size = MIN_CHUNK;
    if (g->chunk_count > 0) {
        size = 2 * g->chunks[g->chunk_count - 1].size;
        size = size > MAX_CHUNK ? MAX_CHUNK : size;
    }
    size = need > size ? need : size;
    Chunk *chunks = realloc(g->chunks, (g->chunk_count + 1) * sizeof *chunks);
    if (chunks == NULL)
        return false;
    g->chunks = chunks;
    char *data = g->backend->alloc(g->backend, size);
    if (data == NULL)
        return false;
    memmove(&chunks[at + 1], &chunks[at], (g->chunk_count - at) * sizeof *chunks);
    chunks[at] = (Chunk){data, size};
    g->chunk_count++;
    return true;
}

/* Memory of the same size that backward no longer needs: what was freed last is most likely in cache. */
static void *take_idle(Graph *g, size_t bytes)
{
    Lease *best = NULL;
    for (size_t i = 0; i < g->lease_count; i++) {
        Lease *l = &g->leases[i];
        if (l->idle > 0 && l->size == bytes && (best == NULL || l->idle > best->idle))
            best = l;
    }
    if (best == NULL)
        return NULL;
    best->idle = 0;
    return best->data;
}

static bool add_lease(Graph *g, void *data, size_t bytes)
{
    if (g->lease_count == g->lease_capacity) {
        size_t capacity = g->lease_capacity ? 2 * g->lease_capacity : 64;
        Lease *leases = realloc(g->leases, capacity * sizeof *leases);
        if (leases == NULL)
            return false;
        g->leases = leases;
        g->lease_capacity = capacity;
    }
    g->leases[g->lease_count++] = (Lease){.data = data, .size = bytes};
    return true;
}

Lease *lease_of(Graph *g, const Tensor *d)
{
    const char *p = d->data;
    for (size_t i = 0; i < g->lease_count; i++)
        if (p >= g->leases[i].data && p < g->leases[i].data + g->leases[i].size)
            return &g->leases[i];
    return NULL;
}

void lease_count_users(Graph *g, const Tensor *d, int change)
{
    Lease *l = lease_of(g, d);
    if (l != NULL)
        l->users += change;
}

void lease_end_turn(Graph *g)
{
    for (size_t i = 0; i < g->lease_count; i++)
        if (g->leases[i].users == 0 && g->leases[i].idle == 0)
            g->leases[i].idle = g->turn;
    g->turn++;
}

static void *alloc_data(Graph *g, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
    if (bytes == 0)
        bytes = DATA_ALIGN;
    void *idle = g->turn > 0 ? take_idle(g, bytes) : NULL;
    if (idle != NULL)
        return idle;
    if (g->chunk_count == 0 && !insert_chunk(g, 0, bytes))
        return NULL;
    while (g->chunks[g->chunk].size - g->offset < bytes) {
        if (g->chunk + 1 == g->chunk_count && !insert_chunk(g, g->chunk + 1, bytes))
            return NULL;
        g->chunk++;
        g->offset = 0;
    }
    void *p = g->chunks[g->chunk].data + g->offset;
    g->offset += bytes;
    return g->turn == 0 || add_lease(g, p, bytes) ? p : NULL;
}

static Tensor *new_tensor(Graph *g, DType dtype, int ndim, const int64_t *shape)
{
    if (g->failed)
        return NULL;
    if (ndim < 0 || ndim > MAX_DIMS)
        return graph_fail(g, SORA_ERROR_INTERNAL, "tensor of %d dimensions, at most %d are possible", ndim,
                          MAX_DIMS);
    int64_t n = 1;
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(n, shape[i], &n) || n > INT64_MAX / 8)
            return graph_fail(g, SORA_ERROR_INPUT, "tensor shape overflows (dimension %d is %lld)", i,
                              (long long)shape[i]);
    Tensor *t = arena_calloc(&g->structs, sizeof *t);
    if (t == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
    *t = tensor_over(NULL, dtype, ndim, shape);
    return t;
}

Tensor *graph_view(Graph *g, void *data, DType dtype, int ndim, const int64_t *shape)
{
    Tensor *t = new_tensor(g, dtype, ndim, shape);
    if (t != NULL)
        t->data = data;
    return t;
}

Tensor *graph_tensor(Graph *g, DType dtype, int ndim, const int64_t *shape)
{
    Tensor *t = new_tensor(g, dtype, ndim, shape);
    if (t == NULL)
        return NULL;
    t->data = alloc_data(g, tensor_bytes(t));
    if (t->data == NULL) {
        char text[160];
        return graph_fail(g, SORA_ERROR_MEMORY, "out of memory for a tensor of shape %s",
                          tensor_shape_text(t, text, sizeof text));
    }
    return t;
}

Tensor *graph_input(Graph *g, DType dtype, int ndim, const int64_t *shape, const void *host)
{
    Tensor *t = graph_tensor(g, dtype, ndim, shape);
    if (t != NULL && tensor_bytes(t) > 0)
        g->backend->upload(g->backend, t->data, host, tensor_bytes(t));
    return t;
}

void graph_download(Graph *g, const Tensor *t, void *host)
{
    if (!g->failed && t != NULL && tensor_bytes(t) > 0)
        g->backend->download(g->backend, host, t->data, tensor_bytes(t));
}

GraphScope graph_scope(Graph *g)
{
    return (GraphScope){g->chunk, g->offset};
}

static bool in_scope(const Graph *g, GraphScope scope, const void *data)
{
    for (size_t i = scope.chunk; i <= g->chunk && i < g->chunk_count; i++) {
        const char *p = data, *start = g->chunks[i].data;
        if (p >= start && p < start + g->chunks[i].size)
            return i > scope.chunk || (size_t)(p - start) >= scope.offset;
    }
    return false;
}

Tensor *graph_keep(Graph *g, GraphScope scope, Tensor *x)
{
    if (g->recording || g->failed || x == NULL)
        return x;
    bool inside = in_scope(g, scope, x->data);
    g->chunk = scope.chunk;
    g->offset = scope.offset;
    if (!inside)
        return x;
    /* Chunks are never given back, so x's bytes are still there to be moved down. */
    void *data = alloc_data(g, tensor_bytes(x));
    if (data == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
    if (data != x->data)
        g->backend->move(g->backend, data, x->data, tensor_bytes(x));
    x->data = data;
    return x;
}

void graph_store(Graph *g, Tensor **slot, Tensor *x)
{
    if (g->failed || x == NULL)
        return;
    if (g->recording) {
        *slot = x;
        return;
    }
    Stored *s = g->stored;
    while (s != NULL && s->slot != slot)
        s = s->next;
    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL) {
            graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
            return;
        }
        *s = (Stored){.next = g->stored, .slot = slot};
        g->stored = s;
    }
    void *data = s->tensor.data;
    size_t bytes = tensor_bytes(x);
    if (bytes > s->capacity) {
        /* x may be a view of what the slot holds, so the old data goes last. */
        void *fresh = g->backend->alloc(g->backend, bytes);
        if (fresh == NULL) {
            graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
            return;
        }
        g->backend->move(g->backend, fresh, x->data, bytes);
        g->backend->free(g->backend, data);
        data = fresh;
        s->capacity = bytes;
    } else {
        g->backend->move(g->backend, data, x->data, bytes);
    }
    s->tensor = tensor_over(data, x->dtype, x->ndim, x->shape);
    *slot = &s->tensor;
}

void graph_free_slot(Graph *g, Tensor **slot)
{
    for (Stored **link = &g->stored; *link != NULL; link = &(*link)->next) {
        Stored *s = *link;
        if (s->slot != slot)
            continue;
        *link = s->next;
        *slot = NULL;
        g->backend->free(g->backend, s->tensor.data);
        free(s);
        return;
    }
}

bool tape_push(Graph *g, Node *node)
{
    if (g->tape_count == g->tape_capacity) {
        size_t capacity = g->tape_capacity ? 2 * g->tape_capacity : 256;
        Node **tape = realloc(g->tape, capacity * sizeof *tape);
        if (tape == NULL)
            return false;
        g->tape = tape;
        g->tape_capacity = capacity;
    }
    g->tape[g->tape_count++] = node;
    return true;
}

static bool push(Graph *g, const Node *node)
{
    Node *copy = arena_alloc(&g->structs, sizeof *copy);
    if (copy == NULL)
        return false;
    *copy = *node;
    return tape_push(g, copy);
}

bool graph_tape(Graph *g, Node *node)
{
    if (g->failed)
        return false;
    bool wanted = false;
    for (int i = 0; i < node->n_in; i++)
        wanted = wanted || (node->in[i] != NULL && node->in[i]->requires_grad);
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] != NULL && node->op != OP_ADD_INTO) {
            node->out[i]->leaf = false;
            node->out[i]->requires_grad = g->recording && wanted;
        }
    if (g->recording && wanted && !push(g, node))
        graph_fail(g, SORA_ERROR_MEMORY, "out of memory for the tape");
    return !g->failed;
}

bool graph_run(Graph *g, Node *node)
{
    if (g->failed)
        return false;
    SoraError err = {0};
    if (!g->backend->run(g->backend, node, &err)) {
        graph_fail(g, err.code, "%s: %s", op_name(node->op), err.message);
        return false;
    }
    g->flops += node_flops(node);
    return graph_tape(g, node);
}

Tensor *graph_apply(Graph *g, Node *node, int ndim, const int64_t *shape)
{
    /* NULL is an earlier failure, but for inputs that an op need not have: from the third on, and the weight of a norm. */
    int needed = node->op == OP_NORM ? 1 : 2;
    for (int i = 0; i < node->n_in && i < needed; i++)
        if (node->in[i] == NULL)
            return NULL;
    node->out[0] = graph_tensor(g, DTYPE_F32, ndim, shape);
    node->n_out = 1;
    return node->out[0] != NULL && graph_run(g, node) ? node->out[0] : NULL;
}

double graph_memory(const Graph *g)
{
    double sum = 0;
    for (size_t i = 0; i < g->chunk_count; i++)
        sum += (double)g->chunks[i].size;
    return sum;
}

double graph_flops(const Graph *g)
{
    return g->flops;
}
