/* What docs/studio.md says of the studio, measured: studio counts N | seams N | remix N | words N | drift N | minute SECONDS, with the
 * model that $SORA_MODEL names. Clips are made of models/nano/prompts.tsv, a prompt and a seed each. */
#include "studio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

enum { PROMPTS = 64 };
static char prompts[PROMPTS][256];
static int prompt_count;
static char folder[] = "/tmp/sora-studio-XXXXXX";
SoraEngine *bench_engine;
char bench_clip_a[64], bench_clip_b[64], bench_clip_long[64];

void bench_stop(const char *what, const SoraError *err)
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
        bench_stop("models/nano/prompts.tsv", &(SoraError){.message = "no prompts; run it from the top of the source tree"});
}

const char *bench_prompt(int i)
{
    return prompts[i % prompt_count];
}

/* --- frames --- */

Colour colour_of(const SoraVideo *v, int f)
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

double bench_quantile(double *values, int count, double q)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count > 0 ? values[(int)fmin(q * count, count - 1)] : 0;
}

/* --- making --- */

BenchJob *bench_job(BenchJob *j, SoraEditKind kind, const char *a, const char *b)
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

SoraVideo *bench_make(const BenchJob *j)
{
    SoraError err = {0};
    SoraVideo *v = sora_edit(bench_engine, &j->edit, &j->request, &err);
    if (v == NULL)
        bench_stop("edit", &err);
    return v;
}

SoraVideo *bench_clip(const char *prompt, uint64_t seed, const char *path)
{
    SoraError err = {0};
    BenchJob j;
    bench_job(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = prompt;
    j.request.seed = seed;
    SoraVideo *v = bench_make(&j);
    if (!sora_video_write(v, path, &err))
        bench_stop(path, &err);
    return v;
}

/* --- remix --- */

static void measure_remix(int count)
{
    static const double STRENGTHS[] = {0.2, 0.4, 0.6, 0.8, 1};
    enum { N = sizeof STRENGTHS / sizeof *STRENGTHS };
    double sums[N] = {0};
    int rising = 0;
    for (int i = 0; i < count; i++) {
        SoraVideo *a = bench_clip(bench_prompt(i), 0, bench_clip_a);
        double last = -1;
        bool rises = true;
        for (int k = 0; k < N; k++) {
            BenchJob j;
            bench_job(&j, SORA_EDIT_REMIX, bench_clip_a, NULL)->request.prompt = bench_prompt(i + 5);
            j.edit.strength = STRENGTHS[k];
            SoraVideo *v = bench_make(&j);
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
    BenchJob j;
    struct rusage use;
    bench_job(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = "a red car drives left on a street";
    j.edit.seconds = seconds;
    double began = clock_seconds();
    SoraVideo *v = bench_make(&j);
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
    if (!sora_video_write(v, bench_clip_long, &err))
        bench_stop(bench_clip_long, &err);
    sora_video_free(v);
}

int main(int argc, char **argv)
{
    SoraError err = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: studio counts N | seams N | remix N | words N | drift N | minute SECONDS\n");
        return 2;
    }
    read_prompts();
    if (mkdtemp(folder) == NULL)
        bench_stop(folder, &(SoraError){.message = "cannot be made"});
    snprintf(bench_clip_a, sizeof bench_clip_a, "%s/a.mp4", folder);
    snprintf(bench_clip_b, sizeof bench_clip_b, "%s/b.mp4", folder);
    snprintf(bench_clip_long, sizeof bench_clip_long, "%s/long.mp4", folder);
    bench_engine = sora_engine_open(NULL, NULL, &err);
    if (bench_engine == NULL)
        bench_stop("model", &err);
    bool ok = true;
    if (strcmp(argv[1], "counts") == 0)
        ok = measure_counts(atoi(argv[2]));
    else if (strcmp(argv[1], "seams") == 0)
        measure_seams(atoi(argv[2]));
    else if (strcmp(argv[1], "remix") == 0)
        measure_remix(atoi(argv[2]));
    else if (strcmp(argv[1], "words") == 0)
        measure_words(atoi(argv[2]));
    else if (strcmp(argv[1], "drift") == 0)
        measure_drift(atoi(argv[2]));
    else if (strcmp(argv[1], "minute") == 0)
        measure_minute(atof(argv[2]));
    sora_engine_close(bench_engine);
    remove(bench_clip_a);
    remove(bench_clip_b);
    remove(bench_clip_long);
    remove(folder);
    return ok ? 0 : 1;
}
