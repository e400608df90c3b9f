/* Mapped files that lose their end while they are in use: somebody truncates one, or its disk fails. The kernel answers
 * with SIGBUS, which ends the process. A program can make an error of it instead; the library never does by itself,
 * for signal handlers are the program's.
 *
 *     lost_begin(&engine->losses);      the maps that this thread opens now are the engine's
 *     ...
 *     lost_end(&engine->losses);
 *
 * A loss is the error of what read the file and of nothing else: it ends with whoever closes the file. Maps that are
 * opened outside of any such part are the process's, and a loss in one of them stays. */
#ifndef SORA_BASE_LOST_H
#define SORA_BASE_LOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* From now on what a mapped file has lost reads as zeros, and lost_check() says so: installs a handler of SIGBUS. One
 * for other addresses ends the process, as it does without. */
void lost_catch(void);

enum { LOST_PATH = 128 };

/* Whether maps of one owner lost something; zeroed at first. It must stay where it is until they are closed. */
typedef struct Losses {
    atomic_bool named, any; /* path is being written, is there */
    char path[LOST_PATH];   /* the end of it, if it is longer */
    struct Losses *outer;   /* while it is begun */
} Losses;

/* Between these two, which nest, the maps that this thread opens are l's. An owner may begin again. */
void lost_begin(Losses *l);
void lost_end(Losses *l);

/* False with *err filled when a file lost something since lost_catch(), in a map of an owner that this thread has begun
 * or in one of the process's: nothing that was computed from it is to be trusted, and no output gets its name (see
 * file_writer_commit()). Stays so until the owner has ended. */
bool lost_check(SoraError *err);

/* For file.c: which addresses are whose. A file more than there is room for is not watched. */
void lost_watch(const void *data, size_t size, const char *path);
void lost_forget(const void *data);

#endif
