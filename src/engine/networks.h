/* From a model's files to its networks: sizes from what lies beside the weights, or from the shapes of the
 * tensors where nothing does. */
#ifndef SORA_ENGINE_NETWORKS_H
#define SORA_ENGINE_NETWORKS_H

#include "model/clip.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae.h"
#include "weights/model_files.h"

/* Where the networks go; the caller's. */
typedef struct Networks {
    Dit *transformers[2]; /* SLOT_TRANSFORMER, SLOT_LOW_NOISE */
    Umt5 *text_encoder;
    Vae *autoencoder;
    Clip *image_encoder;
    bool timestep_per_patch; /* of SLOT_TRANSFORMER: set when that is bound */
} Networks;

/* Asks params for every tensor of the slot's network; the slot is filled. Look at params_ok() afterwards. */
bool network_bind(Networks *n, const ModelFiles *files, ModelSlot slot, Params *params, SoraError *err);

/* Does the network do without the tensor of this (Wan's own) name, which published files have? CLIP's text half and its last
 * layer. image_encoder: bound, or that of a slot that is empty. */
bool network_leaves(const Clip *image_encoder, const WeightPart *part, const char *name);

#endif
