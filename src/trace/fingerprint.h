/* What a video looks like, in few bytes: a grey thumbnail of 32 x 32 for up to 12 frames of each second.
 * Two fingerprints are compared after finding out which part of one picture the other shows, mirrored or not,
 * and which part of its time; the comparison looks at local contrast, so brightness does not matter.
 *
 *     Fingerprint f;
 *     fingerprint_init(&f, FINGERPRINT_STORED_RATE);
 *     for (int i = 0; ok && i < frames; i++)
 *         ok = fingerprint_add(&f, &(FingerprintPicture){width, height, rgb[i]}, i / fps, &err);
 *     fingerprint_end(&f, frames / fps);
 *     ...
 *     fingerprint_deinit(&f); */
#ifndef SORA_TRACE_FINGERPRINT_H
#define SORA_TRACE_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    FINGERPRINT_SIDE = 32,
    FINGERPRINT_CELLS = FINGERPRINT_SIDE * FINGERPRINT_SIDE,
    FINGERPRINT_MAX_FRAMES = 1200,
    FINGERPRINT_STORED_RATE = 12, /* frames a second: enough to find each of them again ... */
    FINGERPRINT_QUERY_RATE = 24,  /* ... in a file whose own frames lie between */
};

typedef struct FingerprintFrame {
    uint32_t time;                    /* ms from the beginning */
    uint8_t cells[FINGERPRINT_CELLS]; /* mean luma of each cell, row by row */
} FingerprintFrame;

typedef struct Fingerprint {
    FingerprintFrame *frames; /* at least one once built, times increase; heap */
    int count, capacity;
    uint32_t end;     /* ms; the last frame is shown until then */
    uint32_t spacing; /* ms; a frame that follows the last one sooner is left out */
} Fingerprint;

typedef struct FingerprintPicture {
    int width, height;  /* pixels, at least 1 */
    const uint8_t *rgb; /* [height, width, 3] */
} FingerprintPicture;

void fingerprint_init(Fingerprint *f, int rate);
void fingerprint_deinit(Fingerprint *f); /* a zeroed one is allowed */

/* The frame that is shown from `seconds` on, 0 or more. One that looks like the last one is not kept. Long
 * videos lose every other frame whenever there are
 * FINGERPRINT_MAX_FRAMES, so memory is bounded. */
bool fingerprint_add(Fingerprint *f, const FingerprintPicture *picture, double seconds, SoraError *err);
void fingerprint_end(Fingerprint *f, double seconds);

/* A video or picture file, which may be anybody's, told by content. Initialises f; rate as above. */
bool fingerprint_read_file(Fingerprint *f, const char *path, int rate, SoraError *err);

/* Bytes for keeping: end and frames, little endian; free() them. NULL without memory. Decoding checks all
 * that comparing relies on; the bytes may be anybody's. */
uint8_t *fingerprint_encode(const Fingerprint *f, size_t *size, SoraError *err);
bool fingerprint_decode(Fingerprint *f, const uint8_t *data, size_t size, SoraError *err);

#endif
