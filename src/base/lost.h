/* Mapped files that lose their end while they are in use: somebody truncates one, or its disk fails. The kernel answers
 * with SIGBUS, which ends the process. A program can make an error of it instead; the library never does by itself,
 * for signal handlers are the program's. */
#ifndef SORA_BASE_LOST_H
#define SORA_BASE_LOST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* From now on what a mapped file has lost reads as zeros, and lost_check() says so: installs a handler of SIGBUS. One for
 * other addresses ends the process, as it does without. */
void lost_catch(void);

/* False with *err filled when a file has lost something since lost_catch(): nothing that was computed meanwhile is to be
 * trusted, and no output gets its name (see file_writer_commit()). Stays so. */
bool lost_check(SoraError *err);

/* For file.c: which addresses are whose. A file more than there is room for is not watched. */
void lost_watch(const void *data, size_t size, const char *path);
void lost_forget(const void *data);

#endif
