/* Bytes that grow. A failed allocation is remembered: append on, ask once at the end. */
#ifndef SORA_TEXT_BUFFER_H
#define SORA_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Buffer {
    char *bytes; /* NULL while empty; free it with buffer_deinit */
    size_t size, capacity;
    bool failed;
} Buffer; /* begin with {0} */

void buffer_append(Buffer *b, const char *bytes, size_t size);
void buffer_deinit(Buffer *b);

/* The bytes with a 0 byte after them, now the caller's to free(); NULL when memory ran out. b is empty again. */
char *buffer_take(Buffer *b, size_t *size);

#endif
