/* A trained probe that looks at videos and says what is in them. */
#ifndef SORA_TRAIN_JUDGE_H
#define SORA_TRAIN_JUDGE_H

#include "model/probe.h"
#include "tensor/graph.h"
#include "train/questions.h"

typedef struct Verdict {
    int answer[QUESTIONS]; /* the most probable */
    /* The most probable colour that is not native; native only where that is ten times as probable, since many things
     * look the same in their own colour and painted in it. For when a colour was asked for by name. */
    int named_colour;
} Verdict;

/* Does the verdict answer question q with want, an answer's number? */
bool verdict_right(const Verdict *v, Question q, int want);

/* Verdicts for a batch of looks: frames F32 [count, T, side, side, 3], host memory. The graph is reset. */
bool probe_answer(Graph *g, const Probe *m, const float *frames, int count, Verdict *out, SoraError *err);

typedef struct Judge Judge;

/* DIR/config.json and DIR/model.safetensors. The backend is the caller's and outlives the judge. */
Judge *judge_open(const char *folder, Backend *backend, SoraError *err);
void judge_close(Judge *j);
const Answers *judge_answers(const Judge *j);
bool judge_find_nouns(Judge *j, const Stage *stage, SoraError *err); /* answers_find_nouns() */

/* A video's frames, the caller's: each packed RGB of width x height; at least one. */
typedef struct JudgeVideo {
    const uint8_t *const *frames;
    int count, width, height;
} JudgeVideo;
bool judge_look(Judge *j, const JudgeVideo *video, Verdict *verdict, SoraError *err);

#endif
