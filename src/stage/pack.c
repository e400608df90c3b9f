#include "stage/pack.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include "base/file.h"

struct Pack {
    char *path;
    FileMap map; /* opened by us if `mapped`, else the caller's bytes */
    bool mapped;
    int count;
    Noun *nouns;
    char *strings; /* the table's strings, each with its 0 */
    pthread_mutex_t lock;
};

typedef struct Reader {
    const uint8_t *p, *end;
    bool bad; /* ran past the end: sticky */
} Reader;

static uint64_t read_uint(Reader *r, int bytes)
{
    if (r->bad || r->end - r->p < bytes) {
        r->bad = true;
        return 0;
    }
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)r->p[i] << 8 * i;
    r->p += bytes;
    return v;
}

/* Copies a string behind *out; a string of the table is at most 2 bytes longer there than here. */
static const char *read_string(Reader *r, char **out)
{
    size_t n = read_uint(r, 2);
    if (r->bad || (size_t)(r->end - r->p) < n || memchr(r->p, 0, n) != NULL) {
        r->bad = true;
        return "";
    }
    char *s = *out;
    memcpy(s, r->p, n);
    s[n] = 0;
    r->p += n;
    *out += n + 1;
    return s;
}

static bool read_noun(Pack *pack, Reader *r, Noun *n, char **strings)
{
    const char **fields[] = {&n->en, &n->plural, &n->ja, &n->counter, &n->verb, &n->syn_en, &n->syn_ja};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *fields[i] = read_string(r, strings);
    int role = (int)read_uint(r, 1), facing = (int)read_uint(r, 1);
    n->flags = (int)read_uint(r, 2);
    n->scale = (float)read_uint(r, 1) / 100.0f;
    n->frames = (int)read_uint(r, 1);
    n->width = (int)read_uint(r, 2);
    n->height = (int)read_uint(r, 2);
    n->offset = read_uint(r, 8);
    n->size = (uint32_t)read_uint(r, 4);
    if (r->bad || role >= ROLE_COUNT || facing > FACING_UP_RIGHT)
        return false;
    n->role = (StageRole)role;
    n->facing = (StageFacing)facing;
    if (n->en[0] == 0 || n->ja[0] == 0 || n->plural[0] == 0 || n->scale < 0.2f)
        return false;
    if (n->frames < 1 || n->frames > PACK_MAX_FRAMES || n->width < 4 || n->width > PACK_MAX_CELL ||
        n->height < 4 || n->height > PACK_MAX_CELL)
        return false;
    if (n->offset > pack->map.size || n->size > pack->map.size - n->offset || n->size == 0)
        return false;
    int w, h;
    return WebPGetInfo(pack->map.data + n->offset, n->size, &w, &h) && w == n->width &&
           h == n->height * n->frames;
}

