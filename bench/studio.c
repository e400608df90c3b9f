/* What docs/studio.md says of the studio, measured: studio counts N | seams N | remix N | minute SECONDS, with the model that
 * $SORA_MODEL names. Clips are made of models/nano/prompts.tsv, a prompt and a seed each. */
#include <sora.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/rng.h"

enum { PROMPTS = 64, SIDES = 4 };
static char prompts[PROMPTS][256];
static int prompt_count;
static SoraEngine *engine;
static char folder[] = "/tmp/sora-studio-XXXXXX", clip_a[64], clip_b[64], clip_long[64];

static void stop(const char *what, const SoraError *err)
{
    fprintf(stderr, "studio: %s: %s\n", what, err->message);
    exit(1);
}

/* The column that the first line calls "prompt". */
static void read_prompts(void)
{
    FILE *f = fopen("models/nano/prompts.tsv", "r");
    char line[1024];
    int column = -1;
    while (f != NULL && fgets(line, sizeof line, f) != NULL && prompt_count < PROMPTS) {
        char *rest = line, *cell;
        bool head = column < 0;
        for (int i = 0; (cell = strsep(&rest, "\t\n")) != NULL; i++) {
            if (head && strcmp(cell, "prompt") == 0)
                column = i;
            else if (!head && i == column)
                snprintf(prompts[prompt_count++], sizeof prompts[0], "%s", cell);
        }
    }
    if (f != NULL)
        fclose(f);
    if (prompt_count == 0)
        stop("models/nano/prompts.tsv", &(SoraError){.message = "no prompts; run it from the top of the source tree"});
}

/* --- frames --- */

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

typedef struct Colour {
    double mean[3], deviation; /* of channels; of grey */
} Colour;

static Colour colour_of(const SoraVideo *v, int f)
{
    size_t n = (size_t)sora_video_width(v) * (size_t)sora_video_height(v);
    const uint8_t *x = sora_video_frame(v, f);
    Colour c = {0};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double grey = (x[3 * i] + x[3 * i + 1] + x[3 * i + 2]) / 3.0;
        sum += grey;
        squares += grey * grey;
        for (size_t k = 0; k < 3; k++)
            c.mean[k] += x[3 * i + k] / (double)n;
    }
    c.deviation = sqrt(squares / (double)n - sum / (double)n * (sum / (double)n));
    return c;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, int count, double q)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count > 0 ? values[(int)fmin(q * count, count - 1)] : 0;
}

