/* Sizes of the networks, from the JSON that is published beside their weights (Wan's config.json, or the same
 * object inside a model folder's own). Unknown keys are ignored; a missing one takes Wan's default, if there
 * is one. Every number is checked, so that what follows may multiply them without overflow. */
#ifndef SORA_MODEL_CONFIG_H
#define SORA_MODEL_CONFIG_H

#include <jansson.h>
#include "base/error.h"
#include "tensor/tensor.h"

enum { DIT_MAX_LATENT = 256 };

typedef struct DitConfig {
    int in_dim, out_dim; /* latent channels; in_dim counts those of a condition too (image to video) */
    int dim, ffn_dim;    /* width of the tokens, of the hidden layer */
    int num_heads, num_layers;
    int patch_size[3]; /* frames, rows, columns */
    int text_len;      /* rows of text that attention sees, padding included */
    int text_dim;      /* width of the text encoder's output */
    int freq_dim;      /* of the timestep's sinusoid */
    int clip_dim;      /* width of the image encoder's output; 0: there is no attention to pictures */
    int clip_rows;     /* rows of pictures that have a position of their own (first and last frame); 0: none */
    double eps;        /* of every norm */
    /* Not Wan's; all off when a config does not have them. */
    bool masked_text;        /* attention sees each sample's own rows of text, no padding */
    bool pooled_text;        /* the mean of a sample's rows of text joins its timesteps' embeddings */
    bool absolute_positions; /* patches are told where they are by fixed sines too, not only by rotation */
    bool preconditioned;     /* see model/precondition.h; then in_dim and out_dim are equal */
    float latent_variance[DIT_MAX_LATENT]; /* [in_dim] */
} DitConfig;

/* What dit_config_parse() reads. A published config.json may have other keys beside them. */
#define DIT_CONFIG_KEYS                                                                                                  \
    "model_type in_dim out_dim dim ffn_dim num_heads num_layers text_len text_dim freq_dim clip_dim clip_rows patch_size "  \
    "eps qk_norm cross_attn_norm masked_text pooled_text absolute_positions latent_variance"

bool dit_config_parse(DitConfig *c, const json_t *json, SoraError *err);
/* Published files of image-to-video models do not say whether there is attention to pictures (Wan 2.1) or not
 * (2.2): their tensors "img_emb.proj.1.weight" and "img_emb.emb_pos" do. NULL: it is not there. */
bool dit_config_add_pictures(DitConfig *c, const Tensor *proj, const Tensor *emb_pos, SoraError *err);

typedef struct Umt5Config {
    int vocab;
    int dim, dim_attn, dim_ffn; /* width of the tokens, of all heads together, of the hidden layer */
    int num_heads, num_layers;
    int num_buckets, max_dist; /* of the relative positions */
    double eps;
} Umt5Config;

/* What umt5_config_parse() reads. */
#define UMT5_CONFIG_KEYS "vocab dim dim_attn dim_ffn num_heads num_layers num_buckets max_dist eps shared_pos"

bool umt5_config_parse(Umt5Config *c, const json_t *json, SoraError *err);

/* The vision tower of CLIP. */
typedef struct ClipConfig {
    int image_size, patch_size; /* pixels on a side */
    int dim, mlp_dim;           /* width of the tokens, of the hidden layer */
    int num_heads, num_layers;  /* the last layer is not run */
    double eps;
} ClipConfig;

/* From the keys of the reference: image_size, patch_size, vision_dim, vision_mlp_ratio, vision_heads,
 * vision_layers, norm_eps. A missing one is that of ViT-H/14, which Wan 2.1 uses. */
bool clip_config_parse(ClipConfig *c, const json_t *json, SoraError *err);

/* The captioner (model/captioner.h). */
enum { CAPTIONER_MAX_DEPTH = 16, CAPTIONER_MAX_TEXT = 256 };

typedef struct CaptionerConfig {
    int z_dim, frames, side; /* of latents: channels, frames at most, rows and columns */
    int channels, residuals; /* of the convolutions over each frame */
    int dim, num_heads;      /* of all attention */
    int look_layers, say_layers;
    int fps;                 /* of the clips */
    int vocab, text_len;     /* the tokenizer's pieces; tokens of a caption at most, the control token counted */
    float latent_variance[DIT_MAX_LATENT]; /* [z_dim]: latents are divided by its root; 1 where the config has none */
} CaptionerConfig;

#define CAPTIONER_CONFIG_KEYS                                                                                             \
    "z_dim frames side channels residuals dim num_heads look_layers say_layers fps vocab text_len latent_variance"

bool captioner_config_parse(CaptionerConfig *c, const json_t *json, SoraError *err);

#endif
