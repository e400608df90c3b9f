/* What turns a prompt into a video, step by step, on bound networks: the engine calls it with a model
 * folder's, the golden tests with the fixtures'. */
#ifndef SORA_ENGINE_PIPELINE_H
#define SORA_ENGINE_PIPELINE_H

#include "media/image.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae22.h"
#include "sample/canvas.h"
#include "sample/sampler.h"
#include "text/tokenizer.h"

typedef struct Pipeline {
    Graph *graph; /* reset by every function here */
    const Tokenizer *tokenizer;
    const Umt5 *text_encoder;
    const Dit *transformer;
    const Vae22 *autoencoder;
    bool timestep_per_patch; /* the transformer was trained for it: known parts stay clean */
} Pipeline;

/* Do the networks fit together? The message names the sizes that differ. */
bool pipeline_check(const Pipeline *p, SoraError *err);

/* What the transformer hears: rows of the text encoder's output. */
typedef struct TextRows {
    int64_t rows, dim;
    float *data; /* [rows, dim]; heap */
} TextRows;

/* The ids of the cleaned text, its end included, at most max of them; -1 when it fails. */
int pipeline_tokenize(const Pipeline *p, const char *text, int32_t *ids, int max, SoraError *err);
bool pipeline_encode_text(const Pipeline *p, const char *text, TextRows *out, SoraError *err);
void text_rows_free(TextRows *t);

/* One picture, of the video's size, to its latent frame [channels, 1, height, width]; heap, NULL on failure.
 */
float *pipeline_encode_image(const Pipeline *p, const Image *image, SoraError *err);

typedef struct Denoising {
    SamplerConfig sampler; /* count is set by the pipeline */
    double guidance_scale; /* 1: negative is not used */
    const Canvas *canvas;
    TextRows prompt, negative;
    /* After each step, with the latent [C, F, H, W] as it will go into the next one; false cancels. */
    bool (*after_step)(void *user, int done, const float *latent);
    void *user;
} Denoising;

/* latent [C, F, H, W] comes in as noise and goes out as video. */
bool pipeline_denoise(const Pipeline *p, const Denoising *d, float *latent, SoraError *err);

/* Takes frames [count, height, width, 3] in -1 to 1, not clamped; false with *err filled ends the decoding.
 */
typedef bool (*FrameSink)(void *user, const float *frames, int count, SoraError *err);

/* How many latent frames are decoded at a time. */
int64_t pipeline_decode_chunk(const VaeConfig *c, const CanvasShape *shape);

/* latent [C, F, H, W] to frames, as they appear. */
bool pipeline_decode(const Pipeline *p, const CanvasShape *shape, const float *latent, FrameSink sink,
                     void *user, SoraError *err);

/* -1 .. 1 to 0 .. 255, truncated; what is outside is clamped, NaN is 0. */
void pixels_to_bytes(const float *pixels, uint8_t *bytes, size_t count);

#endif
