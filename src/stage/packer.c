/* From the npm packages to a pack: decode, crop to what moves, shrink, compress. */
#include "stage/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include "base/file.h"

enum { CELL = 88, MAX_SOURCE = 512, MAX_LOOP = 256 };

/* Frames of a source file, straight RGBA. */
typedef struct Source {
    int width, height, frames;
    uint8_t *rgba; /* [frames, height, width, 4] */
} Source;

static bool load_source(Source *s, const char *path, SoraError *err)
{
    *s = (Source){0};
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    bool ok = false;
    WebPData data = {map.data, map.size};
    WebPAnimDecoderOptions options;
    WebPAnimDecoderOptionsInit(&options);
    WebPAnimDecoder *dec = WebPAnimDecoderNew(&data, &options);
    WebPAnimInfo info;
    if (dec == NULL || !WebPAnimDecoderGetInfo(dec, &info) || info.canvas_width > MAX_SOURCE ||
        info.canvas_height > MAX_SOURCE || info.frame_count < 1 || info.frame_count > MAX_LOOP) {
        error_set(err, SORA_ERROR_INPUT, "%s: not a WebP picture that can be used", path);
        goto out;
    }
    s->width = (int)info.canvas_width;
    s->height = (int)info.canvas_height;
    size_t bytes = (size_t)s->width * s->height * 4;
    s->rgba = malloc(bytes * info.frame_count);
    if (s->rgba == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
        goto out;
    }
    uint8_t *frame;
    int timestamp;
    while (WebPAnimDecoderHasMoreFrames(dec) && s->frames < (int)info.frame_count &&
           WebPAnimDecoderGetNext(dec, &frame, &timestamp))
        memcpy(s->rgba + bytes * s->frames++, frame, bytes);
    ok = s->frames > 0 || error_set(err, SORA_ERROR_INPUT, "%s: damaged picture", path);
out:
    WebPAnimDecoderDelete(dec);
    file_map_close(&map);
    return ok;
}

/* Keeps at most PACK_MAX_FRAMES frames: the whole loop, or [first, last] to and fro. */
static int choose_frames(const LexiconNoun *n, int available, int pick[PACK_MAX_FRAMES])
{
    if (available < 2) {
        pick[0] = 0;
        return 1;
    }
    if (n->last > n->first && n->last < available) {
        for (int i = 0; i < PACK_MAX_FRAMES; i++) {
            int half = PACK_MAX_FRAMES / 2, k = i < half ? i : PACK_MAX_FRAMES - i;
            pick[i] = n->first + (n->last - n->first) * k / half;
        }
        return PACK_MAX_FRAMES;
    }
    int count = available < PACK_MAX_FRAMES ? available : PACK_MAX_FRAMES;
    for (int i = 0; i < count; i++)
        pick[i] = available * i / count;
    return count;
}

typedef struct Crop {
    int x0, y0, x1, y1;
} Crop;

static Crop find_crop(const Source *s, const int *pick, int count)
{
    Crop c = {s->width, s->height, 0, 0};
    for (int k = 0; k < count; k++) {
        const uint8_t *p = s->rgba + (size_t)pick[k] * s->width * s->height * 4;
        for (int y = 0; y < s->height; y++)
            for (int x = 0; x < s->width; x++, p += 4) {
                if (p[3] < 24)
                    continue;
                c.x0 = x < c.x0 ? x : c.x0;
                c.x1 = x >= c.x1 ? x + 1 : c.x1;
                c.y0 = y < c.y0 ? y : c.y0;
                c.y1 = y >= c.y1 ? y + 1 : c.y1;
            }
    }
    if (c.x1 <= c.x0)
        c = (Crop){0, 0, s->width, s->height};
    return c;
}

