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

typedef enum Names {
    NAMES_OWN,
    NAMES_OTHER,     /* diffusers' or transformers' */
    NAMES_LLAMA,     /* of the text encoder, llama.cpp's gguf-py/gguf/constants.py (ENC_...) */
    NAMES_OPEN_CLIP, /* of the image encoder, as ComfyUI's comfy/clip_vision.py lists them */
} Names;

/* How a model's tensors are named and stored. */
typedef struct Form {
    const char *name;
    Names names;
    bool prefixes;         /* ComfyUI's for whole checkpoints */
    DType matrices, small; /* types */
    bool scaled;           /* float8 with a scale beside each matrix, and the mark of such files */
    bool gguf;
} Form;

static const Form FORMS[] = {
    {"original", NAMES_OWN, false, DTYPE_BF16, DTYPE_BF16, false, false},
    {"original, f32", NAMES_OWN, false, DTYPE_F32, DTYPE_F32, false, false},
    {"diffusers", NAMES_OTHER, false, DTYPE_BF16, DTYPE_BF16, false, false},
    {"ComfyUI checkpoint, f16", NAMES_OWN, true, DTYPE_F16, DTYPE_F16, false, false},
    {"ComfyUI, fp8 scaled", NAMES_OWN, false, DTYPE_F8_E4M3, DTYPE_BF16, true, false},
    {"GGUF, Q8_0", NAMES_OWN, false, DTYPE_Q8_0, DTYPE_F32, false, true},
    {"GGUF, Q4_K", NAMES_OWN, false, DTYPE_Q4_K, DTYPE_F32, false, true},
    {"llama.cpp, Q8_0", NAMES_LLAMA, false, DTYPE_Q8_0, DTYPE_F32, false, true},
    {"open_clip, f16", NAMES_OPEN_CLIP, false, DTYPE_F16, DTYPE_F16, false, false},
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

/* Parts of names; those of a block follow its number. */
typedef struct Pair {
    const char *own, *other;
} Pair;

static const Pair LLAMA[] = {
    {"token_embedding", "token_embd"}, {"norm", "enc.output_norm"},       {"blocks.", "enc.blk."},
    {".norm1", ".attn_norm"},          {".attn.q", ".attn_q"},            {".attn.k", ".attn_k"},
    {".attn.v", ".attn_v"},            {".attn.o", ".attn_o"},            {".norm2", ".ffn_norm"},
    {".ffn.gate.0", ".ffn_gate"},      {".ffn.fc1", ".ffn_up"},           {".ffn.fc2", ".ffn_down"},
    {".pos_embedding.embedding", ".attn_rel_b"},
};

static const Pair OPEN_CLIP[] = {
    {"visual.cls_embedding", "visual.class_embedding"},
    {"visual.patch_embedding", "visual.conv1"},
    {"visual.pos_embedding", "visual.positional_embedding"},
    {"visual.pre_norm", "visual.ln_pre"},
    {"visual.post_norm", "visual.ln_post"},
    {"visual.head", "visual.proj"},
    {"visual.transformer.", "visual.transformer.resblocks."},
    {".attn.to_qkv.weight", ".attn.in_proj_weight"},
    {".attn.to_qkv.bias", ".attn.in_proj_bias"},
    {".attn.proj", ".attn.out_proj"},
    {".norm1", ".ln_1"},
    {".norm2", ".ln_2"},
    {".mlp.0", ".mlp.c_fc"},
    {".mlp.2", ".mlp.c_proj"},
};

/* The part of name at *at that is in the table, in the other's words; one byte as it is, if none is. */
static void translate(const Pair *table, size_t count, const char *own, char name[KEY])
{
    const char *at = own;
    for (*name = 0; *at != 0;) {
        size_t i = 0, n;
        for (; i < count; i++) {
            n = strlen(table[i].own);
            if (strncmp(at, table[i].own, n) != 0)
                continue;
            bool whole = table[i].own[n - 1] == '.' || at[n] == '.' || at[n] == 0;
            if (whole && (at == own || table[i].own[0] == '.'))
                break;
        }
        strncat(name, i < count ? table[i].other : (char[]){*at, 0}, KEY - strlen(name) - 1);
        at += i < count ? n : 1;
    }
}

/* False: there is none. */
static bool name_of(Names names, int model, const char *own, char name[KEY])
{
    snprintf(name, KEY, "%s", own);
    if (names == NAMES_OTHER)
        return other_name(&map, MODELS[model].map_model, own, name);
    if (names == NAMES_LLAMA)
        translate(LLAMA, sizeof LLAMA / sizeof *LLAMA, own, name);
    if (names == NAMES_OPEN_CLIP && strncmp(own, "visual.", 7) == 0)
        translate(OPEN_CLIP, sizeof OPEN_CLIP / sizeof *OPEN_CLIP, own, name);
    return true;
}

/* False: the model does not come in this form. ComfyUI's text encoders have transformers' names. */
static bool make_file(FakeFile *f, int model, const Form *form)
{
    ModelPart part = MODELS[model].part;
    Names names = part == PART_TEXT_ENCODER && (form->prefixes || form->scaled) ? NAMES_OTHER : form->names;
    if ((names == NAMES_OTHER && MODELS[model].map_model == NULL) ||
        (names == NAMES_LLAMA && part != PART_TEXT_ENCODER) || (names == NAMES_OPEN_CLIP && part != PART_IMAGE_ENCODER))
        return false;
    *f = (FakeFile){0};
    const char *prefix = form->prefixes ? PREFIX[part] : "";
    for (int i = 0; i < keys.count; i++) {
        const Row *r = &keys.rows[i];
        char name[KEY];
        if (strcmp(r->model, MODELS[model].model) != 0)
            continue;
        if (!name_of(names, model, r->key, name))
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

/* Some of the names as they are in the files, whatever the tables above make of them. */
static void names_are_the_true_ones(void **state)
{
    static const struct {
        Names names;
        const char *own, *file;
    } CASES[] = {
        {NAMES_LLAMA, "token_embedding.weight", "token_embd.weight"},
        {NAMES_LLAMA, "norm.weight", "enc.output_norm.weight"},
        {NAMES_LLAMA, "blocks.23.norm1.weight", "enc.blk.23.attn_norm.weight"},
        {NAMES_LLAMA, "blocks.0.attn.q.weight", "enc.blk.0.attn_q.weight"},
        {NAMES_LLAMA, "blocks.0.pos_embedding.embedding.weight", "enc.blk.0.attn_rel_b.weight"},
        {NAMES_LLAMA, "blocks.7.ffn.gate.0.weight", "enc.blk.7.ffn_gate.weight"},
        {NAMES_LLAMA, "blocks.7.ffn.fc2.weight", "enc.blk.7.ffn_down.weight"},
        {NAMES_OPEN_CLIP, "visual.cls_embedding", "visual.class_embedding"},
        {NAMES_OPEN_CLIP, "visual.patch_embedding.weight", "visual.conv1.weight"},
        {NAMES_OPEN_CLIP, "visual.transformer.30.attn.to_qkv.bias",
         "visual.transformer.resblocks.30.attn.in_proj_bias"},
        {NAMES_OPEN_CLIP, "visual.transformer.30.mlp.2.weight", "visual.transformer.resblocks.30.mlp.c_proj.weight"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char name[KEY];
        assert_true(name_of(CASES[i].names, 0, CASES[i].own, name));
        assert_string_equal(name, CASES[i].file);
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
        cmocka_unit_test(names_are_the_true_ones),
        cmocka_unit_test(every_tensor_is_found),
        cmocka_unit_test(every_damage_is_named),
    };
    if (!read_rows(&keys, "wan_keys.tsv", false) || !read_rows(&map, "wan_keys_map.tsv", true)) {
        print_message("wan_keys.tsv is not there: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
