/* Inside src/stage: a stage, and a play on it: actors with a pose for every frame. */
#ifndef SORA_STAGE_WORLD_H
#define SORA_STAGE_WORLD_H

#include "base/arena.h"
#include "base/rng.h"
#include "stage/pack.h"
#include "stage/stage.h"

struct Stage {
    Pack *pack;
    /* drawing lots: cumulative weights of the nouns that can be subjects */
    int *lots, lot_count;
};

/* One actor at one moment, in picture pixels before the camera moves. */
typedef struct Pose {
    float x, y;     /* bottom centre of the upright sprite */
    float size;     /* longest side of the sprite's cell */
    float rotation; /* radians, clockwise, about the centre */
    float squash;   /* height factor; width gets its inverse */
    float shadow_y; /* where its shadow lies; < 0: none */
    float order;    /* painter's order: larger is nearer */
    float phase;    /* frames into the loop */
    bool mirror;
} Pose;

typedef struct Player {
    int noun, colour;
    bool prop;
    float parallax; /* how much of the camera's pan moves it */
    Pose *poses;    /* [frames] */
    int *contacts;  /* [frames], -1: none */
} Player;

enum { MAX_PLAYERS = 10 };

/* Where things are for this picture size and place. */
typedef struct Ground {
    float width, height, unit; /* unit: the shorter side */
    float horizon;             /* y of the horizon */
    float lane;                /* y where the main actor's feet are */
    float air;                 /* y of the middle of the air (or water, or space) */
    bool open;                 /* no ground at all: space, sky, underwater mid-water */
} Ground;

typedef struct Play {
    const Stage *stage;
    StageScene scene;
    int style;
    Rng rng;
    int width, height, frames;
    double fps;
    Ground ground;
    Player players[MAX_PLAYERS];
    int player_count;
    float *pan_x, *pan_y, *zoom; /* [frames]: camera */
    float speed;                 /* 0 slow, 1 normal, 2 fast, for the captions */
    Arena *arena;
} Play;

#endif
