/* The model that a LoRA is trained beside: an engine, seen from the trainer, whose clips are no CLIP. */
#ifndef SORA_ADAPT_BASE_H
#define SORA_ADAPT_BASE_H

#include "model/transformer.h"
#include "sample/canvas.h"
#include "train/train.h"

typedef struct Base Base;

typedef struct TextRows {
    int64_t rows;
    float *data; /* [rows, text_dim]; heap */
} TextRows;

/* name: as sora_engine_open() has it; of the options threads, precision and memory count. NULL on failure, also for models that a LoRA
 * cannot be trained for. */
Base *base_open(const char *name, const TrainOptions *options, SoraError *err);
void base_close(Base *b); /* NULL is allowed */

Dit *base_transformer(Base *b);
int64_t base_weights(const Base *b); /* of the transformer: how many */
double base_bytes(const Base *b);    /* of it, in its files */
Backend *base_backend(Base *b);
Graph *base_graph(Base *b); /* on that backend; base_encode() and base_text() reset it */

/* The latent of such a clip; false and an error if the model does not take it. patch is the transformer's. */
bool base_shape(const Base *b, int width, int height, int frames, CanvasShape *shape, SoraError *err);
/* video [frames, height, width, 3] -> latent [C, F, h, w]; heap. NULL on failure. */
float *base_encode(Base *b, const float *video, int width, int height, int frames, SoraError *err);
bool base_text(Base *b, const char *text, TextRows *out, SoraError *err);
double base_guidance(const Base *b); /* as its manifest has it; 1: none */
/* The model's own video of a prompt, as a latent of that shape (base_shape() of the sizes); heap. NULL on failure. */
typedef struct BaseClip {
    const char *prompt;
    int width, height, frames;
    uint64_t seed;
    bool (*keep_going)(void *user); /* often; false: stop, SORA_ERROR_CANCELLED */
    void *user;
} BaseClip;
float *base_make(Base *b, const BaseClip *clip, SoraError *err);
/* The autoencoder and the text encoder are not used from now on: their memory is given back. */
void base_rest(Base *b);

#endif
