/* Where a result goes: nothing that was given is replaced, and nothing else without a word. */
#ifndef SORA_CLI_PLACE_H
#define SORA_CLI_PLACE_H

#include "base/error.h"

/* False when output is the same file as one of the inputs, under whatever name. NULL among these stands for none. */
bool place_check(const char *output, const char *const inputs[], int count, SoraError *err);

/* Says on stderr that output is there already and will be replaced, if it is. command: "sora convert". */
void place_announce(const char *command, const char *output);

#endif
