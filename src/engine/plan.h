/* A request made complete: defaults filled in, everything checked, sizes of the latent known. */
#ifndef SORA_ENGINE_PLAN_H
#define SORA_ENGINE_PLAN_H

#include "engine/manifest.h"
#include "sample/canvas.h"

/* What the networks need of sizes. */
typedef struct LatentGrid {
    int channels;
    int stride_time,
        stride_space; /* frames and pixels to one latent position; the first frame has one of its own */
    int patch[3];     /* latent positions to a token: frames, rows, columns */
} LatentGrid;

typedef struct Plan {
    const char *prompt, *negative_prompt,
        *image_path; /* the request's or the manifest's; image_path may be NULL */
    int width, height, frames;
    double fps;
    int steps;
    double guidance_scale, shift;
    SoraSolver solver;
    uint64_t seed;
    bool watermark;
    CanvasShape latent;
} Plan;

enum { PROMPT_MAX_BYTES = 32000 };

/* Messages name the field and, for sizes, the nearest one that works. */
bool plan_make(Plan *p, const SoraRequest *r, const Manifest *m, const LatentGrid *grid, SoraError *err);

/* The parameters as a JSON object on the heap; NULL without memory. */
char *plan_json(const Plan *p, const char *model);

#endif
