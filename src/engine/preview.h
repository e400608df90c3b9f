/* What a latent will look like, roughly and at once: each of its places becomes a small square of pixels, by one
 * product with the place's channels. The product is that of a linear autoencoder's own code (model/vae_code.h),
 * averaged; of other autoencoders it is the least-squares fit to what the decoder makes of a small latent of noise. */
#ifndef SORA_ENGINE_PREVIEW_H
#define SORA_ENGINE_PREVIEW_H

#include "engine/pipeline.h"

typedef struct Preview {
    int64_t channels;
    int side;        /* pixels of a place's square, along each side */
    float *map[2];   /* [3 * side * side, C + 1], of the first latent frame and of the others: RGB in -1 to 1 from
                        channels and 1 */
    float *estimate; /* [C, F, H, W]: of the video as a step sees it; filled by the caller */
    int frames, width, height;
    uint8_t *rgb; /* [frames, height, width, 3]: of preview_draw() */
} Preview;

/* Makes the map for latents of that shape; resets the pipeline's graph. preview_deinit() in any case. */
bool preview_init(Preview *p, const Pipeline *pipeline, const CanvasShape *shape, SoraError *err);
void preview_deinit(Preview *p); /* a zeroed one is allowed */

/* estimate -> rgb. */
void preview_draw(Preview *p);

/* The fit, whatever the autoencoder: for tests. side: of preview_init()'s. */
bool preview_fit(Preview *p, const Pipeline *pipeline, SoraError *err);

#endif
