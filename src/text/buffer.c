#include "text/buffer.h"

#include <stdlib.h>
#include <string.h>

void buffer_append(Buffer *b, const char *bytes, size_t size)
{
    if (b->capacity - b->size < size) {
        size_t capacity = b->capacity * 2 + size + 64;
        char *bigger = b->failed ? NULL : realloc(b->bytes, capacity);
        if (bigger == NULL) {
            b->failed = true;
            return;
        }
        b->bytes = bigger;
        b->capacity = capacity;
    }
    if (size > 0)
        memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

void buffer_deinit(Buffer *b)
{
    free(b->bytes);
    *b = (Buffer){0};
}

char *buffer_take(Buffer *b, size_t *size)
{
    buffer_append(b, "", 1);
    char *bytes = b->bytes;
    if (size != NULL)
        *size = b->size - 1;
    if (b->failed) {
        free(bytes);
        bytes = NULL;
    }
    *b = (Buffer){0};
    return bytes;
}
