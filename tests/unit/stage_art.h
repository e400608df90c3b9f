/* Stand-in art for the tests of the stage: an orange disc with a dark spot on its left for every noun, the
 * dog as an animation of three frames; and a pack of it. */
#ifndef SORA_TESTS_STAGE_ART_H
#define SORA_TESTS_STAGE_ART_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <webp/encode.h>

#include "base/file.h"
#include "stage/lexicon.h"
#include "stage/pack.h"
#include "stage/stage.h"

enum { ART_SIDE = 64 };

static char art_dir[] = "/tmp/sora-stage-test-XXXXXX";
static char art_pack[64];

static size_t art_picture(int spot, uint8_t **webp)
{
    static uint8_t rgba[ART_SIDE * ART_SIDE * 4];
    for (int y = 0; y < ART_SIDE; y++)
        for (int x = 0; x < ART_SIDE; x++) {
            uint8_t *p = rgba + 4 * (y * ART_SIDE + x);
            int dx = 2 * x + 1 - ART_SIDE, dy = 2 * y + 1 - ART_SIDE,
                in = dx * dx + dy * dy < ART_SIDE * ART_SIDE;
            int dark = (x - 14) * (x - 14) + (y - spot) * (y - spot) < 36;
            p[0] = dark ? 30 : 240;
            p[1] = dark ? 20 : 140;
            p[2] = dark ? 20 : 30;
            p[3] = in ? 255 : 0;
        }
    return WebPEncodeLosslessRGBA(rgba, ART_SIDE, ART_SIDE, ART_SIDE * 4, webp);
}

static void art_put(FILE *f, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc(i < 4 ? (int)(v >> 8 * i & 255) : 0, f);
}

/* RIFF with VP8X, ANIM and three ANMF chunks: https://developers.google.com/speed/webp/docs/riff_container */
static int art_write_animation(const char *path)
{
    uint8_t *webp[3];
    uint32_t size[3], total = 4 + 18 + 14;
    for (int i = 0; i < 3; i++) {
        size[i] = (uint32_t)art_picture(24 + 8 * i, &webp[i]) - 12; /* without the RIFF header */
        total += 8 + 16 + size[i];
    }
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return -1;
    fputs("RIFF", f), art_put(f, total, 4), fputs("WEBPVP8X", f);
    art_put(f, 10, 4), art_put(f, 0x12, 4), art_put(f, ART_SIDE - 1, 3), art_put(f, ART_SIDE - 1, 3);
    fputs("ANIM", f), art_put(f, 6, 4), art_put(f, 0, 4), art_put(f, 0, 2);
    for (int i = 0; i < 3; i++) {
        fputs("ANMF", f), art_put(f, 16 + size[i], 4), art_put(f, 0, 6);
        art_put(f, ART_SIDE - 1, 3), art_put(f, ART_SIDE - 1, 3), art_put(f, 42, 3), art_put(f, 2, 1);
        fwrite(webp[i] + 12, 1, size[i], f);
        WebPFree(webp[i]);
    }
    return fclose(f);
}

static int art_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int art_setup(void **state)
{
    if (mkdtemp(art_dir) == NULL)
        return -1;
    char path[512];
    SoraError err = {0};
    snprintf(path, sizeof path, "%s/@lobehub/fluent-emoji-anim-1/assets", art_dir);
    if (!dir_make(path, &err))
        return -1;
    snprintf(path, sizeof path, "%s/@lobehub/fluent-emoji-anim-1/assets/1f415.webp", art_dir);
    if (art_write_animation(path) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/@lobehub/fluent-emoji-3d/assets", art_dir);
    if (!dir_make(path, &err))
        return -1;
    uint8_t *webp;
    size_t size = art_picture(32, &webp);
    for (size_t i = 0; i < LEXICON_COUNT; i++) {
        snprintf(path, sizeof path, "%s/@lobehub/fluent-emoji-3d/assets/%s.webp", art_dir, LEXICON[i].hex);
        FILE *f = fopen(path, "wb");
        if (f == NULL || fwrite(webp, 1, size, f) != size || fclose(f) != 0)
            return -1;
    }
    WebPFree(webp);
    snprintf(art_pack, sizeof art_pack, "%s/stage.pack", art_dir);
    if (!pack_build(art_dir, art_pack, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    return 0;
}

static int art_teardown(void **state)
{
    return nftw(art_dir, art_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
