/* LoRA files: names of three kinds of trainers, alpha and rank, several at once, whole differences; what is
 * refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "unit/temp_dir.h"
#include "weights/lora.h"
#include "weights/part_source.h"
#include "weights/safetensors.h"

enum { OUT = 6, IN = 4, RANK = 2 };

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

typedef struct Item {
    const char *name;
    int ndim;
    int64_t shape[3];
    float first, step; /* its numbers */
} Item;

static void save(const char *name, const Item *items, int count)
{
    SoraError err = {0};
    static float data[16][64];
    Tensor t[16];
    SafetensorsWriter *w = safetensors_writer_new(&err);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < 64; k++)
            data[i][k] = items[i].first + items[i].step * (float)k;
        t[i] = tensor_over(data[i], DTYPE_F32, items[i].ndim, items[i].shape);
        assert_true(safetensors_writer_add(w, items[i].name, &t[i], &err));
    }
    assert_true(safetensors_writer_save(w, in_dir(name), &err));
    safetensors_writer_free(w);
}

static Lora *opened(const char *name)
{
    SoraError err = {0};
    Lora *l = lora_open(in_dir(name), &err);
    if (l == NULL)
        fail_msg("%s", err.message);
    return l;
}

static float down(int r, int j)
{
    return 1 + (float)(r * IN + j);
}

static float up(int i, int r)
{
    return -2 + 0.5f * (float)(i * RANK + r);
}

/* scale * up * down at row i, column j. */
static float product(float scale, int i, int j)
{
    float sum = 0;
    for (int r = 0; r < RANK; r++)
        sum += up(i, r) * down(r, j);
    return scale * sum;
}

#define DOWN 2, {RANK, IN}, 1, 1
#define UP 2, {OUT, RANK}, -2, 0.5f

/* All of them change blocks.3.cross_attn.o.weight. */
static const struct {
    Item items[3];
    int count;
    float alpha; /* over the rank */
} KINDS[] = {
    {{{"transformer.blocks.3.attn2.to_out.0.lora_A.weight", DOWN},
      {"transformer.blocks.3.attn2.to_out.0.lora_B.weight", UP}},
     2,
     1},
    {{{"diffusion_model.blocks.3.cross_attn.o.lora_down.weight", DOWN},
      {"diffusion_model.blocks.3.cross_attn.o.lora_up.weight", UP},
      {"diffusion_model.blocks.3.cross_attn.o.alpha", 0, {0}, 8, 0}},
     3,
     4},
    {{{"lora_unet_blocks_3_cross_attn_o.lora_down.weight", DOWN},
      {"lora_unet_blocks_3_cross_attn_o.lora_up.weight", UP},
      {"lora_unet_blocks_3_cross_attn_o.alpha", 1, {1}, 1, 0}},
     3,
     0.5f},
    {{{"base_model.model.blocks.3.cross_attn.o.lora_A.default.weight", DOWN},
      {"base_model.model.blocks.3.cross_attn.o.lora_B.default.weight", UP}},
     2,
     1},
};

static const char TARGET[] = "blocks.3.cross_attn.o.weight";
static const Tensor SHAPE_OUT_IN = {.dtype = DTYPE_F32, .ndim = 2, .shape = {OUT, IN}};

static void every_kind_is_added(void **state)
{
    for (size_t k = 0; k < sizeof KINDS / sizeof KINDS[0]; k++) {
        SoraError err = {0};
        save("x.safetensors", KINDS[k].items, KINDS[k].count);
        Lora *l = opened("x.safetensors");
        assert_int_equal(lora_count(l), 1);
        assert_string_equal(lora_target(l, 0), "blocks_3_cross_attn_o_weight");
        LoraSet set = {&(LoraUse){l, -0.75f}, 1};
        assert_true(lora_covers(&set, TARGET));
        assert_false(lora_covers(&set, "blocks.3.cross_attn.o.bias") ||
                     lora_covers(&set, "blocks.3.cross_attn.q.weight"));
        float out[3 * IN];
        for (int i = 0; i < 3 * IN; i++)
            out[i] = 100;
        assert_true(lora_add(&set, TARGET, &SHAPE_OUT_IN, 2, 3, out, &err)); /* rows 2, 3, 4 */
        for (int i = 0; i < 3 * IN; i++) {
            float want = 100 + product(-0.75f * KINDS[k].alpha, 2 + i / IN, i % IN);
            if (fabsf(out[i] - want) > 1e-4f)
                fail_msg("kind %zu, element %d is %g, expected %g", k, i, out[i], want);
        }
        assert_int_equal(lora_find(l, TARGET), 0);
        assert_int_equal(lora_find(l, "patch_embedding.weight"), -1);
        lora_close(l);
    }
}

