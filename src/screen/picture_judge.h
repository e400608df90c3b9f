/* What kind of picture is it: probabilities by the network in models/pictures (its README has where it is from and how
 * good it is).
 *
 *     PictureJudge *judge = picture_judge_open(NULL, 1, &err);
 *     PictureScores scores;
 *     if (judge != NULL && picture_judge_look(judge, &picture, 1, &scores, &err) && picture_explicit(&scores) >= 0.6f)
 *         refuse();
 *     picture_judge_close(judge);
 *
 * One thread at a time. */
#ifndef SORA_SCREEN_PICTURE_JUDGE_H
#define SORA_SCREEN_PICTURE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "media/image.h"

/* In the order in which the network says them. */
typedef enum PictureClass {
    PICTURE_DRAWING,
    PICTURE_HENTAI,
    PICTURE_NEUTRAL,
    PICTURE_PORN,
    PICTURE_SEXY,
    PICTURE_CLASSES
} PictureClass;

extern const char *const PICTURE_CLASS_NAMES[PICTURE_CLASSES];

typedef struct PictureScores {
    float p[PICTURE_CLASSES]; /* their sum is 1 */
} PictureScores;

typedef struct PictureJudge PictureJudge;

/* folder: one with config.json and model.safetensors, or NULL for models/pictures where models are. threads 0: as many
 * as there are processors. NULL on failure. */
PictureJudge *picture_judge_open(const char *folder, int threads, SoraError *err);
/* The same of a file in memory, which stays the caller's: for tests of what is hostile. */
PictureJudge *picture_judge_open_memory(const char *config, const void *weights, size_t size, SoraError *err);
void picture_judge_close(PictureJudge *j); /* NULL is allowed */

/* Pictures of any size, each stretched to the network's. False when memory ran out, or the weights are such that no
 * numbers come of them. */
bool picture_judge_look(PictureJudge *j, const Image *pictures, int count, PictureScores *scores, SoraError *err);

/* The probability that it is sexually explicit, drawn or not. */
static inline float picture_explicit(const PictureScores *s)
{
    return s->p[PICTURE_HENTAI] + s->p[PICTURE_PORN];
}

#endif
