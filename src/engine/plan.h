/* A request made complete: defaults filled in, everything checked, sizes of the latent known. */
#ifndef SORA_ENGINE_PLAN_H
#define SORA_ENGINE_PLAN_H

#include "engine/manifest.h"
#include "engine/size.h"
#include "sample/canvas.h"

/* What becomes of something in a request. */
typedef enum Need { NEED_NONE, NEED_OPTIONAL, NEED_REQUIRED } Need;

/* What the networks need of sizes and pictures. */
typedef struct LatentGrid {
    int channels;
    int stride_time,
        stride_space; /* frames and pixels to one latent position; the first frame has one of its own */
    int patch[3];     /* latent positions to a token: frames, rows, columns */
    Need picture, last_picture;
    bool stretch; /* a picture whose shape the video takes is stretched, not cut */
} LatentGrid;

typedef struct Plan {
    const char *prompt, *negative_prompt;     /* the request's or the manifest's */
    const char *image_path, *last_image_path; /* the request's; may be NULL */
    int width, height, frames;
    bool sized_by_picture; /* the size follows from the picture's */
    double fps;
    int steps;
    double guidance_scale, shift;
    double low_guidance_scale; /* -1: the model has one expert */
    double cache_threshold;
    int steps_computed; /* 0 until they are */
    SoraSolver solver;
    uint64_t seed;
    bool watermark;
    bool private_prompt; /* the parameters do not tell the prompts */
    CanvasShape latent;
} Plan;

enum { PROMPT_MAX_BYTES = 32000 };

/* picture: the size of the request's, or NULL. Messages name the field and, for sizes, the nearest one that
 * works. */
bool plan_make(Plan *p, const SoraRequest *r, const Manifest *m, const LatentGrid *grid, const Size *picture,
               SoraError *err);

/* Does the negative prompt take part in any step? */
bool plan_is_guided(const Plan *p);

/* The parameters as a JSON object on the heap; NULL without memory. loras: as sora_engine_loras() has them. */
char *plan_json(const Plan *p, const char *model, const char *const *loras);

#endif
