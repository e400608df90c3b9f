/* The pager against the same network without it: equal results, weights given back under a limit, and a clear error when
 * nothing more can be given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "cpu/backend.h"
#include "engine/pager.h"
#include "model/transformer.h"
#include "tsan.h"
#include "weights/param_sources.h"
#include "weights/quant.h"
#include "weights/safetensors.h"

static const DitConfig CONFIG = {.dim = 512, .in_dim = 4, .out_dim = 4, .ffn_dim = 2048, .num_heads = 4, .num_layers = 8,
                                 .patch_size = {1, 2, 2}, .text_len = 8, .text_dim = 256, .freq_dim = 256, .eps = 1e-6};
enum { TOKENS = 24, MB = 1 << 20 };

static char path[] = "/tmp/sora-pager-XXXXXX.safetensors";

/* The network with random weights, matrices in the given type. */
static void write_network(DType dtype)
{
    SoraError err = {0};
    RandomSource random;
    Params params;
    Dit dit;
    random_source_init(&random, 8);
    params_init(&params, &random.source);
    dit_bind(&dit, &CONFIG, &params);
    assert_true(params_ok(&params, &err));
    SafetensorsWriter *w = safetensors_writer_new(&err);
    assert_non_null(w);
    void **bytes = calloc((size_t)params.count, sizeof *bytes);
    Tensor *tensors = calloc((size_t)params.count, sizeof *tensors); /* the writer looks at them when it saves */
    for (int i = 0; i < params.count; i++) {
        Tensor t = params.items[i]->tensor;
        if (strstr(params.items[i]->name, "head.head") != NULL) /* starts as zero: everything must take part */
            for (int64_t k = 0; k < tensor_numel(&t); k++)
                ((float *)t.data)[k] = (float)(k % 17 - 8) / 64;
        if (params_is_matrix(&t)) {
            bytes[i] = malloc((size_t)tensor_numel(&t) * 4);
            assert_true(weight_encode(dtype, t.data, tensor_numel(&t), bytes[i]));
            t = tensor_over(bytes[i], dtype, t.ndim, t.shape);
        }
        tensors[i] = t;
        assert_true(safetensors_writer_add(w, params.items[i]->name, &tensors[i], &err));
    }
    assert_true(safetensors_writer_save(w, path, &err));
    safetensors_writer_free(w);
    for (int i = 0; i < params.count; i++)
        free(bytes[i]);
    free(bytes);
    free(tensors);
    params_deinit(&params);
    random_source_deinit(&random);
}

typedef struct Opened {
    WeightFile *file;
    WeightPart *part;
    Backend *cpu;
    Params params;
    Dit dit;
} Opened;

static void open_network(Opened *o)
{
    SoraError err = {0};
    LayoutMatch matches[PART_KINDS];
    *o = (Opened){0};
    assert_non_null(o->file = weight_file_open(path, &err));
    assert_int_equal(layout_recognise(o->file, matches, &err), 1);
    assert_non_null(o->part = weight_part_new(o->file, &matches[0], &err));
    assert_non_null(o->cpu = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err));
}

static void close_network(Opened *o)
{
    params_deinit(&o->params);
    cpu_backend_free(o->cpu);
    weight_part_free(o->part);
    weight_file_close(o->file);
}

static bool forward(Opened *o, Backend *backend, float out[TOKENS * 16], SoraError *err)
{
    static const int64_t GRID[1][3] = {{2, 3, 4}}, ROWS[1] = {5};
    static const int32_t INDEX[TOKENS];
    float patches[TOKENS * 16], text[5 * 256];
    for (int i = 0; i < TOKENS * 16; i++)
        patches[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < 5 * 256; i++)
        text[i] = (float)(i * 53 % 97) / 48 - 1;
    Graph *g = graph_new(backend);
    assert_non_null(g);
    DitBatch b = {.samples = 1, .grid = GRID, .text_rows = ROWS};
    b.patches = graph_input(g, DTYPE_F32, SHAPE(TOKENS, 16), patches);
    b.timesteps = graph_input(g, DTYPE_F32, SHAPE(1), (const float[]){700});
    b.t_index = graph_input(g, DTYPE_I32, SHAPE(TOKENS), INDEX);
    b.text = graph_input(g, DTYPE_F32, SHAPE(5, 256), text);
    graph_download(g, dit_forward(g, &o->dit, &b), out);
    bool ok = graph_ok(g, err);
    graph_free(g);
    return ok;
}

