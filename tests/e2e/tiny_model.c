/* tiny_model TOKENIZER DIR: a whole model with random weights, small enough that the tests of the program can
 * make videos with it in no time. The videos show noise. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae22.h"
#include "weights/param_sources.h"
#include "weights/safetensors.h"

static const char MANIFEST[] =
    "{\"format\": 1, \"name\": \"tiny\", \"defaults\": {\"width\": 64, \"height\": 48, "
    "\"frames\": 5, \"fps\": 12, \"steps\": 2}, \"limits\": {\"side\": 256, \"frames\": 65}}";
static const char TRANSFORMER[] =
    "{\"model_type\": \"ti2v\", \"in_dim\": 8, \"out_dim\": 8, \"dim\": 32, "
    "\"num_heads\": 2, \"ffn_dim\": 64, \"num_layers\": 2, \"patch_size\": [1, 2, 2], "
    "\"text_len\": 32, \"freq_dim\": 32, \"text_dim\": 16}";
static const char TEXT_ENCODER[] =
    "{\"vocab\": 4096, \"dim\": 16, \"dim_attn\": 16, \"dim_ffn\": 32, "
    "\"num_heads\": 2, \"num_layers\": 1, \"num_buckets\": 8, \"max_dist\": 32}";
static const char AUTOENCODER[] =
    "{\"dim\": 4, \"dec_dim\": 4, \"z_dim\": 8, \"dim_mult\": [1, 2, 2], "
    "\"num_res_blocks\": 1, \"temperal_downsample\": [true, true], \"patchify\": 2}";

typedef bool (*Bind)(Params *params, const json_t *config, SoraError *err);

static bool bind_transformer(Params *params, const json_t *config, SoraError *err)
{
    DitConfig c;
    Dit model;
    if (!dit_config_parse(&c, config, err))
        return false;
    dit_bind(&model, &c, params);
    return true;
}

static bool bind_text_encoder(Params *params, const json_t *config, SoraError *err)
{
    Umt5Config c;
    Umt5 model;
    if (!umt5_config_parse(&c, config, err))
        return false;
    umt5_bind(&model, &c, params);
    return true;
}

static bool bind_autoencoder(Params *params, const json_t *config, SoraError *err)
{
    VaeConfig c;
    Vae22 model;
    if (!vae_config_read(&c, config, err))
        return false;
    vae22_bind(&model, &c, params);
    return true;
}

static bool write_text(const char *path, const char *text, size_t size, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    fwrite(text, 1, size, w.stream);
    return file_writer_commit(&w, err);
}

static bool write_weights(const char *path, const Params *params, SoraError *err)
{
    SafetensorsWriter *w = safetensors_writer_new(err);
    bool ok = w != NULL;
    for (int i = 0; ok && i < params->count; i++)
        ok = safetensors_writer_add(w, params->items[i]->name, &params->items[i]->tensor, err);
    ok = ok && safetensors_writer_save(w, path, err);
    safetensors_writer_free(w);
    return ok;
}

/* DIR/PART/config.json and model.safetensors */
static bool write_part(const char *dir, const char *part, const char *config, Bind bind, SoraError *err)
{
    char folder[1024], path[1100];
    snprintf(folder, sizeof folder, "%s/%s", dir, part);
    snprintf(path, sizeof path, "%s/config.json", folder);
    if (!dir_make(folder, err) || !write_text(path, config, strlen(config), err))
        return false;
    json_t *json = json_loads(config, 0, NULL);
    RandomSource random;
    random_source_init(&random, 1);
    Params params;
    params_init(&params, &random.source);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    bool ok = bind(&params, json, err) && params_ok(&params, err) && write_weights(path, &params, err);
    params_deinit(&params);
    random_source_deinit(&random);
    json_decref(json);
    return ok;
}

static bool copy_tokenizer(const char *from, const char *dir, SoraError *err)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tokenizer.model", dir);
    FileMap map;
    if (!file_map_open(&map, from, err))
        return false;
    bool ok = write_text(path, (const char *)map.data, map.size, err);
    file_map_close(&map);
    return ok;
}

int main(int argc, char **argv)
{
    SoraError err = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: tiny_model TOKENIZER DIR\n");
        return 2;
    }
    char manifest[1024];
    snprintf(manifest, sizeof manifest, "%s/model.json", argv[2]);
    bool ok = dir_make(argv[2], &err) && write_text(manifest, MANIFEST, strlen(MANIFEST), &err) &&
              copy_tokenizer(argv[1], argv[2], &err) &&
              write_part(argv[2], "transformer", TRANSFORMER, bind_transformer, &err) &&
              write_part(argv[2], "text_encoder", TEXT_ENCODER, bind_text_encoder, &err) &&
              write_part(argv[2], "vae", AUTOENCODER, bind_autoencoder, &err);
    if (!ok)
        fprintf(stderr, "tiny_model: %s\n", err.message);
    return ok ? 0 : 1;
}