/* Two of them, and a difference of a bias and of a norm, merged into a network's tensors when they are
 * loaded. */
static void they_are_merged_when_loaded(void **state)
{
    SoraError err = {0};
    save("a.safetensors", KINDS[1].items, 3);
    static const Item B[] = {
        {"diffusion_model.blocks.3.cross_attn.o.lora_A.weight", DOWN},
        {"diffusion_model.blocks.3.cross_attn.o.lora_B.weight", UP},
        {"diffusion_model.blocks.3.cross_attn.o.diff_b", 1, {OUT}, 1, 1},
        {"diffusion_model.blocks.3.norm3.diff", 1, {OUT}, 10, 0},
    };
    save("b.safetensors", B, 4);
    static const Item BASE[] = {
        {"blocks.0.self_attn.q.weight", 2, {OUT, IN}, 0, 1},
        {"blocks.3.cross_attn.o.weight", 2, {OUT, IN}, 0, 1},
        {"blocks.3.cross_attn.o.bias", 1, {OUT}, 0, 0},
        {"blocks.3.norm3.weight", 1, {OUT}, 1, 0},
    };
    save("base.safetensors", BASE, 4);
    Lora *a = opened("a.safetensors"), *b = opened("b.safetensors");
    LoraUse uses[] = {{a, 0.25f}, {b, 2}};
    LoraSet set = {uses, 2};
    WeightFile *f = weight_file_open(in_dir("base.safetensors"), &err);
    LayoutMatch match[PART_KINDS];
    assert_int_equal(layout_recognise(f, match, &err), 1);
    WeightPart *part = weight_part_new(f, &match[0], &err);
    PartSource source;
    part_source_init(&source, part, &set, FILE_SOURCE_MAPPED);
    Tensor q = SHAPE_OUT_IN, o = SHAPE_OUT_IN;
    Tensor bias = tensor_over(NULL, DTYPE_F32, 1, (int64_t[]){OUT}), norm = bias;
    ParamSource *s = &source.source;
    assert_true(s->fill(s, "blocks.0.self_attn.q.weight", &q, (Init){0}, &err));
    assert_true(s->fill(s, TARGET, &o, (Init){0}, &err));
    assert_true(s->fill(s, "blocks.3.cross_attn.o.bias", &bias, (Init){0}, &err));
    assert_true(s->fill(s, "blocks.3.norm3.weight", &norm, (Init){0}, &err));
    assert_ptr_equal(q.data,
                     weight_file_find(f, "blocks.0.self_attn.q.weight")->data); /* untouched: mapped */
    for (int i = 0; i < OUT * IN; i++) {
        float want = (float)i + product(0.25f * 4 + 2, i / IN, i % IN);
        assert_true(fabsf(((float *)o.data)[i] - want) < 1e-3f);
    }
    for (int i = 0; i < OUT; i++) {
        assert_true(((float *)bias.data)[i] == 2 * (1 + (float)i));
        assert_true(((float *)norm.data)[i] == 21);
    }
    part_source_deinit(&source);
    weight_part_free(part);
    weight_file_close(f);
    lora_close(a);
    lora_close(b);
}

