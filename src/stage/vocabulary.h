/* The words of the stage: each list once, with the properties of its words. Enums, names in JSON, and the choices of the
 * command line are made of them. Pairs that are held out and random draws depend on the order; add at the end. */
#ifndef SORA_STAGE_VOCABULARY_H
#define SORA_STAGE_VOCABULARY_H

/* X(enum name, name) */
#define STAGE_COLOURS(X)                                                                                                 \
    X(NATIVE, "native") X(RED, "red") X(ORANGE, "orange") X(YELLOW, "yellow") X(GREEN, "green") X(BLUE, "blue")         \
    X(PURPLE, "purple") X(PINK, "pink") X(BROWN, "brown") X(BLACK, "black") X(WHITE, "white")

#define STAGE_ACTIONS(X)                                                                                                 \
    X(IDLE, "idle")                                                                                                      \
    X(WALK, "walk")                                                                                                      \
    X(RUN, "run")                                                                                                        \
    X(CRAWL, "crawl")                                                                                                    \
    X(DRIVE, "drive")                                                                                                    \
    X(RIDE, "ride")                                                                                                      \
    X(FLY, "fly")                                                                                                        \
    X(SWIM, "swim")                                                                                                      \
    X(SAIL, "sail")                                                                                                      \
    X(HOP, "hop")       /* up and down on the spot */                                                                    \
    X(LEAP, "leap")     /* hops sideways */                                                                              \
    X(FALL, "fall")     /* from above to the ground, bounces */                                                          \
    X(BOUNCE, "bounce") /* goes sideways in bounces */                                                                   \
    X(ROLL, "roll")                                                                                                      \
    X(FLOAT_UP, "float up")                                                                                              \
    X(FLY_UP, "fly up")                                                                                                  \
    X(SPIN, "spin")                                                                                                      \
    X(GROW, "grow")                                                                                                      \
    X(SHRINK, "shrink")                                                                                                  \
    X(COME, "come") /* nearer, larger */                                                                                 \
    X(DANCE, "dance")                                                                                                    \
    X(HOVER, "hover")        /* in the air, on the spot; above `other` when there is one */                              \
    X(CIRCLE, "circle")      /* around `other`, before it and behind it */                                               \
    X(KNOCK, "knock")        /* rolls into `other` and knocks it away */                                                 \
    X(BEHIND, "pass behind") /* passes behind `other` and comes out */                                                   \
    X(CHASE, "chase")        /* goes after `other`, which flees the same way */                                          \
    X(THROW, "throw")        /* flies in an arc */

#define STAGE_DIRECTIONS(X)                                                                                              \
    X(NONE, "none") X(LEFT, "left") X(RIGHT, "right") X(UP, "up") X(DOWN, "down") X(NEAR, "near")

/* X(enum name, name, outdoors): outdoors there is daylight and weather. */
#define STAGE_PLACES(X)                                                                                                  \
    X(MEADOW, "meadow", 1)                                                                                               \
    X(FOREST, "forest", 1)                                                                                               \
    X(BEACH, "beach", 1)                                                                                                 \
    X(DESERT, "desert", 1)                                                                                               \
    X(SNOW, "snow", 1)                                                                                                   \
    X(CITY, "city", 1)                                                                                                   \
    X(LAKE, "lake", 1)                                                                                                   \
    X(UNDERWATER, "underwater", 0)                                                                                       \
    X(SPACE, "space", 0)                                                                                                 \
    X(MOON, "moon", 0)                                                                                                   \
    X(ROOM, "room", 0)                                                                                                   \
    X(THEATRE, "theatre", 0)                                                                                             \
    X(SKY, "sky", 1)                                                                                                     \
    X(FARM, "farm", 1)                                                                                                   \
    X(PITCH, "pitch", 1)

#define STAGE_TIMES(X) X(DAY, "day") X(SUNSET, "sunset") X(NIGHT, "night") X(DAWN, "dawn")
#define STAGE_WEATHERS(X) X(CLEAR, "clear") X(RAIN, "rain") X(SNOW, "snow") X(FOG, "fog")
#define STAGE_CAMERAS(X)                                                                                                 \
    X(STATIC, "static") X(PAN_LEFT, "pan left") X(PAN_RIGHT, "pan right") X(ZOOM_IN, "zoom in") X(ZOOM_OUT, "zoom out")  \
    X(RISE, "rise") X(FOLLOW, "follow")

/* How it is painted; the words of src/cli/styles.json. */
#define STAGE_STYLES(X)                                                                                                  \
    X(PLAIN, "plain") X(PENCIL, "pencil") X(WATERCOLOR, "watercolor") X(PIXEL_ART, "pixel-art") X(SEPIA, "sepia")       \
    X(NIGHT_VISION, "night-vision") X(NOIR, "noir")

/* The first word has the value 0. */
#define X(id, ...) COLOUR_##id,
typedef enum StageColour { STAGE_COLOURS(X) COLOUR_COUNT } StageColour;
#undef X
#define X(id, ...) ACTION_##id,
typedef enum StageAction { STAGE_ACTIONS(X) ACTION_COUNT } StageAction;
#undef X
#define X(id, ...) DIRECTION_##id,
typedef enum StageDirection { STAGE_DIRECTIONS(X) DIRECTION_COUNT } StageDirection;
#undef X
#define X(id, ...) PLACE_##id,
typedef enum StagePlace { STAGE_PLACES(X) PLACE_COUNT } StagePlace;
#undef X
#define X(id, ...) TIME_##id,
typedef enum StageTime { STAGE_TIMES(X) TIME_COUNT } StageTime;
#undef X
#define X(id, ...) WEATHER_##id,
typedef enum StageWeather { STAGE_WEATHERS(X) WEATHER_COUNT } StageWeather;
#undef X
#define X(id, ...) CAMERA_##id,
typedef enum StageCamera { STAGE_CAMERAS(X) CAMERA_COUNT } StageCamera;
#undef X

#define X(id, ...) STYLE_##id,
typedef enum StageStyle { STAGE_STYLES(X) STYLE_COUNT } StageStyle;
#undef X

/* STAGE_PLACES(STAGE_CHOICE) is "|meadow|forest|...". */
#define STAGE_CHOICE(id, name, ...) "|" name

/* The places of which it holds, a bit each. */
#define X(id, name, outdoors) | outdoors << PLACE_##id
enum { STAGE_OUTDOORS = 0 STAGE_PLACES(X) };
#undef X

#endif