/* One output pixel: the mean of the source area that it covers, weighted by alpha. */
static void shrink_pixel(const Source *s, const uint8_t *frame, const float box[4], uint8_t out[4])
{
    float sum[4] = {0}, area = 0;
    for (int y = (int)box[1]; y < box[3] && y < s->height; y++)
        for (int x = (int)box[0]; x < box[2] && x < s->width; x++) {
            float wx = fminf(box[2], (float)x + 1) - fmaxf(box[0], (float)x);
            float wy = fminf(box[3], (float)y + 1) - fmaxf(box[1], (float)y);
            const uint8_t *p = frame + ((size_t)y * s->width + x) * 4;
            float w = wx * wy, a = w * (float)p[3];
            for (int c = 0; c < 3; c++)
                sum[c] += a * (float)p[c];
            sum[3] += a;
            area += w;
        }
    for (int c = 0; c < 3; c++)
        out[c] = sum[3] > 0 ? (uint8_t)lrintf(sum[c] / sum[3]) : 0;
    out[3] = area > 0 ? (uint8_t)lrintf(sum[3] / area) : 0;
}

static uint8_t *make_strip(const Source *s, const int *pick, int count, int *width, int *height)
{
    Crop c = find_crop(s, pick, count);
    int cw = c.x1 - c.x0, ch = c.y1 - c.y0, longest = cw > ch ? cw : ch;
    float step = (float)longest / CELL;
    *width = (int)fmaxf(4, ceilf((float)cw / step));
    *height = (int)fmaxf(4, ceilf((float)ch / step));
    uint8_t *strip = malloc((size_t)*width * *height * count * 4), *out = strip;
    if (strip == NULL)
        return NULL;
    for (int k = 0; k < count; k++) {
        const uint8_t *frame = s->rgba + (size_t)pick[k] * s->width * s->height * 4;
        for (int y = 0; y < *height; y++)
            for (int x = 0; x < *width; x++, out += 4) {
                /* the bottom edge of the crop is the bottom edge of the cell: feet stand on it */
                float bottom = (float)c.y1 - (float)(*height - 1 - y) * step;
                float box[4] = {(float)c.x0 + (float)x * step, fmaxf(0, bottom - step),
                                (float)c.x0 + (float)(x + 1) * step, bottom};
                shrink_pixel(s, frame, box, out);
            }
    }
    return strip;
}

static bool encode_strip(const uint8_t *rgba, int width, int height, WebPMemoryWriter *out)
{
    WebPConfig config;
    WebPPicture picture;
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture))
        return false;
    config.lossless = 1;
    config.method = 4;
    config.quality = 70;
    config.near_lossless = 60;
    picture.use_argb = 1;
    picture.width = width;
    picture.height = height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = out;
    bool ok = WebPPictureImportRGBA(&picture, rgba, width * 4) && WebPEncode(&config, &picture);
    WebPPictureFree(&picture);
    return ok;
}

static bool find_art(const LexiconNoun *n, const char *root, char *path, size_t size)
{
    bool actor = n->role <= ROLE_PERSON && n->role != ROLE_FLOATER;
    bool animated = n->flags & NOUN_LOOP || (actor && !(n->flags & NOUN_STATIC));
    static const char *const SUFFIX[] = {"", "-fe0f"};
    for (int k = animated ? 1 : 5; k <= 5; k++) /* 5: the still pictures */
        for (int s = 0; s < 2; s++) {
            if (k < 5)
                snprintf(path, size, "%s/@lobehub/fluent-emoji-anim-%d/assets/%s%s.webp", root, k, n->hex,
                         SUFFIX[s]);
            else
                snprintf(path, size, "%s/@lobehub/fluent-emoji-3d/assets/%s%s.webp", root, n->hex, SUFFIX[s]);
            if (file_exists(path))
                return true;
        }
    return false;
}

typedef struct Strip {
    WebPMemoryWriter webp;
    int width, height, frames;
} Strip;

