/* One weight file into another and back; float8 with scales, pieces, merged dimensions; what cannot be held.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "unit/real_models.h"
#include "unit/temp_dir.h"
#include "weights/convert.h"
#include "weights/part_source.h"
#include "weights/quant.h"
#include "weights/safetensors.h"
#include "weights/weight_writer.h"

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

typedef struct Given {
    const char *name;
    DType dtype;
    int ndim;
    int64_t shape[5];
    float scale; /* of its random numbers */
} Given;

/* A transformer's names, so that it is recognised; odd rows, five dimensions, vectors. */
static const Given SOURCE[] = {
    {"blocks.0.self_attn.q.weight", DTYPE_F32, 2, {64, 512}, 0.05f},
    {"blocks.0.self_attn.q.bias", DTYPE_F32, 1, {64}, 1},
    {"blocks.0.ffn.0.weight", DTYPE_BF16, 2, {8, 96}, 0.1f},
    {"blocks.0.ffn.2.weight", DTYPE_F16, 2, {8, 50}, 0.1f},
    {"blocks.0.modulation", DTYPE_BF16, 3, {1, 6, 32}, 1},
    {"patch_embedding.weight", DTYPE_F32, 5, {8, 4, 1, 2, 2}, 1},
};
enum { SOURCES = sizeof SOURCE / sizeof SOURCE[0] };

static void write_source(const char *path, const char *prefix)
{
    SoraError err = {0};
    Rng rng;
    rng_init(&rng, 3, 3);
    WeightWriter *w = weight_writer_new(path, &err);
    char name[128];
    for (int i = 0; i < SOURCES; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, SOURCE[i].name);
        assert_true(weight_writer_add(w, name, SOURCE[i].dtype, SOURCE[i].ndim, SOURCE[i].shape, &err));
    }
    assert_true(weight_writer_begin(w, &err));
    for (int i = 0; i < SOURCES; i++) {
        Tensor t = tensor_over(NULL, SOURCE[i].dtype, SOURCE[i].ndim, SOURCE[i].shape);
        int64_t n = tensor_numel(&t);
        float *x = malloc((size_t)n * sizeof *x);
        rng_fill_normal(&rng, x, (size_t)n);
        for (int64_t k = 0; k < n; k++)
            x[k] *= SOURCE[i].scale;
        uint8_t *bytes = malloc(tensor_bytes(&t));
        assert_true(weight_encode(t.dtype, x, n, bytes));
        assert_true(weight_writer_write(w, bytes, 2, &err)); /* in pieces */
        assert_true(weight_writer_write(w, bytes + 2, tensor_bytes(&t) - 2, &err));
        free(bytes);
        free(x);
    }
    assert_true(weight_writer_finish(w, &err));
    weight_writer_free(w);
}

static WeightFile *opened(const char *path)
{
    SoraError err = {0};
    WeightFile *f = weight_file_open(path, &err);
    if (f == NULL)
        fail_msg("%s", err.message);
    return f;
}

static void converted(const char *from, const char *to, DType type, bool own_names)
{
    SoraError err = {0};
    if (!weights_convert(from, to, &(ConvertOptions){.type = type, .own_names = own_names}, &err))
        fail_msg("%s", err.message);
}

/* Root of the mean square difference, in units of the deviation of a. */
static double difference(const Tensor *a, const Tensor *b)
{
    int64_t n = tensor_numel(a);
    float *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y);
    weight_decode(a->dtype, a->data, n, x);
    weight_decode(b->dtype, b->data, n, y);
    double sum = 0, all = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (x[i] - y[i]) * (double)(x[i] - y[i]);
        all += x[i] * (double)x[i];
    }
    free(x);
    free(y);
    return sqrt(sum / all);
}

