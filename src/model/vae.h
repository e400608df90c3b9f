/* The video autoencoders of Wan 2.1 and 2.2: frames [B, T, H, W, 3] in [-1, 1] <-> latents [B, F, h, w, z], normalised
 * with the config's mean and std. T = 1 + (F - 1) * vae_stride_time(), H = h * vae_stride_space(), W likewise.
 *
 *     VaeCache cache = {0};
 *     for (each latent frame z) {
 *         frames = vae_decode_chunk(g, &vae, &cache, z);       // 1 frame, then 4 and 4 and 4
 *         ...graph_download(g, frames, ...); graph_reset(g);     // what comes next needs the cache alone
 *     }
 *     vae_cache_free(g, &cache);
 *
 * Failures are the graph's: functions return NULL and graph_ok() tells. */
#ifndef SORA_MODEL_VAE_H
#define SORA_MODEL_VAE_H

#include "model/vae_blocks.h"
#include "model/vae_code.h"
#include "model/vae_config.h"

/* Residual blocks, then a change of size (but for the last level); in Wan 2.2 beside a shortcut without
 * weights. */
typedef struct VaeLevel {
    int residuals;
    VaeResidual residual[VAE_MAX_RESIDUALS];
    VaeResample resample; /* space.w NULL: the size stays */
    int channels;         /* of the output */
    VaeFactors factors;
    bool shortcut;
} VaeLevel;

typedef struct VaeCoder {
    VaeConv conv1;
    VaeLevel level[VAE_MAX_LEVELS]; /* encoder: finest first; decoder: coarsest first */
    VaeResidual middle0, middle2;
    VaeAttention middle1;
    Tensor *head_norm;
    VaeConv head;
} VaeCoder;

typedef struct Vae {
    VaeConfig config;
    VaeCoder encoder, decoder;
    VaeConv conv1, conv2; /* between the coders and the latents */
    VaeCode code;         /* of a config with linear_code, which has no encoder and no conv1 beside it */
    VaeConv code_features; /* 1x1, from the code's patches to the decoder's finest level */
} Vae;

/* Asks p for each tensor, by its name in the published checkpoint. c: from vae_config_read() or as good. */
void vae_bind(Vae *m, const VaeConfig *c, Params *p);
/* Half of it: m can then only encode or only decode. */
void vae_bind_encoder(Vae *m, const VaeConfig *c, Params *p);
void vae_bind_decoder(Vae *m, const VaeConfig *c, Params *p);

/* A chunk is vae_stride_time() frames -> 1 latent frame, or a multiple of that; the first chunk of a clip has
 * one frame more, and may be that one alone. */
Tensor *vae_encode_chunk(Graph *g, const Vae *m, VaeCache *cache, Tensor *frames);
/* The two halves of vae_encode_chunk(), but of a linear code: from frames to the features of latent frames [B, F, h, w, C],
 * and from them to latents. The first can go in strips of the frames, at multiples of vae_stride_space(), as
 * vae_decode_levels() below; from strip [a, b) of n latent places come the features from a - lag to b - lag, but from 0 in the
 * first and to n in the last. vae_cache_end_chunk() after each. */
Tensor *vae_encode_levels(Graph *g, const Vae *m, VaeCache *cache, Tensor *frames);
Tensor *vae_encode_back(Graph *g, const Vae *m, VaeCache *cache, Tensor *x);
int64_t vae_encoder_lag(const Vae *m); /* in latent places */

/* 1 latent frame -> vae_stride_time() frames, or more of them; the first one of a clip becomes one frame. */
Tensor *vae_decode_chunk(Graph *g, const Vae *m, VaeCache *cache, Tensor *z);

/* What the linear code alone makes of the latents of a whole clip: in [-1, 1], but for what lies outside. */
Tensor *vae_decode_code(Graph *g, const Vae *m, Tensor *z);

/* The two halves of vae_decode_chunk(): to the features of whole latent frames [B, F, h, w, vae_front_channels()], and from
 * them to frames. The second can go in strips of the features (VaeStrip), with a cache of its own and all chunks of a strip
 * before the next; vae_cache_end_chunk() after each. From strip [a, b) of n come the frames' places from
 * (a - lag) s to (b - lag) s, s being the stride, but from 0 in the first and to n s in the last. The first must be
 * wider than lag. */
Tensor *vae_decode_front(Graph *g, const Vae *m, VaeCache *cache, Tensor *z);
Tensor *vae_decode_levels(Graph *g, const Vae *m, VaeCache *cache, Tensor *x);
double vae_strip_lag(const Vae *m); /* in latent places */
int64_t vae_front_channels(const VaeConfig *c);

/* What a clip that goes on after latent frames z [B, F, h, w, z_dim], none of which is a clip's first, would have as its first
 * latent frame: each one's last frame by itself. A linear code says it exactly; else it is z, which a still scene makes true. */
Tensor *vae_last_still(Graph *g, const Vae *m, Tensor *z);

/* The whole clip as one chunk: the same result, faster and with more memory. For training. Frames that do not
 * fill a chunk are dropped. */
Tensor *vae_encode(Graph *g, const Vae *m, Tensor *frames);
Tensor *vae_decode(Graph *g, const Vae *m, Tensor *z);

/* The levels alone, for tests. */
Tensor *vae_down_level(Graph *g, const VaeLevel *l, VaeCache *cache, Tensor *x);
Tensor *vae_up_level(Graph *g, const VaeLevel *l, VaeCache *cache, Tensor *x);

#endif
