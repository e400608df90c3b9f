/* An open model. The public functions on it are in sora.h. */
#ifndef SORA_ENGINE_ENGINE_H
#define SORA_ENGINE_ENGINE_H

#include "base/lost.h"
#include "base/notes.h"
#include "engine/caption.h"
#include "engine/manifest.h"
#include "engine/pager.h"
#include "engine/pipeline.h"
#include "engine/plan.h"
#include "text/vocabulary.h"
#include "weights/model_files.h"

/* A network and where its tensors are. */
typedef struct EnginePart {
    const WeightPart *part; /* NULL: the model has no such part */
    LoraUse *uses;          /* heap; the LoRAs that change it */
    LoraSet loras;
    PagedSource source;
    Params params;
} EnginePart;

struct SoraEngine {
    Manifest manifest;
    Backend *backend;
    Pager pager; /* around it */
    Tokenizer *tokenizer;
    Vocabulary *vocabulary; /* NULL: the model does not say what it knows */
    ModelFiles *files;
    Lora **loras; /* heap */
    int lora_count;
    EnginePart parts[SLOT_COUNT];
    Dit transformer, low_noise;
    Umt5 text_encoder;
    Vae autoencoder;
    Clip image_encoder;
    Pipeline pipeline;
    LatentGrid grid;
    Notes notes;        /* about files and options */
    char **lora_names;  /* heap; of sora_engine_loras() */
    char *folder;       /* heap; NULL: the options name all files */
    CaptionPart *captioner; /* NULL until it is asked for */
    Losses losses;      /* of its files */
};

#endif
