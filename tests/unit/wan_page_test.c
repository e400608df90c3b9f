/* docs/wan.md: for every row of its tables of files, a folder with files of those names, all tensors of that model and no data is
 * a model that runs, of the size that the page says; and its commands name files and folders of the page. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "engine/inspect.h"
#include "unit/real_models.h"

enum { MAX_NAMES = 8, NAME = 160 };

static Rows keys, map;
static char dir[] = "/tmp/sora-wan-page-XXXXXX";
static char *page;

/* The names between backticks of a cell that ends with | or the line. */
typedef struct Names {
    char at[MAX_NAMES][NAME];
    int count;
} Names;

static void add_names(Names *names, const char *cell)
{
    for (const char *end = cell + strcspn(cell, "|\n"), *s = cell; (s = strchr(s, '`')) != NULL && s < end;) {
        size_t n = strcspn(s + 1, "`");
        assert_true(names->count < MAX_NAMES && n < NAME);
        snprintf(names->at[names->count++], NAME, "%.*s", (int)n, s + 1);
        s += n + 2;
    }
}

static DType type_by_name(const char *name)
{
    return strstr(name, "fp8") ? DTYPE_F8_E4M3 : strstr(name, "bf16") ? DTYPE_BF16 : strstr(name, "fp16") ? DTYPE_F16 : DTYPE_F32;
}

/* Which rows of wan_keys.tsv a file holds: transformer is the row of the page's model. */
static const char *content_of(const char *name, const char *transformer)
{
    if (strstr(name, "umt5") != NULL)
        return "UMT5-XXL-encoder";
    if (strstr(name, "VAE") != NULL || strstr(name, "vae/") != NULL)
        return strstr(name, "2.2") ? "Wan2.2_VAE" : "Wan2.1_VAE";
    return strstr(name, "clip") ? "CLIP-xlm-roberta-vit-h-14" : transformer;
}

static void write_index(const FakeFile *whole, const char *name, int shards)
{
    char path[600], file[NAME + 16];
    json_t *files = json_object();
    const char *slash = strrchr(name, '/'), *star = strchr(name, '*');
    const char *base = slash ? slash + 1 : name;
    for (int i = 0; i < whole->count; i++) {
        snprintf(file, sizeof file, "%.*s%05d%s", (int)(star - base), base, i % shards + 1, star + 1);
        json_object_set_new(files, whole->tensors[i].name, json_string(file));
    }
    json_t *index = json_pack("{s:o}", "weight_map", files);
    snprintf(path, sizeof path, "%s/m/%.*s.safetensors.index.json", dir, (int)(strchr(name, '*') - name - 1), name);
    assert_int_equal(json_dump_file(index, path, 0), 0);
    json_decref(index);
}

/* Writes it below m/, in shards when the name has a star; returns its bytes. */
static double write_file(const char *name, const char *transformer, bool comfy)
{
    FakeFile whole = {0};
    SoraError err = {0};
    const char *model = content_of(name, transformer), *slash = strrchr(name, '/'), *star = strchr(name, '*');
    bool renamed = comfy && strcmp(model, "UMT5-XXL-encoder") == 0;
    char path[600], key[KEY];
    double bytes = 0;
    snprintf(path, sizeof path, "%s/m/%.*s", dir, slash ? (int)(slash - name) : 0, name);
    assert_true(dir_make(path, &err));
    for (int i = 0; i < keys.count; i++) {
        if (strcmp(keys.rows[i].model, model) != 0)
            continue;
        snprintf(key, sizeof key, "%s", keys.rows[i].key);
        assert_true(!renamed || other_name(&map, model, keys.rows[i].key, key));
        fake_add(&whole, "", key, type_by_name(name), &keys.rows[i].shape);
        bytes += (double)tensor_bytes(&whole.tensors[whole.count - 1].tensor);
    }
    if (renamed)
        fake_add(&whole, "", "spiece_model", DTYPE_U8, &(Tensor){.ndim = 1, .shape = {4548313}});
    int shards = star ? atoi(strstr(star, "-of-") + 4) : 1;
    for (int s = 0; s < shards; s++) {
        FakeFile shard = {0};
        for (int i = s; i < whole.count; i += shards)
            fake_add(&shard, "", whole.tensors[i].name, whole.tensors[i].tensor.dtype, &whole.tensors[i].tensor);
        if (star)
            snprintf(path, sizeof path, "%s/m/%.*s%05d%s", dir, (int)(star - name), name, s + 1, star + 1);
        else
            snprintf(path, sizeof path, "%s/m/%s", dir, name);
        assert_true(fake_safetensors(&shard, path));
        fake_free(&shard);
    }
    if (star)
        write_index(&whole, name, shards);
    fake_free(&whole);
    return bytes;
}

