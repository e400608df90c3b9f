/* LoRA files: small changes to a network's matrices, each the product of two thin ones. Names of diffusers
 * (PEFT), of ComfyUI (Wan's own) and of kohya's trainers; with their alpha, whether it is a tensor or said by the
 * metadata; and whole differences of norms, biases and modulation (".diff", ".diff_b", ".diff_m"), which distilled
 * models come with. */
#ifndef SORA_WEIGHTS_LORA_H
#define SORA_WEIGHTS_LORA_H

#include "weights/weight_file.h"

typedef struct Lora Lora;

/* What is no LoRA, kinds other than these (LoHa, LoKr, DoRA), and numbers that are not finite are errors that name the
 * tensor. */
Lora *lora_open(const char *path, SoraError *err);
/* The same for bytes in memory, which stay the caller's; name stands for a path in messages. */
Lora *lora_open_memory(const void *data, size_t size, const char *name, SoraError *err);
void lora_close(Lora *l); /* NULL is allowed */

int lora_count(const Lora *l); /* changes of a matrix or vector in it */
const char *lora_path(const Lora *l);
/* The i-th one's place: Wan's own name of the tensor, with dots as underscores, as kohya has them. */
const char *lora_target(const Lora *l, int i);

/* Several, each with its strength. */
typedef struct LoraUse {
    const Lora *lora;
    float strength;
} LoraUse;

typedef struct LoraSet {
    const LoraUse *uses;
    int count;
} LoraSet;

/* Do any of them change the tensor of this (Wan's own) name? set may be NULL. */
bool lora_covers(const LoraSet *set, const char *name);
/* Adds strength * alpha / rank * up * down of all of them to rows first .. first + rows - 1 of the tensor.
 * shape: of all of it; its first dimension are the rows. */
bool lora_add(const LoraSet *set, const char *name, const Tensor *shape, int64_t first, int64_t rows,
              float *out, SoraError *err);

/* The change of the tensor of this (Wan's own) name; -1: there is none. */
int lora_find(const Lora *l, const char *name);
/* The name that (a tensor of) change i has in the file. */
const char *lora_tensor(const Lora *l, int i);

typedef struct LoraArgument {
    char path[4096];
    float strength; /* 1 when it is not given */
    enum { LORA_ALL, LORA_HIGH_NOISE, LORA_LOW_NOISE } expert;
} LoraArgument;

/* "FILE", "FILE:0.8", "FILE:0.8:high". */
bool lora_argument_parse(LoraArgument *a, const char *text, SoraError *err);

#endif