static bool read_table(Pack *pack, SoraError *err)
{
    if (pack->map.size < 16 || memcmp(pack->map.data, "SORASTG1", 8) != 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: not a stage pack", pack->path);
    Reader r = {pack->map.data + 8, pack->map.data + pack->map.size, false};
    uint64_t count = read_uint(&r, 4), table = read_uint(&r, 4);
    if (count < 1 || count > PACK_MAX_NOUNS || table > pack->map.size - 16)
        return error_set(err, SORA_ERROR_INPUT, "%s: damaged header", pack->path);
    r.end = r.p + table;
    pack->nouns = calloc(count, sizeof *pack->nouns);
    pack->strings = malloc(table + 1);
    if (pack->nouns == NULL || pack->strings == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", pack->path);
    char *strings = pack->strings;
    for (uint64_t i = 0; i < count; i++) {
        if (!read_noun(pack, &r, &pack->nouns[i], &strings))
            return error_set(err, SORA_ERROR_INPUT, "%s: damaged entry of noun %d", pack->path, (int)i);
        pack->count++;
    }
    if (r.p != r.end)
        return error_set(err, SORA_ERROR_INPUT, "%s: %zu stray bytes after the nouns", pack->path,
                         (size_t)(r.end - r.p));
    return true;
}

static Pack *new_pack(const char *name, SoraError *err)
{
    Pack *pack = calloc(1, sizeof *pack);
    if (pack == NULL || (pack->path = strdup(name)) == NULL) {
        free(pack);
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
        return NULL;
    }
    pthread_mutex_init(&pack->lock, NULL);
    return pack;
}

Pack *pack_open(const char *path, SoraError *err)
{
    Pack *pack = new_pack(path, err);
    if (pack == NULL)
        return NULL;
    pack->mapped = file_map_open(&pack->map, path, err);
    if (pack->mapped && read_table(pack, err))
        return pack;
    pack_close(pack);
    return NULL;
}

Pack *pack_open_memory(const void *data, size_t size, const char *name, SoraError *err)
{
    Pack *pack = new_pack(name, err);
    if (pack == NULL)
        return NULL;
    pack->map = (FileMap){.data = data, .size = size};
    if (read_table(pack, err))
        return pack;
    pack_close(pack);
    return NULL;
}

static void free_art(Art *art)
{
    for (int l = 0; art != NULL && l < ART_LEVELS; l++)
        free(art->level[l]);
    free(art);
}

void pack_close(Pack *pack)
{
    if (pack == NULL)
        return;
    for (int i = 0; i < pack->count; i++)
        free_art(atomic_load(&pack->nouns[i].art));
    pthread_mutex_destroy(&pack->lock);
    if (pack->mapped)
        file_map_close(&pack->map);
    free(pack->nouns);
    free(pack->strings);
    free(pack->path);
    free(pack);
}

int pack_count(const Pack *pack)
{
    return pack->count;
}

const Noun *pack_noun(const Pack *pack, int i)
{
    return &pack->nouns[i];
}

/* Halves [frames, h, w] by averaging; odd last rows and columns are dropped. */
static void halve(const uint32_t *in, uint32_t *out, int w, int h, int frames)
{
    int ow = w / 2 > 0 ? w / 2 : 1, oh = h / 2 > 0 ? h / 2 : 1;
    for (int f = 0; f < frames; f++)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++) {
                const uint32_t *p = in + ((size_t)f * h + 2 * y) * w + 2 * x;
                size_t dx = w > 1, dy = h > 1 ? (size_t)w : 0;
                uint32_t v = 0;
                for (int s = 0; s < 32; s += 8) {
                    uint32_t sum =
                        (p[0] >> s & 255) + (p[dx] >> s & 255) + (p[dy] >> s & 255) + (p[dx + dy] >> s & 255);
                    v |= (sum + 2) / 4 << s;
                }
                *out++ = v;
            }
}

/* Dominant hue from a histogram of 36 bins weighted by saturation and brightness. The windows of vehicles
 * (light blue) do not count. */
static void measure_colour(Art *art, bool windows)
{
    double bins[36] = {0}, saturated = 0, luma = 0, total = 0;
    const uint32_t *px = art->level[0];
    for (int i = 0; i < art->width * art->height; i++) {
        uint32_t p = px[i];
        if (p >> 24 < 200)
            continue;
        float r = (float)(p & 255), g = (float)(p >> 8 & 255), b = (float)(p >> 16 & 255);
        float max = fmaxf(r, fmaxf(g, b)), min = fminf(r, fminf(g, b)), c = max - min;
        total++;
        if (c > 0.25f * max && max > 50) {
            float hue = max == r ? fmodf((g - b) / c + 6, 6) : max == g ? (b - r) / c + 2 : (r - g) / c + 4;
            if (windows && hue > 2.9f && hue < 3.5f)
                continue;
            bins[(int)(hue * 6) % 36] += c;
            saturated++;
        }
    }
    int best = 0;
    double best_sum = 0;
    for (int i = 0; i < 36; i++) {
        double sum = bins[i] + 0.7 * (bins[(i + 1) % 36] + bins[(i + 35) % 36]);
        if (sum > best_sum) {
            best_sum = sum;
            best = i;
        }
    }
    art->hue = saturated > 0.15 * total ? (float)best * 10 + 5 : -1;
    double n = 0;
    for (int i = 0; i < art->width * art->height; i++) {
        uint32_t p = px[i];
        float r = (float)(p & 255), g = (float)(p >> 8 & 255), b = (float)(p >> 16 & 255);
        float max = fmaxf(r, fmaxf(g, b)), min = fminf(r, fminf(g, b)), c = max - min;
        if (p >> 24 < 200 || max < 60)
            continue;
        float hue = c < 1 ? 0
                          : 60 * (max == r   ? fmodf((g - b) / c + 6, 6)
                                  : max == g ? (b - r) / c + 2
                                             : (r - g) / c + 4);
        float d = fabsf(hue - art->hue);
        if (art->hue >= 0 && (c < 0.25f * max || fminf(d, 360 - d) > 30))
            continue;
        luma += max;
        n++;
    }
    art->body_luma = n > 0 ? (float)(luma / n / 255) : 0.7f;
}

static Art *decode_art(const Pack *pack, const Noun *n, SoraError *err)
{
    Art *art = calloc(1, sizeof *art);
    if (art == NULL)
        goto memory;
    art->width = n->width;
    art->height = n->height;
    art->frames = n->frames;
    for (int l = 0, w = n->width, h = n->height;
         l<ART_LEVELS; l++, w = w> 1 ? w / 2 : 1, h = h > 1 ? h / 2 : 1)
        if ((art->level[l] = malloc((size_t)w * h * n->frames * 4)) == NULL)
            goto memory;
    WebPDecoderConfig config;
    WebPInitDecoderConfig(&config);
    config.output.colorspace = MODE_rgbA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = (uint8_t *)art->level[0];
    config.output.u.RGBA.stride = n->width * 4;
    config.output.u.RGBA.size = (size_t)n->width * n->height * n->frames * 4;
    if (WebPDecode(pack->map.data + n->offset, n->size, &config) != VP8_STATUS_OK) {
        free_art(art);
        error_set(err, SORA_ERROR_INPUT, "%s: damaged picture of noun \"%s\"", pack->path, n->en);
        return NULL;
    }
    for (int f = 0; f < n->frames; f++)
        for (int k = 0; k < n->width * n->height; k++)
            art->opaque[f] += art->level[0][(size_t)f * n->width * n->height + k] >> 24 >= 96;
    halve(art->level[0], art->level[1], n->width, n->height, n->frames);
    halve(art->level[1], art->level[2], n->width / 2, n->height / 2, n->frames);
    measure_colour(art, n->role == ROLE_VEHICLE);
    return art;
memory:
    free_art(art);
    error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", pack->path);
    return NULL;
}

const Art *pack_art(const Pack *pack, int i, SoraError *err)
{
    Noun *n = &pack->nouns[i];
    Art *art = atomic_load_explicit(&n->art, memory_order_acquire);
    if (art != NULL)
        return art;
    Pack *p = (Pack *)(uintptr_t)pack; /* the lock alone changes */
    pthread_mutex_lock(&p->lock);
    art = atomic_load(&n->art);
    if (art == NULL) {
        art = decode_art(pack, n, err);
        atomic_store_explicit(&n->art, art, memory_order_release);
    }
    pthread_mutex_unlock(&p->lock);
    return art;
}
