/* Joins: what jumps across them, and what moves. */
#include "studio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "train/track.h"

enum { SIDES = 4, SPAN = 8, MAX_FRAMES = 256 };

/* Mean |difference| of two frames, in steps of 8 bits. */
static double difference(const SoraVideo *v, int a, int b)
{
    size_t n = 3 * (size_t)sora_video_width(v) * (size_t)sora_video_height(v);
    const uint8_t *x = sora_video_frame(v, a), *y = sora_video_frame(v, b);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += abs(x[i] - y[i]);
    return sum / (double)n;
}

/* The difference across the join before frame `at` over the median of those on both sides; frames wrap in a loop. */
static double seam_ratio(const SoraVideo *v, int at)
{
    int frames = sora_video_frames(v), count = 0;
    double sides[2 * SIDES];
    for (int i = -SIDES; i <= SIDES; i++)
        if (i != 0)
            sides[count++] = difference(v, (at + i - 1 + frames) % frames, (at + i + frames) % frames);
    return difference(v, (at - 1 + frames) % frames, at % frames) / bench_quantile(sides, count, 0.5);
}

static double colour_jump(const SoraVideo *v, int at)
{
    int frames = sora_video_frames(v);
    Colour a = colour_of(v, (at - 1 + frames) % frames), b = colour_of(v, at % frames);
    double sum = 0;
    for (int k = 0; k < 3; k++)
        sum += b.mean[k] - a.mean[k];
    return fabs(sum / 3);
}

/* --- what moves --- */

/* A loop is looked at as it runs twice. */
static TrackSpeeds speeds_at(const SoraVideo *v, int at)
{
    const uint8_t *frames[2 * MAX_FRAMES];
    int count = sora_video_frames(v), twice = at == 0 ? 2 * count : count;
    TrackSpeeds s = {0};
    SoraError err = {0};
    for (int i = 0; i < twice && i < 2 * MAX_FRAMES; i++)
        frames[i] = sora_video_frame(v, i % count);
    if (!track_speeds(&(JudgeVideo){frames, twice, sora_video_width(v), sora_video_height(v)}, at == 0 ? count : at, SPAN, &s, &err))
        bench_stop("speeds", &err);
    return s;
}

/* --- joins --- */

typedef struct Row {
    const char *name;
    double *ratios, *jumps, *changes; /* of speed, where something moves */
    int count, moving, kept, halted;  /* kept: within 20 %; halted: less than a fifth of the speed is left */
} Row;

static void add(Row *r, const SoraVideo *v, int at)
{
    const double SLOWEST = 0.004; /* of the width a frame: a twentieth of it in a second */
    TrackSpeeds s = speeds_at(v, at);
    double before = hypot(s.before[0], s.before[1]), change = hypot(s.after[0] - s.before[0], s.after[1] - s.before[1]);
    r->ratios[r->count] = seam_ratio(v, at);
    r->jumps[r->count++] = colour_jump(v, at);
    if (before < SLOWEST)
        return;
    r->changes[r->moving++] = change / before;
    r->kept += change <= 0.2 * before;
    r->halted += hypot(s.after[0], s.after[1]) < 0.2 * before;
}

enum { CLIP, EXTEND, BEFORE, LOOP, RING, BLEND_A, BLEND_B, WINDOWS, ROWS };

/* All joins that are made of clip i. */
static void make_joins(Row *rows, int i)
{
    BenchJob j;
    const char *words = bench_prompt(i);
    SoraVideo *a = bench_clip(words, 0, bench_clip_a), *b = bench_clip(bench_prompt(i + 1), 0, bench_clip_b), *v;
    int n = sora_video_frames(a);
    add(&rows[CLIP], a, 9);
    bench_job(&j, SORA_EDIT_EXTEND, bench_clip_a, NULL)->request.prompt = words;
    j.edit.seconds = 16.0 / 12;
    add(&rows[EXTEND], v = bench_make(&j), n);
    sora_video_free(v);
    j.edit.at_start = true;
    v = bench_make(&j);
    add(&rows[BEFORE], v, sora_video_frames(v) - n);
    sora_video_free(v);
    bench_job(&j, SORA_EDIT_LOOP, bench_clip_a, NULL)->request.prompt = words;
    j.edit.seconds = 1;
    add(&rows[LOOP], v = bench_make(&j), 0);
    sora_video_free(v);
    bench_job(&j, SORA_EDIT_LOOP, NULL, NULL)->request.prompt = words;
    add(&rows[RING], v = bench_make(&j), 0);
    sora_video_free(v);
    bench_job(&j, SORA_EDIT_BLEND, bench_clip_a, bench_clip_b)->request.prompt = words;
    j.edit.seconds = 1;
    v = bench_make(&j);
    add(&rows[BLEND_A], v, n);
    add(&rows[BLEND_B], v, sora_video_frames(v) - sora_video_frames(b));
    sora_video_free(v);
    bench_job(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = words;
    j.request.frames = 3 * (n - 1) + 1;
    v = bench_make(&j);
    add(&rows[WINDOWS], v, n);
    add(&rows[WINDOWS], v, 2 * n - 1);
    sora_video_free(v);
    sora_video_free(a);
    sora_video_free(b);
}

void measure_seams(int count)
{
    static const char *const NAMES[ROWS] = {"within a clip, where groups meet", "extend", "extend --before", "loop", "generate --loop",
                                            "blend, first join", "blend, second join", "windows of a long video"};
    Row rows[ROWS];
    for (int i = 0; i < ROWS; i++) {
        size_t room = (size_t)count * 2 + 1;
        rows[i] = (Row){.name = NAMES[i], .ratios = calloc(room, sizeof(double)), .jumps = calloc(room, sizeof(double)),
                        .changes = calloc(room, sizeof(double))};
    }
    for (int i = 0; i < count; i++)
        make_joins(rows, i);
    printf("| join | seam ratio, median | 95 %% | colour jump, median | 95 %% | speed within 20 %% | its change, median | comes to rest |\n"
           "|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < ROWS; i++) {
        Row *r = &rows[i];
        printf("| %s | %.2f | %.2f | %.2f | %.2f | %d of %d | %.0f %% | %d |\n", r->name, bench_quantile(r->ratios, r->count, 0.5),
               bench_quantile(r->ratios, r->count, 0.95), bench_quantile(r->jumps, r->count, 0.5),
               bench_quantile(r->jumps, r->count, 0.95), r->kept, r->moving, 100 * bench_quantile(r->changes, r->moving, 0.5), r->halted);
        free(r->ratios);
        free(r->jumps);
        free(r->changes);
    }
}
