/* The shape of a video autoencoder of Wan 2.1 or 2.2, as its config.json says it. */
#ifndef SORA_MODEL_VAE_CONFIG_H
#define SORA_MODEL_VAE_CONFIG_H

#include <jansson.h>
#include "base/error.h"

enum { VAE_MAX_LEVELS = 6, VAE_MAX_RESIDUALS = 4, VAE_MAX_Z = 256 };

typedef struct VaeConfig {
    int dim, dec_dim;                             /* channels of the finest level: encoder, decoder */
    int z_dim;                                    /* channels of a latent */
    int levels;                                   /* neighbours differ 2x in height and width */
    int dim_mult[VAE_MAX_LEVELS];                 /* a level's channels in units of dim or dec_dim */
    int num_res_blocks;                           /* of an encoder level; the decoder has one more */
    bool temperal_downsample[VAE_MAX_LEVELS - 1]; /* after level i: also 2x in time (spelt as in the files) */
    int patchify;                                 /* pixels on a side that one position of level 0 sees */
    bool linear_code; /* not Wan's: vae_code.h; of the encoder's sizes only z_dim and the strides count then */
    bool flat; /* Wan 2.1: no shortcuts beside the levels, upsampling halves the channels, names count blocks */
    float mean[VAE_MAX_Z], std[VAE_MAX_Z];        /* latents outside are (mu - mean) / std */
} VaeConfig;

/* From the keys dim, dec_dim (default: dim), z_dim, dim_mult, num_res_blocks, temperal_downsample, patchify,
 * is_residual, linear_code (default false), mean and std (defaults 0 and 1), or their names in diffusers (base_dim, decoder_base_dim,
 * patch_size, latents_mean, latents_std). Without is_residual a config that says patchify is Wan 2.2's, any
 * other one Wan 2.1's; without patchify it is 2 or 1, accordingly. Everything is checked: a config that was
 * read can be bound. The shortcuts demand that a level's channels divide those that it is made of: the last of
 * dim_mult must divide the one before ([1, 2, 4] cannot be, [1, 2, 2] and [1, 2, 4, 4] can). */
#define VAE_CONFIG_KEYS                                                                                                  \
    "dim dec_dim z_dim dim_mult num_res_blocks temperal_downsample patchify is_residual linear_code mean std base_dim "   \
    "decoder_base_dim patch_size latents_mean latents_std attn_scales"
bool vae_config_read(VaeConfig *c, const json_t *json, SoraError *err);
/* A new object with the first set of keys; NULL when out of memory. */
json_t *vae_config_write(const VaeConfig *c);
/* The published autoencoders. */
VaeConfig vae_config_wan21(void);
VaeConfig vae_config_wan22(void);

/* One latent frame stands for that many frames (the first one: for one), one latent position for a square
 * of that many pixels on a side. */
int vae_stride_time(const VaeConfig *c);
int vae_stride_space(const VaeConfig *c);

#endif
