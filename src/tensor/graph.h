/* Graph: define by run, one arena, one tape.
 *
 * An op checks shapes, takes its output from the graph's arena, runs the backend's kernel at once and,
 * while recording, writes a node on the tape. The first failure sticks: later ops do nothing and return
 * NULL, and the caller looks once, at the end, with graph_ok(). */
#ifndef SORA_TENSOR_GRAPH_H
#define SORA_TENSOR_GRAPH_H

#include "base/error.h"
#include "base/pool.h"
#include "tensor/node.h"

/* What runs the kernels and holds the data. One for the CPU, one for each GPU. A backend serves one thread at a time.
 * A graph calls every function without asking whether it is there, so none may be NULL; pool is the one entry that may. */
typedef struct Backend Backend;
struct Backend {
    const char *name; /* "cpu"; for messages */
    /* Computes the node's outputs, whose memory is there. Shapes were checked when the node was made; a kernel checks
     * what is data. false and *err filled: the graph adds the op's name and shapes. */
    bool (*run)(Backend *backend, const Node *node, SoraError *err);
    /* Uninitialised memory that run(), move(), upload() and download() take, aligned to 64 bytes; NULL when there is none. */
    void *(*alloc)(Backend *backend, size_t bytes);
    void (*free)(Backend *backend, void *p); /* what alloc() gave; NULL is allowed */
    void (*move)(Backend *backend, void *to, const void *from, size_t bytes); /* regions may overlap */
    void (*upload)(Backend *backend, void *to, const void *host, size_t bytes);
    void (*download)(Backend *backend, void *host, const void *from, size_t bytes); /* after all nodes before it */
    /* On: weights stay as they are until it is off, so what kernels make of them may be kept. Off at first. */
    void (*keep_weights)(Backend *backend, bool on);
    void (*trim)(Backend *backend); /* gives back memory that is only kept for the next node */
    DType operand; /* what convolutions round their input to, so that what they remember loses nothing in it */
    /* The backend's threads, for work beside its nodes: widening weights, drawing clips, the optimiser. Not from within
     * run(), unless by a backend that is around this one. NULL: the caller works alone. */
    Pool *pool;
};

typedef struct Graph Graph;

Graph *graph_new(Backend *backend); /* NULL when out of memory */
void graph_free(Graph *g);
/* Forgets every tensor and the tape, keeps the memory; clears the failure. */
void graph_reset(Graph *g);

DType graph_operand(const Graph *g); /* the backend's */
Pool *graph_pool(const Graph *g);    /* the backend's; may be NULL */
/* Weights of convolutions stay as they are from now until it is off: the layout that the kernels want is made once and
 * kept, in as much memory again. */
void graph_keep_weights(Graph *g, bool on);
/* As graph_reset(), and gives the memory back, the backend's too: for when another network is used next. Stored tensors
 * stay. */
void graph_trim(Graph *g);

/* Recording is off at first. It stays as set over graph_reset(). */
void graph_record(Graph *g, bool on);
bool graph_recording(const Graph *g);

/* false and *err filled if an op failed since the last reset. */
bool graph_ok(const Graph *g, SoraError *err);
/* Sets the sticky failure, unless there is one. Returns NULL, for use in model code. */
Tensor *graph_fail(Graph *g, SoraErrorCode code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Uninitialised tensor in the arena. */
Tensor *graph_tensor(Graph *g, DType dtype, int ndim, const int64_t *shape);
/* A tensor in the arena, filled from host memory. */
Tensor *graph_input(Graph *g, DType dtype, int ndim, const int64_t *shape, const void *host);
/* A tensor struct over backend memory that outlives the graph's use of it. */
Tensor *graph_view(Graph *g, void *data, DType dtype, int ndim, const int64_t *shape);
/* Copies t to host memory of tensor_bytes(t); does nothing if the graph has failed or t is NULL. */
void graph_download(Graph *g, const Tensor *t, void *host);

/* In inference, graph_keep() frees everything since the scope began except x (and returns it, moved);
 * while recording it does nothing and returns x. */
typedef struct GraphScope { size_t chunk, offset; } GraphScope;
GraphScope graph_scope(Graph *g);
Tensor *graph_keep(Graph *g, GraphScope scope, Tensor *x);

/* Keeps x beyond scopes and resets, in *slot: the state of causal convolutions. In inference the data is
 * copied to memory that the graph owns for this slot (freed by graph_free_slot or graph_free); while recording *slot is x itself. */
void graph_store(Graph *g, Tensor **slot, Tensor *x);
void graph_free_slot(Graph *g, Tensor **slot);

/* Bytes that the graph has taken from its backend for tensors. */
double graph_memory(const Graph *g);
/* Operations of products, convolutions, attention and their gradients that the graph has run. */
double graph_flops(const Graph *g);

/* f(g, arg, in), in much less memory while recording: what f computes on the way is forgotten, and computed once more when backward
 * comes to it. in: every tensor that f uses and that may want a gradient, n <= MAX_INPUTS, but leaves whose ->grad is set: those f
 * may use besides, and only here. arg [size]: is copied; what it points to lives until backward. */
typedef Tensor *(*GraphPart)(Graph *g, void *arg, Tensor *const *in);
Tensor *graph_recompute(Graph *g, GraphPart f, const void *arg, size_t size, int n, Tensor *const *in);

/* --- for ops --- */
/* Runs the node's kernel and records it. The outputs are set by the caller. false after a failure. */
bool graph_run(Graph *g, Node *node);
/* Marks the outputs and records the node without running a kernel (views). */
bool graph_tape(Graph *g, Node *node);
/* Runs an op with one F32 output of the given shape. NULL after a failure. */
Tensor *graph_apply(Graph *g, Node *node, int ndim, const int64_t *shape);
/* Runs the tape backwards from the scalar loss, adding to ->grad of every leaf that requires it.
 * A leaf whose ->grad is set already accumulates there in place. Recording is off during it. Gradients of what is no
 * leaf are gone at the end: their memory serves again as soon as their node is done. */
bool graph_backward(Graph *g, Tensor *loss);
/* Called in backward with each leaf on the tape that wants a gradient, as soon as nothing more will be added to it. NULL: no longer. */
typedef void (*GraphGradient)(void *user, Tensor *leaf);
void graph_on_gradient(Graph *g, GraphGradient final, void *user);
/* For the gradient table: adds d to t's gradient if t wants one. d may be NULL after a failure. */
void graph_accumulate(Graph *g, Tensor *t, Tensor *d);
/* A leaf's gradient, to be added to in place: zeros if it has none yet. NULL if t is no leaf that wants one. */
Tensor *graph_leaf_gradient(Graph *g, Tensor *t);

#endif
