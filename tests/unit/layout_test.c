/* Every tensor of every published model under its true name in each layout: the loader finds all of them, and
 * names the one that is missing, renamed or misshapen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/real_models.h"
#include "weights/part_source.h"

static Rows keys, map;
static char path[] = "/tmp/sora-layout-XXXXXX";

static const struct {
    const char *model, *map_model; /* whose rows of the map it shares; NULL: none */
    ModelPart part;
} MODELS[] = {
    {"Wan2.1-T2V-1.3B", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"Wan2.1-T2V-14B", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"Wan2.1-I2V-14B", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"Wan2.1-FLF2V-14B", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"Wan2.2-TI2V-5B", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"Wan2.2-T2V-A14B(each expert)", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"Wan2.2-I2V-A14B(each expert)", "Wan2.1-FLF2V-14B", PART_TRANSFORMER},
    {"UMT5-XXL-encoder", "UMT5-XXL-encoder", PART_TEXT_ENCODER},
    {"Wan2.1_VAE", "Wan2.1_VAE", PART_AUTOENCODER},
    {"Wan2.2_VAE", "Wan2.2_VAE", PART_AUTOENCODER},
    {"CLIP-xlm-roberta-vit-h-14", NULL, PART_IMAGE_ENCODER},
};
enum { MODEL_COUNT = sizeof MODELS / sizeof MODELS[0] };

/* How a model's tensors are named and stored. */
typedef struct Form {
    const char *name;
    bool other;            /* diffusers' or transformers' names */
    bool prefixes;         /* ComfyUI's for whole checkpoints */
    DType matrices, small; /* types */
    bool scaled;           /* float8 with a scale beside each matrix, and the mark of such files */
    bool gguf;
} Form;

static const Form FORMS[] = {
    {"original", false, false, DTYPE_BF16, DTYPE_BF16, false, false},
    {"original, f32", false, false, DTYPE_F32, DTYPE_F32, false, false},
    {"diffusers", true, false, DTYPE_BF16, DTYPE_BF16, false, false},
    {"ComfyUI checkpoint, f16", false, true, DTYPE_F16, DTYPE_F16, false, false},
    {"ComfyUI, fp8 scaled", false, false, DTYPE_F8_E4M3, DTYPE_BF16, true, false},
    {"GGUF, Q8_0", false, false, DTYPE_Q8_0, DTYPE_F32, false, true},
    {"GGUF, Q4_K", false, false, DTYPE_Q4_K, DTYPE_F32, false, true},
};
enum { FORM_COUNT = sizeof FORMS / sizeof FORMS[0] };

static const char *const PREFIX[PART_KINDS] = {"model.diffusion_model.", "text_encoders.umt5xxl.transformer.",
                                               "vae.", "clip_vision."};

static bool is_matrix(const Tensor *t)
{
    return params_is_matrix(t);
}

static DType type_for(const Form *form, const Tensor *t)
{
    int64_t row = t->ndim > 0 ? t->shape[t->ndim - 1] : 1;
    DType type = is_matrix(t) ? form->matrices : form->small;
    return row % dtype_block(type) == 0 ? type : DTYPE_F16;
}

/* False: the model does not come in this form. ComfyUI's text encoders have transformers' names. */
static bool make_file(FakeFile *f, int model, const Form *form)
{
    ModelPart part = MODELS[model].part;
    bool other = form->other || (part == PART_TEXT_ENCODER && (form->prefixes || form->scaled));
    if (other && MODELS[model].map_model == NULL)
        return false;
    *f = (FakeFile){0};
    const char *prefix = form->prefixes ? PREFIX[part] : "";
    for (int i = 0; i < keys.count; i++) {
        const Row *r = &keys.rows[i];
        char name[KEY];
        if (strcmp(r->model, MODELS[model].model) != 0)
            continue;
        snprintf(name, sizeof name, "%s", r->key);
        if (other && !other_name(&map, MODELS[model].map_model, r->key, name))
            fail_msg("no other name of %s", r->key);
        fake_add(f, prefix, name, type_for(form, &r->shape), &r->shape);
    }
    int count = f->count;
    for (int i = 0; i < count && form->scaled; i++)
        if (f->tensors[i].tensor.dtype == DTYPE_F8_E4M3 && strstr(f->tensors[i].name, ".weight") != NULL) {
            char name[2 * KEY];
            size_t n = strlen(f->tensors[i].name) - strlen("weight");
            snprintf(name, sizeof name, "%.*sscale_weight", (int)n, f->tensors[i].name);
            fake_add(f, "", name, DTYPE_F32, &(Tensor){.ndim = 1, .shape = {1}});
        }
    if (form->scaled)
        fake_add(f, prefix, "scaled_fp8", DTYPE_F8_E4M3, &(Tensor){.ndim = 1, .shape = {2}});
    return true;
}

typedef struct Opened {
    WeightFile *file;
    WeightPart *part;
} Opened;

static void close_part(Opened *o)
{
    weight_part_free(o->part);
    weight_file_close(o->file);
}

static bool open_part(Opened *o, const FakeFile *f, const Form *form, ModelPart kind, SoraError *err)
{
    LayoutMatch matches[PART_KINDS];
    *o = (Opened){0};
    if (!(form->gguf ? fake_gguf(f, path) : fake_safetensors(f, path)))
        fail_msg("%s: cannot write", path);
    o->file = weight_file_open(path, err);
    if (o->file == NULL)
        return false;
    int count = layout_recognise(o->file, matches, err);
    if (count != 1 || matches[0].part != kind)
        fail_msg("%d parts, the first one %s", count,
                 count > 0 ? model_part_name(matches[0].part) : "unknown");
    o->part = weight_part_new(o->file, &matches[0], err);
    return o->part != NULL;
}

