/* Inside src/stage: captions of a clip, in two languages, of what can be seen in it. */
#ifndef SORA_STAGE_CAPTION_H
#define SORA_STAGE_CAPTION_H

#include "stage/text.h"
#include "stage/world.h"

/* What may be said: the scene, less what cannot be seen. */
typedef struct Facts {
    const Play *play;
    StageScene scene; /* other is STAGE_NOBODY when it is hardly visible */
    const Noun *noun, *other_noun;
    bool still; /* a single picture: nothing moves */
    bool sunny;
    int other_side;      /* the bystander is -1 left, 1 right of the subject, 0 unclear */
    int prop, prop_side; /* a piece of scenery that is well visible, or STAGE_NOBODY */
    Rng rng;
} Facts;

/* caption_en.c, caption_ja.c: one caption. */
void caption_english(Facts *facts, StageCaptionKind kind, Text *out);
void caption_japanese(Facts *facts, StageCaptionKind kind, Text *out);

/* What of a scene has words. */
typedef enum WordClass {
    WORDS_NOUNS,
    WORDS_SCENERY, /* nouns that stand by */
    WORDS_COLOURS,
    WORDS_COUNTS,
    WORDS_ACTIONS,
    WORDS_DIRECTIONS,
    WORDS_PLACES,
    WORDS_TIMES,
    WORDS_WEATHERS,
    WORDS_CAMERAS,
    WORDS_STYLES,
    WORDS_OTHERS, /* what captions say besides */
} WordClass;
enum { WORD_CLASSES = WORDS_OTHERS + 1 };

/* What captions call the value, '|' separated, the plainest first; some items are whole sentences, some are empty. noun: of
 * nouns and actions. */
void caption_english_words(WordClass class, int value, const Noun *noun, Text *out);
void caption_japanese_words(WordClass class, int value, const Noun *noun, Text *out);

/* All captions of a clip that is rendered. False when out of memory. */
bool caption_clip(const Play *play, StageClip *clip);

#endif
