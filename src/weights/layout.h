/* The names that the same tensors have in different places: Wan's own repositories, diffusers and
 * transformers, ComfyUI's single files (Wan's own names behind a prefix), llama.cpp's GGUF text encoders.
 * Everything after this knows Wan's own names alone. One table of rules for each layout in layout.c says how
 * to get there. */
#ifndef SORA_WEIGHTS_LAYOUT_H
#define SORA_WEIGHTS_LAYOUT_H

#include "weights/weight_file.h"

typedef enum ModelPart {
    PART_TRANSFORMER,
    PART_TEXT_ENCODER,
    PART_AUTOENCODER,
    PART_IMAGE_ENCODER,
    PART_KINDS
} ModelPart;

const char *model_part_name(ModelPart part); /* "transformer" ... */

typedef struct Layout Layout;

enum { LAYOUT_NAME = 512 }; /* bytes of a name, at most, with its 0 */

/* A network in a file: its tensors begin with prefix and then follow layout. */
typedef struct LayoutMatch {
    ModelPart part;
    const Layout *layout;
    char prefix[LAYOUT_NAME];
} LayoutMatch;

/* The networks in the file, at most PART_KINDS, one of each kind; 0: none is known. -1 with *err filled: one
 * network is there twice, under different prefixes. */
int layout_recognise(const WeightFile *f, LayoutMatch matches[PART_KINDS], SoraError *err);

const char *layout_name(const Layout *l); /* "original", "diffusers", "transformers", "llama.cpp", "open_clip" */

/* For files that have some of a transformer's names but none of its tensors. */
const Layout *layout_diffusers_transformer(void);

typedef struct LayoutName {
    char name[LAYOUT_NAME]; /* Wan's own */
    int piece, pieces;      /* the file has it in pieces along the first dimension; 0 of 1: whole */
} LayoutName;

/* name: in the file, without the prefix. False when the result would be too long. */
bool layout_rename(const Layout *l, const char *name, LayoutName *out);

/* Wan's own name of a tensor that the networks here do not use: CLIP's text half and its last layers. */
bool layout_is_unused(ModelPart part, const char *name);

#endif
