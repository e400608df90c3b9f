/* A picture's rows, top to bottom, upright, as packed RGB: whoever takes them decides where they go. Private to src/media. */
#ifndef SORA_MEDIA_PICTURE_DECODE_H
#define SORA_MEDIA_PICTURE_DECODE_H

#include "media/image.h"

typedef struct PictureSize {
    int width, height; /* as it lies in the file */
    size_t bytes;      /* that decoding will take */
} PictureSize;

/* Each returns false with *err filled to end it; the path is put before that. */
typedef struct PictureSink {
    bool (*size)(void *user, const PictureSize *size, SoraError *err); /* before memory is taken; NULL: any size */
    bool (*begin)(void *user, int width, int height, SoraError *err);
    bool (*row)(void *user, int y, const uint8_t *rgb, SoraError *err);
    void *user;
} PictureSink;

/* Formats, limits and errors are image_read()'s. */
bool picture_decode(const char *path, const PictureSink *sink, SoraError *err);
/* The same of a file's bytes; name is for errors. */
bool picture_decode_memory(const void *data, size_t size, const char *name, const PictureSink *sink, SoraError *err);

#endif
