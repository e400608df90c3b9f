/* Pictures for networks: packed RGB in single precision, and PyTorch's bicubic resizing. */
#ifndef SORA_MEDIA_PIXELS_H
#define SORA_MEDIA_PIXELS_H

#include "media/image.h"

typedef struct Pixels {
    int width, height;
    float *rgb; /* [height, width, 3], -1 to 1; heap, freed by pixels_deinit */
} Pixels;

/* Zeroed, which is grey; sizes as in image_init(). */
bool pixels_init(Pixels *p, int width, int height, SoraError *err);
bool pixels_from_image(Pixels *p, const Image *image, SoraError *err);
void pixels_deinit(Pixels *p); /* a zeroed one is allowed */

/* PyTorch's interpolate(mode="bicubic", align_corners=False): a = -0.75, no widening when shrinking, edges
 * repeated. The result may leave -1 to 1. out is initialised here. */
bool pixels_resize(Pixels *out, const Pixels *in, int width, int height, SoraError *err);

#endif
