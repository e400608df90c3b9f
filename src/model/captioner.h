/* The captioner: a clip's latents to words. It looks with convolutions over each latent frame and blocks of attention over all
 * patches, without noise; it says with a causal decoder that attends to what was seen. What is said begins with a control
 * token, which names the language and the form.
 *
 * Training, all words at once:      memory = captioner_look(g, m, latents, NULL);
 *                                   logits = captioner_say(g, m, memory, &texts);
 * Saying, a token at a time:        CaptionState s = captioner_begin(g, m, memory);
 *                                   logits = captioner_next(g, m, &s, token);          the same numbers, row by row
 *
 * Latents are those of the codec, [B, F, side, side, z_dim], F <= config.frames. */
#ifndef SORA_MODEL_CAPTIONER_H
#define SORA_MODEL_CAPTIONER_H

#include "model/config.h"
#include "model/plain.h"

/* Control tokens come after the vocabulary. */
enum { CAPTIONER_LANGUAGES = 2, CAPTIONER_FORMS = 4, CAPTIONER_CONTROLS = CAPTIONER_LANGUAGES * CAPTIONER_FORMS };
typedef enum CaptionForm { FORM_TAGS, FORM_SHORT, FORM_MEDIUM, FORM_DETAILED } CaptionForm;
/* language: 0 English, 1 Japanese */
int captioner_control(const CaptionerConfig *c, int language, CaptionForm form);

typedef struct CaptionerSayBlock {
    PlainBlock self; /* norm1 and q, k, v, o are of what was said, norm2, up and down of the end */
    PlainNorm norm;
    PlainLinear q, k, v, o; /* of what was seen */
} CaptionerSayBlock;

typedef struct Captioner {
    CaptionerConfig config;
    PlainLinear in, patch;
    PlainResidual residuals[CAPTIONER_MAX_DEPTH];
    Tensor *times, *places; /* [frames, dim], [(side / 2)^2, dim] */
    PlainLinear where_in, where_out; /* of where what moves is at first, and how far it has come at last: to all patches */
    PlainBlock look[CAPTIONER_MAX_DEPTH];
    PlainNorm look_norm, say_norm;
    Tensor *tokens, *positions; /* [vocab + CAPTIONER_CONTROLS, dim], also of the logits; [text_len, dim] */
    CaptionerSayBlock say[CAPTIONER_MAX_DEPTH];
} Captioner;

/* Asks p for every tensor. Look at params_ok(p) afterwards. m must not be used after params_deinit(p). */
void captioner_bind(Captioner *m, const CaptionerConfig *c, Params *p);

/* -> memory [B * F * (side / 2)^2, dim]: a row for each patch of 2x2 places. cells, or NULL, gets what the convolutions made of each
 * place, [B * F * side^2, channels]: for training. */
Tensor *captioner_look(Graph *g, const Captioner *m, Tensor *latents, Tensor **cells);

/* The mean of each clip's rows: memory -> [clips, dim]. */
Tensor *captioner_mean(Graph *g, Tensor *memory, int64_t clips);

/* Several texts of each clip, their ids one after the other, all texts of a clip after those of the clip before. Host memory. */
typedef struct CaptionTexts {
    int clips, texts;
    const int32_t *of_clip; /* [clips]: how many of the texts */
    const int32_t *rows;    /* [texts]: ids of each, 1 to text_len */
    const int32_t *ids;     /* the control token and what follows; below vocab + CAPTIONER_CONTROLS */
} CaptionTexts;

/* -> logits of the next token after each id, [ids, vocab + CAPTIONER_CONTROLS]. memory: of all clips, equally many rows each. */
Tensor *captioner_say(Graph *g, const Captioner *m, Tensor *memory, const CaptionTexts *texts);

/* What was said so far, as keys and values of each block; in the graph's arena. A copy of it goes on by itself, as beams do. */
typedef struct CaptionState {
    int length;
    Tensor *seen_k[CAPTIONER_MAX_DEPTH], *seen_v[CAPTIONER_MAX_DEPTH]; /* [rows of memory, dim] */
    Tensor *k[CAPTIONER_MAX_DEPTH], *v[CAPTIONER_MAX_DEPTH];           /* [length, dim]; NULL at first */
} CaptionState;

/* memory: of one clip. */
CaptionState captioner_begin(Graph *g, const Captioner *m, Tensor *memory);
/* Takes a token in; -> logits of the one after it, [1, vocab + CAPTIONER_CONTROLS]. At most text_len times. */
Tensor *captioner_next(Graph *g, const Captioner *m, CaptionState *s, int32_t token);

#endif
