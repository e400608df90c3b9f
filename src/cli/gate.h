/* The policy between what a user types and a video. */
#ifndef SORA_CLI_GATE_H
#define SORA_CLI_GATE_H

#include <sora.h>

#include "policy/policy.h"
#include "screen/screen.h"

enum { GATE_VERSION = 64 };

#define GATE_OFF "off"

typedef struct Gate {
    char version[GATE_VERSION]; /* of the policy, or GATE_OFF */
    PictureRules pictures;
    Screen *screen; /* opened for the first frame; gate_close() */
    ScreenVerdict seen;
} Gate;

/* policy: NULL for the embedded lists, a file of rules, or GATE_OFF. Judges all words of the request, each for itself and together,
 * those of earlier steps too, and the name of the output, which players show. Sets request->policy to gate->version. False when it
 * is refused. */
bool gate_check(const char *policy, SoraRequest *request, const char *output, Gate *gate, SoraError *err);
/* Frame i of a video, in order from 0: two a second are looked at. False when it is refused, or could not be looked at. */
bool gate_frame(Gate *gate, const SoraVideo *video, int i, SoraError *err);
void gate_close(Gate *gate); /* a zeroed one is allowed */

#endif