static void expect_plain(float out[TOKENS * 16])
{
    SoraError err = {0};
    Opened o;
    open_network(&o);
    PartSource source;
    part_source_init(&source, o.part, NULL, FILE_SOURCE_MAPPED);
    params_init(&o.params, &source.source);
    dit_bind(&o.dit, &CONFIG, &o.params);
    if (!params_ok(&o.params, &err) || !forward(&o, o.cpu, out, &err))
        fail_msg("%s", err.message);
    close_network(&o);
    part_source_deinit(&source);
}

/* The network's weights through the pager. */
static void bind_paged(Opened *o, PagedSource *source, Pager *pager)
{
    SoraError err = {0};
    paged_source_init(source, pager, o->part, NULL);
    params_init(&o->params, &source->source);
    dit_bind(&o->dit, &CONFIG, &o->params);
    assert_true(params_ok(&o->params, &err));
}

/* "RssFile", "RssAnon" of this process, bytes. */
static size_t status(const char *key)
{
    char line[256];
    size_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtoull(line + strlen(key) + 1, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kb * 1024;
}

/* From now on VmHWM is the most that was in memory since. */
static void forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    assert_true(f != NULL && fputs("5", f) >= 0 && fclose(f) == 0);
}

static void same_result_under_a_limit(void **state)
{
    if (UNDER_TSAN)
        skip(); /* its memory is in the process's too */
    static const DType TYPES[] = {DTYPE_BF16, DTYPE_F8_E4M3};
    for (int i = 0; i < 2; i++) {
        float plain[TOKENS * 16], paged[TOKENS * 16];
        SoraError err = {0};
        write_network(TYPES[i]);
        expect_plain(plain);
        Opened o;
        Pager pager;
        PagedSource source;
        open_network(&o);
        pager_init(&pager, o.cpu, (size_t)1 << 40); /* weights are widened when used */
        bind_paged(&o, &source, &pager);
        size_t before = status("RssFile:");
        pager.limit = status("VmRSS:") + 72 * MB; /* the weights are 67 MB; 32 are held in reserve */
        for (int run = 0; run < 2; run++) {
            forget_peak();
            assert_true(forward(&o, &pager.base, paged, &err));
            assert_true(status("VmHWM:") <= pager.limit);
            assert_memory_equal(plain, paged, sizeof plain);
            assert_true(pager.resident <= 48 * MB); /* what had been in memory besides need not be there any more */
            assert_true(status("RssFile:") <= before + 42 * MB);
            assert_true(status("VmRSS:") <= pager.limit);
        }
        assert_true(pager.resident > 0);
        pager.base.trim(&pager.base);
        assert_int_equal(pager.resident, 0);
        assert_true(status("RssFile:") <= before + 2 * MB);
        assert_true(forward(&o, &pager.base, paged, &err)); /* and again, from the file */
        assert_memory_equal(plain, paged, sizeof plain);
        paged_source_deinit(&source);
        pager_deinit(&pager);
        close_network(&o);
    }
}

/* Without a limit, what was widened often enough stays where products are in BF16, and nothing does in F32; with the same result. */
static void used_often_is_kept(void **state)
{
    static const DType OPERANDS[] = {DTYPE_BF16, DTYPE_F32};
    float plain[TOKENS * 16], paged[TOKENS * 16];
    write_network(DTYPE_F8_E4M3);
    expect_plain(plain);
    for (int i = 0; i < 2; i++) {
        SoraError err = {0};
        Opened o;
        Pager pager;
        PagedSource source;
        open_network(&o);
        o.cpu->operand = OPERANDS[i];
        pager_init(&pager, o.cpu, 0);
        bind_paged(&o, &source, &pager);
        size_t kept[5];
        for (int run = 0; run < 5; run++) {
            assert_true(forward(&o, &pager.base, paged, &err));
            assert_memory_equal(plain, paged, sizeof plain);
            kept[run] = pager.kept;
        }
        assert_int_equal(kept[1], 0);
        if (OPERANDS[i] == DTYPE_BF16)
            assert_true(kept[2] > 60 * MB);
        else
            assert_true(kept[2] == 0 && pager.scratch_bytes < 4 * MB);
        assert_int_equal(kept[4], kept[2]);
        paged_source_deinit(&source);
        pager_deinit(&pager);
        close_network(&o);
    }
}

