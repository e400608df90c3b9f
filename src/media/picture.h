/* Pictures as files with text: what each kind writes. Private to src/media. */
#ifndef SORA_MEDIA_PICTURE_H
#define SORA_MEDIA_PICTURE_H

#include <stdio.h>
#include "media/image.h"

typedef struct PictureText {
    const char *title, *comment; /* UTF-8; NULL: none */
} PictureText;

/* The whole file to stream; the caller finds write errors when it commits. path is for messages. */
typedef bool PictureWrite(FILE *stream, const Image *image, const PictureText *text, const char *path,
                          SoraError *err);

PictureWrite png_write;  /* text chunks Title and Comment */
PictureWrite jpeg_write; /* 4:4:4, little loss; the comment in COM segments, the title in XMP if it fits */
PictureWrite webp_write; /* lossy, little loss; both in XMP */

/* An XMP packet with dc:title and dc:description; heap, *size bytes. NULL when out of memory. */
char *xmp_make(const char *title, const char *description, size_t *size);

#endif
