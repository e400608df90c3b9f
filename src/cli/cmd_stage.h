/* Subcommands of sora stage that have files of their own. */
#ifndef SORA_CLI_CMD_STAGE_H
#define SORA_CLI_CMD_STAGE_H

#include "cli/options.h"

extern const Command CMD_STAGE_PROMPTS;

#endif