static void too_small_a_limit_is_said(void **state)
{
    SoraError err = {0};
    float out[TOKENS * 16];
    Opened o;
    Pager pager;
    PagedSource source;
    write_network(DTYPE_BF16);
    open_network(&o);
    pager_init(&pager, o.cpu, MB);
    assert_int_equal(pager_left(&pager), 1); /* the process has more than that */
    assert_int_equal(pager_left(&(Pager){.limit = 0}), 0);
    assert_in_range(pager_left(&(Pager){.limit = (size_t)1 << 40}), (size_t)1 << 39, ((size_t)1 << 40) - MB);
    bind_paged(&o, &source, &pager);
    assert_false(forward(&o, &pager.base, out, &err));
    assert_int_equal(err.code, SORA_ERROR_MEMORY);
    assert_non_null(strstr(err.message, "the limit is 1 MB"));
    paged_source_deinit(&source);
    pager_deinit(&pager);
    close_network(&o);
}

/* A kernel's scratch and outputs are counted before they are there: nothing passes the limit, whatever it is. */
static void the_limit_is_never_passed(void **state)
{
    if (UNDER_TSAN)
        skip();
    SoraError err = {0};
    float out[TOKENS * 16];
    int made = 0, refused = 0;
    write_network(DTYPE_BF16);
    for (size_t room = 8; room <= 44; room += room < 16 ? 1 : 7) {
        Opened o;
        Pager pager;
        PagedSource source;
        open_network(&o);
        o.cpu->trim(o.cpu);
        cpu_backend_free(o.cpu);
        o.cpu = cpu_backend_new(&(CpuOptions){.room = pager_room, .user = &pager}, &err);
        assert_non_null(o.cpu);
        pager_init(&pager, o.cpu, (size_t)1 << 40);
        bind_paged(&o, &source, &pager);
        forget_peak();
        pager.limit = status("VmRSS:") + room * MB;
        bool ok = forward(&o, &pager.base, out, &err);
        assert_true(ok || err.code == SORA_ERROR_MEMORY);
        assert_true(status("VmHWM:") <= pager.limit);
        made += ok;
        refused += !ok;
        paged_source_deinit(&source);
        pager_deinit(&pager);
        close_network(&o);
    }
    assert_true(made > 0 && refused > 0);
}

/* The share of a mapped tensor that is in the system's cache. */
static double cached(const Tensor *t)
{
    static unsigned char there[4096];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)t->data / page * page;
    size_t pages = ((uintptr_t)t->data + tensor_bytes(t) - first) / page, count = 0;
    assert_true(pages > 0 && pages <= sizeof there && mincore((void *)first, pages * page, there) == 0);
    for (size_t i = 0; i < pages; i++)
        count += there[i] & 1;
    return (double)count / (double)pages;
}

/* While one weight is used the next one of the file comes from the disk; one far behind does not. */
static void the_next_weight_is_asked_for(void **state)
{
    SoraError err = {0};
    static float x[512];
    Opened o;
    Pager pager;
    PagedSource source;
    write_network(DTYPE_BF16);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fdatasync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    close(fd);
    open_network(&o);
    pager_init(&pager, o.cpu, 0);
    bind_paged(&o, &source, &pager);
    const Tensor *used = o.dit.blocks[1].ffn[0].w, *next = o.dit.blocks[1].ffn[1].w, *far = o.dit.blocks[6].ffn[0].w;
    assert_in_range((char *)next->data - (char *)used->data, tensor_bytes(used), tensor_bytes(used) + 65536); /* a bias */
    double before = cached(next);
    if (before > 0.5)
        skip(); /* a file system that is all in memory */
    Graph *g = graph_new(&pager.base);
    op_linear(g, graph_input(g, DTYPE_F32, SHAPE(1, 512), x), o.dit.blocks[1].ffn[0].w, NULL, UNARY_NONE);
    assert_true(graph_ok(g, &err));
    for (int tries = 0; tries < 60000 && cached(next) < 1; tries++)
        usleep(10000);
    assert_true(cached(next) == 1);
    assert_true(cached(far) < 0.5);
    graph_free(g);
    paged_source_deinit(&source);
    pager_deinit(&pager);
    close_network(&o);
}

static int make_file(void **state)
{
    int fd = mkstemps(path, 12);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    return remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_result_under_a_limit),
        cmocka_unit_test(used_often_is_kept),
        cmocka_unit_test(too_small_a_limit_is_said),
        cmocka_unit_test(the_limit_is_never_passed),
        cmocka_unit_test(the_next_weight_is_asked_for),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
