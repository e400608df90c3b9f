/* model.json: what a model is called, what it makes by default and its limits. docs/model-format.md has the
 * keys. */
#ifndef SORA_ENGINE_MANIFEST_H
#define SORA_ENGINE_MANIFEST_H

#include "base/error.h"
#include "engine/variant.h"

typedef struct Manifest {
    char *name, *negative_prompt; /* heap */
    int width, height, frames;    /* pixels, pixels, frames */
    double fps;
    int steps;
    double shift, guidance_scale, low_guidance_scale;
    double boundary; /* as in Variant */
    bool follow_picture;
    SoraSolver solver;        /* never auto */
    int max_side, max_frames; /* limits of a request */
    double train_timesteps;   /* what the transformer calls pure noise */
} Manifest;

/* The path is named in messages. manifest_deinit is due after success only. */
bool manifest_load(Manifest *m, const char *path, SoraError *err);
/* That of a published model. */
bool manifest_init(Manifest *m, const Variant *variant, SoraError *err);
void manifest_deinit(Manifest *m);

/* "unipc", "dpmpp", "euler"; "auto" for SORA_SOLVER_AUTO. */
const char *solver_name(SoraSolver solver);
bool solver_parse(const char *name, SoraSolver *solver);

#endif