static const char *keys_of(const char *row)
{
    static const char *const MODELS[][2] = {
        {"| T2V 1.3B ", "Wan2.1-T2V-1.3B"},
        {"| T2V 14B ", "Wan2.1-T2V-14B"},
        {"| I2V 480P ", "Wan2.1-I2V-14B"},
        {"| I2V 720P ", "Wan2.1-I2V-14B"},
        {"| FLF2V 720P ", "Wan2.1-FLF2V-14B"},
        {"| TI2V 5B ", "Wan2.2-TI2V-5B"},
        {"| T2V A14B ", "Wan2.2-T2V-A14B(each expert)"},
        {"| I2V A14B ", "Wan2.2-I2V-A14B(each expert)"},
    };
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++)
        if (strncmp(row, MODELS[i][0], strlen(MODELS[i][0])) == 0)
            return MODELS[i][1];
    return NULL;
}

/* Model, [repository,] transformer, GB, what else. */
static void check_row(const char *row, bool comfy)
{
    SoraError err = {0};
    const char *model = keys_of(row), *cell = strchr(row + 1, '|') + 1;
    char command[600];
    if (!comfy)
        cell = strchr(cell, '|') + 1;
    Names transformers = {0}, others = {0};
    add_names(&transformers, cell);
    cell = strchr(cell, '|') + 1;
    double gigabytes = atof(cell);
    add_names(&others, strchr(cell, '|') + 1);
    add_names(&others, comfy ? "`text_encoders/umt5_xxl_fp16.safetensors`" : "`models_t5_umt5-xxl-enc-bf16.pth`");
    for (int i = 0; i < transformers.count; i++) {
        double bytes = write_file(transformers.at[i], model, comfy);
        if (fabs(bytes / 1e9 - gigabytes) > 0.06)
            fail_msg("%s: %.2f GB, docs/wan.md says %g", transformers.at[i], bytes / 1e9, gigabytes);
    }
    for (int i = 0; i < others.count; i++)
        write_file(others.at[i], model, comfy);
    if (!comfy) {
        snprintf(command, sizeof command, "mkdir -p %s/m/google/umt5-xxl && : >%s/m/google/umt5-xxl/spiece.model", dir, dir);
        assert_int_equal(system(command), 0);
    }
    snprintf(command, sizeof command, "%s/m", dir);
    json_t *json = inspect_model(&(ModelPaths){.model = command}, &err);
    if (json == NULL || !json_is_true(json_object_get(json, "runs")))
        fail_msg("%.80s: %s", row, json ? json_dumps(json_object_get(json, "needs"), 0) : err.message);
    json_decref(json);
    snprintf(command, sizeof command, "rm -r %s/m", dir);
    assert_int_equal(system(command), 0);
}

static void every_row_is_a_model(void **state)
{
    int rows[2] = {0};
    const char *comfy = strstr(page, "## As ComfyUI"), *end = strstr(page, "## As GGUF");
    assert_true(comfy != NULL && end != NULL);
    for (const char *line = page; line < end; line = strchr(line, '\n') + 1) {
        if (keys_of(line) == NULL)
            continue;
        check_row(line, line > comfy);
        rows[line > comfy]++;
    }
    assert_int_equal(rows[0], 8);
    assert_int_equal(rows[1], 9);
}

/* The folders after -m are repositories or made by the page; files are named in it, at the end of a path or alone. */
static void commands_name_what_is_there(void **state)
{
    char line[512], wanted[2][NAME];
    int words = 0;
    for (const char *at = page; *at != 0; at += strcspn(at, "\n") + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        bool folder = false;
        for (char *w = strncmp(line, "    ", 4) == 0 ? strtok(line, " ") : NULL; w != NULL; w = strtok(NULL, " ")) {
            bool file = strstr(w, ".safetensors") != NULL || strstr(w, ".gguf") != NULL;
            snprintf(wanted[0], NAME, "/%s`", w);
            snprintf(wanted[1], NAME, "`%s`", w);
            if ((file || folder) && strstr(page, wanted[0]) == NULL && strstr(page, wanted[1]) == NULL)
                fail_msg("docs/wan.md: a command has %s, which is in none of the tables", w);
            words += file || folder;
            folder = strcmp(w, "-m") == 0;
        }
    }
    assert_true(words >= 15);
}

static int setup(void **state)
{
    SoraError err = {0};
    page = file_read("docs/wan.md", 1 << 20, NULL, &err);
    return page == NULL || mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    free(page);
    free(keys.rows);
    free(map.rows);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_model),
        cmocka_unit_test(commands_name_what_is_there),
    };
    if (!read_rows(&keys, "wan_keys.tsv", false) || !read_rows(&map, "wan_keys_map.tsv", true)) {
        print_message("wan_keys.tsv is not there: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
