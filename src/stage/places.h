/* The fifteen places, painted row by row: sky, what is far, and the ground. */
#ifndef SORA_STAGE_PLACES_H
#define SORA_STAGE_PLACES_H

#include "stage/backdrop.h"

enum { MAX_BLOCKS = 64 };

typedef struct Block { /* a house of the skyline, a pane of a wall */
    float x, w, h;
    Rgb colour;
    uint32_t seed;
} Block;

typedef struct PlacePainter {
    const Play *play;
    const Ground *g;
    int place, time;
    uint32_t seed;
    float scale; /* pixels per 1/128 of the shorter side */
    Rgb light;   /* of the ground and what is far, factors */
    Rgb sky_top, sky_middle, sky_bottom;
    Rgb haze;
    float haze_amount;
    float sun_x, sun_y, sun_radius, clouds;
    bool sun;                          /* sun or moon is shown */
    Rgb ground, ground2, accent, wall; /* of this clip: each clip differs a little */
    Block blocks[MAX_BLOCKS];
    int block_count;
} PlacePainter;

void places_begin(PlacePainter *painter, const Play *play, Backdrop *backdrop);
/* n pixels of a layer (0 sky, 1 far, 2 ground) from world position (x, y) on. */
void places_row(const PlacePainter *painter, int layer, float x, float y, int n, uint32_t *out);
/* True when the ground layer also rises above the horizon. */
bool places_tall_ground(int place);

#endif
