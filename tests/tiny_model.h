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
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae22.h"
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
    char path[512];
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

static void tiny_write_weights(const char *dir)
{
    SoraError err = {0};
    json_t *json[3] = {tiny_parse(TINY_TRANSFORMER), tiny_parse(TINY_TEXT), tiny_parse(TINY_VAE)};
    DitConfig dit_config;
    Umt5Config text_config;
    VaeConfig vae_config;
    assert_true(dit_config_parse(&dit_config, json[0], &err) &&
                umt5_config_parse(&text_config, json[1], &err) &&
                vae_config_read(&vae_config, json[2], &err));
    static const char *const FILES[] = {"transformer/model.safetensors", "text_encoder/model.safetensors",
                                        "vae/model.safetensors"};
    for (int part = 0; part < 3; part++) {
        RandomSource source;
        Params params;
        Dit dit;
        Umt5 text;
        Vae22 vae;
        random_source_init(&source, 1);
        params_init(&params, &source.source);
        if (part == 0)
            dit_bind(&dit, &dit_config, &params);
        else if (part == 1)
            umt5_bind(&text, &text_config, &params);
        else
            vae22_bind(&vae, &vae_config, &params);
        tiny_save(dir, FILES[part], &params);
        params_deinit(&params);
        random_source_deinit(&source);
        json_decref(json[part]);
    }
}

typedef struct TinyModel {
    const char *manifest;
    const char *tokenizer; /* the file that is copied */
} TinyModel;

/* Makes dir. */
static void tiny_model_write(const char *dir, const TinyModel *model)
{
    static const char *const PARTS[] = {"transformer", "text_encoder", "vae"};
    static const char *const CONFIGS[] = {TINY_TRANSFORMER, TINY_TEXT, TINY_VAE};
    SoraError err = {0};
    for (int i = 0; i < 3; i++) {
        char folder[512];
        snprintf(folder, sizeof folder, "%s/%s", dir, PARTS[i]);
        assert_true(dir_make(folder, &err));
        tiny_write_text(folder, "config.json", CONFIGS[i]);
    }
    tiny_write_weights(dir);
    tiny_write_text(dir, "model.json", model->manifest);
    size_t size;
    char *tokenizer = file_read(model->tokenizer, 1 << 24, &size, &err);
    assert_non_null(tokenizer);
    tiny_write(dir, "tokenizer.model", tokenizer, size);
    free(tokenizer);
}

#endif
