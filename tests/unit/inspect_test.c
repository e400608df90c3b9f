/* sora inspect on the published models, whose files have all tensors and no data: the networks here ask for
 * exactly what is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "engine/inspect.h"
#include "unit/real_models.h"

static Rows keys, map;
static char dir[] = "/tmp/sora-inspect-XXXXXX";

static const char *in_dir(const char *name)
{
    static char paths[8][256];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

/* names of the map's model instead, if it is given */
static void write_model(const char *model, const char *map_model, DType type, const char *path)
{
    FakeFile f = {0};
    for (int i = 0; i < keys.count; i++) {
        char name[KEY];
        snprintf(name, sizeof name, "%s", keys.rows[i].key);
        if (strcmp(keys.rows[i].model, model) != 0)
            continue;
        if (map_model != NULL)
            assert_true(other_name(&map, map_model, keys.rows[i].key, name));
        fake_add(&f, "", name, type, &keys.rows[i].shape);
    }
    assert_true(f.count > 0 && fake_safetensors(&f, path));
    fake_free(&f);
}

static json_t *inspected(const ModelPaths *paths)
{
    SoraError err = {0};
    json_t *json = inspect_model(paths, &err);
    if (json == NULL)
        fail_msg("%s", err.message);
    return json;
}

static size_t length(const json_t *json, const char *part, const char *key)
{
    return json_array_size(json_object_get(json_object_get(json_object_get(json, "parts"), part), key));
}

static void networks_ask_for_what_is_there(void **state)
{
    static const struct {
        const char *model, *part, *name;
    } CASES[] = {
        {"Wan2.1-T2V-1.3B", "transformer", "wan2.1-t2v-1.3b"},
        {"Wan2.1-T2V-14B", "transformer", "wan2.1-t2v-14b"},
        {"Wan2.1-I2V-14B", "transformer", "wan2.1-i2v-14b"},
        {"Wan2.1-FLF2V-14B", "transformer", "wan2.1-flf2v-14b"},
        {"Wan2.2-TI2V-5B", "transformer", "wan2.2-ti2v-5b"},
        {"UMT5-XXL-encoder", "text encoder", NULL},
        {"Wan2.1_VAE", "autoencoder", NULL},
        {"Wan2.2_VAE", "autoencoder", NULL},
        {"CLIP-xlm-roberta-vit-h-14", "image encoder", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        write_model(CASES[i].model, NULL, DTYPE_BF16, in_dir("x.safetensors"));
        json_t *json = inspected(&(ModelPaths){.model = in_dir("x.safetensors")});
        size_t missing = length(json, CASES[i].part, "missing"), wrong = length(json, CASES[i].part, "wrong"),
               unknown = length(json, CASES[i].part, "unknown");
        if (missing + wrong + unknown > 0)
            fail_msg("%s: %zu missing, %zu wrong, %zu unknown: %s", CASES[i].model, missing, wrong, unknown,
                     json_dumps(json, JSON_COMPACT));
        const char *name = json_string_value(json_object_get(json, "model"));
        assert_true((name == NULL) == (CASES[i].name == NULL));
        if (name != NULL)
            assert_string_equal(name, CASES[i].name);
        assert_true(json_is_false(json_object_get(json, "runs"))); /* one part is no model */
        json_decref(json);
    }
}

/* The two experts of Wan 2.2 with all that belongs to them, in diffusers' folders. */
static void a_whole_model_runs(void **state)
{
    SoraError err = {0};
    static const char *const FOLDERS[] = {"m/transformer", "m/transformer_2", "m/text_encoder", "m/vae",
                                          "m/tokenizer"};
    for (int i = 0; i < 5; i++)
        assert_true(dir_make(in_dir(FOLDERS[i]), &err));
    write_model("Wan2.2-T2V-A14B(each expert)", "Wan2.1-FLF2V-14B", DTYPE_BF16,
                in_dir("m/transformer/a.safetensors"));
    write_model("Wan2.2-T2V-A14B(each expert)", "Wan2.1-FLF2V-14B", DTYPE_BF16,
                in_dir("m/transformer_2/a.safetensors"));
    write_model("UMT5-XXL-encoder", "UMT5-XXL-encoder", DTYPE_BF16, in_dir("m/text_encoder/a.safetensors"));
    write_model("Wan2.1_VAE", "Wan2.1_VAE", DTYPE_F32, in_dir("m/vae/a.safetensors"));
    FILE *f = fopen(in_dir("m/tokenizer/spiece.model"), "w");
    assert_non_null(f);
    fclose(f);
    json_t *json = inspected(&(ModelPaths){.model = in_dir("m")});
    char *text = json_dumps(json, JSON_COMPACT);
    if (json_array_size(json_object_get(json, "needs")) > 0)
        fail_msg("%s", text);
    assert_string_equal(json_string_value(json_object_get(json, "model")), "wan2.2-t2v-a14b");
    assert_true(json_is_true(json_object_get(json, "runs")));
    json_int_t weights = json_integer_value(json_object_get(json_object_get(json, "memory"), "weights"));
    assert_true(weights > 2LL * (14288491584LL * 2 + 5680910336LL) + 126892531LL * 4 &&
                weights < 70000000000LL);
    const json_t *memory = json_object_get(json, "memory");
    assert_string_equal(json_string_value(json_object_get(memory, "size")), "832x480, 81 frames");
    double step = json_number_value(json_object_get(memory, "step")); /* 32,760 tokens */
    assert_true(step > 11e9 && step < 14e9);
    json_int_t available = json_integer_value(json_object_get(memory, "available"));
    assert_true(json_is_true(json_object_get(memory, "fits")) == ((double)available >= step));
    free(text);
    json_decref(json);
    assert_int_equal(unlink(in_dir("m/text_encoder/a.safetensors")), 0);
    assert_int_equal(rmdir(in_dir("m/text_encoder")), 0);
    json = inspected(&(ModelPaths){.model = in_dir("m")});
    assert_true(json_is_false(json_object_get(json, "runs")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "needs"), 0)),
                        "a text encoder");
    json_decref(json);
}

/* One tensor gone, one renamed, one of another shape: each in its list. */
static void damage_is_listed(void **state)
{
    FakeFile f = {0};
    for (int i = 0; i < keys.count; i++)
        if (strcmp(keys.rows[i].model, "Wan2.1-T2V-1.3B") == 0)
            fake_add(&f, "model.diffusion_model.", keys.rows[i].key, DTYPE_BF16, &keys.rows[i].shape);
    strcat(f.tensors[100].name, "_");
    f.tensors[200].tensor.shape[0]++;
    f.tensors[300] = f.tensors[--f.count];
    assert_true(fake_safetensors(&f, in_dir("x.safetensors")));
    json_t *json = inspected(&(ModelPaths){.model = in_dir("x.safetensors")});
    assert_int_equal(length(json, "transformer", "missing"), 2);
    assert_int_equal(length(json, "transformer", "wrong"), 1);
    assert_int_equal(length(json, "transformer", "unknown"), 1);
    json_decref(json);
    fake_free(&f);
}

static int setup(void **state)
{
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    free(keys.rows);
    free(map.rows);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_ask_for_what_is_there),
        cmocka_unit_test(a_whole_model_runs),
        cmocka_unit_test(damage_is_listed),
    };
    if (!read_rows(&keys, "wan_keys.tsv", false) || !read_rows(&map, "wan_keys_map.tsv", true)) {
        print_message("wan_keys.tsv is not there: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
