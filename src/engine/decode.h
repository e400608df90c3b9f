/* A latent through the autoencoder's decoder, part after part: what the network remembers stays from push to push, so a video
 * of any length is decoded in memory that does not grow with it, and where one part ends and the next begins is not seen.
 *
 *     Decoder *d = decoder_open(&pipeline, &(DecoderJob){.shape = shape, .sink = take, .user = &video}, &err);
 *     ok = ... decoder_push(d, &(DecoderPush){latent, 5, false}, &err) && decoder_push(d, &(DecoderPush){more, 3, true}, &err);
 *     decoder_close(d);
 *
 * The first latent frame of all becomes one frame, the others vae_stride_time() each. Where frames go in strips, all strips
 * of a push are through before the next; what each remembers stays in memory until a push is the last. */
#ifndef SORA_ENGINE_DECODE_H
#define SORA_ENGINE_DECODE_H

#include "engine/pipeline.h"

typedef struct DecoderJob {
    CanvasShape shape; /* frames: of the whole latent, for a part's done and total, and for choosing strips */
    size_t limit;      /* bytes; 0: PIPELINE_DECODE_LIMIT */
    FrameSink sink;    /* a part's first frame counts from the first push */
    void *user;
} DecoderJob;

typedef struct DecoderPush {
    const float *latent; /* [C, frames, H, W] */
    int64_t frames;      /* latent frames, 1 or more */
    bool last;           /* nothing follows: nothing need be remembered */
} DecoderPush;

typedef struct Decoder Decoder;

Decoder *decoder_open(const Pipeline *p, const DecoderJob *job, SoraError *err);
bool decoder_push(Decoder *d, const DecoderPush *push, SoraError *err); /* resets the graph, whose other tensors are gone */
void decoder_close(Decoder *d);                                         /* NULL is allowed; resets the graph */

#endif
