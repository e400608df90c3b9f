/* The files of a model: a folder or a few files, in anybody's arrangement, found by what is in them.
 *
 *     DIR/transformer/, text_encoder/, vae/ ...     ours, and diffusers' (model_index.json)
 *     DIR/NAME.pth, NAME.safetensors, high_noise_model/   Wan's own repositories
 *     DIR/diffusion_models/NAME.safetensors ...      ComfyUI's folders; NAME.gguf
 *     FILE                                          a whole checkpoint in one file
 */
#ifndef SORA_WEIGHTS_MODEL_FILES_H
#define SORA_WEIGHTS_MODEL_FILES_H

#include <jansson.h>
#include "weights/weight_part.h"

typedef enum ModelSlot {
    SLOT_TRANSFORMER, /* with two experts: that of much noise */
    SLOT_LOW_NOISE,   /* only with two experts */
    SLOT_TEXT_ENCODER,
    SLOT_AUTOENCODER,
    SLOT_IMAGE_ENCODER, /* only where the transformer listens to pictures */
    SLOT_COUNT
} ModelSlot;

const char *model_slot_name(ModelSlot slot); /* "transformer", "transformer 2" ... */

/* NULL: not given. What is given for a slot comes from there, the rest from model. */
typedef struct ModelPaths {
    const char *model; /* a folder or a file */
    const char *slots[SLOT_COUNT];
    const char *tokenizer;
} ModelPaths;

typedef struct ModelFiles ModelFiles;

/* Opens what is there; a slot may stay empty. NULL on failure: a damaged file, two files for one slot, a file
 * without the part that it is given for, nothing at all. */
ModelFiles *model_files_open(const ModelPaths *paths, SoraError *err);
void model_files_close(ModelFiles *m); /* NULL is allowed */

const WeightPart *model_files_part(const ModelFiles *m, ModelSlot slot); /* NULL: there is none */
/* The config.json beside the part's weights, if its keys are for this kind of part; NULL: there is none. */
const json_t *model_files_config(const ModelFiles *m, ModelSlot slot);
const char *model_files_config_path(const ModelFiles *m, ModelSlot slot); /* NULL: there is none */
/* A SentencePiece model or a tokenizer.json; NULL: there is none beside the weights (see weight_part_tokenizer()). */
const char *model_files_tokenizer(const ModelFiles *m);
const char *model_files_manifest(const ModelFiles *m); /* the path of model.json; NULL: there is none */
/* diffusers' boundary_ratio: the noise level from which the first expert works; -1: not said. */
double model_files_boundary(const ModelFiles *m);

/* diffusers' model_index.json. */
typedef struct ModelIndex {
    bool has[SLOT_COUNT]; /* the folder of the slot is a part of the pipeline */
    double boundary;
} ModelIndex;

/* path is named in messages. */
bool model_index_parse(ModelIndex *index, const char *text, size_t size, const char *path, SoraError *err);

/* The sizes of a transformer or text encoder with Wan's keys, from the shapes of its tensors where the config
 * beside it (or NULL) does not have them; a new object, NULL on failure. */
json_t *part_config(const WeightPart *part, const json_t *beside, SoraError *err);

#endif
