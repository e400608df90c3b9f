/* An open model folder. The public functions on it are in sora.h. */
#ifndef SORA_ENGINE_ENGINE_H
#define SORA_ENGINE_ENGINE_H

#include "engine/manifest.h"
#include "engine/pipeline.h"
#include "engine/plan.h"
#include "weights/file_source.h"

enum {
    NETWORK_TRANSFORMER, /* with two experts: that of much noise */
    NETWORK_LOW_NOISE,   /* only with two experts */
    NETWORK_TEXT_ENCODER,
    NETWORK_AUTOENCODER,
    NETWORK_IMAGE_ENCODER, /* only where the transformer listens to pictures */
    NETWORK_COUNT
};

/* A network and where its tensors are. */
typedef struct EnginePart {
    Safetensors *file; /* NULL: the model has no such part */
    FileSource source;
    Params params;
} EnginePart;

struct SoraEngine {
    Manifest manifest;
    Backend *backend;
    Tokenizer *tokenizer;
    EnginePart parts[NETWORK_COUNT];
    Dit transformer, low_noise;
    Umt5 text_encoder;
    Vae22 autoencoder;
    Clip image_encoder;
    Pipeline pipeline;
    LatentGrid grid;
};

#endif
