#include "train/codec.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_file.h"

bool codec_load(Codec *c, const char *folder, SoraError *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", folder);
    json_t *json = json_file_read(path, err);
    VaeConfig config;
    bool ok = json != NULL && (vae_config_read(&config, json, err) || error_wrap(err, "%s", path));
    json_decref(json);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    c->file = ok ? safetensors_open(path, err) : NULL;
    if (c->file == NULL)
        return false;
    file_source_init(&c->source, c->file, FILE_SOURCE_MAPPED);
    params_init(&c->params, &c->source.source);
    vae_bind(&c->vae, &config, &c->params);
    return params_ok(&c->params, err);
}

uint64_t codec_fingerprint(const Codec *c)
{
    const VaeConfig *v = &c->vae.config;
    uint64_t hash = hash64(HASH64_START, v->mean, sizeof v->mean);
    hash = hash64(hash, v->std, sizeof v->std);
    for (int i = 0; i < c->params.count; i++) {
        const Param *p = c->params.items[i];
        if (strncmp(p->name, "encoder.", 8) == 0)
            hash = hash64(hash, p->tensor.data, tensor_bytes(&p->tensor));
    }
    return hash;
}

void codec_unload(Codec *c)
{
    if (c->file != NULL) {
        params_deinit(&c->params);
        file_source_deinit(&c->source);
    }
    safetensors_close(c->file);
    *c = (Codec){0};
}
