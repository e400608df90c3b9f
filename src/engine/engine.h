/* An open model folder. The public functions on it are in sora.h. */
#ifndef SORA_ENGINE_ENGINE_H
#define SORA_ENGINE_ENGINE_H

#include "engine/manifest.h"
#include "engine/pipeline.h"
#include "engine/plan.h"
#include "weights/file_source.h"

/* A network and where its tensors are. */
typedef struct EnginePart {
    Safetensors *file;
    FileSource source;
    Params params;
} EnginePart;

struct SoraEngine {
    Manifest manifest;
    Backend *backend;
    Tokenizer *tokenizer;
    EnginePart parts[3]; /* transformer, text encoder, autoencoder */
    Dit transformer;
    Umt5 text_encoder;
    Vae22 autoencoder;
    Pipeline pipeline;
    LatentGrid grid;
};

#endif
