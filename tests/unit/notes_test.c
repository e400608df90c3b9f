/* Nothing that was given is dropped without a word, and numbers that are none are an error that says where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/finite.h"
#include "base/notes.h"
#include "tiny_model.h"
#include "unit/temp_dir.h"
#include "weights/safetensors.h"

static const char MANIFEST[] =
    "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 17}, \"defaults\": {\"width\": 32, "
    "\"height\": 16, \"frames\": 5, \"fps\": 8, \"steps\": 2, \"guidance_scale\": 4, \"negative_prompt\": \"blurry\"}}";

static char *in_dir(const char *name)
{
    static char paths[4][256];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

static int write_model(void **state)
{
    if (setup(state) != 0)
        return 1;
    tiny_model_write(in_dir("model"), &(TinyModel){.manifest = MANIFEST, .tokenizer = "models/nano/tokenizer.model"});
    return 0;
}

static SoraEngine *open_with(const char *lora)
{
    SoraError err = {0};
    const char *loras[] = {lora, NULL};
    SoraEngine *e = sora_engine_open(in_dir("model"), &(SoraOptions){.loras = loras}, &err);
    if (e == NULL)
        fail_msg("%s", err.message);
    return e;
}

static void the_list_keeps_what_is_added(void **state)
{
    Notes n = {0};
    SoraError err = {0};
    for (int i = 0; i < 20; i++)
        notes_add(&n, "prompt", "%d\n\033[31m", i);
    assert_string_equal(notes_at(&n, 19)->text, "19??[31m");
    assert_string_equal(notes_at(&n, 3)->about, "prompt");
    assert_null(notes_at(&n, 20));
    assert_null(notes_at(&n, -1));
    assert_true(notes_ok(&n, &err));
    notes_deinit(&n);
}

/* --- files --- */

/* Rewrites a file of the model: every tensor, and what `change` makes of them. */
typedef void (*Change)(SafetensorsWriter *w, const char *name, Tensor *t);

static void rewrite(const char *part, Change change)
{
    SoraError err = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/model/%s/model.safetensors", dir, part);
    Safetensors *s = safetensors_open(path, &err);
    SafetensorsWriter *w = safetensors_writer_new(&err);
    Tensor *copies = calloc((size_t)safetensors_count(s), sizeof *copies);
    for (int i = 0; i < safetensors_count(s); i++) {
        copies[i] = *safetensors_tensor(s, i);
        copies[i].data = malloc(tensor_bytes(&copies[i]));
        memcpy(copies[i].data, safetensors_tensor(s, i)->data, tensor_bytes(&copies[i]));
        change(w, safetensors_tensor_name(s, i), &copies[i]);
        assert_true(safetensors_writer_add(w, safetensors_tensor_name(s, i), &copies[i], &err));
    }
    assert_true(safetensors_writer_save(w, path, &err));
    for (int i = 0; i < safetensors_count(s); i++)
        free(copies[i].data);
    free(copies);
    safetensors_writer_free(w);
    safetensors_close(s);
}

static float one_number = 1;

static void add_tensors(SafetensorsWriter *w, const char *name, Tensor *t)
{
    static Tensor extra;
    SoraError err = {0};
    if (strcmp(name, "head.head.weight") != 0)
        return;
    extra = tensor_over(&one_number, DTYPE_F32, 1, (int64_t[]){1});
    assert_true(safetensors_writer_add(w, "adapter.first", &extra, &err));
    assert_true(safetensors_writer_add(w, "adapter.second", &extra, &err));
}

static void tensors_that_nobody_asks_for(void **state)
{
    SoraEngine *e = open_with(NULL);
    assert_null(sora_engine_note(e, 0));
    sora_engine_close(e);
    rewrite("transformer", add_tensors);
    e = open_with(NULL);
    const SoraNote *note = sora_engine_note(e, 0);
    assert_non_null(note);
    assert_string_equal(note->about, "weights");
    assert_non_null(strstr(note->text, "transformer/model.safetensors: 2 tensors that the transformer does not use, "
                                       "the first is \"adapter.first\""));
    assert_null(sora_engine_note(e, 1));
    sora_engine_close(e);
    tiny_model_write(in_dir("model"), &(TinyModel){.manifest = MANIFEST, .tokenizer = "models/nano/tokenizer.model"});
}

