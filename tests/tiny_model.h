/* A model folder with random weights, small enough that a test generates in a fraction of a second: 8 x 8
 * pixels and 4 frames to a latent position, patches of 2 x 2 of them. */
#ifndef SORA_TINY_MODEL_H
#define SORA_TINY_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/rng.h"
#include "model/clip.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae.h"
#include "weights/param_sources.h"
#include "weights/safetensors.h"

#define TINY_TRANSFORMER                                                                                     \
    "{\"model_type\": \"ti2v\", \"in_dim\": 4, \"out_dim\": 4, \"dim\": 24, \"ffn_dim\": 32, "               \
    "\"num_heads\": 2,"                                                                                      \
    " \"num_layers\": 2, \"text_len\": 16, \"text_dim\": 16, \"freq_dim\": 16}"
#define TINY_TEXT                                                                                            \
    "{\"vocab\": 4096, \"dim\": 16, \"dim_attn\": 16, \"dim_ffn\": 24, \"num_heads\": 2, \"num_layers\": 1}"
#define TINY_VAE                                                                                             \
    "{\"dim\": 4, \"dec_dim\": 4, \"z_dim\": 4, \"dim_mult\": [1, 2, 2], \"num_res_blocks\": 1,"             \
    " \"temperal_downsample\": [true, true], \"patchify\": 2}"

/* in_dim 4, or with a condition 12: a mask's 4 channels and 4 of a picture's latent. more: ", \"key\": value". */
#define TINY_TRANSFORMER_OF(type, in_dim, more)                                                              \
    "{\"model_type\": \"" type "\", \"in_dim\": " in_dim ", \"out_dim\": 4, \"dim\": 24, \"ffn_dim\": 32,"   \
    " \"num_heads\": 2, \"num_layers\": 2, \"text_len\": 16, \"text_dim\": 16, \"freq_dim\": 16" more "}"
/* As Wan 2.1's. */
#define TINY_FLAT_VAE                                                                                        \
    "{\"dim\": 4, \"z_dim\": 4, \"dim_mult\": [1, 2, 2, 2], \"num_res_blocks\": 1,"                          \
    " \"temperal_downsample\": [false, true, true]}"
/* 1 + 2 x 2 rows of 8 numbers a picture. */
#define TINY_CLIP                                                                                            \
    "{\"image_size\": 8, \"patch_size\": 4, \"vision_dim\": 8, \"vision_heads\": 2, \"vision_layers\": 3}"

static void tiny_write(const char *dir, const char *name, const void *data, size_t size)
{
    SoraError err = {0};
    char path[512];
    FileWriter w;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_true(file_writer_open(&w, path, &err));
    assert_int_equal(fwrite(data, 1, size, w.stream), size);
    assert_true(file_writer_commit(&w, &err));
}

static void tiny_write_text(const char *dir, const char *name, const char *text)
{
    tiny_write(dir, name, text, strlen(text));
}

/* What starts as zero in a new network gets numbers too: everything must take part. */
static void tiny_save(const char *dir, const char *name, Params *p)
{
    SoraError err = {0};
    char path[640];
    assert_true(params_ok(p, &err));
    SafetensorsWriter *w = safetensors_writer_new(&err);
    assert_non_null(w);
    Rng rng;
    rng_init(&rng, 5, 5);
    for (int i = 0; i < p->count; i++) {
        Tensor *t = &p->items[i]->tensor;
        for (int64_t k = 0; k < tensor_numel(t) && p->items[i]->init.kind == INIT_ZERO; k++)
            ((float *)t->data)[k] = 0.2f * rng_normal(&rng);
        assert_true(safetensors_writer_add(w, p->items[i]->name, t, &err));
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_true(safetensors_writer_save(w, path, &err));
    safetensors_writer_free(w);
}

static json_t *tiny_parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

/* What is written into a folder's part, and where its random numbers begin. */
typedef struct TinyPart {
    const char *folder, *config; /* JSON; NULL: the model has no such part */
    uint64_t seed;
} TinyPart;

static bool tiny_bind(const char *folder, const json_t *json, Params *params, SoraError *err)
{
    DitConfig dit;
    Umt5Config text;
    VaeConfig vae;
    ClipConfig clip;
    if (strcmp(folder, "text_encoder") == 0) {
        if (umt5_config_parse(&text, json, err))
            umt5_bind(&(Umt5){0}, &text, params);
    } else if (strcmp(folder, "vae") == 0) {
        if (vae_config_read(&vae, json, err))
            vae_bind(&(Vae){0}, &vae, params);
    } else if (strcmp(folder, "image_encoder") == 0) {
        if (clip_config_parse(&clip, json, err))
            clip_bind(&(Clip){0}, &clip, params);
    } else if (dit_config_parse(&dit, json, err)) {
        dit_bind(&(Dit){0}, &dit, params);
    }
    return params->count > 0 && params_ok(params, err);
}

static void tiny_write_part(const char *dir, const TinyPart *part)
{
    SoraError err = {0};
    char path[512];
    RandomSource source;
    Params params;
    if (part->config == NULL)
        return;
    snprintf(path, sizeof path, "%s/%s", dir, part->folder);
    assert_true(dir_make(path, &err));
    tiny_write_text(path, "config.json", part->config);
    json_t *json = tiny_parse(part->config);
    random_source_init(&source, part->seed);
    params_init(&params, &source.source);
    if (!tiny_bind(part->folder, json, &params, &err))
        fail_msg("%s: %s", part->folder, err.message);
    tiny_save(path, "model.safetensors", &params);
    params_deinit(&params);
    random_source_deinit(&source);
    json_decref(json);
}

typedef struct TinyModel {
    const char *manifest;
    const char *tokenizer;   /* the file that is copied */
    const char *transformer; /* configs; NULL: TINY_TRANSFORMER, TINY_VAE */
    const char *vae;
    const char *low_noise, *image_encoder; /* NULL: none */
} TinyModel;

/* Makes dir. */
static void tiny_model_write(const char *dir, const TinyModel *model)
{
    const TinyPart PARTS[] = {
        {"transformer", model->transformer != NULL ? model->transformer : TINY_TRANSFORMER, 1},
        {"transformer_2", model->low_noise, 2},
        {"text_encoder", TINY_TEXT, 1},
        {"vae", model->vae != NULL ? model->vae : TINY_VAE, 1},
        {"image_encoder", model->image_encoder, 1},
    };
    SoraError err = {0};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        tiny_write_part(dir, &PARTS[i]);
    tiny_write_text(dir, "model.json", model->manifest);
    size_t size;
    char *tokenizer = file_read(model->tokenizer, 1 << 24, &size, &err);
    assert_non_null(tokenizer);
    tiny_write(dir, "tokenizer.model", tokenizer, size);
    free(tokenizer);
}

#endif