/* What lightx2v's distilled models come with: "blocks.0.diff_m" [1, 6, dim] and "head.diff_m" are modulation. */
static void modulation_is_changed(void **state)
{
    SoraError err = {0};
    static const Item ITEMS[] = {
        {"diffusion_model.blocks.3.diff_m", 3, {1, 6, IN}, 1, 1},
        {"diffusion_model.head.diff_m", 3, {1, 2, IN}, -3, 0},
    };
    save("m.safetensors", ITEMS, 2);
    Lora *l = opened("m.safetensors");
    LoraSet set = {&(LoraUse){l, 0.5f}, 1};
    static const struct {
        const char *name;
        int64_t rows;
        float first, step;
    } CASES[] = {{"blocks.3.modulation", 6, 1, 1}, {"head.modulation", 2, -3, 0}};
    for (size_t k = 0; k < 2; k++) {
        float out[6 * IN] = {0};
        Tensor shape = tensor_over(NULL, DTYPE_F32, 3, (int64_t[]){1, CASES[k].rows, IN});
        assert_true(lora_covers(&set, CASES[k].name));
        assert_true(lora_add(&set, CASES[k].name, &shape, 0, 1, out, &err));
        for (int i = 0; i < CASES[k].rows * IN; i++)
            assert_true(out[i] == 0.5f * (CASES[k].first + CASES[k].step * (float)i));
    }
    lora_close(l);
}

/* A LoRA with this metadata; key NULL: none. */
static void save_with_metadata(const char *name, const char *key, const char *value)
{
    SoraError err = {0};
    static float data[64];
    static const char *const NAMES[] = {"diffusion_model.blocks.3.cross_attn.o.lora_A.weight",
                                        "diffusion_model.blocks.3.cross_attn.o.lora_B.weight"};
    Tensor t[2] = {tensor_over(data, DTYPE_F32, 2, (int64_t[]){RANK, IN}),
                   tensor_over(data, DTYPE_F32, 2, (int64_t[]){OUT, RANK})};
    for (int i = 0; i < 64; i++)
        data[i] = 1;
    SafetensorsWriter *w = safetensors_writer_new(&err);
    assert_true(key == NULL || safetensors_writer_metadata(w, key, value, &err));
    for (int i = 0; i < 2; i++)
        assert_true(safetensors_writer_add(w, NAMES[i], &t[i], &err));
    assert_true(safetensors_writer_save(w, in_dir(name), &err));
    safetensors_writer_free(w);
}

/* What an element of the change is; up times down is the rank. */
static float added_by(const char *name)
{
    SoraError err = {0};
    float out[IN] = {0};
    Lora *l = opened(name);
    LoraSet set = {&(LoraUse){l, 1}, 1};
    assert_true(lora_add(&set, TARGET, &SHAPE_OUT_IN, 0, 1, out, &err));
    lora_close(l);
    return out[0];
}

