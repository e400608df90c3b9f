/* The blocks of a causal video autoencoder, as in Wan 2.1 and 2.2. Everything is [B, T, H, W, C] F32.
 *
 * Large frames go through the levels of both coders in strips of columns or rows, one after the other, each with all its
 * chunks of time. As a convolution remembers the last frames of the chunk before, it remembers the last columns of the
 * strip before; so strips give what whole frames would give, without anything being computed twice. What comes out of
 * a strip is later than what went in by the columns that the next strip has yet to bring (vae_strip_lag()).
 *
 * A clip goes through in chunks of frames, one after the other. Each causal convolution remembers the last
 * frames it saw in a slot of the cache; so the chunks give what the whole clip at once would give, whatever
 * their sizes. The first frame of a clip stands for itself: blocks that change the frame rate pass it by. */
#ifndef SORA_MODEL_VAE_BLOCKS_H
#define SORA_MODEL_VAE_BLOCKS_H

#include "tensor/ops.h"
#include "tensor/params.h"

enum { VAE_MAX_SLOTS = 96 };

/* The strip that goes through. */
typedef struct VaeStrip {
    int dim;          /* 2: of rows, 3: of columns; 0: frames go through whole */
    bool first, last; /* the frames begin or end with it */
    Tensor **edges;   /* [VAE_MAX_SLOTS] of this chunk of time, NULL at first: what the strip before left for this one */
    int next;         /* edge of the next block */
} VaeStrip;

/* One pass over one clip (or batch of clips). Zero it, or vae_cache_begin(); it must stay at its address while
 * in use. While recording, slots are tensors of the tape, so that gradients flow from chunk to chunk (and a
 * graph_reset() ends the clip); without, they are copies that outlive graph_reset(). */
typedef struct VaeCache {
    Tensor *slots[VAE_MAX_SLOTS];
    int next;     /* slot of the next convolution in this chunk */
    bool started; /* a chunk has been through */
    bool last;    /* the clip ends with this chunk: remember nothing */
    int frames;   /* of the finest levels at a time, at least an eighth of a chunk; 0: all */
    VaeStrip strip;
} VaeCache;

void vae_cache_begin(VaeCache *c);          /* a new clip; memory of the slots is used again */
void vae_cache_free(Graph *g, VaeCache *c); /* gives the memory of the slots back */
void vae_cache_end_chunk(VaeCache *c);

typedef struct VaeConv {
    Tensor *w, *b; /* w NULL: there is none */
} VaeConv;

typedef struct VaeResidual {
    Tensor *norm1, *norm2;
    VaeConv conv1, conv2, shortcut;
} VaeResidual;

typedef struct VaeAttention {
    Tensor *norm;
    VaeConv to_qkv, proj;
} VaeAttention;

typedef struct VaeResample {
    VaeConv space, time; /* time.w NULL: the frame rate stays */
} VaeResample;

/* The strip's x after the n rows or columns that the strip before left here; then it leaves its last n. */
Tensor *vae_remember_edge(Graph *g, VaeCache *c, Tensor *x, int64_t n);
/* What a convolution without history does, 1x1 or with zeros around the frame. */
Tensor *vae_pointwise(Graph *g, const VaeConv *conv, Tensor *x);
Tensor *vae_causal_conv(Graph *g, const VaeConv *conv, VaeCache *c, Tensor *x);
/* conv(silu(norm(x))) */
Tensor *vae_norm_conv(Graph *g, Tensor *norm, const VaeConv *conv, VaeCache *c, Tensor *x);
Tensor *vae_residual(Graph *g, const VaeResidual *r, VaeCache *c, Tensor *x);
Tensor *vae_attention(Graph *g, const VaeAttention *a, Tensor *x); /* over the places of each frame */
Tensor *vae_downsample(Graph *g, const VaeResample *r, VaeCache *c, Tensor *x);
/* + add, of the result's shape, or NULL */
Tensor *vae_upsample(Graph *g, const VaeResample *r, VaeCache *c, Tensor *x, Tensor *add);

/* Shortcuts without weights between shapes that differ by these factors (1 or 2). */
typedef struct VaeFactors {
    int time, space;
} VaeFactors;
/* The part of a level's input x, and of what the strip before left, that this strip's result stands for. */
Tensor *vae_due_below(Graph *g, VaeCache *c, Tensor *x, const Tensor *result, int space);
Tensor *vae_avg_down(Graph *g, Tensor *x, int64_t channels, VaeFactors f);
typedef struct VaeDup {
    int64_t channels; /* of the result */
    VaeFactors factors;
} VaeDup;
/* At the start of a clip the frames that its first frame gets too many are dropped. lag: rows or columns by which the
 * blocks beside it, up to vae_upsample(), hold strips back. */
Tensor *vae_dup_up(Graph *g, VaeCache *c, Tensor *x, int64_t lag, VaeDup d);

/* [B, T, H, W, 3] <-> [B, T, H/p, W/p, 3*p*p], channels ordered (colour, column, row). */
Tensor *vae_patchify(Graph *g, Tensor *x, int p);
Tensor *vae_unpatchify(Graph *g, Tensor *x, int p);

/* Ask for a block's tensors, whose names begin with name; in and out are channels. */
VaeConv vae_bind_causal(Params *p, const char *name, int64_t in, int64_t out);    /* 3x3x3 */
VaeConv vae_bind_pointwise(Params *p, const char *name, int64_t in, int64_t out); /* 1x1x1 */
Tensor *vae_bind_norm(Params *p, const char *name, int64_t channels);
VaeResidual vae_bind_residual(Params *p, const char *name, int64_t in, int64_t out);
VaeAttention vae_bind_attention(Params *p, const char *name, int64_t channels);
typedef struct VaeResampleShape {
    int64_t channels; /* of the input */
    bool time, up;
    bool halve; /* the output has half as many channels */
} VaeResampleShape;
VaeResample vae_bind_resample(Params *p, const char *name, VaeResampleShape shape);

#endif
