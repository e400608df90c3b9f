/* Writes a captioner of random weights for nano's autoencoder and tokenizer: tiny_captioner FOLDER. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "model/captioner.h"
#include "weights/param_sources.h"
#include "weights/safetensors.h"

static const char CONFIG[] = "{\"z_dim\": 48, \"channels\": 8, \"residuals\": 1, \"dim\": 16, \"num_heads\": 2, \"look_layers\": 1,"
                             "\"say_layers\": 1, \"vocab\": 3072, \"text_len\": 8}\n";

static bool write_config(const char *folder, SoraError *err)
{
    char path[4096];
    FileWriter w;
    snprintf(path, sizeof path, "%s/config.json", folder);
    if (!dir_make(folder, err) || !file_writer_open(&w, path, err))
        return false;
    fputs(CONFIG, w.stream);
    return file_writer_commit(&w, err);
}

static bool write_weights(const char *folder, SoraError *err)
{
    char path[4096];
    CaptionerConfig c;
    RandomSource source;
    Params params;
    Captioner model;
    json_t *json = json_loads(CONFIG, 0, NULL);
    bool ok = captioner_config_parse(&c, json, err);
    json_decref(json);
    random_source_init(&source, 1);
    params_init(&params, &source.source);
    captioner_bind(&model, &c, &params);
    SafetensorsWriter *w = safetensors_writer_new(err);
    ok = ok && w != NULL && params_ok(&params, err);
    for (int i = 0; ok && i < params.count; i++)
        ok = safetensors_writer_add(w, params.items[i]->name, &params.items[i]->tensor, err);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    ok = ok && safetensors_writer_save(w, path, err);
    safetensors_writer_free(w);
    params_deinit(&params);
    random_source_deinit(&source);
    return ok;
}

int main(int argc, char **argv)
{
    SoraError err = {0};
    if (argc == 2 && write_config(argv[1], &err) && write_weights(argv[1], &err))
        return 0;
    fprintf(stderr, "tiny_captioner: %s\n", argc == 2 ? err.message : "a folder is expected");
    return 1;
}
