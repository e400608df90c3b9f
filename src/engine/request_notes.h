/* What of a request has no effect, or not all of it. */
#ifndef SORA_ENGINE_REQUEST_NOTES_H
#define SORA_ENGINE_REQUEST_NOTES_H

#include "base/notes.h"
#include "engine/engine.h"

/* p: the plan that was made of r. */
bool request_notes(Notes *notes, const SoraEngine *e, const SoraRequest *r, const Plan *p, SoraError *err);

#endif
