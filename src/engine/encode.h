/* A clip through the autoencoder's encoder, frame after frame: memory does not grow with its length.
 *
 *     Encoder *e = encoder_open(&pipeline, &(EncodeJob){.width = 128, .height = 128, .sink = take, .user = &latents}, &err);
 *     for (each frame)
 *         ok = ok && encoder_push(e, frame, &err);       // the first frame, then every stride-th: a latent frame
 *     ok = ok && encoder_finish(e, &err);
 *     encoder_close(e);
 *
 * Large frames go through in strips of rows, each with all its chunks of time; frames and the features of strips wait in
 * temporary files, and all latent frames come at the end. */
#ifndef SORA_ENGINE_ENCODE_H
#define SORA_ENGINE_ENCODE_H

#include "engine/pipeline.h"

/* Latent frame i, [C, height, width]; they come in their order. false with *err filled ends the encoding. */
typedef bool (*LatentSink)(void *user, int64_t i, const float *latent, SoraError *err);

typedef struct EncodeJob {
    int width, height; /* of the frames: multiples of the autoencoder's stride */
    size_t limit;      /* bytes beyond which frames go in strips; 0: PIPELINE_DECODE_LIMIT */
    LatentSink sink;
    void *user;
} EncodeJob;

typedef struct Encoder Encoder;

Encoder *encoder_open(const Pipeline *p, const EncodeJob *job, SoraError *err);
/* frame [height, width, 3], -1 to 1; it is copied. The graph is reset. */
bool encoder_push(Encoder *e, const float *frame, SoraError *err);
/* All latent frames have come now. It is an error when the last frames fill none. */
bool encoder_finish(Encoder *e, SoraError *err);
void encoder_close(Encoder *e); /* NULL is allowed; resets the graph */

/* A sink that keeps them: latent frames from `skip` on, count of them, as [C, count, height, width]. */
typedef struct LatentClip {
    CanvasShape shape; /* frames: how many are kept; patch is not used */
    int64_t skip;
    float *data; /* heap, latent_clip_deinit() */
} LatentClip;

bool latent_clip_init(LatentClip *c, const VaeConfig *config, const EncodeJob *job, int64_t frames, SoraError *err);
bool latent_clip_take(void *clip, int64_t i, const float *latent, SoraError *err);
void latent_clip_deinit(LatentClip *c); /* a zeroed one is allowed */

#endif
