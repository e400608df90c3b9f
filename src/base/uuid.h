/* UUIDs (RFC 9562) in lower case. */
#ifndef SORA_BASE_UUID_H
#define SORA_BASE_UUID_H

#include <stdbool.h>
#include "base/error.h"

enum { UUID_SIZE = 37 }; /* with the 0 at its end */

/* Version 4: 122 random bits. */
bool uuid_make_v4(char id[UUID_SIZE], SoraError *err);

/* Version 7: the time in ms, then 74 random bits. Those that are made later sort later. */
bool uuid_make_v7(char id[UUID_SIZE], SoraError *err);

/* Is it a UUID in lower case? */
bool uuid_check(const char *id);

#endif
