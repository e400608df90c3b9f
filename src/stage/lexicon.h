/* The nouns of the stage: what `sora stage fetch` packs. The pack carries all of it, so that nothing but
 * the pack is needed afterwards. */
#ifndef SORA_STAGE_LEXICON_H
#define SORA_STAGE_LEXICON_H

#include <stddef.h>

/* What a noun does by nature; decides its actions, verbs and places. Values are stored in packs. */
typedef enum StageRole {
    ROLE_WALKER = 0, /* legs, seen from the side: walks, runs, hops */
    ROLE_CRAWLER,    /* snail, turtle, snake: crawls */
    ROLE_HOPPER,     /* faces and front views: hop, look */
    ROLE_FLYER,      /* wings */
    ROLE_AIRCRAFT,   /* helicopter, aeroplane, flying saucer */
    ROLE_ROCKET,     /* points up; flies up */
    ROLE_FLOATER,    /* balloon, parachute */
    ROLE_SWIMMER,    /* fish */
    ROLE_BOAT,
    ROLE_VEHICLE,
    ROLE_RIDER,  /* cyclist, skier: moves sideways by its own verb, kept in `verb` */
    ROLE_PERSON, /* stands, dances, jumps */
    ROLE_BALL,
    ROLE_FRUIT, /* falls, bounces, rolls */
    ROLE_THING,
    ROLE_PLANT, /* scenery that one can hide behind or fly above */
    ROLE_BUILDING,
    ROLE_CELESTIAL, /* planets and the like: in space and sky */
    ROLE_COUNT,
} StageRole;

/* Which way the art looks as drawn. */
typedef enum StageFacing {
    FACING_LEFT = 0,
    FACING_RIGHT,
    FACING_FRONT,    /* symmetric enough to move either way */
    FACING_UP_RIGHT, /* rocket, aeroplane: turned by the renderer */
} StageFacing;

enum {
    NOUN_HUE = 1,      /* recolour the pixels of the dominant hue */
    NOUN_TINT = 2,     /* recolour all light, low-saturation and dominant pixels: grey and brown animals */
    NOUN_BOOST = 4,    /* drawn three times as often */
    NOUN_COLOURED = 8, /* always recoloured ("ball") */
    NOUN_ROUND = 16,   /* rolls */
    NOUN_TALL = 32,    /* large enough to hide an actor */
    NOUN_STATIC = 64,  /* an actor whose still picture is better than its animation */
    NOUN_LOOP = 128,   /* a thing or building whose animation is wanted */
    NOUN_SPACE = 256,  /* floats in space too */
};

typedef struct LexiconNoun {
    const char *hex;         /* file name of the art, without extension */
    const char *en, *plural; /* plural NULL: en + "s" */
    const char *ja, *counter;
    StageRole role;
    StageFacing facing;
    int flags;
    int scale;                   /* size among its kind, per cent */
    int first, last;             /* frames of the 72-frame loop to play to and fro; 0,0: the whole loop */
    const char *verb;            /* ROLE_RIDER: "ride|rides|走る"; else NULL */
    const char *syn_en, *syn_ja; /* other words, '|' between; NULL: none */
} LexiconNoun;

extern const LexiconNoun LEXICON[];
extern const size_t LEXICON_COUNT;

#endif