/* Changes of a norm in blocks 0 .. count - 1; the model has two. */
static void write_lora(const char *name, int count)
{
    static float data[24];
    SoraError err = {0};
    Tensor t = tensor_over(data, DTYPE_F32, 1, (int64_t[]){24});
    SafetensorsWriter *w = safetensors_writer_new(&err);
    for (int i = 0; i < count; i++) {
        char tensor[64];
        snprintf(tensor, sizeof tensor, "diffusion_model.blocks.%d.norm3.diff", i);
        assert_true(safetensors_writer_add(w, tensor, &t, &err));
    }
    assert_true(safetensors_writer_save(w, in_dir(name), &err));
    safetensors_writer_free(w);
}

static void changes_that_fit_nothing_are_counted(void **state)
{
    char argument[300];
    write_lora("few.safetensors", 5);
    snprintf(argument, sizeof argument, "%s:0.8", in_dir("few.safetensors"));
    SoraEngine *e = open_with(argument);
    const SoraNote *note = sora_engine_note(e, 0);
    assert_non_null(note);
    assert_string_equal(note->about, "lora");
    assert_non_null(strstr(note->text, "few.safetensors: 3 of 5 changes fit nothing in the transformer, the first is "
                                       "\"diffusion_model.blocks.2.norm3.diff\""));
    sora_engine_close(e);
    write_lora("few.safetensors", 2);
    e = open_with(argument);
    assert_null(sora_engine_note(e, 0));
    sora_engine_close(e);
}

/* --- requests --- */

typedef struct Heard {
    int count;
    char about[8][32], text[8][400];
    bool begun; /* a step was made before */
} Heard;

static void hear(const SoraNote *note, void *user)
{
    Heard *h = user;
    assert_false(h->begun);
    assert_true(h->count < 8);
    snprintf(h->about[h->count], sizeof h->about[0], "%s", note->about);
    snprintf(h->text[h->count++], sizeof h->text[0], "%s", note->text);
}

static bool begin(const SoraProgress *p, void *user)
{
    ((Heard *)user)->begun = p->phase == SORA_PHASE_DENOISE;
    return true;
}

static SoraRequest request_of(const char *prompt, Heard *h)
{
    SoraRequest r;
    *h = (Heard){0};
    sora_request_init(&r);
    r.prompt = prompt;
    r.note = hear;
    r.progress = begin;
    r.user = h;
    return r;
}

static SoraVideo *generate(SoraEngine *e, const SoraRequest *r)
{
    SoraError err = {0};
    SoraVideo *v = sora_generate(e, r, &err);
    if (v == NULL)
        fail_msg("%s", err.message);
    const Heard *h = r->user;
    for (int i = 0; i < h->count; i++)
        assert_string_equal(sora_video_note(v, i)->text, h->text[i]);
    assert_null(sora_video_note(v, h->count));
    return v;
}

static void options_without_effect_are_said(void **state)
{
    Heard h;
    SoraEngine *e = open_with(NULL);
    SoraRequest r = request_of("a dog", &h);
    r.negative_prompt = "blur";
    r.low_guidance_scale = 3;
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 1); /* guidance is 4: the negative prompt takes part */
    assert_string_equal(h.about[0], "low_guidance");
    r = request_of("a dog", &h);
    r.negative_prompt = "blur";
    r.guidance_scale = 1;
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 1);
    assert_string_equal(h.text[0], "the negative prompt has no effect at guidance 1");
    r = request_of("a dog", &h); /* nobody gave the model's own */
    r.guidance_scale = 1;
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 0);
    sora_engine_close(e);
}

static void what_is_cut_off_is_said(void **state)
{
    Heard h;
    SoraEngine *e = open_with(NULL); /* hears 15 pieces and an end */
    static const char LONG[] = "a dog walks and walks and walks and walks and walks and walks far over there to the left";
    SoraRequest r = request_of(LONG, &h);
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 1);
    assert_string_equal(h.about[0], "prompt");
    assert_non_null(strstr(h.text[0], "and the model hears 15; cut off: \""));
    assert_non_null(strstr(h.text[0], "to the left\""));
    r = request_of("a dog", &h);
    r.negative_prompt = LONG;
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 1);
    assert_string_equal(h.about[0], "negative_prompt");
    sora_engine_close(e);
}

