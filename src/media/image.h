/* Pictures: packed RGB of 8 bits, read from and written to files, resized as the models' own tools do. */
#ifndef SORA_MEDIA_IMAGE_H
#define SORA_MEDIA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/file.h"

typedef struct Image {
    int width, height;
    uint8_t *rgb; /* [height, width, 3]; heap, freed by image_deinit */
} Image;

/* Zeroed pixels; 1 to 16384 a side, at most 128 Mi pixels. */
bool image_init(Image *image, int width, int height, SoraError *err);
void image_deinit(Image *image); /* a zeroed Image is allowed */

/* PNG, JPEG, WebP, TIFF (turned upright by their EXIF orientation), BMP or GIF (first frame), told by content
 * and not by name. Alpha is dropped, as PIL's convert("RGB") does. Damaged or too large files are errors. For files of
 * others see media/foreign.h. */
bool image_read(Image *image, const char *path, SoraError *err);

/* Do the first bytes say that it is one of these? GIF counts, which may be a video. */
bool image_recognised(const uint8_t *data, size_t size);

/* title and comment are stored as PNG text (Title, Comment); NULL: none. Atomic. */
bool image_write_png(const Image *image, const char *path, const char *title, const char *comment,
                     SoraError *err);

/* The same without text, finished before the file gets its name; finish NULL: as it is. */
bool image_write_png_finished(const Image *image, const char *path, const FileFinish *finish, SoraError *err);

/* As a JPEG in memory, *size of them; heap. NULL on failure. */
uint8_t *image_encode_jpeg(const Image *image, size_t *size, SoraError *err);

/* PIL's Image.resize(LANCZOS) for RGB: support 3, widened when shrinking, 22-bit fixed-point weights,
 * rows first, rounded to bytes between the passes. out is initialised here. */
bool image_resize(Image *out, const Image *in, int width, int height, SoraError *err);

/* The part of width x height pixels whose top left corner is at (x, y); it must lie inside. */
bool image_crop(Image *out, const Image *in, int x, int y, int width, int height, SoraError *err);

/* Resizes so that width x height is just covered, and cuts the middle out. */
bool image_cover(Image *out, const Image *in, int width, int height, SoraError *err);

/* color: 0xRRGGBB; nothing happens outside of the picture. */
static inline void image_set_pixel(Image *image, int x, int y, uint32_t color)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
    p[0] = (uint8_t)(color >> 16);
    p[1] = (uint8_t)(color >> 8);
    p[2] = (uint8_t)color;
}

#endif
