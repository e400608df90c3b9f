/* Video sizes of a picture's shape, as Wan computes them. */
#ifndef SORA_ENGINE_SIZE_H
#define SORA_ENGINE_SIZE_H

#include <stdint.h>

typedef struct Size {
    int width, height;
} Size;

/* Of about that area, in whole units, at least one: the picture will be stretched to it. Wan's image to
 * video.
 */
Size size_to_stretch(Size picture, Size unit, int64_t area);
/* At most that area, in whole units, at least one, of the two that come nearest to the picture's shape the
 * nearer one: the picture will be cut to it. Wan 2.2's TI2V. */
Size size_to_cut(Size picture, Size unit, int64_t area);

#endif