static void every_type_is_written(void **state)
{
    static const struct {
        DType type, odd; /* odd: what rows of 50 become */
        double most;
    } CASES[] = {
        {DTYPE_F32, DTYPE_F32, 1e-9},  {DTYPE_F16, DTYPE_F16, 4e-4},  {DTYPE_BF16, DTYPE_BF16, 3e-3},
        {DTYPE_Q8_0, DTYPE_F16, 8e-3}, {DTYPE_Q4_0, DTYPE_F16, 0.12}, {DTYPE_Q4_1, DTYPE_F16, 0.11},
        {DTYPE_Q5_0, DTYPE_F16, 0.06}, {DTYPE_Q5_1, DTYPE_F16, 0.05}, {DTYPE_Q4_K, DTYPE_F16, 0.1},
        {DTYPE_Q5_K, DTYPE_F16, 0.05}, {DTYPE_Q6_K, DTYPE_F16, 0.03},
    };
    write_source(in_dir("a.safetensors"), "");
    WeightFile *a = opened(in_dir("a.safetensors"));
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++)
        for (int gguf = dtype_block(CASES[c].type) > 1; gguf < 2; gguf++) {
            const char *name = gguf ? "b.gguf" : "b.safetensors";
            converted(in_dir("a.safetensors"), in_dir(name), CASES[c].type, false);
            WeightFile *b = opened(in_dir(name));
            assert_int_equal(weight_file_count(b), SOURCES);
            for (int i = 0; i < SOURCES; i++) {
                const Tensor *x = weight_file_find(a, SOURCE[i].name),
                             *y = weight_file_find(b, SOURCE[i].name);
                assert_non_null(y);
                assert_true(tensor_same_shape(x, y));
                assert_true(difference(x, y) <= CASES[c].most);
            }
            assert_int_equal(weight_file_find(b, "blocks.0.self_attn.q.weight")->dtype, CASES[c].type);
            assert_int_equal(weight_file_find(b, "blocks.0.self_attn.q.bias")->dtype, DTYPE_F32);
            assert_int_equal(weight_file_find(b, "blocks.0.modulation")->dtype, DTYPE_BF16);
            assert_int_equal(weight_file_find(b, "blocks.0.ffn.2.weight")->dtype, CASES[c].odd);
            bool large = dtype_block(CASES[c].type) == 256;
            assert_int_equal(weight_file_find(b, "blocks.0.ffn.0.weight")->dtype,
                             large ? DTYPE_Q8_0 : CASES[c].type);
            weight_file_close(b);
        }
    weight_file_close(a);
}

/* To GGUF and back, all 16 bits: the same numbers. */
static void containers_lose_nothing(void **state)
{
    write_source(in_dir("a.safetensors"), "model.diffusion_model.");
    converted(in_dir("a.safetensors"), in_dir("b.gguf"), DTYPE_F32, false);
    converted(in_dir("b.gguf"), in_dir("c.safetensors"), DTYPE_F32, true);
    WeightFile *a = opened(in_dir("a.safetensors")), *b = opened(in_dir("b.gguf")),
               *c = opened(in_dir("c.safetensors"));
    assert_string_equal(weight_file_metadata(b, "general.architecture"), "wan");
    for (int i = 0; i < SOURCES; i++) {
        char name[128];
        snprintf(name, sizeof name, "model.diffusion_model.%s", SOURCE[i].name);
        const Tensor *x = weight_file_find(a, name), *z = weight_file_find(c, SOURCE[i].name);
        assert_non_null(weight_file_find(b, name));
        assert_non_null(z);
        assert_true(tensor_same_shape(x, z) && difference(x, z) == 0);
    }
    weight_file_close(a);
    weight_file_close(b);
    weight_file_close(c);
}

static void put_tensor(SafetensorsWriter *w, const char *name, Tensor *t)
{
    SoraError err = {0};
    assert_true(safetensors_writer_add(w, name, t, &err));
}