static void unknown_words_are_named(void **state)
{
    Heard h;
    SoraError err = {0};
    SoraEngine *e = open_with(NULL);
    assert_null(sora_engine_words(e)); /* a model that does not say is not asked */
    sora_engine_close(e);
    tiny_write_text(in_dir("model"), "words.json",
                    "{\"format\": 1, \"nouns\": [{\"en\": [\"dog\", \"dogs\"], \"ja\": [\"\u72ac\"]}, {\"en\": [\"car\"]}],"
                    " \"actions\": [{\"en\": [\"walks\", \"walk\"]}]}");
    e = open_with(NULL);
    assert_non_null(strstr(sora_engine_words(e), "\"nouns\":[{\"en\":[\"dog\",\"dogs\"]"));
    SoraRequest r = request_of("the dog walks", &h);
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 0);
    r = request_of("a Dog walked to the piano", &h);
    sora_video_free(generate(e, &r));
    assert_int_equal(h.count, 1);
    assert_string_equal(h.about[0], "words");
    assert_string_equal(h.text[0], "the model does not know \"walked\" (known: \"walk\") and \"piano\"; it knows 2 nouns, such as "
                                   "dog, car");
    sora_engine_close(e);
    tiny_write_text(in_dir("model"), "words.json", "[1]");
    assert_null(sora_engine_open(in_dir("model"), NULL, &err));
    assert_non_null(strstr(err.message, "words.json: no JSON object"));
    assert_int_equal(remove(in_dir("model/words.json")), 0);
}

static void loras_are_recorded(void **state)
{
    Heard h;
    char argument[300];
    write_lora("few.safetensors", 2);
    snprintf(argument, sizeof argument, "%s:0.8", in_dir("few.safetensors"));
    SoraEngine *e = open_with(argument);
    assert_string_equal(sora_engine_loras(e)[0], "few.safetensors:0.8");
    assert_null(sora_engine_loras(e)[1]);
    SoraRequest r = request_of("a dog", &h);
    SoraVideo *v = generate(e, &r);
    json_t *json = json_loads(sora_video_parameters(v), 0, NULL), *loras = json_object_get(json, "loras");
    assert_int_equal(json_array_size(loras), 1);
    assert_string_equal(json_string_value(json_array_get(loras, 0)), "few.safetensors:0.8");
    json_decref(json);
    sora_video_free(v);
    sora_engine_close(e);
}

/* --- numbers that are none --- */

static void finite_or_not(void **state)
{
    static float x[200000];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const size_t places[] = {0, 1, 65535, 65536, 199999};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < 5; i++) {
            x[places[i]] = bad[k];
            assert_false(all_finite(x, 200000));
            assert_true(all_finite(x, places[i]));
            x[places[i]] = -3.4e38f;
        }
    assert_true(all_finite(x, 200000));
}

static const char *spoiled; /* the tensor */

static void spoil(SafetensorsWriter *w, const char *name, Tensor *t)
{
    if (strcmp(name, spoiled) == 0)
        ((float *)t->data)[tensor_numel(t) - 1] = NAN;
}

