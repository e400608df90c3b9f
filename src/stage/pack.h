/* The art of the stage in one file: nouns with their words, and for each a strip of frames as lossless WebP.
 *
 * Layout, little-endian:
 *   0  8 bytes  "SORASTG1"
 *   8  u32      number of nouns, 1 .. PACK_MAX_NOUNS
 *   12 u32      bytes of the table that follows at 16
 *   16 table    per noun: en, plural, ja, counter, verb, syn_en, syn_ja (each u16 length and UTF-8 bytes),
 *               u8 role, u8 facing, u16 flags, u8 scale, u8 frames, u16 width, u16 height,
 *               u64 offset and u32 size of the strip in the file
 *      strips   WebP, width x (height * frames)
 * Every field is checked when the pack is opened; strips are decoded when first asked for. */
#ifndef SORA_STAGE_PACK_H
#define SORA_STAGE_PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>
#include "base/error.h"
#include "stage/lexicon.h"

enum { PACK_MAX_NOUNS = 4096, PACK_MAX_CELL = 128, PACK_MAX_FRAMES = 24, ART_LEVELS = 3 };

/* Frames of one noun, premultiplied RGBA (bytes r,g,b,a), with two halvings for small sizes. */
typedef struct Art {
    int width, height, frames;   /* of level 0 */
    uint32_t *level[ART_LEVELS]; /* [frames, height >> l, width >> l], at least 1 x 1 */
    float hue;                   /* dominant hue in degrees; < 0 when the art is grey */
    int opaque[PACK_MAX_FRAMES]; /* texels of level 0 that clearly cover, per frame */
    float body_luma;             /* mean brightness of the body, 0..1: what recolouring scales by */
} Art;

typedef struct Noun {
    const char *en, *plural, *ja, *counter, *verb, *syn_en, *syn_ja; /* "" when there is none */
    StageRole role;
    StageFacing facing;
    int flags;
    float scale;
    int width, height, frames;
    uint64_t offset;
    uint32_t size;
    _Atomic(Art *) art; /* NULL until first used */
} Noun;

typedef struct Pack Pack;

Pack *pack_open(const char *path, SoraError *err);
/* The bytes are the caller's and must live as long as the pack; name is for messages. */
Pack *pack_open_memory(const void *data, size_t size, const char *name, SoraError *err);
void pack_close(Pack *pack);
int pack_count(const Pack *pack);
const Noun *pack_noun(const Pack *pack, int i);
/* Decoded once and kept; safe from several threads. NULL with *err when the strip is damaged. */
const Art *pack_art(const Pack *pack, int i, SoraError *err);

/* Told of each noun before its picture is packed; false cancels. */
typedef struct PackProgress {
    bool (*report)(void *user, int done, int total);
    void *user;
} PackProgress;

/* Builds a pack from an npm folder: DIR/@lobehub/fluent-emoji-3d and -anim-1 .. -4. progress may be NULL. */
bool pack_build(const char *node_modules, const char *out_path, const PackProgress *progress, SoraError *err);

#endif
