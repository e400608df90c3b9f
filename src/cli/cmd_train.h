/* Parts of `sora train` that have a file of their own. */
#ifndef SORA_CLI_CMD_TRAIN_H
#define SORA_CLI_CMD_TRAIN_H

#include "cli/cli.h"

extern const Command TRAIN_POLICY;

#endif
