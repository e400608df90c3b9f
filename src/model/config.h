/* Sizes of the networks, from the JSON that is published beside their weights (Wan's config.json, or the same
 * object inside a model folder's own). Unknown keys are ignored; a missing one takes Wan's default, if there
 * is one. Every number is checked, so that what follows may multiply them without overflow. */
#ifndef SORA_MODEL_CONFIG_H
#define SORA_MODEL_CONFIG_H

#include <jansson.h>
#include "base/error.h"

typedef struct DitConfig {
    int in_dim, out_dim; /* latent channels; in_dim counts those of a condition too */
    int dim, ffn_dim;    /* width of the tokens, of the hidden layer */
    int num_heads, num_layers;
    int patch_size[3]; /* frames, rows, columns */
    int text_len;      /* rows of text that attention sees, padding included */
    int text_dim;      /* width of the text encoder's output */
    int freq_dim;      /* of the timestep's sinusoid */
    double eps;        /* of every norm */
} DitConfig;

bool dit_config_parse(DitConfig *c, const json_t *json, SoraError *err);

typedef struct Umt5Config {
    int vocab;
    int dim, dim_attn, dim_ffn; /* width of the tokens, of all heads together, of the hidden layer */
    int num_heads, num_layers;
    int num_buckets, max_dist; /* of the relative positions */
    double eps;
} Umt5Config;

bool umt5_config_parse(Umt5Config *c, const json_t *json, SoraError *err);

#endif
