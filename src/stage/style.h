/* Inside src/stage: frames painted in a style, and what captions call it. */
#ifndef SORA_STAGE_STYLE_H
#define SORA_STAGE_STYLE_H

#include "stage/caption.h"

/* A style drawn for (seed, index) with that share, else plain; it takes nothing from the other draws. */
int style_draw(uint64_t seed, uint64_t index, float share);

/* A frame in pixels, and how it differs from the others. */
typedef struct StyleFrame {
    int width, height;
    uint8_t *rgb;  /* [height, width, 3]: in place */
    uint8_t *work; /* room for the same */
    uint32_t seed; /* of the clip */
    int number;    /* of the frame: grain is another in each */
} StyleFrame;
void style_paint(int style, const StyleFrame *frame);

/* What captions call it, '|' separated, the plainest first; none for plain. */
const char *style_words(int style, StageLanguage language);
/* Adds it to a caption that is written. */
void style_say(int style, StageLanguage language, StageCaptionKind kind, Rng *rng, Text *text);

#endif
