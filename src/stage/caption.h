/* Inside src/stage: what the two languages share. */
#ifndef SORA_STAGE_CAPTION_H
#define SORA_STAGE_CAPTION_H

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

typedef struct Text {
    char s[1536];
    size_t n;
} Text;

void text_add(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One of the '|' separated items of list, at random; the buffer is thread-local to the caller. */
const char *text_pick(Rng *rng, const char *list, char buffer[128]);
/* Item k of the list; "" past the end. */
const char *text_item(const char *list, int k, char buffer[128]);

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
    WORDS_OTHERS, /* what captions say besides */
} WordClass;
enum { WORD_CLASSES = WORDS_OTHERS + 1 };

/* What captions call the value, '|' separated, the plainest first; some
 * items are whole sentences, some are empty. noun:
 * of nouns and actions. */
void caption_english_words(WordClass class, int value, const Noun *noun, Text *out);
void caption_japanese_words(WordClass class, int value, const Noun *noun, Text *out);

#endif