/* Float8 and its scale: one number, and one for each row; widened, and converted. */
static void scales_are_multiplied(void **state)
{
    float q[2 * 64], k[2 * 64], one = 0.5f, rows[2] = {2, -3};
    uint8_t q8[2 * 64], k8[2 * 64];
    for (int i = 0; i < 128; i++)
        q[i] = k[i] = (float)(i % 16) / 8;
    assert_true(weight_encode(DTYPE_F8_E4M3, q, 128, q8) && weight_encode(DTYPE_F8_E5M2, k, 128, k8));
    weight_decode(DTYPE_F8_E4M3, q8, 128, q);
    weight_decode(DTYPE_F8_E5M2, k8, 128, k);
    SoraError err = {0};
    SafetensorsWriter *w = safetensors_writer_new(&err);
    Tensor one_t = tensor_over(&one, DTYPE_F32, 0, (int64_t[]){0}),
           rows_t = tensor_over(rows, DTYPE_F32, 2, (int64_t[]){2, 1});
    Tensor q_t = tensor_over(q8, DTYPE_F8_E4M3, 2, (int64_t[]){2, 64}),
           k_t = tensor_over(k8, DTYPE_F8_E5M2, 2, (int64_t[]){2, 64});
    Tensor mark = tensor_over(NULL, DTYPE_F8_E4M3, 1, (int64_t[]){0}), v_t = k_t;
    uint16_t half = f32_to_bf16(0.25f); /* some files have scales of 16 bits, under the newer name */
    Tensor half_t = tensor_over(&half, DTYPE_BF16, 1, (int64_t[]){1});
    put_tensor(w, "blocks.0.attn1.to_q.scale_weight", &one_t);
    put_tensor(w, "blocks.0.attn1.to_k.scale_weight", &rows_t);
    put_tensor(w, "blocks.0.attn1.to_k.scale_input", &one_t);
    put_tensor(w, "blocks.0.attn1.to_v.weight_scale", &half_t);
    put_tensor(w, "blocks.0.attn1.to_q.weight", &q_t);
    put_tensor(w, "blocks.0.attn1.to_k.weight", &k_t);
    put_tensor(w, "blocks.0.attn1.to_v.weight", &v_t);
    put_tensor(w, "scaled_fp8", &mark);
    assert_true(safetensors_writer_save(w, in_dir("fp8.safetensors"), &err));
    safetensors_writer_free(w);
    converted(in_dir("fp8.safetensors"), in_dir("wide.safetensors"), DTYPE_F32, true);
    for (int wide = 0; wide < 2; wide++) {
        LayoutMatch match[PART_KINDS];
        PartSource source;
        WeightFile *f = opened(in_dir(wide ? "wide.safetensors" : "fp8.safetensors"));
        assert_int_equal(layout_recognise(f, match, &err), 1);
        assert_string_equal(layout_name(match[0].layout), wide ? "original" : "diffusers");
        WeightPart *part = weight_part_new(f, &match[0], &err);
        if (part == NULL)
            fail_msg("%s", err.message);
        assert_int_equal(weight_part_count(part), 3);
        part_source_init(&source, part, NULL, FILE_SOURCE_F32);
        for (int n = 0; n < 3; n++) {
            static const char *const NAMES[] = {"blocks.0.self_attn.q.weight", "blocks.0.self_attn.k.weight",
                                                "blocks.0.self_attn.v.weight"};
            Tensor t = tensor_over(NULL, DTYPE_F32, 2, (int64_t[]){2, 64});
            assert_true(source.source.fill(&source.source, NAMES[n], &t, (Init){0}, &err));
            for (int i = 0; i < 128; i++) {
                float want = n == 0 ? q[i] * one : n == 1 ? k[i] * rows[i / 64] : k[i] * 0.25f;
                assert_true(((float *)t.data)[i] == want);
            }
        }
        part_source_deinit(&source);
        weight_part_free(part);
        weight_file_close(f);
    }
}

/* CLIP as transformers has it: q, k and v apart, our network wants them as one. */
static void pieces_become_one(void **state)
{
    SoraError err = {0};
    float numbers[3][8 * 8];
    SafetensorsWriter *w = safetensors_writer_new(&err);
    Tensor t[3];
    static const char *const NAMES[] = {"vision_model.encoder.layers.0.self_attn.v_proj.weight",
                                        "vision_model.encoder.layers.0.self_attn.q_proj.weight",
                                        "vision_model.encoder.layers.0.self_attn.k_proj.weight"};
    static const int PLACE[] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 64; k++)
            numbers[i][k] = (float)(PLACE[i] * 64 + k);
        t[i] = tensor_over(numbers[i], DTYPE_F32, 2, (int64_t[]){8, 8});
        put_tensor(w, NAMES[i], &t[i]);
    }
    assert_true(safetensors_writer_save(w, in_dir("clip.safetensors"), &err));
    safetensors_writer_free(w);
    LayoutMatch match[PART_KINDS];
    WeightFile *f = opened(in_dir("clip.safetensors"));
    assert_int_equal(layout_recognise(f, match, &err), 1);
    WeightPart *part = weight_part_new(f, &match[0], &err);
    assert_non_null(part);
    PartSource source;
    part_source_init(&source, part, NULL, FILE_SOURCE_MAPPED);
    Tensor qkv = tensor_over(NULL, DTYPE_F32, 2, (int64_t[]){24, 8});
    assert_true(
        source.source.fill(&source.source, "visual.transformer.0.attn.to_qkv.weight", &qkv, (Init){0}, &err));
    for (int i = 0; i < 192; i++)
        assert_true(((float *)qkv.data)[i] == (float)i);
    float middle[8 * 12];
    assert_true(part_source_rows(weight_part_tensor(part, 0), NULL, &qkv, 7, 12, middle,
                                 &err)); /* over two borders */
    for (int i = 0; i < 96; i++)
        assert_true(middle[i] == (float)(56 + i));
    part_source_deinit(&source);
    weight_part_free(part);
    weight_file_close(f);
}

