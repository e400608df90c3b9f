#include "trace/fingerprint_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = FINGERPRINT_SIDE,
    CELLS = FINGERPRINT_CELLS,
    RADIUS = 4,        /* contrast is against the mean of 9 x 9 cells */
    QUERY_PROBES = 8,  /* frames of a query that are looked up */
    CLIMB_PAIRS = 4,   /* frames that decide roughly about the part of the picture, ... */
    ALIGN_PAIRS = 8,   /* about part and time, ... */
    JUDGE_PAIRS = 16,  /* and about the match */
    MAX_OFFSETS = 3000, /* places in time that are tried */
    LANES = 16
};

/* A part of a picture, of 1. */
typedef struct Window {
    float x, y, width, height;
} Window;

/* Whole, the middle and the corners of nine tenths, the middle of eight; those have probes. Then what is left
 * when one side is cut. */
enum { WINDOW_COUNT = PROBE_WINDOWS + 4 };
static const Window WINDOWS[WINDOW_COUNT] = {
    {0, 0, 1, 1},       {.05f, .05f, .9f, .9f}, {0, 0, .9f, .9f},     {.1f, 0, .9f, .9f},
    {0, .1f, .9f, .9f}, {.1f, .1f, .9f, .9f},   {.1f, .1f, .8f, .8f}, {0, 0, .9f, 1},
    {.1f, 0, .9f, 1},   {0, 0, 1, .9f},         {0, .1f, 1, .9f},
};

/* Local contrast of a frame, of norm 1; that of a flat one is less. */
typedef struct View {
    float v[CELLS];
} View;

struct FingerprintQuery {
    Fingerprint f;
    View *views[2]; /* [count]; the second ones are mirrored */
    int8_t probes[2][QUERY_PROBES][PROBE_SIZE];
    int probe_count;
};

/* Reads cells in the window with linear interpolation. */
static void look(const uint8_t *cells, const Window *w, float out[CELLS])
{
    int column[SIDE];
    float part[SIDE];
    for (int i = 0; i < SIDE; i++) {
        float x = (w->x + w->width * ((float)i + 0.5f) / SIDE) * SIDE - 0.5f;
        x = fminf(fmaxf(x, 0), SIDE - 1);
        column[i] = x < SIDE - 2 ? (int)x : SIDE - 2;
        part[i] = x - (float)column[i];
    }
    for (int i = 0; i < SIDE; i++) {
        float y = (w->y + w->height * ((float)i + 0.5f) / SIDE) * SIDE - 0.5f;
        y = fminf(fmaxf(y, 0), SIDE - 1);
        int row = y < SIDE - 2 ? (int)y : SIDE - 2;
        float down = y - (float)row;
        const uint8_t *a = cells + row * SIDE, *b = a + SIDE;
        for (int k = 0; k < SIDE; k++) {
            int c = column[k];
            float top = (float)a[c] + part[k] * (float)(a[c + 1] - a[c]);
            float bottom = (float)b[c] + part[k] * (float)(b[c + 1] - b[c]);
            out[i * SIDE + k] = top + down * (bottom - top);
        }
    }
}

static float dot(const float *a, const float *b, int n)
{
    float part[LANES] = {0}; /* side by side, as vectors have them */
    for (int i = 0; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += a[i + l] * b[i + l];
    float sum = 0;
    for (int i = n - n % LANES; i < n; i++)
        sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++)
        sum += part[l];
    return sum;
}

static int clamp_cell(int i)
{
    return i < 0 ? 0 : i < SIDE ? i : SIDE - 1;
}

/* Weights 1 2 1 each way. Cells of a part are smaller than those of the whole; blurred, they differ less. */
static void blur(float v[CELLS])
{
    float rows[CELLS];
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float *row = v + y * SIDE;
            rows[y * SIDE + x] = 0.5f * row[x] + 0.25f * (row[clamp_cell(x - 1)] + row[clamp_cell(x + 1)]);
        }
    for (int y = 0; y < SIDE; y++) {
        const float *above = rows + clamp_cell(y - 1) * SIDE, *below = rows + clamp_cell(y + 1) * SIDE;
        for (int x = 0; x < SIDE; x++)
            v[y * SIDE + x] = 0.5f * rows[y * SIDE + x] + 0.25f * (above[x] + below[x]);
    }
}

