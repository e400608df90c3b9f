/* PNG files with text. Private to src/media. */
#ifndef SORA_MEDIA_PNG_H
#define SORA_MEDIA_PNG_H

#include <stdio.h>
#include "media/image.h"

/* The whole file to stream; the caller finds write errors when it commits. path is for messages. */
bool png_write(FILE *stream, const Image *image, const char *title, const char *comment, const char *path,
               SoraError *err);

#endif
