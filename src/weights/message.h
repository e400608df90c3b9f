/* Messages about files from outside: no control characters, no endless names. */
#ifndef SORA_WEIGHTS_MESSAGE_H
#define SORA_WEIGHTS_MESSAGE_H

#include <stddef.h>
#include "base/error.h"

enum {
    SHOWN = 100, /* bytes of a path or name that a message shows */
    SHOWN_SIZE = SHOWN + 4,
};

/* What a hostile file may put into a message: no control characters, not too long, no cut UTF-8 character.
 * Returns buf. */
const char *message_shown(const char *text, char buf[SHOWN_SIZE]);
/* The same for size bytes that no 0 need follow. */
const char *message_shown_bytes(const char *bytes, size_t size, char buf[SHOWN_SIZE]);
/* The end of a path is what tells files apart. */
const char *message_path_end(const char *path);

/* "PATH: ..." with SORA_ERROR_INPUT; false. */
bool message_bad(const char *path, SoraError *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "PATH: out of memory" with SORA_ERROR_MEMORY; false. */
bool message_no_memory(const char *path, SoraError *err);

#endif