/* Subtracts from each cell the mean of those around it that are in the picture. */
static void subtract_surroundings(float v[CELLS])
{
    float sums[SIDE + 1][SIDE + 1] = {{0}};
    for (int y = 0; y < SIDE; y++) {
        float row = 0;
        for (int x = 0; x < SIDE; x++) {
            row += v[y * SIDE + x];
            sums[y + 1][x + 1] = sums[y][x + 1] + row;
        }
    }
    for (int y = 0; y < SIDE; y++) {
        int y0 = y > RADIUS ? y - RADIUS : 0, y1 = y + RADIUS < SIDE ? y + RADIUS + 1 : SIDE;
        for (int x = 0; x < SIDE; x++) {
            int x0 = x > RADIUS ? x - RADIUS : 0, x1 = x + RADIUS < SIDE ? x + RADIUS + 1 : SIDE;
            float sum = sums[y1][x1] - sums[y0][x1] - sums[y1][x0] + sums[y0][x0];
            v[y * SIDE + x] -= sum / (float)((y1 - y0) * (x1 - x0));
        }
    }
}

static void make_view(const uint8_t *cells, const Window *w, View *view)
{
    const float flat = CELLS * 0.25f * 0.25f; /* less than a quarter of a grey level is rounding */
    look(cells, w, view->v);
    blur(view->v);
    subtract_surroundings(view->v);
    float scale = 1 / sqrtf(dot(view->v, view->v, CELLS) + flat);
    for (int i = 0; i < CELLS; i++)
        view->v[i] *= scale;
}

static void mirror(const uint8_t *cells, uint8_t out[CELLS])
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            out[y * SIDE + x] = cells[y * SIDE + SIDE - 1 - x];
}

/* Means of 4 x 4 cells, scaled so that the squares sum to 127 * 127. */
static void make_probe(const View *view, int8_t out[PROBE_SIZE])
{
    enum { SMALL = 8, STEP = SIDE / SMALL };
    float v[PROBE_SIZE] = {0};
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            v[y / STEP * SMALL + x / STEP] += view->v[y * SIDE + x];
    float norm = sqrtf(dot(v, v, PROBE_SIZE));
    bool flat = dot(view->v, view->v, CELLS) < 0.5f || norm < 1e-3f;
    for (int i = 0; i < PROBE_SIZE; i++)
        out[i] = flat ? 0 : (int8_t)lrintf(127 * v[i] / norm);
}

int8_t *probes_encode(const Fingerprint *f, size_t *size, SoraError *err)
{
    /* Every quarter of a second; fewer in a long video. */
    int wanted = 1 + (int)(f->end / 250), count = wanted < f->count ? wanted : f->count;
    count = count < PROBE_MAX_TIMES ? count : PROBE_MAX_TIMES;
    *size = (size_t)count * PROBE_TIME_BYTES;
    int8_t *probes = malloc(*size);
    if (probes == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "fingerprint: out of memory");
        return NULL;
    }
    View view;
    for (int i = 0; i < count; i++)
        for (int w = 0; w < PROBE_WINDOWS; w++) {
            make_view(f->frames[i * f->count / count].cells, &WINDOWS[w], &view);
            make_probe(&view, probes + (i * PROBE_WINDOWS + w) * PROBE_SIZE);
        }
    return probes;
}

