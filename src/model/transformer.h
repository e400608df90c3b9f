/* The diffusion transformer of Wan 2.1 and 2.2: latent patches, text and a timestep for every patch in,
 * velocity for every patch out. Any size; tensors have the names of the published checkpoints. Image to video
 * adds to it: the patches have more channels, for what is known, and blocks of Wan 2.1 listen to pictures.
 *
 * Batches are packed: the tokens of all samples lie one after the other, whatever their sizes. M is the
 * number of all tokens, R that of distinct timesteps.
 *
 * One call does all (training):         y = dit_forward(g, m, &batch);
 * Many steps on one text (sampling):    c = dit_prepare(g, m, &batch); then per step, within a graph scope,
 *                                       y = dit_step(g, m, &c, patches, timesteps, t_index); */
#ifndef SORA_MODEL_TRANSFORMER_H
#define SORA_MODEL_TRANSFORMER_H

#include "model/config.h"
#include "tensor/ops.h"
#include "tensor/params.h"

typedef struct DitLinear {
    Tensor *w, *b;     /* [out, in], [out] */
    Tensor *down, *up; /* [rank, in], [out, rank]: a LoRA in training; NULL: there is none */
} DitLinear;

typedef struct DitAttention {
    DitLinear q, k, v, o;
    Tensor *norm_q, *norm_k; /* [dim]: over all heads together */
} DitAttention;

typedef struct DitBlock {
    Tensor *modulation; /* [1, 6, dim]: shift, scale, gate of attention; of ffn */
    DitAttention self, cross;
    DitLinear k_img, v_img; /* of cross, for pictures; w NULL: there is none */
    Tensor *norm_k_img;
    DitLinear norm3; /* weight and bias, both [dim] */
    DitLinear ffn[2];
} DitBlock;

/* What pictures go through on their way in. */
typedef struct DitPictures {
    Tensor *positions; /* [1, clip_rows, clip_dim], or NULL */
    DitLinear norm_in, proj[2], norm_out;
} DitPictures;

typedef struct Dit {
    DitConfig config;
    DitPictures img_emb; /* with clip_dim alone */
    DitLinear patch_embedding; /* w [dim, in_dim, pt, ph, pw] */
    DitLinear text_embedding[2], time_embedding[2], time_projection;
    DitLinear pooled_embedding[2]; /* with pooled_text alone */
    DitBlock *blocks;        /* [num_layers], in the parameters' arena */
    Tensor *head_modulation; /* [1, 2, dim]: shift, scale */
    DitLinear head;
    bool recompute; /* while recording, blocks are computed again in backward: less memory, a third more time */
} Dit;

/* Asks p for every tensor. Look at params_ok(p) afterwards. m must not be used after params_deinit(p). */
void dit_bind(Dit *m, const DitConfig *c, Params *p);

/* A LoRA over the blocks' matrices (Hu et al., 2021): each W x becomes W x + up (down x). down starts as a linear layer would, up at 0. */
typedef struct DitLoraConfig {
    int rank;
    const char *const *targets; /* parts of "self_attn.q", "cross_attn.o", "ffn.0" ...: which matrices */
    int target_count;
} DitLoraConfig;
/* Asks p for "diffusion_model.blocks.0.self_attn.q.lora_A.weight" and "lora_B", as ComfyUI and diffusers have them. A target that names
 * nothing is p's error. */
void dit_bind_lora(Dit *m, const DitLoraConfig *c, Params *p);

/* A look at the tokens inside of the network, for losses on what it knows there. */
typedef struct DitTap {
    int block;      /* after which: 0 .. num_layers-1 */
    Tensor *tokens; /* [M, dim]; filled by dit_step() */
} DitTap;

typedef struct DitBatch {
    int samples;
    const int64_t (*grid)[3]; /* host, per sample: patches in frame, row, column: latent F/pt, H/ph, W/pw */
    Tensor *patches;          /* [M, in_dim * pt * ph * pw], each flattened in the order (c, pt, ph, pw) */
    Tensor *timesteps;        /* F32 [R], 0 (clean) to 1000 (noise) */
    Tensor *t_index;          /* I32 [M]: which timestep each patch has */
    Tensor *t_sample;         /* I32 [R]: which sample's timestep it is or, with text_span, which text's; not used without
                                 pooled_text */
    Tensor *text;             /* [sum of text_rows, text_dim]; may be NULL when that is 0 */
    /* Host, per text: 0 to text_len. Attention sees zero rows after them, up to text_len, unmasked. */
    const int64_t *text_rows;
    /* A storyboard: how many tokens listen to each text, texts of them, in the tokens' order. Every sample begins with a
     * text of its own, and the tokens of a sample are its frames' one after the other, so a text is heard by a run of
     * frames. NULL: one text a sample. */
    const int64_t *text_span;
    int texts; /* unused without text_span */
    /* [rows, clip_dim]: the image encoder's output for a picture, or for two, one after the other. Every sample
     * listens to it. NULL, unless the config has a clip_dim. */
    Tensor *pictures;
    DitTap *tap; /* or NULL */
} DitBatch;

/* What does not change from step to step; in the graph's arena. */
typedef struct DitContext {
    Tensor *rope;        /* [M, head_dim] */
    Tensor *tokens;      /* I32 [samples + 1]: where each sample's tokens begin */
    Tensor *text;        /* [rows + 1, dim]: embedded rows, and what a row of padding becomes */
    Tensor *text_index;  /* I32 [texts * text_len, fewer without padding]: rows of text */
    Tensor *text_tokens; /* I32 [texts + 1]: where each text's part of text_index begins */
    Tensor *listeners;   /* I32 [texts + 1]: where the tokens begin that listen to each text */
    Tensor *positions;   /* [M, dim]; NULL without absolute_positions */
    Tensor *pooled;      /* [R, dim]: for each timestep; NULL without pooled_text */
    DitTap *tap;         /* the batch's */
    /* The same for pictures: [rows, dim], I32 [samples * rows], I32 [samples + 1]; NULL: there are none. */
    Tensor *pictures, *picture_index, *picture_tokens;
} DitContext;

/* Of the batch it does not read patches, timesteps and t_index. */
DitContext dit_prepare(Graph *g, const Dit *m, const DitBatch *b);

/* -> velocity [M, pt * ph * pw * out_dim], each patch in the order (pt, ph, pw, c). */
Tensor *dit_step(Graph *g, const Dit *m, const DitContext *c, Tensor *patches, Tensor *timesteps,
                 Tensor *t_index);
Tensor *dit_forward(Graph *g, const Dit *m, const DitBatch *b);

/* cos, then sin, of t * 10000^(-i / (n/2)) for n = freq_dim: what the time embedding is made of. -> [R, freq_dim] */
Tensor *dit_sinusoid(Graph *g, const DitConfig *c, Tensor *timesteps);

/* Latent [C, F, H, W] -> [patches, C * pt * ph * pw], in the order of DitBatch.patches. */
Tensor *dit_patchify(Graph *g, const DitConfig *c, Tensor *latent);
/* The same in the order of dit_step()'s result: for a training target. */
Tensor *dit_patchify_head(Graph *g, const DitConfig *c, Tensor *latent);
/* One sample's rows of dit_step()'s result -> latent [out_dim, F, H, W]. */
Tensor *dit_unpatchify(Graph *g, const DitConfig *c, Tensor *rows, const int64_t grid[3]);

#endif
