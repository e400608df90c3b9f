#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "bench/bench.h"

typedef struct BenchArgs {
    const char *config;
    OptionSize size;
    int frames, tokens, layers, part, repeats, threads, precision, cpu, clock;
    bool ops, json;
} BenchArgs;

static const BenchArgs defaults = {.config = "nano", .repeats = 3};

static const char *const cpu_levels[] = {NULL, "reference", "avx2", "avx512"};

static const int parts[] = {0, BENCH_TRANSFORMER, BENCH_ENCODER, BENCH_DECODER}; /* as in --part */

static const Option options[] = {
    {'c', "config", OPTION_STRING, offsetof(BenchArgs, config), "NAME",
     .help = "nano (default), wan2.1-t2v-1.3b, wan2.1-t2v-14b, wan2.1-i2v-14b, wan2.2-ti2v-5b, wan2.2-t2v-a14b, "
             "wan2.2-i2v-a14b or wan2.1-vae: real sizes, random weights, no file"},
    {0, "size", OPTION_SIZE, offsetof(BenchArgs, size), "WxH",
     .help = "pixels (default: the configuration's)", .min = 1, .max = 8192},
    {0, "frames", OPTION_INT, offsetof(BenchArgs, frames), "N",
     .help = "number of frames: 1, 5, 9, 13, 17 ...", .min = 1, .max = 4093},
    {0, "tokens", OPTION_INT, offsetof(BenchArgs, tokens), "N",
     .help = "tokens of the transformer, instead of what the size gives", .min = 1, .max = 1 << 22},
    {0, "layers", OPTION_INT, offsetof(BenchArgs, layers), "N",
     .help = "only the transformer's first N blocks (default: all)", .min = 1, .max = 1000},
    {0, "part", OPTION_CHOICE, offsetof(BenchArgs, part), .help = "only this network",
     .choices = "all|transformer|encoder|decoder"},
    {0, "repeats", OPTION_INT, offsetof(BenchArgs, repeats), "N",
     .help = "rounds of the network and of oneDNN, after one to warm up; the median of their ratio counts (default 3)",
     .min = 1, .max = 100},
    {0, "ops", OPTION_FLAG, offsetof(BenchArgs, ops), .help = "a row for each kind of operation as well"},
    {0, "precision", OPTION_CHOICE, offsetof(BenchArgs, precision),
     .help = "bf16 is faster where the processor has it, int8 more so and coarser",
     .choices = "auto|f32|bf16|int8"},
    {0, "threads", OPTION_INT, offsetof(BenchArgs, threads), "N", .help = "0: all cores (default)", .min = 0,
     .max = 4096},
    {0, "clock", OPTION_CHOICE, offsetof(BenchArgs, clock),
     .help = "processor: count only what the processor works for this, on a machine that has other things to do; with --threads 1",
     .choices = "wall|processor"},
    {0, "cpu", OPTION_CHOICE, offsetof(BenchArgs, cpu), .help = "at most these instructions",
     .choices = "auto|reference|avx2|avx512"},
    {0, "json", OPTION_FLAG, offsetof(BenchArgs, json), .help = "print one JSON object with the rows"},
    {0},
};

static bool print_json(const BenchReport *r, SoraError *err)
{
    shortage_begin();
    json_t *rows = json_array();
    for (int i = 0; i < r->count; i++) {
        const BenchRow *row = &r->rows[i];
        json_array_append_new(rows, json_pack("{s:s, s:f, s:f, s:f, s:f}", "name", row->name, "seconds",
                                              row->seconds, "tflop", row->tflop, "gflops", row->gflops,
                                              "percent", row->percent));
    }
    json_t *o = json_pack("{s:s%, s:s, s:I, s:o}", "machine", r->machine, strlen(r->machine), "workload",
                          r->workload, "peak_bytes", (json_int_t)r->peak_bytes, "rows", rows);
    return json_print(o, JSON_INDENT(1) | JSON_REAL_PRECISION(6), err);
}

static void print_table(const BenchReport *r)
{
    printf("%s\n%s\n\n%-34s %10s %10s %10s %8s\n", r->machine, r->workload, "", "seconds", "TFLOP", "GFLOP/s",
           "%");
    for (int i = 0; i < r->count; i++) {
        const BenchRow *row = &r->rows[i];
        printf("%-34s %10.4f", row->name, row->seconds);
        if (row->tflop > 0)
            printf(" %10.4f %10.1f %8.1f", row->tflop, row->gflops, row->percent);
        putchar('\n');
    }
    printf("\npeak memory %.1f MB\n", (double)r->peak_bytes / 1e6);
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const BenchArgs *a = values;
    BenchOptions o = {.config = a->config,
                      .width = a->size.width,
                      .height = a->size.height,
                      .frames = a->frames,
                      .tokens = a->tokens,
                      .layers = a->layers,
                      .parts = parts[a->part],
                      .repeats = a->repeats,
                      .by_op = a->ops,
                      .processor_time = a->clock == 1,
                      .engine = {.threads = a->threads, .precision = (SoraPrecision)a->precision, .cpu = cpu_levels[a->cpu]}};
    BenchReport report;
    if (!bench_run(&o, &report, err))
        return false;
    if (a->json)
        return print_json(&report, err);
    print_table(&report);
    return true;
}

const Command CMD_BENCH = {
    .name = "bench",
    .summary = "measure how near this machine's limit the networks run",
    .description = "Times a step of the transformer and the autoencoder's decoding at real sizes, counts\n"
                   "their operations from the shapes, and compares with what oneDNN alone reaches on the\n"
                   "same products and convolutions, one after the other with nothing in between.",
    .examples = "  sora bench\n"
                "  sora bench --config wan2.1-t2v-1.3b --tokens 7800 --layers 3 --part transformer\n"
                "  sora bench --config wan2.2-ti2v-5b --size 256x256 --frames 5 --repeats 1 --json\n"
                "  sora bench --ops --threads 1",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = run,
};
