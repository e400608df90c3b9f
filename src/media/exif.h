/* Which way up a picture is, from its EXIF data. */
#ifndef SORA_MEDIA_EXIF_H
#define SORA_MEDIA_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation tag of a JPEG, PNG, WebP or TIFF file, as in the EXIF standard: 1 upright, 2 mirrored, 3 upside down, 4
 * both, 5 to 8 with rows and columns exchanged. 1 when there is none, or it makes no sense. */
int exif_orientation(const uint8_t *file, size_t size);

#endif
