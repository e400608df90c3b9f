/* Errors: one struct, filled once, wrapped with context on the way up. */
#ifndef SORA_BASE_ERROR_H
#define SORA_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <sora.h>

/* Fills *err (NULL is allowed) and returns false, so that a failing branch is one line:
 *     return error_set(err, SORA_ERROR_INPUT, "%s: truncated header", path);
 * Messages: one line, lower case, the object and the fact, no trailing period. One that is too long loses its middle,
 * which is a part of a long path: it begins with the object and ends with the reason. */
bool error_set(SoraError *err, SoraErrorCode code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "out of memory" with SORA_ERROR_MEMORY. Returns false. */
bool error_no_memory(SoraError *err);

/* "PATH: WHAT: WHY" of the system call that has just failed, WHY and the code from errno. Returns false. */
bool error_system(SoraError *err, const char *path, const char *what);

/* Prefixes "context: " to the message that is there; never replaces it. Returns false. */
bool error_wrap(SoraError *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