static bool build_strip(const LexiconNoun *n, const char *root, Strip *strip, SoraError *err)
{
    char path[4096];
    if (!find_art(n, root, path, sizeof path))
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: no picture %s.webp of noun \"%s\"", root, n->hex,
                         n->en);
    Source source;
    int pick[PACK_MAX_FRAMES];
    uint8_t *rgba = NULL;
    bool ok = load_source(&source, path, err);
    if (ok) {
        strip->frames = choose_frames(n, source.frames, pick);
        rgba = make_strip(&source, pick, strip->frames, &strip->width, &strip->height);
        ok = rgba != NULL || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    }
    if (ok && !encode_strip(rgba, strip->width, strip->height * strip->frames, &strip->webp))
        ok = error_set(err, SORA_ERROR_INTERNAL, "%s: cannot compress", path);
    free(rgba);
    free(source.rgba);
    return ok;
}

static void put_uint(FILE *f, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(v >> 8 * i & 255), f);
}

static void put_string(FILE *f, const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;
    put_uint(f, n, 2);
    if (n > 0)
        fwrite(s, 1, n, f);
}

static void put_noun(FILE *f, const LexiconNoun *n, const Strip *strip, uint64_t offset)
{
    char plural[128];
    snprintf(plural, sizeof plural, "%s%s", n->plural != NULL ? n->plural : n->en,
             n->plural != NULL ? "" : "s");
    const char *strings[] = {n->en, plural, n->ja, n->counter, n->verb, n->syn_en, n->syn_ja};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        put_string(f, strings[i]);
    put_uint(f, n->role, 1);
    put_uint(f, n->facing, 1);
    put_uint(f, (uint64_t)n->flags, 2);
    put_uint(f, (uint64_t)n->scale, 1);
    put_uint(f, (uint64_t)strip->frames, 1);
    put_uint(f, (uint64_t)strip->width, 2);
    put_uint(f, (uint64_t)strip->height, 2);
    put_uint(f, offset, 8);
    put_uint(f, strip->webp.size, 4);
}

static bool write_pack(const char *out_path, const Strip *strips, SoraError *err)
{
    char *table = NULL;
    size_t table_size = 0;
    FileWriter w;
    if (!file_writer_open(&w, out_path, err))
        return false;
    /* The table's size does not depend on the offsets in it: write it twice. */
    for (uint64_t pass = 0, base = 0; pass < 2; pass++, base = 16 + table_size) {
        free(table);
        FILE *f = open_memstream(&table, &table_size);
        if (f == NULL) {
            file_writer_abort(&w);
            return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", out_path);
        }
        uint64_t offset = base;
        for (size_t i = 0; i < LEXICON_COUNT; offset += strips[i++].webp.size)
            put_noun(f, &LEXICON[i], &strips[i], offset);
        fclose(f);
    }
    fwrite("SORASTG1", 1, 8, w.stream);
    put_uint(w.stream, LEXICON_COUNT, 4);
    put_uint(w.stream, table_size, 4);
    fwrite(table, 1, table_size, w.stream);
    for (size_t i = 0; i < LEXICON_COUNT; i++)
        fwrite(strips[i].webp.mem, 1, strips[i].webp.size, w.stream);
    free(table);
    return file_writer_commit(&w, err);
}

bool pack_build(const char *node_modules, const char *out_path, const PackProgress *progress, SoraError *err)
{
    Strip *strips = calloc(LEXICON_COUNT, sizeof *strips);
    if (strips == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", out_path);
    bool ok = true;
    for (size_t i = 0; i < LEXICON_COUNT; i++)
        WebPMemoryWriterInit(&strips[i].webp);
    for (size_t i = 0; ok && i < LEXICON_COUNT; i++) {
        bool goes_on = progress == NULL || progress->report(progress->user, (int)i, (int)LEXICON_COUNT);
        ok = goes_on ? build_strip(&LEXICON[i], node_modules, &strips[i], err)
                     : error_set(err, SORA_ERROR_CANCELLED, "cancelled");
    }
    ok = ok && write_pack(out_path, strips, err);
    for (size_t i = 0; i < LEXICON_COUNT; i++)
        WebPMemoryWriterClear(&strips[i].webp);
    free(strips);
    return ok;
}
