/* A trained autoencoder from its folder: config.json and model.safetensors. */
#ifndef SORA_TRAIN_CODEC_H
#define SORA_TRAIN_CODEC_H

#include "model/vae.h"
#include "weights/file_source.h"
#include "weights/safetensors.h"

typedef struct Codec {
    Vae vae;
    Params params;
    FileSource source;
    Safetensors *file;
} Codec;

bool codec_load(Codec *c, const char *folder, SoraError *err);
/* Of what its latents depend on; another one when they are others. */
uint64_t codec_fingerprint(const Codec *c);
void codec_unload(Codec *c); /* also after a failure, or all zeros */

#endif
