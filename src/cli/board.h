/* A storyboard: what is said and shown when. As a file:
 *
 *     {"seconds": 8, "fps": 12, "size": "256x256", "cards": [
 *         {"at": 0, "prompt": "a fox runs in the snow"},
 *         {"at": 2.5, "prompt": "it stops and looks up"},
 *         {"at": 4, "file": "fox.png"},
 *         {"at": 5, "file": "owl.mp4", "from": 1.5, "to": 2.5}]}
 *
 * All but cards, at and one of prompt and file may be left out. Cards go in their order; a card may have both words and a file.
 * Files are looked for in the board's folder. */
#ifndef SORA_CLI_BOARD_H
#define SORA_CLI_BOARD_H

#include <jansson.h>
#include <sora.h>

enum { BOARD_MAX_CARDS = 64 };

typedef struct Board {
    double seconds, fps; /* 0: not said */
    int width, height;
    SoraPassage passages[BOARD_MAX_CARDS];
    SoraGiven given[BOARD_MAX_CARDS];
    int passage_count, given_count, cards;
    double last;   /* when the last card begins */
    json_t *json;  /* what the strings are part of */
    char *files[BOARD_MAX_CARDS]; /* heap; paths from here */
} Board;

/* Zero b before. Messages name the card. board_deinit() also after a failure. */
bool board_read(Board *b, const char *path, SoraError *err);
/* The same from "0:a fox runs", "4:fox.png": what names a file with the ending of one is a file. */
bool board_add(Board *b, const char *card, SoraError *err);
void board_deinit(Board *b);

#endif
