/* Scratch folders: a result lies in a hidden folder beside its place until it is complete, and is then renamed out.
 *
 * The folder's name is random, it is made exclusively and for its owner alone (mode 0700), so nobody can plant anything in
 * it. Whoever uses it holds a lock on a file in it, which the kernel gives back when the process ends in whatever way: a
 * folder without one was left behind by a process that was killed, and is removed at the next occasion. */
#ifndef SORA_BASE_SCRATCH_H
#define SORA_BASE_SCRATCH_H

#include <stdbool.h>
#include "base/error.h"

typedef struct Scratch {
    char *path; /* of the folder; NULL: there is none */
    int lock;
} Scratch;

/* Makes a folder beside the file or folder of that name. The first time that a process does so somewhere, it sweeps there.
 * False with *err filled. */
bool scratch_make(Scratch *s, const char *beside, SoraError *err);

/* With everything in it; a zeroed one is allowed. */
void scratch_remove(Scratch *s);

/* Removes the scratch folders in that folder ("": the current one) which belong to this user and whose process has ended.
 * What cannot be removed stays, without an error. */
void scratch_sweep(const char *folder);

#endif
