#include "trace/fingerprint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/foreign.h"

enum { SIDE = FINGERPRINT_SIDE, CELLS = FINGERPRINT_CELLS, HEADER_BYTES = 4, FRAME_BYTES = 4 + CELLS };

static const double MAX_SECONDS = 4e6; /* its milliseconds fit 32 bits */

/* Of a file, more is not looked at: three hours. Times in a file may be any. */
enum { MAX_FILE_FRAMES = FINGERPRINT_QUERY_RATE * 3 * 3600 };

void fingerprint_init(Fingerprint *f, int rate)
{
    /* A tenth less, so that rounded times of frames at just this rate are all taken. */
    *f = (Fingerprint){.spacing = (uint32_t)(900 / rate)};
}

void fingerprint_deinit(Fingerprint *f)
{
    free(f->frames);
    *f = (Fingerprint){0};
}

static uint32_t to_ms(double seconds)
{
    return seconds > 0 ? (uint32_t)lround(1000 * fmin(seconds, MAX_SECONDS)) : 0;
}

/* How a line of n pixels is cut into SIDE cells: cell i has pixels first .. last; the outer two count in part. */
typedef struct Cut {
    int first[SIDE], last[SIDE];
    float head[SIDE], tail[SIDE]; /* the parts; tail is unused when first is last */
} Cut;

static void cut_line(Cut *c, int n)
{
    double length = (double)n / SIDE;
    for (int i = 0; i < SIDE; i++) {
        double begin = i * length, end = (i + 1) * length;
        int first = (int)begin, last = (int)ceil(end - 1e-9) - 1;
        first = first >= n ? n - 1 : first;
        last = last < first ? first : last >= n ? n - 1 : last;
        c->first[i] = first;
        c->last[i] = last;
        c->head[i] = (float)((first == last ? end : first + 1) - begin);
        c->tail[i] = (float)(end - last);
    }
}

/* One row of pixels becomes SIDE sums of luma (BT.601 weights, of 256). */
static void sum_row(const uint8_t *rgb, const Cut *c, float out[SIDE])
{
    for (int i = 0; i < SIDE; i++) {
        int inner = 0;
        const uint8_t *a = rgb + 3 * (size_t)c->first[i], *b = rgb + 3 * (size_t)c->last[i];
        for (const uint8_t *p = a + 3; p < b; p += 3)
            inner += 77 * p[0] + 150 * p[1] + 29 * p[2];
        float sum = (float)inner + c->head[i] * (float)(77 * a[0] + 150 * a[1] + 29 * a[2]);
        if (a != b)
            sum += c->tail[i] * (float)(77 * b[0] + 150 * b[1] + 29 * b[2]);
        out[i] = sum / 256;
    }
}

static void shrink(const FingerprintPicture *p, uint8_t cells[CELLS])
{
    Cut columns, rows;
    cut_line(&columns, p->width);
    cut_line(&rows, p->height);
    float area = (float)p->width / SIDE * ((float)p->height / SIDE);
    for (int y = 0; y < SIDE; y++) {
        float sums[SIDE] = {0}, row[SIDE];
        for (int r = rows.first[y]; r <= rows.last[y]; r++) {
            float part = r == rows.first[y] ? rows.head[y] : r == rows.last[y] ? rows.tail[y] : 1;
            sum_row(p->rgb + 3 * (size_t)r * (size_t)p->width, &columns, row);
            for (int x = 0; x < SIDE; x++)
                sums[x] += part * row[x];
        }
        for (int x = 0; x < SIDE; x++)
            cells[y * SIDE + x] = (uint8_t)fminf(255, sums[x] / area + 0.5f);
    }
}

static void drop_every_other(Fingerprint *f)
{
    int kept = 0;
    for (int i = 0; i < f->count; i += 2)
        f->frames[kept++] = f->frames[i];
    f->count = kept;
    f->spacing *= 2;
}

bool fingerprint_add(Fingerprint *f, const FingerprintPicture *picture, double seconds, SoraError *err)
{
    uint32_t time = to_ms(seconds);
    if (f->count > 0 && time < f->frames[f->count - 1].time + f->spacing)
        return true;
    uint8_t cells[CELLS];
    shrink(picture, cells);
    f->end = time;
    if (f->count > 0 && memcmp(f->frames[f->count - 1].cells, cells, CELLS) == 0)
        return true;
    if (f->count == FINGERPRINT_MAX_FRAMES)
        drop_every_other(f);
    if (f->count == f->capacity) {
        int capacity = f->capacity > 0 ? 2 * f->capacity : 32;
        FingerprintFrame *frames = realloc(f->frames, (size_t)capacity * sizeof *frames);
        if (frames == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "fingerprint: out of memory");
        f->frames = frames;
        f->capacity = capacity;
    }
    FingerprintFrame *frame = &f->frames[f->count++];
    frame->time = time;
    memcpy(frame->cells, cells, CELLS);
    return true;
}

void fingerprint_end(Fingerprint *f, double seconds)
{
    uint32_t end = to_ms(seconds);
    if (end > f->end)
        f->end = end;
}

/* Read at a fixed rate, so that frames without steady times come when they are shown. What comes before the
 * damage in a damaged file is enough. */
