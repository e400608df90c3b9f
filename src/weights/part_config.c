/* What tensors say about their network. */
#include <string.h>

#include "weights/message.h"
#include "weights/model_files.h"

/* The length of a tensor's dimension; 0: it has none. */
static int64_t length(const WeightPart *p, const char *name, int dim)
{
    const PartTensor *t = weight_part_find(p, name);
    return t != NULL && dim < t->tensor.ndim ? t->tensor.shape[dim] : 0;
}

/* Numbered blocks from 0 on. */
static int64_t count_blocks(const WeightPart *p)
{
    int64_t most = 0;
    for (int i = 0; i < weight_part_count(p); i++) {
        const char *name = weight_part_tensor(p, i)->name;
        int64_t n = 0;
        if (strncmp(name, "blocks.", 7) != 0)
            continue;
        for (const char *s = name + 7; *s >= '0' && *s <= '9' && n < 100000; s++)
            n = 10 * n + (*s - '0');
        most = n + 1 > most ? n + 1 : most;
    }
    return most;
}

static bool set_int(json_t *json, const char *key, int64_t value)
{
    return json_object_set_new(json, key, json_integer(value)) == 0;
}

/* Keys that mean the same there. */
static bool copy_keys(json_t *json, const json_t *beside, const char *const (*keys)[2], size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        json_t *value = json_object_get(beside, keys[i][0]);
        if (value != NULL && !json_is_null(value))
            ok = json_object_set(json, keys[i][1], value) == 0 && ok;
    }
    return ok;
}

/* Heads cannot be seen in the shapes: all published ones have 128 numbers. */
static bool transformer(json_t *json, const WeightPart *p, const json_t *beside)
{
    static const char *const KEYS[][2] = {
        {"num_attention_heads", "num_heads"}, {"eps", "eps"}, {"patch_size", "patch_size"}};
    const PartTensor *patch = weight_part_find(p, "patch_embedding.weight");
    int64_t dim = length(p, "patch_embedding.weight", 0), in = length(p, "patch_embedding.weight", 1);
    int64_t volume = in > 0 ? tensor_numel(&patch->tensor) / (dim > 0 ? dim : 1) / in : 0;
    if (patch != NULL && patch->tensor.ndim < 5) { /* some dimensions are one: the bias knows, and all patches have 1 x 2 x 2 */
        dim = length(p, "patch_embedding.bias", 0);
        volume = 4;
        in = dim > 0 ? tensor_numel(&patch->tensor) / dim / volume : 0;
    }
    int64_t out = volume > 0 ? length(p, "head.head.weight", 0) / volume : 0;
    const char *type = weight_part_find(p, "img_emb.emb_pos") != NULL ? "flf2v"
                       : in > out                                     ? "i2v"
                       : in == 48                                     ? "ti2v"
                                                                      : "t2v";
    return set_int(json, "dim", dim) && set_int(json, "in_dim", in) && set_int(json, "out_dim", out) &&
           set_int(json, "ffn_dim", length(p, "blocks.0.ffn.0.weight", 0)) &&
           set_int(json, "num_heads", dim / 128) && set_int(json, "num_layers", count_blocks(p)) &&
           set_int(json, "text_dim", length(p, "text_embedding.0.weight", 1)) &&
           set_int(json, "freq_dim", length(p, "time_embedding.0.weight", 1)) &&
           json_object_set_new(json, "model_type", json_string(type)) == 0 &&
           copy_keys(json, beside, KEYS, sizeof KEYS / sizeof KEYS[0]);
}

static bool text_encoder(json_t *json, const WeightPart *p, const json_t *beside)
{
    static const char *const KEYS[][2] = {{"relative_attention_max_distance", "max_dist"},
                                          {"layer_norm_epsilon", "eps"}};
    return set_int(json, "vocab", length(p, "token_embedding.weight", 0)) &&
           set_int(json, "dim", length(p, "token_embedding.weight", 1)) &&
           set_int(json, "dim_attn", length(p, "blocks.0.attn.q.weight", 0)) &&
           set_int(json, "dim_ffn", length(p, "blocks.0.ffn.fc1.weight", 0)) &&
           set_int(json, "num_heads", length(p, "blocks.0.pos_embedding.embedding.weight", 1)) &&
           set_int(json, "num_buckets", length(p, "blocks.0.pos_embedding.embedding.weight", 0)) &&
           set_int(json, "num_layers", count_blocks(p)) &&
           copy_keys(json, beside, KEYS, sizeof KEYS / sizeof KEYS[0]);
}

json_t *part_config(const WeightPart *part, const json_t *beside, SoraError *err)
{
    bool is_transformer = weight_part_kind(part) == PART_TRANSFORMER;
    if (json_object_get(beside, "dim") != NULL)
        return json_incref((json_t *)(uintptr_t)beside);
    json_t *json = json_object();
    if (json != NULL && (is_transformer ? transformer(json, part, beside) : text_encoder(json, part, beside)))
        return json;
    json_decref(json);
    message_no_memory(weight_file_path(weight_part_file(part)), err);
    return NULL;
}
