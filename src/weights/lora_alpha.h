/* Alpha of a LoRA whose file has no alpha tensors: trainers write it into the metadata (kohya's "ss_network_alpha",
 * diffusers' "lora_adapter_metadata", "lora_alpha"), or into adapter_config.json beside the file (PEFT). */
#ifndef SORA_WEIGHTS_LORA_ALPHA_H
#define SORA_WEIGHTS_LORA_ALPHA_H

#include <jansson.h>

#include "weights/weight_file.h"

typedef struct LoraAlpha {
    double alpha;         /* of all matrices; NAN: nothing says one */
    json_t *patterns;     /* {"blocks.0.attn1.to_q": 8}: of those whose name ends so; or NULL */
    bool rank_stabilised; /* the scale is alpha / sqrt(rank) (rsLoRA) */
} LoraAlpha;

/* What is there and is no number is an error. */
bool lora_alpha_read(LoraAlpha *a, const WeightFile *f, SoraError *err);
void lora_alpha_deinit(LoraAlpha *a); /* a zeroed one is allowed */

/* Alpha, to be divided by the rank, of the matrix called name (size bytes); NAN: nothing says one. */
double lora_alpha_of(const LoraAlpha *a, const char *name, size_t size, double rank);

#endif
