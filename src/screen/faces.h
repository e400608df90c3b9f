/* Faces of people: looked for by the program facedetect (Debian's package of that name: OpenCV's Haar cascade for faces
 * seen from the front), in a process of its own, on pixels that were decoded already. docs/safety.md has what it finds
 * and misses. */
#ifndef SORA_SCREEN_FACES_H
#define SORA_SCREEN_FACES_H

#include <stdbool.h>
#include "base/error.h"
#include "media/image.h"

bool faces_can_be_found(void); /* is the program there? */

/* Up to four pictures beside each other, so that it is started once for them. */
typedef struct FaceSheet {
    Image image; /* zeroed at first */
    int count;
} FaceSheet;

enum { FACE_SHEET_MOST = 4 };

/* Adds a picture, shrunk or enlarged to its place; count must be below FACE_SHEET_MOST. */
bool face_sheet_add(FaceSheet *sheet, const Image *picture, SoraError *err);
/* How many faces are on it; it is empty afterwards. False when the program is not there or failed. */
bool face_sheet_look(FaceSheet *sheet, int *faces, SoraError *err);
void face_sheet_deinit(FaceSheet *sheet);

#endif