/* A model's rows lie together. */
static void find_rows(int model, int *first, int *end)
{
    *first = 0;
    while (strcmp(keys.rows[*first].model, MODELS[model].model) != 0)
        ++*first;
    for (*end = *first; *end < keys.count && strcmp(keys.rows[*end].model, MODELS[model].model) == 0;)
        ++*end;
}

/* Asks for every tensor of the model, as the networks do. *missed: how many were not to be had, err: the
 * last. Adds up what the part has besides. */
static void ask_for_all(const Opened *o, int model, int *found, int *missed, int *unknown, SoraError *err)
{
    int first, end;
    *found = *missed = *unknown = 0;
    find_rows(model, &first, &end);
    for (int i = first; i < end; i++) {
        const Row *r = &keys.rows[i];
        bool ok = part_source_find(o->part, r->key, &r->shape, err) != NULL;
        *found += ok;
        *missed += !ok;
    }
    for (int i = 0; i < weight_part_count(o->part); i++) {
        bool known = false;
        for (int k = first; k < end && !known; k++)
            known = strcmp(keys.rows[k].key, weight_part_tensor(o->part, i)->name) == 0;
        *unknown += !known;
    }
}

static void every_tensor_is_found(void **state)
{
    static const int COUNTS[MODEL_COUNT] = {825, 1095, 1303, 1304, 825, 1095, 1095, 242, 194, 196, 784};
    int forms = 0, tensors = 0;
    for (int m = 0; m < MODEL_COUNT; m++)
        for (int k = 0; k < FORM_COUNT; k++) {
            FakeFile f;
            Opened o;
            SoraError err = {0};
            int found, missed, unknown;
            if (!make_file(&f, m, &FORMS[k]))
                continue;
            if (!open_part(&o, &f, &FORMS[k], MODELS[m].part, &err))
                fail_msg("%s, %s: %s", MODELS[m].model, FORMS[k].name, err.message);
            ask_for_all(&o, m, &found, &missed, &unknown, &err);
            if (missed > 0 || unknown > 0 || found != COUNTS[m])
                fail_msg("%s, %s: %d found, %d missed, %d unknown: %s", MODELS[m].model, FORMS[k].name, found,
                         missed, unknown, err.message);
            forms++;
            tensors += found;
            close_part(&o);
            fake_free(&f);
        }
    print_message("%d models and forms, %d tensors\n", forms, tensors);
}

/* Tensors from the front, the middle and the end; the ones that mark the layout too. */
static void every_damage_is_named(void **state)
{
    enum { PLACES = 4 };
    for (int m = 0; m < MODEL_COUNT; m++)
        for (int k = 0; k < FORM_COUNT; k++) {
            FakeFile f;
            if (!make_file(&f, m, &FORMS[k]))
                continue;
            int first, end;
            find_rows(m, &first, &end);
            int n = end - first;
            for (int p = 0; p < PLACES * 3; p++) {
                FakeTensor *t = &f.tensors[p / 3 * (n - 1) / (PLACES - 1)], saved = *t;
                int total = f.count, found, missed, unknown;
                if (p % 3 == 0)
                    memcpy(t->name + strlen(t->name) - 2, "XX", 2); /* renamed */
                if (p % 3 == 1)
                    *t = f.tensors[--f.count]; /* missing: the last one has its place, and its own is cut off
                                                */
                if (p % 3 == 2 && t->tensor.ndim > 0)
                    t->tensor.shape[0] += dtype_block(t->tensor.dtype) * 2; /* misshapen */
                Opened o;
                SoraError err = {0};
                if (!open_part(&o, &f, &FORMS[k], MODELS[m].part, &err))
                    fail_msg("%s, %s: %s", MODELS[m].model, FORMS[k].name, err.message);
                ask_for_all(&o, m, &found, &missed, &unknown, &err);
                bool scalar = p % 3 == 2 && t->tensor.ndim == 0;
                if (missed != !scalar)
                    fail_msg("%s, %s, %s of %s: %d missed", MODELS[m].model, FORMS[k].name,
                             p % 3 == 0   ? "rename"
                             : p % 3 == 1 ? "loss"
                                          : "shape",
                             saved.name, missed);
                if (!scalar && p % 3 < 2)
                    assert_non_null(strstr(err.message, "is missing"));
                if (!scalar && p % 3 == 2)
                    assert_non_null(strstr(err.message, "expected ["));
                if (p % 3 == 0 && unknown < 1)
                    fail_msg("%s: the renamed tensor %s is not unknown", MODELS[m].model, saved.name);
                close_part(&o);
                if (p % 3 == 1)
                    f.tensors[total - 1] = *t;
                f.count = total;
                *t = saved;
            }
            fake_free(&f);
        }
}

static int setup(void **state)
{
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static int teardown(void **state)
{
    unlink(path);
    free(keys.rows);
    free(map.rows);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_is_found),
        cmocka_unit_test(every_damage_is_named),
    };
    if (!read_rows(&keys, "wan_keys.tsv", false) || !read_rows(&map, "wan_keys_map.tsv", true)) {
        print_message("wan_keys.tsv is not there: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
