/* The best linear code of clips: principal components of blocks of pixels, in space and time. A codec can begin as one
 * (model/vae_code.h), and every codec is measured against one with as many channels. */
#ifndef SORA_TRAIN_LINEAR_CODE_H
#define SORA_TRAIN_LINEAR_CODE_H

#include "model/vae.h"
#include "train/clips.h"

/* Gives clips to look at, frames 1 + a multiple of the blocks'. The clip is the caller's, for clip_deinit(). */
typedef struct ClipInput {
    bool (*get)(struct ClipInput *self, int index, Clip *clip, SoraError *err);
    int count;
    double actor_weight; /* of a block that an actor fills, beside one without */
} ClipInput;

/* A block is `time` frames of a square of `space` pixels; the first frame of a clip makes blocks of one frame. Elements of
 * a block are ordered (frame, row, column of squares of `patch` pixels, colour, column, row). */
typedef struct LinearCodeShape {
    int channels, time, space, patch;
} LinearCodeShape;

enum { CODE_FIRST, CODE_REST, CODE_KINDS };

typedef struct LinearCode {
    LinearCodeShape shape;
    int size[CODE_KINDS];       /* elements of a block */
    double *basis[CODE_KINDS];  /* [channels, size], orthonormal rows, by variance */
    double *mean[CODE_KINDS];   /* [size] */
} LinearCode;

LinearCodeShape linear_code_shape(const VaeConfig *c);
/* Fits it; false and an error otherwise. */
bool linear_code_fit(Graph *g, LinearCode *c, LinearCodeShape shape, ClipInput *clips, SoraError *err);
void linear_code_deinit(LinearCode *c); /* also after a failure, or all zeros */

/* What the code makes of a clip, on the pool's threads (NULL: one): out [frames, height, width, 3] in [-1, 1]. */
bool linear_code_show(Pool *pool, const LinearCode *c, const Clip *clip, float *out, SoraError *err);

/* Sets the F32 weights of m, whose config has linear_code, so that it computes the code and nothing else; the network
 * begins with a head of zeros. A first frame is turned and scaled so that its channels are near those of the same frame
 * standing still. */
bool linear_code_set(const LinearCode *c, Vae *m, SoraError *err);

#endif
