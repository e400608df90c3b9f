/* Clips of Emoji Stage with the answers to the probe's questions. */
#ifndef SORA_TRAIN_PROBE_CLIPS_H
#define SORA_TRAIN_PROBE_CLIPS_H

#include "tensor/graph.h"
#include "train/codec.h"
#include "train/judge.h"

typedef struct ProbeClips {
    const Stage *stage;     /* these are the caller's */
    const Answers *answers; /* with nouns found */
    const Codec *codec;     /* NULL: none */
    Graph *graph;           /* for the codec; reset */
    double codec_share;     /* of clips that go through it */
    double everyday;        /* share of everyday scenes; negative: the stage's own */
    bool change;            /* blur, noise, light and mirroring too, as in training; else clips as they are drawn */
    uint64_t seed;
    ProbeConfig config;     /* of the looks */
} ProbeClips;

/* Clip `index` as the probe sees it, [frames, side, side, 3], and its answers. Every third one holds a pair of noun and
 * colour, place or action that the models to be judged do not see: a judge must know them all. */
typedef struct ProbeClip {
    float *looks;   /* the caller's, filled */
    uint8_t *places; /* the same, [frames, h, w] (labels_of_places); NULL: not wanted */
    Labels labels;
} ProbeClip;
bool probe_clip_draw(const ProbeClips *c, uint64_t index, ProbeClip *out, SoraError *err);

/* rgb [frames, height, width, 3] through the codec, in place. */
bool codec_pass(const Codec *codec, Graph *g, uint8_t *rgb, int width, int height, int frames, SoraError *err);

/* Right answers among clips 0 .. count-1, and how many had one. */
typedef struct ProbeScore {
    int right[QUESTIONS], asked[QUESTIONS];
} ProbeScore;
bool probe_measure(const ProbeClips *c, Graph *g, const Probe *m, int count, ProbeScore *score, SoraError *err);

#endif