/* The difference across the join before frame `at` over the median of those on both sides; frames wrap in a loop. */
static double seam_ratio(const SoraVideo *v, int at)
{
    int frames = sora_video_frames(v), count = 0;
    double sides[2 * SIDES];
    for (int i = -SIDES; i <= SIDES; i++)
        if (i != 0)
            sides[count++] = difference(v, (at + i - 1 + frames) % frames, (at + i + frames) % frames);
    return difference(v, (at - 1 + frames) % frames, at % frames) / quantile(sides, count, 0.5);
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

/* --- making --- */

typedef struct Job {
    SoraEdit edit;
    SoraRequest request;
    const char *inputs[3];
} Job;

static Job *job_of(Job *j, SoraEditKind kind, const char *a, const char *b)
{
    sora_edit_init(&j->edit);
    sora_request_init(&j->request);
    j->edit.kind = kind;
    j->inputs[0] = a;
    j->inputs[1] = b;
    j->edit.inputs = j->inputs;
    j->edit.input_count = (a != NULL) + (b != NULL);
    return j;
}

static SoraVideo *make(const Job *j)
{
    SoraError err = {0};
    SoraVideo *v = sora_edit(engine, &j->edit, &j->request, &err);
    if (v == NULL)
        stop("edit", &err);
    return v;
}

/* A clip of the model's own length, as a file; also the video. */
static SoraVideo *make_clip(int i, const char *path)
{
    SoraError err = {0};
    Job j;
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = prompts[i % prompt_count];
    j.request.seed = (uint64_t)(i / prompt_count);
    SoraVideo *v = make(&j);
    if (!sora_video_write(v, path, &err))
        stop(path, &err);
    return v;
}

/* --- frame counts --- */

static int measure_counts(int count)
{
    Rng rng;
    int right = 0;
    rng_init(&rng, 7, 0);
    sora_video_free(make_clip(0, clip_a));
    sora_video_free(make_clip(1, clip_b));
    for (int i = 0; i < count; i++) {
        SoraEditKind kind = (SoraEditKind)rng_int(&rng, 8);
        bool two = kind == SORA_EDIT_BLEND || kind == SORA_EDIT_INTERPOLATE, one = kind != SORA_EDIT_NEW && !two;
        double fps = 1 + rng_int(&rng, 59) + (rng_int(&rng, 2) == 0 ? 0 : rng_uniform(&rng)), seconds = (2 + 40 * rng_uniform(&rng)) / fps;
        Job j;
        job_of(&j, kind, one || two ? clip_a : NULL, two ? clip_b : NULL)->request.prompt = "a dog runs";
        j.request.fps = fps;
        j.request.steps = 1;
        j.request.width = kind == SORA_EDIT_FILL ? 288 : 0;
        j.request.height = kind == SORA_EDIT_FILL ? 256 : 0;
        j.edit.seconds = seconds;
        j.edit.before = j.edit.after = seconds / 2;
        int given = 0, made = (int)lround(seconds * fps), expected;
        given = (int)lround(17 / 12.0 * fps); /* as the reader converts 17 frames at 12 a second */
        SoraFormat format;
        SoraError err = {0};
        if (kind == SORA_EDIT_REMIX || kind == SORA_EDIT_FILL)
            j.edit.seconds = 0;
        if (!sora_edit_check(engine, &j.edit, &j.request, &format, &err))
            stop("check", &err);
        SoraVideo *v = make(&j);
        expected = kind == SORA_EDIT_NEW || kind == SORA_EDIT_INTERPOLATE ? made
                   : kind == SORA_EDIT_REMIX || kind == SORA_EDIT_FILL    ? given
                   : kind == SORA_EDIT_BLEND                              ? 2 * given + made
                   : kind == SORA_EDIT_RECUT                              ? given + 2 * (int)lround(seconds / 2 * fps)
                                                                          : given + made;
        bool ok = sora_video_frames(v) == expected && sora_video_frames(v) == format.frames && sora_video_width(v) == format.width &&
                  fabs(sora_video_fps(v) - fps) < 1e-9 && format.height == sora_video_height(v);
        right += ok;
        if (!ok)
            printf("kind %d: %d frames at %g, %d expected\n", (int)kind, sora_video_frames(v), fps, expected);
        sora_video_free(v);
    }
    printf("frame count, size and rate as asked: %d of %d\n", right, count);
    return right == count ? 0 : 1;
}

/* --- seams --- */

typedef struct Row {
    const char *name;
    double *ratios, *jumps;
    int count;
} Row;

static void add(Row *r, const SoraVideo *v, int at)
{
    r->ratios[r->count] = seam_ratio(v, at);
    r->jumps[r->count++] = colour_jump(v, at);
}

static void measure_seams(int count)
{
    static const char *const NAMES[] = {"within a clip, where groups meet", "extend", "extend --before", "loop", "generate --loop",
                                        "blend, first join", "blend, second join", "windows of a long video"};
    enum { ROWS = sizeof NAMES / sizeof *NAMES };
    Row rows[ROWS];
    for (int i = 0; i < ROWS; i++)
        rows[i] = (Row){NAMES[i], calloc((size_t)count * 4, sizeof(double)), calloc((size_t)count * 4, sizeof(double)), 0};
    for (int i = 0; i < count; i++) {
        Job j;
        SoraVideo *a = make_clip(i, clip_a), *b = make_clip(i + 1, clip_b), *v;
        int n = sora_video_frames(a);
        const char *words = prompts[i % prompt_count];
        add(&rows[0], a, 9);
        job_of(&j, SORA_EDIT_EXTEND, clip_a, NULL)->request.prompt = words;
        add(&rows[1], v = make(&j), n);
        sora_video_free(v);
        j.edit.at_start = true;
        v = make(&j);
        add(&rows[2], v, sora_video_frames(v) - n);
        sora_video_free(v);
        job_of(&j, SORA_EDIT_LOOP, clip_a, NULL)->request.prompt = words;
        add(&rows[3], v = make(&j), 0);
        sora_video_free(v);
        job_of(&j, SORA_EDIT_LOOP, NULL, NULL)->request.prompt = words;
        j.edit.seconds = 2;
        add(&rows[4], v = make(&j), 0);
        sora_video_free(v);
        job_of(&j, SORA_EDIT_BLEND, clip_a, clip_b)->request.prompt = words;
        v = make(&j);
        add(&rows[5], v, n);
        add(&rows[6], v, sora_video_frames(v) - sora_video_frames(b));
        sora_video_free(v);
        job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = words;
        j.edit.seconds = 4;
        v = make(&j);
        add(&rows[7], v, 17);
        add(&rows[7], v, 33);
        sora_video_free(v);
        sora_video_free(a);
        sora_video_free(b);
    }
    printf("| join | seam ratio, median | 95 %% | colour jump, median | 95 %% |\n|---|---|---|---|---|\n");
    for (int i = 0; i < ROWS; i++) {
        Row *r = &rows[i];
        printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", r->name, quantile(r->ratios, r->count, 0.5), quantile(r->ratios, r->count, 0.95),
               quantile(r->jumps, r->count, 0.5), quantile(r->jumps, r->count, 0.95));
        free(r->ratios);
        free(r->jumps);
    }
}