FingerprintQuery *fingerprint_query_new(const Fingerprint *f, SoraError *err)
{
    FingerprintQuery *q = calloc(1, sizeof *q);
    size_t count = (size_t)f->count;
    if (q != NULL) {
        q->f = *f;
        q->f.frames = malloc(count * sizeof *f->frames);
        q->views[0] = malloc(count * sizeof(View));
        q->views[1] = malloc(count * sizeof(View));
    }
    if (q == NULL || q->f.frames == NULL || q->views[0] == NULL || q->views[1] == NULL) {
        fingerprint_query_free(q);
        error_set(err, SORA_ERROR_MEMORY, "fingerprint: out of memory");
        return NULL;
    }
    memcpy(q->f.frames, f->frames, count * sizeof *f->frames);
    for (int i = 0; i < f->count; i++) {
        uint8_t mirrored[CELLS];
        mirror(f->frames[i].cells, mirrored);
        make_view(f->frames[i].cells, &WINDOWS[0], &q->views[0][i]);
        make_view(mirrored, &WINDOWS[0], &q->views[1][i]);
    }
    q->probe_count = f->count < QUERY_PROBES ? f->count : QUERY_PROBES;
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < q->probe_count; i++)
            make_probe(&q->views[m][i * f->count / q->probe_count], q->probes[m][i]);
    return q;
}

void fingerprint_query_free(FingerprintQuery *q)
{
    if (q == NULL)
        return;
    free(q->f.frames);
    free(q->views[0]);
    free(q->views[1]);
    free(q);
}

static int dot_probes(const int8_t *a, const int8_t *b)
{
    int sum = 0;
    for (int i = 0; i < PROBE_SIZE; i++)
        sum += a[i] * b[i];
    return sum;
}

ProbeHit probes_compare(const FingerprintQuery *q, const int8_t *probes, size_t size)
{
    ProbeHit hit = {.score = -1};
    int times = (int)(size / PROBE_TIME_BYTES);
    for (int m = 0; m < 2; m++)
        for (int w = 0; w < PROBE_WINDOWS; w++) {
            float sum = 0;
            for (int i = 0; i < q->probe_count; i++) {
                int best = INT32_MIN;
                for (int t = 0; t < times; t++) {
                    int d = dot_probes(q->probes[m][i], probes + (t * PROBE_WINDOWS + w) * PROBE_SIZE);
                    best = d > best ? d : best;
                }
                sum += (float)best;
            }
            float score = sum / (127.f * 127.f * (float)q->probe_count);
            if (score > hit.score)
                hit = (ProbeHit){score, w, m == 1};
        }
    return hit;
}

/* Frames that were shown at the same time, if the query begins at `offset` of the stored video. */
typedef struct Pair {
    int stored, query;
} Pair;

typedef struct Alignment {
    const Fingerprint *stored, *query;
    const View *stored_views, *query_views;
    double offset; /* ms */
    int count;
    Pair pairs[JUDGE_PAIRS];
} Alignment;

