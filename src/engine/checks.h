/* What is looked at beyond whether files fit: what in them has no effect, and where numbers stop being numbers. */
#ifndef SORA_ENGINE_CHECKS_H
#define SORA_ENGINE_CHECKS_H

#include "base/notes.h"
#include "engine/engine.h"

/* Is none of the n numbers NaN or infinite? Else an error: what ("step 3: the latent") and, found by reading all of the
 * network's weights, the tensor where it comes from. */
bool check_numbers(const SoraEngine *e, ModelSlot slot, const char *what, const float *x, size_t n, SoraError *err);

/* A note when there are tensors in the slot's file that its network, which is bound, did not ask for. */
void note_unknown_tensors(Notes *notes, const SoraEngine *e, ModelSlot slot);

/* Do the LoRAs of the slot change its network? One that changes nothing is an error; of one that changes less than it has,
 * there is a note. */
bool check_loras(Notes *notes, const SoraEngine *e, ModelSlot slot, SoraError *err);

#endif