static void shapes_may_differ_in_ones(void **state)
{
    static const struct {
        int have_ndim, want_ndim;
        int64_t have[5], want[5];
        bool fits;
    } CASES[] = {
        {2, 3, {6, 8}, {1, 6, 8}, true},
        {5, 5, {4, 3, 1, 2, 2}, {4, 3, 1, 2, 2}, true},
        {4, 5, {12, 1, 2, 2}, {4, 3, 1, 2, 2}, true},
        {4, 5, {12, 2, 2, 1}, {4, 3, 1, 2, 2}, true},
        {4, 5, {12, 1, 2, 3}, {4, 3, 1, 2, 2}, false},
        {1, 2, {12}, {4, 3}, false},
        {2, 2, {3, 4}, {4, 3}, false},
        {1, 0, {1}, {0}, true},
        {2, 1, {8, 2}, {8}, false},
        {1, 2, {8}, {8, 2}, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Tensor have = tensor_over(NULL, DTYPE_F32, CASES[i].have_ndim, CASES[i].have);
        Tensor want = tensor_over(NULL, DTYPE_F32, CASES[i].want_ndim, CASES[i].want);
        assert_int_equal(part_shape_fits(&have, &want), CASES[i].fits);
    }
}

static void what_cannot_be_is_said(void **state)
{
    SoraError err = {0};
    write_source(in_dir("a.safetensors"), "");
    assert_false(weights_convert(in_dir("a.safetensors"), in_dir("b.safetensors"),
                                 &(ConvertOptions){.type = DTYPE_Q4_K}, &err));
    assert_int_equal(err.code, SORA_ERROR_UNSUPPORTED);
    assert_false(weights_convert(in_dir("a.safetensors"), in_dir("b.bin"),
                                 &(ConvertOptions){.type = DTYPE_BF16}, &err));
    assert_non_null(strstr(err.message, "expected a name that ends in .safetensors or .gguf"));
    float big[64];
    for (int i = 0; i < 64; i++)
        big[i] = i == 63 ? 1e6f : 0;
    Tensor t = tensor_over(big, DTYPE_F32, 2, (int64_t[]){2, 32});
    SafetensorsWriter *w = safetensors_writer_new(&err);
    put_tensor(w, "big", &t);
    assert_true(safetensors_writer_save(w, in_dir("big.safetensors"), &err));
    safetensors_writer_free(w);
    assert_false(weights_convert(in_dir("big.safetensors"), in_dir("none.safetensors"),
                                 &(ConvertOptions){.type = DTYPE_F16}, &err));
    assert_non_null(strstr(err.message, "tensor \"big\" has numbers that F16 cannot hold"));
    assert_false(file_exists(in_dir("none.safetensors")));
}

/* 268 MB through a process that grows by one tensor and some buffers. */
static void memory_stays_small(void **state)
{
    FakeFile f = {0};
    char name[64];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "blocks.%d.ffn.0.weight", i);
        fake_add(&f, "", name, DTYPE_BF16, &(Tensor){.ndim = 2, .shape = {4096, 4096}});
    }
    assert_true(fake_safetensors(&f, in_dir("large.safetensors")));
    fake_free(&f);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    converted(in_dir("large.safetensors"), in_dir("large.gguf"), DTYPE_Q8_0, false);
    getrusage(RUSAGE_SELF, &after);
    print_message("peak before %ld MB, after %ld MB\n", before.ru_maxrss / 1024, after.ru_maxrss / 1024);
    assert_true(after.ru_maxrss - before.ru_maxrss < 80 * 1024); /* a tensor of it has 34 MB, all of it 268 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_small),      cmocka_unit_test(every_type_is_written),
        cmocka_unit_test(containers_lose_nothing), cmocka_unit_test(scales_are_multiplied),
        cmocka_unit_test(pieces_become_one),       cmocka_unit_test(shapes_may_differ_in_ones),
        cmocka_unit_test(what_cannot_be_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