/* The frame that is shown at a time, which may be rounded. */
static int shown(const Fingerprint *f, double ms)
{
    const double rounding = 5;
    int low = 0, high = f->count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (f->frames[middle].time <= ms + rounding)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Of the frame shown at a time and its neighbours, the one most like a view: frame rates differ. */
static int nearest(const Fingerprint *f, const View *views, double ms, const View *like)
{
    const double slack = 90;
    int at = shown(f, ms), best = at;
    float best_score = dot(views[at].v, like->v, CELLS);
    for (int i = at > 0 ? at - 1 : 0; i <= at + 1 && i < f->count; i++) {
        if (i == at || fabs((double)f->frames[i].time - ms) > slack)
            continue;
        float score = dot(views[i].v, like->v, CELLS);
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

/* Pairs at most `limit` frames of whichever has fewer in the time that both show. False when that is less than
 * half of the shorter one. */
static bool pair_up(Alignment *a, double offset, int limit, bool search)
{
    const Fingerprint *s = a->stored, *q = a->query;
    double begin = fmax(offset, 0), end = fmin(s->end, q->end + offset);
    a->offset = offset;
    a->count = 0;
    if (end < begin || end - begin < 0.5 * fmin(s->end, q->end))
        return false;
    int s0 = shown(s, begin), s1 = shown(s, end), q0 = shown(q, begin - offset), q1 = shown(q, end - offset);
    bool by_query = q1 - q0 < s1 - s0;
    int first = by_query ? q0 : s0, frames = (by_query ? q1 : s1) - first + 1;
    a->count = frames < limit ? frames : limit;
    for (int i = 0; i < a->count; i++) {
        int k = first + (2 * i + 1) * frames / (2 * a->count);
        Pair *p = &a->pairs[i];
        if (by_query) {
            double ms = fmax(q->frames[k].time + offset, begin);
            p->query = k;
            p->stored = search ? nearest(s, a->stored_views, ms, &a->query_views[k]) : shown(s, ms);
        } else {
            double ms = fmax(s->frames[k].time, begin) - offset;
            p->stored = k;
            p->query = search ? nearest(q, a->query_views, ms, &a->stored_views[k]) : shown(q, ms);
        }
    }
    return true;
}

static double mean_agreement(const Alignment *a)
{
    double sum = 0;
    for (int i = 0; i < a->count; i++)
        sum += dot(a->stored_views[a->pairs[i].stored].v, a->query_views[a->pairs[i].query].v, CELLS);
    return sum / a->count;
}

/* Tries all offsets and leaves the pairs of the best one. */
static double find_offset(Alignment *a)
{
    double range = (double)a->query->end + a->stored->end;
    double step = fmax(1000. / FINGERPRINT_QUERY_RATE, range / MAX_OFFSETS), best = 0, best_score = -2;
    int first = -(int)(a->query->end / step), last = (int)(a->stored->end / step);
    for (int i = first; i <= last; i++) {
        if (!pair_up(a, i * step, ALIGN_PAIRS, false))
            continue;
        double score = mean_agreement(a);
        /* Of equal ones, the nearest to 0. */
        if (score > best_score + 1e-6 || (score > best_score - 1e-6 && abs(i) * step < fabs(best))) {
            best_score = score;
            best = i * step;
        }
    }
    pair_up(a, best, ALIGN_PAIRS, false);
    return mean_agreement(a);
}

static double agreement_in(const Alignment *a, const Window *w)
{
    View view;
    double sum = 0;
    for (int i = 0; i < a->count; i++) {
        make_view(a->stored->frames[a->pairs[i].stored].cells, w, &view);
        sum += dot(view.v, a->query_views[a->pairs[i].query].v, CELLS);
    }
    return sum / a->count;
}

/* What a step changes of the left, top, right and bottom edge: one edge, a shift, a stretch. */
static const int8_t MOVES[][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0},  {0, 0, 0, 1},  {1, 0, 1, 0},
                                  {0, 1, 0, 1}, {1, 0, -1, 0}, {0, 1, 0, -1}, {1, 1, -1, -1}};
enum { MOVE_COUNT = sizeof MOVES / sizeof *MOVES };

static Window change(const Window *w, const int8_t move[4], float step)
{
    float left = w->x + step * move[0], top = w->y + step * move[1];
    return (Window){left, top, w->x + w->width + step * move[2] - left,
                    w->y + w->height + step * move[3] - top};
}

static bool is_possible(const Window *w)
{
    const float least = 0.7f, beyond = 0.01f;
    return w->width >= least && w->height >= least && w->x >= -beyond && w->y >= -beyond &&
           w->x + w->width <= 1 + beyond && w->y + w->height <= 1 + beyond;
}

/* Climbs to the window in which the pairs agree best. */
static double find_window(const Alignment *a, Window *w, float step)
{
    const float smallest = 0.004f;
    double best = agreement_in(a, w);
    for (; step >= smallest; step /= 2) {
        bool better = true;
        for (int round = 0; better && round < 4; round++) {
            better = false;
            for (int k = 0; k < 2 * MOVE_COUNT; k++) {
                Window next = change(w, MOVES[k / 2], k & 1 ? step : -step);
                double score = is_possible(&next) ? agreement_in(a, &next) : -2;
                if (score > best + 1e-5) {
                    best = score;
                    *w = next;
                    better = true;
                }
            }
        }
    }
    return best;
}

static void make_views(const Fingerprint *f, const Window *w, View *views)
{
    for (int i = 0; i < f->count; i++)
        make_view(f->frames[i].cells, w, &views[i]);
}

/* Correlation of the changes from one pair to the next; *moving: how much changes there, with frames of norm 1. */
static double motion_agreement(const Alignment *a, double *moving)
{
    double both = 0, stored = 0, query = 0;
    for (int i = 1; i < a->count; i++) {
        const Pair *p = &a->pairs[i - 1], *n = &a->pairs[i];
        const float *s0 = a->stored_views[p->stored].v, *s1 = a->stored_views[n->stored].v;
        const float *q0 = a->query_views[p->query].v, *q1 = a->query_views[n->query].v;
        for (int c = 0; c < CELLS; c++) {
            double s = s1[c] - s0[c], q = q1[c] - q0[c];
            both += s * q;
            stored += s * s;
            query += q * q;
        }
    }
    *moving = a->count > 1 ? stored / (a->count - 1) : 0;
    return stored > 0 && query > 0 ? both / sqrt(stored * query) : 0;
}

/* Of the query's time, how much the stored video does not have; a tenth of a second is rounding. */
static double part_beyond(const Alignment *a)
{
    double end = fmin(a->stored->end, a->query->end + a->offset), begin = fmax(a->offset, 0);
    double beyond = a->query->end - (end - begin) - 100;
    return beyond > 0 ? beyond / a->query->end : 0;
}

/* Two clips of the same thing at the same place look alike, but they hardly move alike. The numbers are those that
 * tell copies from others in bench/trace_recall.sh; docs/trace.md has what they achieve. */
static void judge(const Alignment *a, FingerprintMatch *m)
{
    const double motion_weight = 0.2, much = 0.03, beyond_weight = 0.15, least = 0.96, least_of_one = 0.97;
    double moving;
    m->still = mean_agreement(a);
    m->motion = motion_agreement(a, &moving);
    m->score = m->still - motion_weight * (1 - m->motion) * fmin(1, moving / much) - beyond_weight * part_beyond(a);
    m->found = m->score >= (a->count > 1 ? least : least_of_one);
}

/* Finds the best of the known windows together with its time: a wrong part may look best at a wrong time. In a
 * long video that would take long, and there the guess must do. */
static double find_place(Alignment *a, View *views, Window *window)
{
    enum { LONG = 200 };
    const Window guess = *window;
    double best = -2, best_offset = 0;
    for (int i = 0; i < WINDOW_COUNT; i++) {
        if (a->stored->count > LONG && memcmp(&WINDOWS[i], &guess, sizeof guess) != 0)
            continue;
        make_views(a->stored, &WINDOWS[i], views);
        double score = find_offset(a);
        if (score > best) {
            best = score;
            best_offset = a->offset;
            *window = WINDOWS[i];
        }
    }
    make_views(a->stored, window, views);
    pair_up(a, best_offset, CLIMB_PAIRS, false);
    return best;
}

bool fingerprint_match(FingerprintQuery *q, const Fingerprint *stored, ProbeHit hit, FingerprintMatch *match,
                       SoraError *err)
{
    const double hopeless = 0.65; /* a copy has this before its part is known closely */
    View *views = malloc((size_t)stored->count * sizeof *views);
    if (views == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "fingerprint: out of memory");
    Window window = WINDOWS[hit.window];
    Alignment a = {stored, &q->f, views, q->views[hit.mirrored], 0, 0, {{0}}};
    if (find_place(&a, views, &window) > hopeless)
        for (int pass = 0; pass < 2; pass++) {
            find_window(&a, &window, pass == 0 ? 0.05f : 0.025f);
            make_views(stored, &window, views);
            find_offset(&a);
            pair_up(&a, a.offset, ALIGN_PAIRS, true);
        }
    pair_up(&a, a.offset, JUDGE_PAIRS, true);
    *match = (FingerprintMatch){
        .mirrored = hit.mirrored, .begin = a.offset / 1000, .x = window.x, .y = window.y,
        .width = window.width, .height = window.height};
    judge(&a, match);
    free(views);
    return true;
}
