/* What turns a prompt into a video, step by step, on bound networks: the engine calls it with a model
 * folder's, the golden tests with the fixtures'. */
#ifndef SORA_ENGINE_PIPELINE_H
#define SORA_ENGINE_PIPELINE_H

#include "media/pixels.h"
#include "model/clip.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae.h"
#include "sample/canvas.h"
#include "sample/sampler.h"
#include "text/tokenizer.h"

typedef struct Pipeline {
    Graph *graph; /* reset by every function here */
    const Tokenizer *tokenizer;
    const Umt5 *text_encoder;
    const Dit *transformer; /* with two experts: that of much noise */
    const Dit *low_noise;   /* the expert of timesteps below boundary; NULL: there is one for all */
    double boundary;        /* as the transformer is told timesteps: 0 to 1000 */
    const Vae *autoencoder;
    const Clip *image_encoder; /* NULL unless the transformer listens to pictures */
    bool timestep_per_patch;   /* the transformer was trained for it: known parts stay clean */
} Pipeline;

/* Do the networks fit together? The message names the sizes that differ. */
bool pipeline_check(const Pipeline *p, SoraError *err);

/* Which expert takes a step at this timestep. */
const Dit *pipeline_expert(const Pipeline *p, double timestep);
/* Does the transformer see what is known in channels beside the latent? */
bool pipeline_has_condition(const Pipeline *p);

/* What the transformer hears: rows of the text encoder's output or of the image encoder's. */
typedef struct ContextRows {
    int64_t rows, dim;
    float *data; /* [rows, dim]; heap */
} ContextRows;

/* The ids of the cleaned text, its end included, at most max of them; -1 when it fails. */
int pipeline_tokenize(const Pipeline *p, const char *text, int32_t *ids, int max, SoraError *err);

/* What of a text is too long for the transformer. */
typedef struct TextCut {
    int pieces, heard; /* without the end */
    char *rest;        /* what is not heard; heap, NULL when that is nothing */
} TextCut;
bool pipeline_cut(const Pipeline *p, const char *text, TextCut *cut, SoraError *err);

bool pipeline_encode_text(const Pipeline *p, const char *text, ContextRows *out, SoraError *err);
void context_rows_free(ContextRows *t);

/* Pictures, of any sizes, through the image encoder; their rows one after the other. */
bool pipeline_encode_pictures(const Pipeline *p, const Pixels *const *pictures, int count, ContextRows *out,
                              SoraError *err);

/* A text, and how many frames of patches listen to it. */
typedef struct Passage {
    ContextRows text;
    int64_t frames;
} Passage;
enum { PIPELINE_MAX_PASSAGES = 64 };

typedef struct Denoising {
    SamplerConfig sampler;     /* count is set by the pipeline */
    double guidance_scale;     /* 1: negative is not used */
    double low_guidance_scale; /* the same of the low-noise expert, if there is one */
    const Canvas *canvas;
    const Passage *passages; /* one after the other, over all frames */
    int passage_count;       /* 1 to PIPELINE_MAX_PASSAGES */
    ContextRows negative;
    ContextRows pictures; /* data NULL unless the transformer listens to pictures */
    double cache_threshold; /* see sample/step_cache.h; 0: every step is computed */
    int *steps_computed;    /* counted up; may be NULL */
    float *estimate; /* [C, F, H, W]: before after_step, the video without noise as the step saw it; NULL: not wanted */
    /* After each step, with the latent [C, F, H, W] as it will go into the next one; false cancels. */
    bool (*after_step)(void *user, int done, const float *latent);
    void *user;
} Denoising;

/* latent [C, F, H, W] comes in as noise and goes out as video. */
bool pipeline_denoise(const Pipeline *p, const Denoising *d, float *latent, SoraError *err);

/* The same of a video that closes on itself: latent [C, ring, H, W] has no first frame. At each step the network sees it in
 * windows of the canvas's frames, before each of which is a still of what comes before (vae_last_still()); where they begin
 * moves from step to step, so no place is a seam ("latent shift", Bi et al. 2025, "Mobius"). The canvas gives nothing, all hear one
 * text, and every step is computed. ring: at least the canvas's frames less one. */
bool pipeline_denoise_ring(const Pipeline *p, const Denoising *d, int ring, float *latent, SoraError *err);
/* vae_last_still() of host arrays: latent and still [C, frames, H, W]. The graph is reset for a linear code alone. */
bool pipeline_last_still(const Pipeline *p, const CanvasShape *shape, const float *latent, float *still, SoraError *err);

/* A part of some frames. */
typedef struct DecodedPart {
    const float *pixels;     /* [count, height, width, 3] in -1 to 1, not clamped */
    int first, count;        /* frames */
    int x, y, width, height; /* where in them */
    int done, total;         /* parts */
} DecodedPart;
/* Called when nothing of the graph is needed: it may be trimmed. false with *err filled ends the decoding. */
typedef bool (*FrameSink)(void *user, const DecodedPart *part, SoraError *err);

/* How many latent frames are decoded at a time. */
int64_t pipeline_decode_chunk(const VaeConfig *c, const CanvasShape *shape);
/* For VaeCache.frames: large frames go through the finest levels one by one. */
int pipeline_coder_frames(const VaeConfig *c, const CanvasShape *shape);
/* About what the decoder needs for whole frames, in bytes; beyond a limit it goes in strips (DecodeJob). */
size_t pipeline_decode_bytes(const VaeConfig *c, const CanvasShape *shape);

typedef struct DecodeJob {
    CanvasShape shape;
    const float *latent; /* [C, F, H, W] */
    size_t limit;        /* bytes; 0: PIPELINE_DECODE_LIMIT */
    FrameSink sink;      /* takes frames as they appear: whole ones, or, in strips, all frames' left parts first */
    void *user;
} DecodeJob;
enum { PIPELINE_DECODE_LIMIT = 2000000000 };
bool pipeline_decode(const Pipeline *p, const DecodeJob *job, SoraError *err);

#endif
