/* The policy between what a user types and a video. */
#ifndef SORA_CLI_GATE_H
#define SORA_CLI_GATE_H

#include <sora.h>

enum { GATE_VERSION = 64 };

#define GATE_OFF "off"

/* policy: NULL for the embedded lists, a file of rules, or GATE_OFF. Judges all words of the request, each for itself and together, and
 * the name of the output, which players show. Sets request->policy to the policy's version, which is put into version, or to GATE_OFF.
 * False when it is refused. */
bool gate_check(const char *policy, SoraRequest *request, const char *output, char version[GATE_VERSION], SoraError *err);

#endif
