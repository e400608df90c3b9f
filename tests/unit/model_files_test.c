/* Models in other people's arrangements of files: what is found, and that it is the same model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tiny_model.h"
#include "unit/real_models.h"
#include "unit/temp_dir.h"
#include "weights/convert.h"
#include "weights/model_files.h"
#include <sora.h>

static const char *in_dir(const char *name)
{
    static char paths[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

static const char *fixture(const char *name)
{
    static char path[1024], full[4096];
    const char *folder = getenv("SORA_FIXTURES");
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "../shared/fixtures/wan", name);
    return realpath(path, full) != NULL ? full : NULL;
}

static void link_fixture(const char *name, const char *as)
{
    SoraError err = {0};
    if (fixture(name) == NULL)
        skip();
    char folder[512];
    snprintf(folder, sizeof folder, "%s", in_dir(as));
    *strrchr(folder, '/') = 0;
    assert_true(dir_make(folder, &err));
    assert_int_equal(symlink(fixture(name), in_dir(as)), 0);
}

static ModelFiles *opened(const ModelPaths *paths)
{
    SoraError err = {0};
    ModelFiles *m = model_files_open(paths, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    return m;
}

static const char *path_of(const ModelFiles *m, ModelSlot slot)
{
    const WeightPart *part = model_files_part(m, slot);
    return part != NULL ? weight_file_path(weight_part_file(part)) : "";
}

static void wans_own_folders(void **state)
{
    SoraError err = {0};
    link_fixture("dit_t2v_tiny.weights.safetensors", "own/diffusion_pytorch_model.safetensors");
    link_fixture("umt5_tiny.bf16.pth", "own/models_t5_umt5-xxl-enc-bf16.pth");
    link_fixture("vae21_tiny.weights.safetensors", "own/Wan2.1_VAE.safetensors");
    link_fixture("tokenizer/spm_bf.model", "own/google/umt5-xxl/spiece.model");
    tiny_write_text(in_dir("own"), "config.json",
                    "{\"dim\": 96, \"num_heads\": 3, \"num_layers\": 3, \"ffn_dim\": 192}");
    ModelFiles *m = opened(&(ModelPaths){.model = in_dir("own")});
    assert_string_equal(path_of(m, SLOT_TRANSFORMER), in_dir("own/diffusion_pytorch_model.safetensors"));
    assert_string_equal(path_of(m, SLOT_TEXT_ENCODER), in_dir("own/models_t5_umt5-xxl-enc-bf16.pth"));
    assert_string_equal(path_of(m, SLOT_AUTOENCODER), in_dir("own/Wan2.1_VAE.safetensors"));
    assert_null(model_files_part(m, SLOT_LOW_NOISE));
    assert_string_equal(model_files_tokenizer(m), in_dir("own/google/umt5-xxl/spiece.model"));
    assert_non_null(model_files_config(m, SLOT_TRANSFORMER)); /* it lies beside all three, and is one's */
    assert_null(model_files_config(m, SLOT_TEXT_ENCODER));
    assert_null(model_files_config(m, SLOT_AUTOENCODER));
    json_t *config = part_config(model_files_part(m, SLOT_TEXT_ENCODER), NULL, &err);
    json_t *want = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "vocab", 2048, "dim", 64, "dim_attn", 64,
                             "dim_ffn", 128, "num_heads", 4, "num_buckets", 32, "num_layers", 3);
    assert_true(json_equal(config, want));
    json_decref(config);
    json_decref(want);
    model_files_close(m);
}

