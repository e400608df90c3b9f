/* Random requests over all edits: does each video have the frames, size and rate that were asked for? */
#include "studio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

enum { CLIP_FRAMES = 17, CLIP_SIDE = 256, CLIP_RATE = 12, KINDS = SORA_EDIT_RECUT + 1, EXTRA = 3 };
enum { RING = KINDS, MIX, BOARD }; /* a loop without an input, a blend over the length, passages with a picture */

/* A request, and what is to come of it. */
typedef struct Asked {
    BenchJob job;
    SoraPassage passages[3];
    SoraGiven given;
    int width, height, frames;
    double fps;
} Asked;

static int frames_of(double seconds, double fps)
{
    return (int)llround(seconds * fps);
}

/* Half of them the input's or the model's own. */
static void draw_size(Asked *a, Rng *rng, bool larger)
{
    a->width = a->height = CLIP_SIDE;
    if (!larger && rng_int(rng, 2) == 0)
        return;
    a->job.request.width = a->width = larger ? CLIP_SIDE + 32 * rng_int(rng, 3) : 160 + 32 * rng_int(rng, 6);
    a->job.request.height = a->height = larger ? CLIP_SIDE + 32 : 160 + 32 * rng_int(rng, 6);
}

static void draw_rate(Asked *a, Rng *rng, bool input)
{
    a->fps = CLIP_RATE;
    if (input && rng_int(rng, 3) == 0)
        return;
    a->job.request.fps = a->fps = 1 + rng_int(rng, 59) + (rng_int(rng, 2) == 0 ? 0 : rng_uniform(rng));
}

static void ask_length(Asked *a, int kind, double seconds)
{
    SoraEdit *e = &a->job.edit;
    int given = frames_of(CLIP_FRAMES / (double)CLIP_RATE, a->fps); /* as the reader converts them */
    e->seconds = seconds;
    a->frames = frames_of(seconds, a->fps);
    if (kind == SORA_EDIT_EXTEND || kind == SORA_EDIT_LOOP)
        a->frames += given;
    if (kind == SORA_EDIT_BLEND)
        a->frames += 2 * given;
    if (kind == SORA_EDIT_REMIX || kind == SORA_EDIT_FILL || kind == MIX) {
        e->seconds = 0;
        a->frames = given;
    }
    if (kind == SORA_EDIT_RECUT) {
        e->before = e->after = seconds / 2;
        a->frames = given + 2 * frames_of(seconds / 2, a->fps);
    }
    if (kind == RING) {
        e->seconds = 0;
        a->job.request.frames = a->frames = (a->frames + 11) / 4 * 4;
    }
}

static void ask(Asked *a, Rng *rng)
{
    int draw = rng_int(rng, KINDS + EXTRA);
    SoraEditKind kind = draw == RING ? SORA_EDIT_LOOP : draw == MIX ? SORA_EDIT_BLEND : draw == BOARD ? SORA_EDIT_NEW : (SoraEditKind)draw;
    bool two = kind == SORA_EDIT_BLEND || kind == SORA_EDIT_INTERPOLATE, one = kind != SORA_EDIT_NEW && !two && draw != RING;
    *a = (Asked){0};
    SoraRequest *r = &bench_job(&a->job, kind, one || two ? bench_clip_a : NULL, two ? bench_clip_b : NULL)->request;
    r->prompt = "a dog runs";
    r->steps = 1;
    draw_rate(a, rng, one || two);
    draw_size(a, rng, kind == SORA_EDIT_FILL);
    double seconds = (2 + 40 * rng_uniform(rng)) / a->fps;
    a->job.edit.at_start = kind == SORA_EDIT_EXTEND && rng_int(rng, 2) == 0;
    a->job.edit.curve = draw == MIX ? SORA_CURVE_SMOOTH : SORA_CURVE_BRIDGE;
    ask_length(a, draw, seconds);
    if (draw != BOARD)
        return;
    for (int i = 0; i < 3; i++)
        a->passages[i] = (SoraPassage){bench_prompt(i), seconds * i / 4};
    a->given = (SoraGiven){.path = bench_clip_a, .still = true, .at_frame = a->frames / 2};
    r->prompt = NULL;
    r->passages = a->passages;
    r->passage_count = 3;
    r->given = &a->given;
    r->given_count = 1;
}

bool measure_counts(int count)
{
    Rng rng;
    int right = 0;
    rng_init(&rng, 7, 0);
    sora_video_free(bench_clip(bench_prompt(0), 0, bench_clip_a));
    sora_video_free(bench_clip(bench_prompt(1), 0, bench_clip_b));
    for (int i = 0; i < count; i++) {
        Asked a;
        SoraFormat format;
        SoraError err = {0};
        ask(&a, &rng);
        if (!sora_edit_check(bench_engine, &a.job.edit, &a.job.request, &format, &err))
            bench_stop("check", &err);
        SoraVideo *v = bench_make(&a.job);
        bool ok = sora_video_frames(v) == a.frames && format.frames == a.frames && sora_video_width(v) == a.width &&
                  sora_video_height(v) == a.height && format.width == a.width && format.height == a.height &&
                  fabs(sora_video_fps(v) - a.fps) < 1e-9;
        right += ok;
        if (!ok)
            printf("kind %d: %d frames of %dx%d at %g; %d of %dx%d at %g were asked for\n", (int)a.job.edit.kind, sora_video_frames(v),
                   sora_video_width(v), sora_video_height(v), sora_video_fps(v), a.frames, a.width, a.height, a.fps);
        sora_video_free(v);
    }
    printf("frame count, size and rate as asked: %d of %d\n", right, count);
    return right == count;
}
