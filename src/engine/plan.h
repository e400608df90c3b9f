/* A request made complete: defaults filled in, everything checked, sizes of the latent known. */
#ifndef SORA_ENGINE_PLAN_H
#define SORA_ENGINE_PLAN_H

#include "engine/given_clip.h"
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
    Need first_frame, last_frame; /* are they given? */
    bool condition; /* what is given is seen frame by frame beside the latent, nowhere but at ends that are not
                       NEED_NONE; and a picture whose shape the video takes is stretched, not cut */
} LatentGrid;

/* Where something that is given comes to lie. */
typedef struct PlannedGiven {
    int first, frames;       /* of the video. A still that fills a group is repeated */
    int skip;                /* frames of the clip before them, which fill no group */
    int64_t latent, latents; /* latent frames, in whole patches; not of models with a condition */
} PlannedGiven;

/* Words, and the frames of patches that hear them. */
typedef struct PlannedPassage {
    const char *prompt;
    int first; /* frame of the video */
    int64_t frames;
} PlannedPassage;

enum { PLAN_MAX_GIVEN = 64, PLAN_MAX_PASSAGES = 64 };

typedef struct Plan {
    const char *negative_prompt; /* the request's or the manifest's */
    PlannedPassage passages[PLAN_MAX_PASSAGES];
    int passage_count;       /* 1 at least */
    char *words;             /* all prompts, for people; heap */
    const SoraGiven *given;  /* the request's */
    PlannedGiven placed[PLAN_MAX_GIVEN];
    int given_count;
    int width, height, frames;
    Size shape; /* of a picture that is stretched into the video: the video's, or that of the picture that it follows */
    double fps;
    int steps;
    double guidance_scale, shift;
    double low_guidance_scale; /* -1: the model has one expert */
    double cache_threshold;
    int steps_computed; /* 0 until they are */
    SoraSolver solver;
    uint64_t seed;
    bool watermark;
    const char *asked;   /* what the prompt was rewritten from; NULL: it was not */
    const char *const *earlier; /* of the request */
    int earlier_count;
    bool private_prompt; /* the parameters do not tell the prompts */
    const char *policy; /* of the request */
    CanvasShape latent;
} Plan;

enum { PROMPT_MAX_BYTES = 32000 };

/* The frame rate that the request will have; false when it is out of range. */
bool plan_fps(const SoraRequest *r, const Manifest *m, double *fps, SoraError *err);

/* clips: what the request gives, opened; NULL when there is nothing. Messages name the field and, for sizes, the nearest one
 * that works. plan_deinit() also after a failure. */
bool plan_make(Plan *p, const SoraRequest *r, const Manifest *m, const LatentGrid *grid, const GivenClip *clips,
               SoraError *err);
void plan_deinit(Plan *p); /* a zeroed one is allowed */

/* Does the negative prompt take part in any step? */
bool plan_is_guided(const Plan *p);

/* The parameters as a JSON object on the heap; NULL without memory. loras: as sora_engine_loras() has them. */
char *plan_json(const Plan *p, const char *model, const char *const *loras);

#endif
