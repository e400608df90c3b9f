/* The files of web/, in the program. Made by embed.py. */
#ifndef SORA_SERVE_WEB_H
#define SORA_SERVE_WEB_H

#include <stddef.h>

typedef struct WebFile {
    const char *path; /* "/index.html" */
    const char *etag;
    const unsigned char *data, *gzip; /* gzip NULL: it would not be smaller */
    size_t size, gzip_size;
} WebFile;

extern const WebFile WEB_FILES[]; /* ends with path NULL */
extern const char WEB_SCHEMAS[];  /* schemas.json, for OpenAPI */

#endif