static void alpha_of_the_metadata_is_read(void **state)
{
    static const struct {
        const char *key, *value;
        double alpha; /* 0: an error that says value */
    } CASES[] = {
        {NULL, NULL, RANK},
        {"ss_network_alpha", "8", 8},
        {"ss_network_alpha", "0.5", 0.5},
        {"ss_network_alpha", "None", RANK},
        {"ss_network_alpha", "wide", 0},
        {"lora_alpha", "16", 16},
        {"lora_adapter_metadata", "{\"transformer.r\": 2, \"transformer.lora_alpha\": 12}", 12},
        {"lora_adapter_metadata",
         "{\"transformer.lora_alpha\": 12, \"transformer.alpha_pattern\": {\"cross_attn.o\": 3, \"attn.q\": 5}}", 3},
        {"lora_adapter_metadata", "{\"r\": 2, \"lora_alpha\": 4, \"use_rslora\": true}", 4 * 1.41421356},
        {"lora_adapter_metadata", "{\"text_encoder.lora_alpha\": 4}", RANK},
        {"lora_adapter_metadata", "{\"lora_alpha\": \"wide\"}", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        save_with_metadata("alpha.safetensors", CASES[i].key, CASES[i].value);
        if (CASES[i].alpha == 0) {
            assert_null(lora_open(in_dir("alpha.safetensors"), &err));
            assert_non_null(strstr(err.message, "its alpha \"wide\" is no number"));
        } else if (fabs(added_by("alpha.safetensors") - CASES[i].alpha) > 1e-4) {
            fail_msg("case %zu: %g, expected %g", i, added_by("alpha.safetensors"), CASES[i].alpha);
        }
    }
    save_with_metadata("adapter_model.safetensors", NULL, NULL); /* PEFT's folder */
    FILE *f = fopen(in_dir("adapter_config.json"), "w");
    fputs("{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 7}", f);
    fclose(f);
    assert_true(added_by("adapter_model.safetensors") == 7);
}

static void misfits_are_refused(void **state)
{
    static const struct {
        Item items[3];
        int count;
        const char *words;
    } CASES[] = {
        {{{"blocks.0.self_attn.q.weight", DOWN}},
         1,
         "tensor \"blocks.0.self_attn.q.weight\" is no part of a LoRA"},
        {{{"a.hada_w1_a", DOWN}}, 1, "tensor \"a.hada_w1_a\" is no part of a LoRA"},
        {{{"a.lora_A.weight", DOWN}, {"a.dora_scale", DOWN}},
         2,
         "tensor \"a.dora_scale\" is no part of a LoRA"},
        {{{"a.lora_A.weight", DOWN}}, 1, "tensor \"a.lora_A.weight\" has no other half"},
        {{{"a.lora_A.weight", DOWN}, {"a.lora_B.weight", 2, {OUT, 3}, 0, 1}},
         2,
         "does not fit its other half"},
        {{{"a.lora_A.weight", DOWN}, {"a.lora_down.weight", DOWN}, {"a.lora_B.weight", UP}},
         3,
         "changes what another one changes too"},
        {{{"a.alpha", 1, {1}, 1, 0}}, 1, "tensor \"a.alpha\" is an alpha of nothing"},
        {{{"a.lora_A.weight", DOWN}, {"a.lora_B.weight", UP}, {"a.alpha", 1, {1}, INFINITY, 0}},
         3,
         "tensor \"a.alpha\" is no number"},
        {{{"a.lora_A.weight", DOWN}, {"a.lora_B.weight", 2, {OUT, RANK}, NAN, 0}},
         2,
         "tensor \"a.lora_B.weight\" holds numbers that are not finite"},
        {{{"a.diff_b", 1, {4}, INFINITY, 0}}, 1, "tensor \"a.diff_b\" holds numbers that are not finite"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        SoraError err = {0};
        save("bad.safetensors", CASES[i].items, CASES[i].count);
        assert_null(lora_open(in_dir("bad.safetensors"), &err));
        if (strstr(err.message, CASES[i].words) == NULL)
            fail_msg("case %zu: %s", i, err.message);
    }
    SoraError err = {0};
    float out[64] = {0};
    save("x.safetensors", KINDS[0].items, 2);
    Lora *l = opened("x.safetensors");
    LoraSet set = {&(LoraUse){l, 1}, 1};
    Tensor other = tensor_over(NULL, DTYPE_F32, 2, (int64_t[]){OUT, IN + 1});
    assert_false(lora_add(&set, TARGET, &other, 0, OUT, out, &err));
    assert_non_null(strstr(err.message, "changes a tensor of another shape than [6, 5]"));
    lora_close(l);
}

static void arguments_are_read(void **state)
{
    static const struct {
        const char *text, *path;
        float strength;
        int expert;
    } CASES[] = {
        {"a.safetensors", "a.safetensors", 1, LORA_ALL},
        {"a.safetensors:0.8", "a.safetensors", 0.8f, LORA_ALL},
        {"dir:x/a:-2:high", "dir:x/a", -2, LORA_HIGH_NOISE},
        {"a:low", "a", 1, LORA_LOW_NOISE},
        {"a:b", "a:b", 1, LORA_ALL},
    };
    LoraArgument a;
    SoraError err = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_true(lora_argument_parse(&a, CASES[i].text, &err));
        assert_string_equal(a.path, CASES[i].path);
        assert_true(a.strength == CASES[i].strength);
        assert_int_equal(a.expert, CASES[i].expert);
    }
    assert_false(lora_argument_parse(&a, "a:1e9", &err));
    assert_false(lora_argument_parse(&a, "a:nan", &err));
    assert_false(lora_argument_parse(&a, ":1", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_added),
        cmocka_unit_test(they_are_merged_when_loaded),
        cmocka_unit_test(modulation_is_changed),
        cmocka_unit_test(alpha_of_the_metadata_is_read),
        cmocka_unit_test(misfits_are_refused),
        cmocka_unit_test(arguments_are_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