static void a_weight_that_is_no_number_is_named(void **state)
{
    static const char *const CASES[][2] = {
        {"transformer", "blocks.1.modulation"},     {"transformer", "blocks.1.ffn.2.weight"},
        {"text_encoder", "blocks.0.ffn.fc2.weight"}, {"vae", "decoder.head.2.bias"},
        {"vae", "decoder.conv1.weight"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char words[128];
        SoraError err = {0};
        spoiled = CASES[i][1];
        rewrite(CASES[i][0], spoil);
        assert_null(sora_engine_open(in_dir("model"), NULL, &err));
        snprintf(words, sizeof words, "%s/model.safetensors: tensor \"%s\" holds numbers that are not finite", CASES[i][0],
                 CASES[i][1]);
        if (strstr(err.message, words) == NULL)
            fail_msg("%s: %s", words, err.message);
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        tiny_model_write(in_dir("model"), &(TinyModel){.manifest = MANIFEST, .tokenizer = "models/nano/tokenizer.model"});
    }
}

static void flatten(SafetensorsWriter *w, const char *name, Tensor *t)
{
    if (strcmp(name, "patch_embedding.weight") == 0)
        *t = tensor_over(t->data, t->dtype, 2, (int64_t[]){t->shape[0], tensor_numel(t) / t->shape[0]});
}

/* A patch embedding that was stored as a matrix, as those are that somebody quantised, is read as what it is. */
static void a_flat_patch_embedding_is_read(void **state)
{
    Heard h;
    SoraRequest r = request_of("a dog", &h);
    uint8_t frame[32 * 16 * 3];
    for (int flat = 0; flat < 2; flat++) {
        if (flat)
            rewrite("transformer", flatten);
        SoraEngine *e = open_with(NULL);
        SoraVideo *v = generate(e, &r);
        if (flat)
            assert_memory_equal(frame, sora_video_frame(v, 0), sizeof frame);
        memcpy(frame, sora_video_frame(v, 0), sizeof frame);
        sora_video_free(v);
        sora_engine_close(e);
    }
    tiny_model_write(in_dir("model"), &(TinyModel){.manifest = MANIFEST, .tokenizer = "models/nano/tokenizer.model"});
}

static void spoil_all(SafetensorsWriter *w, const char *name, Tensor *t)
{
    for (int64_t i = 0; strcmp(name, spoiled) == 0 && i < tensor_numel(t); i++)
        ((float *)t->data)[i] = NAN;
}

/* Large tensors stay in the file until they are used: the stage says that its result is none, and looks for why. */
static void a_stage_finds_the_tensor(void **state)
{
    static const TinyModel LARGE = {.manifest = MANIFEST,
                                    .tokenizer = "models/nano/tokenizer.model",
                                    .transformer = "{\"model_type\": \"ti2v\", \"in_dim\": 4, \"out_dim\": 4, \"dim\": 24, "
                                                   "\"ffn_dim\": 2736, \"num_heads\": 2, \"num_layers\": 2, \"text_len\": 16, "
                                                   "\"text_dim\": 16, \"freq_dim\": 16}",
                                    .vae = "{\"dim\": 32, \"dec_dim\": 32, \"z_dim\": 4, \"dim_mult\": [1, 2, 2], "
                                           "\"num_res_blocks\": 1, \"temperal_downsample\": [true, true], \"patchify\": 2}"};
    static const char *const CASES[][3] = {
        {"text_encoder", "token_embedding.weight", "the encoded prompt is not finite: "},
        {"transformer", "blocks.1.ffn.0.weight", "step 1: the latent is not finite: "},
        {"vae", "decoder.middle.0.residual.2.weight", "a frame is not finite: "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        char tensor[128];
        tiny_model_write(in_dir("model"), &LARGE);
        spoiled = CASES[i][1];
        rewrite(CASES[i][0], spoil_all);
        SoraEngine *e = open_with(NULL);
        Heard h;
        SoraRequest r = request_of("a dog", &h);
        assert_null(sora_generate(e, &r, &err));
        snprintf(tensor, sizeof tensor, "%s/model.safetensors: tensor \"%s\" holds numbers", CASES[i][0], CASES[i][1]);
        if (strstr(err.message, CASES[i][2]) == NULL || strstr(err.message, tensor) == NULL ||
            err.code != SORA_ERROR_INPUT)
            fail_msg("%s: %s", CASES[i][1], err.message);
        sora_engine_close(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_keeps_what_is_added),
        cmocka_unit_test(tensors_that_nobody_asks_for),
        cmocka_unit_test(changes_that_fit_nothing_are_counted),
        cmocka_unit_test(options_without_effect_are_said),
        cmocka_unit_test(what_is_cut_off_is_said),
        cmocka_unit_test(unknown_words_are_named),
        cmocka_unit_test(loras_are_recorded),
        cmocka_unit_test(finite_or_not),
        cmocka_unit_test(a_weight_that_is_no_number_is_named),
        cmocka_unit_test(a_flat_patch_embedding_is_read),
        cmocka_unit_test(a_stage_finds_the_tensor),
    };
    return cmocka_run_group_tests(tests, write_model, teardown);
}
