/* Of the programs in bench/studio*.c: clips, edits, and what is measured of frames. */
#ifndef SORA_BENCH_STUDIO_H
#define SORA_BENCH_STUDIO_H

#include <sora.h>

#include <stdbool.h>

extern SoraEngine *bench_engine;
extern char bench_clip_a[64], bench_clip_b[64], bench_clip_long[64]; /* files of a scratch folder */

/* Says why, and ends the program. */
void bench_stop(const char *what, const SoraError *err);
const char *bench_prompt(int i); /* of models/nano/prompts.tsv, from the first again after the last */

typedef struct BenchJob {
    SoraEdit edit;
    SoraRequest request;
    const char *inputs[3];
} BenchJob;
/* Inputs that are NULL are none. Returns j. */
BenchJob *bench_job(BenchJob *j, SoraEditKind kind, const char *a, const char *b);
SoraVideo *bench_make(const BenchJob *j);
/* A clip of the model's own length, as a file; also the video. */
SoraVideo *bench_clip(const char *prompt, uint64_t seed, const char *path);

typedef struct Colour {
    double mean[3], deviation; /* of channels; of grey */
} Colour;
Colour colour_of(const SoraVideo *v, int f);
double bench_quantile(double *values, int count, double q); /* sorts them */

/* bench/studio_seams.c, bench/studio_words.c, bench/studio_counts.c */
void measure_seams(int count);
void measure_words(int count);
void measure_drift(int count);
bool measure_counts(int count);

#endif