static bool read_video(Fingerprint *f, const char *path, SoraError *err)
{
    const double rate = FINGERPRINT_QUERY_RATE;
    ForeignVideo *v = foreign_video_open(path, &(VideoReaderOptions){.fps = rate}, NULL, err);
    if (v == NULL)
        return false;
    int width = foreign_video_width(v), height = foreign_video_height(v);
    const uint8_t *rgb = NULL;
    bool ok = true;
    int i = 0;
    for (; ok && i < MAX_FILE_FRAMES && foreign_video_read(v, &rgb, err) && rgb != NULL; i++)
        ok = fingerprint_add(f, &(FingerprintPicture){width, height, rgb}, i / rate, err);
    fingerprint_end(f, i / rate);
    foreign_video_close(v);
    return ok && f->count > 0;
}

/* One frame, which a fixed rate may pass by. */
static bool read_frame(Fingerprint *f, const char *path, SoraError *err)
{
    const uint8_t *rgb = NULL;
    ForeignVideo *v = foreign_video_open(path, &(VideoReaderOptions){0}, NULL, err);
    bool ok = v != NULL && foreign_video_read(v, &rgb, err);
    if (ok && rgb == NULL)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no frames in this video", path);
    ok = ok && fingerprint_add(f, &(FingerprintPicture){foreign_video_width(v), foreign_video_height(v), rgb}, 0, err);
    foreign_video_close(v);
    return ok;
}

static bool read_picture(Fingerprint *f, const char *path, SoraError *err)
{
    Image image = {0};
    bool ok = foreign_picture(&image, path, NULL, err) &&
              fingerprint_add(f, &(FingerprintPicture){image.width, image.height, image.rgb}, 0, err);
    image_deinit(&image);
    return ok;
}

typedef bool (*Reader)(Fingerprint *f, const char *path, SoraError *err);

/* Why nothing could be read: that a reader crashed or ran out of something says more than that it is another format. */
static const SoraError *telling(const SoraError *errors, int count)
{
    for (int i = 0; i < count; i++)
        if (errors[i].code != SORA_OK && strstr(errors[i].message, ": not a ") == NULL)
            return &errors[i];
    return NULL;
}

bool fingerprint_read_file(Fingerprint *f, const char *path, int rate, SoraError *err)
{
    static const Reader READERS[] = {read_video, read_frame, read_picture};
    enum { COUNT = sizeof READERS / sizeof *READERS };
    SoraError errors[COUNT] = {{0}};
    for (int i = 0; i < COUNT; i++) {
        fingerprint_init(f, rate);
        if (READERS[i](f, path, &errors[i]))
            return true;
        fingerprint_deinit(f);
        if (errors[i].code != SORA_OK && errors[i].code != SORA_ERROR_INPUT && errors[i].code != SORA_ERROR_UNSUPPORTED &&
            errors[i].code != SORA_ERROR_INTERNAL)
            return error_set(err, errors[i].code, "%s", errors[i].message); /* no other reader could do better */
    }
    const SoraError *why = telling(errors, COUNT);
    if (why == NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: neither a video nor a picture that can be read", path);
    return error_set(err, why->code == SORA_ERROR_INTERNAL ? SORA_ERROR_INPUT : why->code, "%s", why->message);
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint8_t *fingerprint_encode(const Fingerprint *f, size_t *size, SoraError *err)
{
    *size = HEADER_BYTES + (size_t)f->count * FRAME_BYTES;
    uint8_t *data = malloc(*size);
    if (data == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "fingerprint: out of memory");
        return NULL;
    }
    put_u32(data, f->end);
    for (int i = 0; i < f->count; i++) {
        uint8_t *p = data + HEADER_BYTES + (size_t)i * FRAME_BYTES;
        put_u32(p, f->frames[i].time);
        memcpy(p + 4, f->frames[i].cells, CELLS);
    }
    return data;
}

bool fingerprint_decode(Fingerprint *f, const uint8_t *data, size_t size, SoraError *err)
{
    *f = (Fingerprint){0};
    if (size < HEADER_BYTES + FRAME_BYTES || (size - HEADER_BYTES) % FRAME_BYTES != 0 ||
        (size - HEADER_BYTES) / FRAME_BYTES > FINGERPRINT_MAX_FRAMES)
        return error_set(err, SORA_ERROR_INPUT, "fingerprint: %zu bytes are none", size);
    int count = (int)((size - HEADER_BYTES) / FRAME_BYTES);
    f->frames = malloc((size_t)count * sizeof *f->frames);
    if (f->frames == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "fingerprint: out of memory");
    f->count = f->capacity = count;
    f->end = get_u32(data);
    for (int i = 0; i < count; i++) {
        const uint8_t *p = data + HEADER_BYTES + (size_t)i * FRAME_BYTES;
        f->frames[i].time = get_u32(p);
        memcpy(f->frames[i].cells, p + 4, CELLS);
        if (f->frames[i].time > f->end || (i > 0 && f->frames[i].time <= f->frames[i - 1].time)) {
            fingerprint_deinit(f);
            return error_set(err, SORA_ERROR_INPUT, "fingerprint: its times do not increase");
        }
    }
    return true;
}
