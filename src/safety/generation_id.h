/* The name of one run of a model, the same in its file's records and in the index of `sora trace`. */
#ifndef SORA_SAFETY_GENERATION_ID_H
#define SORA_SAFETY_GENERATION_ID_H

#include <stdbool.h>
#include "base/error.h"

enum { GENERATION_ID_SIZE = 37 }; /* with the 0 at its end */

/* A UUID of version 7 (RFC 9562): the time in ms, then 74 random bits. */
bool generation_id_make(char id[GENERATION_ID_SIZE], SoraError *err);

/* Is it a UUID in lower case? */
bool generation_id_check(const char *id);

#endif
