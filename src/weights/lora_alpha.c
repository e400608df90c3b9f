#include "weights/lora_alpha.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "weights/message.h"

enum { MAX_CONFIG = 1 << 20 };

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t n = strlen(end);
    return size >= n && memcmp(text + size - n, end, n) == 0;
}

static bool bad(const WeightFile *f, const char *what, SoraError *err)
{
    char buf[SHOWN_SIZE];
    return message_bad(weight_file_path(f), err, "its alpha \"%s\" is no number", message_shown(what, buf));
}

/* kohya's trainers write "None" where there is none. */
static bool read_text(LoraAlpha *a, const WeightFile *f, const char *key, SoraError *err)
{
    const char *text = weight_file_metadata(f, key);
    char *end;
    if (text == NULL || *text == 0 || strcmp(text, "None") == 0)
        return true;
    a->alpha = strtod(text, &end);
    return (*end == 0 && isfinite(a->alpha)) || bad(f, text, err);
}

/* Keys as PEFT has them; diffusers puts "transformer." before each. */
static bool read_config(LoraAlpha *a, const WeightFile *f, const json_t *config, SoraError *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value)
    {
        size_t n = strlen(key);
        if (strncmp(key, "text_encoder", 12) == 0)
            continue;
        if (ends_with(key, n, "lora_alpha") && !json_is_null(value)) {
            if (!json_is_number(value))
                return bad(f, json_is_string(value) ? json_string_value(value) : "...", err);
            a->alpha = json_number_value(value);
        } else if (ends_with(key, n, "alpha_pattern") && json_object_size(value) > 0) {
            json_decref(a->patterns);
            a->patterns = json_incref(value);
        } else if (ends_with(key, n, "use_rslora")) {
            a->rank_stabilised = json_is_true(value);
        }
    }
    return true;
}

/* NULL, with `wrong` as the error, if that is no object. */
static json_t *parse(const char *text, size_t size, const char *path, const char *wrong, SoraError *err)
{
    json_error_t e;
    json_t *json = json_load_bytes(text, size, 0, &e);
    if (json_is_object(json))
        return json;
    if (json == NULL && json_short_of_memory(&e))
        message_no_memory(path, err);
    else
        message_bad(path, err, "%s", wrong);
    json_decref(json);
    return NULL;
}

static bool read_adapter_metadata(LoraAlpha *a, const WeightFile *f, SoraError *err)
{
    const char *text = weight_file_metadata(f, "lora_adapter_metadata");
    json_t *config = NULL;
    bool ok = text == NULL || ((config = parse(text, strlen(text), weight_file_path(f), "its lora_adapter_metadata is no JSON object",
                                               err)) != NULL && read_config(a, f, config, err));
    json_decref(config);
    return ok;
}

/* adapter_model.safetensors lies beside adapter_config.json. */
static bool read_beside(LoraAlpha *a, const WeightFile *f, SoraError *err)
{
    static const char MODEL[] = "adapter_model.safetensors", CONFIG[] = "adapter_config.json";
    const char *path = weight_file_path(f);
    size_t n = strlen(path), size;
    char config_path[4096 + sizeof CONFIG];
    if (!ends_with(path, n, MODEL) || n - strlen(MODEL) + sizeof CONFIG > sizeof config_path)
        return true;
    n -= strlen(MODEL);
    memcpy(config_path, path, n);
    memcpy(config_path + n, CONFIG, sizeof CONFIG);
    if (!file_exists(config_path))
        return true;
    char *text = file_read(config_path, MAX_CONFIG, &size, err);
    json_t *config = text != NULL ? parse(text, size, config_path, "no JSON object", err) : NULL;
    bool ok = config != NULL && read_config(a, f, config, err);
    json_decref(config);
    free(text);
    return ok;
}

bool lora_alpha_read(LoraAlpha *a, const WeightFile *f, SoraError *err)
{
    *a = (LoraAlpha){.alpha = NAN};
    bool ok = read_beside(a, f, err) && read_text(a, f, "lora_alpha", err) &&
              read_text(a, f, "ss_network_alpha", err) && read_adapter_metadata(a, f, err);
    const char *name;
    json_t *value;
    json_object_foreach(a->patterns, name, value)
        ok = ok && (json_is_number(value) || bad(f, name, err));
    if (!ok)
        lora_alpha_deinit(a);
    return ok;
}

void lora_alpha_deinit(LoraAlpha *a)
{
    json_decref(a->patterns);
    a->patterns = NULL;
}

double lora_alpha_of(const LoraAlpha *a, const char *name, size_t size, double rank)
{
    double alpha = a->alpha;
    const char *end;
    json_t *value;
    json_object_foreach(a->patterns, end, value)
        if (ends_with(name, size, end))
            alpha = json_number_value(value);
    return a->rank_stabilised ? alpha * sqrt(rank) : alpha;
}