static void experts_are_told_by_name(void **state)
{
    link_fixture("dit_t2v22_low_tiny.weights.safetensors",
                 "two/low_noise_model/diffusion_pytorch_model.safetensors");
    link_fixture("dit_t2v22_high_tiny.weights.safetensors",
                 "two/high_noise_model/diffusion_pytorch_model.safetensors");
    ModelFiles *m = opened(&(ModelPaths){.model = in_dir("two")});
    assert_non_null(strstr(path_of(m, SLOT_TRANSFORMER), "two/high_noise_model/"));
    assert_non_null(strstr(path_of(m, SLOT_LOW_NOISE), "two/low_noise_model/"));
    model_files_close(m);
    m = opened(&(ModelPaths){.model = in_dir("two/low_noise_model")}); /* alone it is no expert */
    assert_non_null(model_files_part(m, SLOT_TRANSFORMER));
    assert_null(model_files_part(m, SLOT_LOW_NOISE));
    model_files_close(m);
    link_fixture("dit_t2v_tiny.weights.safetensors", "same/a.safetensors");
    link_fixture("dit_t2v_tiny.weights.safetensors", "same/b.safetensors");
    SoraError err = {0};
    assert_null(model_files_open(&(ModelPaths){.model = in_dir("same")}, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_non_null(strstr(err.message, "same/a.safetensors and "));
    assert_non_null(strstr(err.message, "are both a transformer, which one?"));
    m = opened(&(ModelPaths){.slots = {[SLOT_TRANSFORMER] = in_dir("same/a.safetensors")}});
    model_files_close(m);
    assert_null(
        model_files_open(&(ModelPaths){.slots = {[SLOT_AUTOENCODER] = in_dir("same/a.safetensors")}}, &err));
    assert_non_null(strstr(err.message, "there is no autoencoder in it"));
}

/* Split GGUF in a folder: all parts are one transformer, whatever part a tensor is in. */
static void parts_in_a_folder_are_one_file(void **state)
{
    Rows keys = {0};
    SoraError err = {0};
    if (!read_rows(&keys, "wan_keys.tsv", false))
        skip();
    assert_true(dir_make(in_dir("parts"), &err));
    for (int part = 0; part < 3; part++) {
        FakeFile f = {.part = part, .parts = 3};
        for (int i = 0, n = 0; i < keys.count; i++)
            if (strcmp(keys.rows[i].model, "Wan2.1-T2V-1.3B") == 0 && n++ % 3 == part)
                fake_add(&f, "", keys.rows[i].key, DTYPE_F16, &keys.rows[i].shape);
        char name[64];
        snprintf(name, sizeof name, "parts/wan-%05d-of-00003.gguf", part + 1);
        assert_true(fake_gguf(&f, in_dir(name)));
        fake_free(&f);
    }
    ModelFiles *m = opened(&(ModelPaths){.model = in_dir("parts")});
    assert_string_equal(path_of(m, SLOT_TRANSFORMER), in_dir("parts/wan-00001-of-00003.gguf"));
    assert_int_equal(weight_part_count(model_files_part(m, SLOT_TRANSFORMER)), 825);
    model_files_close(m);
    assert_int_equal(unlink(in_dir("parts/wan-00002-of-00003.gguf")), 0);
    assert_null(model_files_open(&(ModelPaths){.model = in_dir("parts")}, &err));
    assert_non_null(strstr(err.message, "wan-00002-of-00003.gguf: cannot open"));
    free(keys.rows);
}

/* One with diffusers' names, in its folders; a part that the index does not count is left alone. */
static void diffusers_folders(void **state)
{
    Rows keys = {0}, map = {0};
    FakeFile f = {0};
    SoraError err = {0};
    if (!read_rows(&keys, "wan_keys.tsv", false) || !read_rows(&map, "wan_keys_map.tsv", true))
        skip();
    for (int i = 0; i < keys.count; i++) {
        char name[KEY];
        if (strcmp(keys.rows[i].model, "Wan2.1-T2V-1.3B") == 0 &&
            other_name(&map, "Wan2.1-FLF2V-14B", keys.rows[i].key, name))
            fake_add(&f, "", name, DTYPE_F16, &keys.rows[i].shape);
    }
    assert_true(dir_make(in_dir("diff/transformer"), &err) && dir_make(in_dir("diff/transformer_2"), &err));
    assert_true(fake_safetensors(&f, in_dir("diff/transformer/diffusion_pytorch_model.safetensors")));
    assert_true(fake_safetensors(&f, in_dir("diff/transformer_2/diffusion_pytorch_model.safetensors")));
    tiny_write_text(in_dir("diff/transformer"), "config.json",
                    "{\"num_attention_heads\": 12, \"attention_head_dim\": 128, \"eps\": 1e-6}");
    static const char *const SECOND[] = {"[null, null]", "[\"diffusers\", \"WanTransformer3DModel\"]"};
    for (int two = 0; two < 2; two++) {
        char text[256];
        snprintf(
            text, sizeof text,
            "{\"_class_name\": \"WanPipeline\", \"transformer\": [\"diffusers\", \"WanTransformer3DModel\"],"
            " \"transformer_2\": %s, \"boundary_ratio\": 0.875}",
            SECOND[two]);
        tiny_write_text(in_dir("diff"), "model_index.json", text);
        ModelFiles *m = opened(&(ModelPaths){.model = in_dir("diff")});
        const WeightPart *part = model_files_part(m, SLOT_TRANSFORMER);
        assert_string_equal(layout_name(weight_part_layout(part)), "diffusers");
        assert_int_equal(weight_part_count(part), 825);
        assert_int_equal(model_files_part(m, SLOT_LOW_NOISE) != NULL, two);
        assert_true(model_files_boundary(m) == 0.875);
        DitConfig c;
        json_t *config = part_config(part, model_files_config(m, SLOT_TRANSFORMER), &err);
        assert_true(dit_config_parse(&c, config, &err));
        assert_true(c.dim == 1536 && c.ffn_dim == 8960 && c.num_heads == 12 && c.num_layers == 30 &&
                    c.in_dim == 16 && c.out_dim == 16 && c.text_dim == 4096 && c.freq_dim == 256);
        json_decref(config);
        model_files_close(m);
    }
    tiny_write_text(in_dir("diff"), "model_index.json", "{\"_class_name\": \"FluxPipeline\"}");
    assert_null(model_files_open(&(ModelPaths){.model = in_dir("diff")}, &err));
    assert_int_equal(err.code, SORA_ERROR_UNSUPPORTED);
    fake_free(&f);
    free(keys.rows);
    free(map.rows);
}

/* ComfyUI's text encoder files have the tokenizer inside. */
static void a_tokenizer_may_be_a_tensor(void **state)
{
    SoraError err = {0};
    size_t size;
    float numbers[4] = {0};
    char *bytes = file_read("models/nano/tokenizer.model", 1 << 24, &size, &err);
    assert_non_null(bytes);
    Tensor q = tensor_over(numbers, DTYPE_F32, 2, (int64_t[]){2, 2});
    Tensor model = tensor_over(bytes, DTYPE_U8, 1, (int64_t[]){(int64_t)size});
    SafetensorsWriter *w = safetensors_writer_new(&err);
    assert_true(safetensors_writer_add(w, "encoder.block.0.layer.0.SelfAttention.q.weight", &q, &err) &&
                safetensors_writer_add(w, "spiece_model", &model, &err) &&
                safetensors_writer_save(w, in_dir("t5.safetensors"), &err));
    safetensors_writer_free(w);
    ModelFiles *m = opened(&(ModelPaths){.model = in_dir("t5.safetensors")});
    const WeightPart *part = model_files_part(m, SLOT_TEXT_ENCODER);
    assert_int_equal(weight_part_count(part), 1);
    const Tensor *inside = weight_part_tokenizer(part);
    assert_non_null(inside);
    assert_int_equal(tensor_bytes(inside), size);
    assert_memory_equal(inside->data, bytes, size);
    assert_null(model_files_tokenizer(m));
    model_files_close(m);
    free(bytes);
}

/* --- the same model in other files --- */

static SoraVideo *video_of(const char *model, const SoraOptions *options)
{
    SoraError err = {0};
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = "a fox";
    r.width = r.height = 16;
    r.frames = 5;
    r.steps = 2;
    SoraEngine *e = sora_engine_open(model, options, &err);
    SoraVideo *v = e != NULL ? sora_generate(e, &r, &err) : NULL;
    if (v == NULL)
        fail_msg("%s", err.message);
    sora_engine_close(e);
    return v;
}

static int differing(const SoraVideo *a, const SoraVideo *b)
{
    int n = 0, bytes = 3 * sora_video_width(a) * sora_video_height(a);
    for (int f = 0; f < sora_video_frames(a); f++)
        for (int i = 0; i < bytes; i++)
            n += sora_video_frame(a, f)[i] != sora_video_frame(b, f)[i];
    return n;
}

static void convert(const char *from, const char *to, DType type)
{
    SoraError err = {0};
    if (!weights_convert(in_dir(from), in_dir(to), &(ConvertOptions){.type = type, .own_names = true}, &err))
        fail_msg("%s", err.message);
}

/* On blocks.0.self_attn.q.weight [24, 24] of the tiny transformer. */
static void write_lora(const char *name, const char *stem)
{
    SoraError err = {0};
    float down[2 * 24], up[24 * 2];
    char text[128];
    for (int i = 0; i < 48; i++)
        down[i] = up[i] = (float)(i % 7 - 3);
    Tensor d = tensor_over(down, DTYPE_F32, 2, (int64_t[]){2, 24}),
           u = tensor_over(up, DTYPE_F32, 2, (int64_t[]){24, 2});
    SafetensorsWriter *w = safetensors_writer_new(&err);
    snprintf(text, sizeof text, "diffusion_model.%s.lora_A.weight", stem);
    assert_true(safetensors_writer_add(w, text, &d, &err));
    snprintf(text, sizeof text, "diffusion_model.%s.lora_B.weight", stem);
    assert_true(safetensors_writer_add(w, text, &u, &err) && safetensors_writer_save(w, in_dir(name), &err));
    safetensors_writer_free(w);
}

static void files_instead_of_folders(void **state)
{
    SoraError err = {0};
    tiny_model_write(in_dir("tiny"), &(TinyModel){.manifest = "{\"name\": \"tiny\"}",
                                                  .tokenizer = "models/nano/tokenizer.model"});
    SoraVideo *a = video_of(in_dir("tiny"), NULL);
    static const char *const PARTS[] = {"transformer", "text_encoder", "vae"};
    for (int i = 0; i < 3; i++) { /* 32-bit GGUF, with the sizes beside it */
        char from[64], to[64], file[80];
        snprintf(from, sizeof from, "tiny/%s", PARTS[i]);
        snprintf(to, sizeof to, "set/%s", PARTS[i]);
        snprintf(file, sizeof file, "%s/x.gguf", to);
        assert_true(dir_make(in_dir(to), &err));
        convert(from, file, DTYPE_F32);
        strcat(from, "/config.json");
        strcat(to, "/config.json");
        assert_true(file_copy(in_dir(from), in_dir(to), &err));
    }
    SoraOptions o = {.transformer = in_dir("set/transformer/x.gguf"),
                     .text_encoder = in_dir("set/text_encoder/x.gguf"),
                     .vae = in_dir("set/vae/x.gguf")};
    SoraVideo *b = video_of(in_dir("tiny"), &o);
    assert_int_equal(differing(a, b), 0);
    sora_video_free(b);

    write_lora("fits.safetensors", "blocks.0.self_attn.q");
    write_lora("other.safetensors", "blocks.7.self_attn.q");
    char arguments[2][600];
    snprintf(arguments[0], sizeof arguments[0], "%s:0", in_dir("fits.safetensors"));
    snprintf(arguments[1], sizeof arguments[1], "%s:2", in_dir("fits.safetensors"));
    for (int i = 0; i < 2; i++) { /* with no strength nothing happens */
        b = video_of(in_dir("tiny"), &(SoraOptions){.loras = (const char *[]){arguments[i], NULL}});
        assert_int_equal(differing(a, b) > 0, i);
        sora_video_free(b);
    }
    assert_null(sora_engine_open(
        in_dir("tiny"), &(SoraOptions){.loras = (const char *[]){in_dir("other.safetensors"), NULL}}, &err));
    assert_non_null(strstr(err.message, "changes nothing that is in this transformer"));
    sora_video_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wans_own_folders),         cmocka_unit_test(experts_are_told_by_name),
        cmocka_unit_test(diffusers_folders),        cmocka_unit_test(a_tokenizer_may_be_a_tensor),
        cmocka_unit_test(files_instead_of_folders),  cmocka_unit_test(parts_in_a_folder_are_one_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
