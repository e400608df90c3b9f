/* sora bench: how near the machine's limit the networks run, at real sizes with random weights. */
#ifndef SORA_BENCH_BENCH_H
#define SORA_BENCH_BENCH_H

#include <stdint.h>
#include "base/error.h"

enum { BENCH_MAX_ROWS = 64 };

enum { BENCH_TRANSFORMER = 1, BENCH_ENCODER = 2, BENCH_DECODER = 4 };

typedef struct BenchOptions {
    const char *config;        /* nano, a published model's name or wan2.1-vae; NULL: nano */
    int width, height, frames; /* of the video; 0: the configuration's own */
    int tokens;                /* of the transformer, instead of the video's; 0: the video's */
    int layers;                /* of the transformer, the first ones; 0: all */
    int parts;                 /* BENCH_TRANSFORMER and so on, together; 0: all that the configuration has */
    int repeats;               /* rounds, after one to warm up, of a run and of oneDNN alone; the median of their ratio
                                * counts; 0: 3; at most 100 */
    bool by_op;                /* a row for each kind of op as well */
    bool processor_time;       /* seconds are those of the processor, which others on the machine hardly change; one thread */
    SoraOptions engine;        /* threads, precision, cpu level */
} BenchOptions;

typedef struct BenchRow {
    char name[64];
    double seconds, tflop;
    double gflops;  /* a second; 0 where nothing is counted */
    double percent; /* of what oneDNN alone reaches on the same products or convolutions; 0: not compared */
} BenchRow;

typedef struct BenchReport {
    char machine[128]; /* processor, threads, level, precision */
    char workload[128];
    BenchRow rows[BENCH_MAX_ROWS];
    int count;
    int64_t peak_bytes; /* of the process, without oneDNN's yardstick */
} BenchReport;

/* Takes seconds to minutes. */
bool bench_run(const BenchOptions *options, BenchReport *report, SoraError *err);

#endif