/* --- remix --- */

static void measure_remix(int count)
{
    static const double STRENGTHS[] = {0.2, 0.4, 0.6, 0.8, 1};
    enum { N = sizeof STRENGTHS / sizeof *STRENGTHS };
    double sums[N] = {0};
    int rising = 0;
    for (int i = 0; i < count; i++) {
        SoraVideo *a = make_clip(i, clip_a);
        double last = -1;
        bool rises = true;
        for (int k = 0; k < N; k++) {
            Job j;
            job_of(&j, SORA_EDIT_REMIX, clip_a, NULL)->request.prompt = prompts[(i + 5) % prompt_count];
            j.edit.strength = STRENGTHS[k];
            SoraVideo *v = make(&j);
            double d = 0;
            for (int f = 0; f < sora_video_frames(v); f++)
                for (size_t p = 0; p < 3 * (size_t)sora_video_width(v) * (size_t)sora_video_height(v); p++)
                    d += abs(sora_video_frame(v, f)[p] - sora_video_frame(a, f)[p]);
            d /= sora_video_frames(v) * 3.0 * sora_video_width(v) * sora_video_height(v);
            sums[k] += d / count;
            rises = rises && d > last;
            last = d;
            sora_video_free(v);
        }
        rising += rises;
        sora_video_free(a);
    }
    printf("| strength |");
    for (int k = 0; k < N; k++)
        printf(" %g |", STRENGTHS[k]);
    printf("\n|---|---|---|---|---|---|\n| distance to the input, of 255 |");
    for (int k = 0; k < N; k++)
        printf(" %.1f |", sums[k]);
    printf("\nrising in %d of %d\n", rising, count);
}

/* --- a minute --- */

static void measure_minute(double seconds)
{
    Job j;
    struct rusage use;
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = "a red car drives left on a street";
    j.edit.seconds = seconds;
    double began = clock_seconds();
    SoraVideo *v = make(&j);
    double took = clock_seconds() - began;
    getrusage(RUSAGE_SELF, &use);
    printf("%g s: %d frames in %.1f s, %.1f s of processor time, %.1f frames a second, at most %ld MB\n", seconds, sora_video_frames(v), took,
           (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec, sora_video_frames(v) / took, use.ru_maxrss / 1000);
    static const double TIMES[] = {1, 15, 30, 60, 120, 239};
    for (int i = 0; i < 6; i++) {
        int f = (int)(TIMES[i] * sora_video_fps(v));
        if (f >= sora_video_frames(v))
            f = sora_video_frames(v) - 1;
        Colour c = colour_of(v, f);
        printf("  at %.1f s: mean %.1f %.1f %.1f, contrast %.1f\n", f / sora_video_fps(v), c.mean[0], c.mean[1], c.mean[2], c.deviation);
        if (f + 1 == sora_video_frames(v))
            break;
    }
    SoraError err = {0};
    if (!sora_video_write(v, clip_long, &err))
        stop(clip_long, &err);
    sora_video_free(v);
}

int main(int argc, char **argv)
{
    SoraError err = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: studio counts N | seams N | remix N | minute SECONDS\n");
        return 2;
    }
    read_prompts();
    if (mkdtemp(folder) == NULL)
        stop(folder, &(SoraError){.message = "cannot be made"});
    snprintf(clip_a, sizeof clip_a, "%s/a.mp4", folder);
    snprintf(clip_b, sizeof clip_b, "%s/b.mp4", folder);
    snprintf(clip_long, sizeof clip_long, "%s/long.mp4", folder);
    engine = sora_engine_open(NULL, NULL, &err);
    if (engine == NULL)
        stop("model", &err);
    int code = 0;
    if (strcmp(argv[1], "counts") == 0)
        code = measure_counts(atoi(argv[2]));
    else if (strcmp(argv[1], "seams") == 0)
        measure_seams(atoi(argv[2]));
    else if (strcmp(argv[1], "remix") == 0)
        measure_remix(atoi(argv[2]));
    else if (strcmp(argv[1], "minute") == 0)
        measure_minute(atof(argv[2]));
    sora_engine_close(engine);
    remove(clip_a);
    remove(clip_b);
    remove(clip_long);
    remove(folder);
    return code;
}
