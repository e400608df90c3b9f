/* Sources: the reference classes of Wan 2.1 and 2.2; diffusers' scripts/convert_wan_to_diffusers.py; the
 * names of transformers' UMT5EncoderModel and CLIPVisionModel; llama.cpp's gguf-py/gguf/constants.py (ENC_ATTN_Q ...),
 * which agrees with the table of ComfyUI-GGUF's loader.py; ComfyUI's comfy/clip_vision.py for open_clip's names. */
#include "weights/layout.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* From one or more whole segments of a name to others. In from, # is a number; in to, each # is the next of
 * them, @ two of them a and b as 4a + b, % one of them as 4a + 3 (levels of three blocks and an upsampler, as
 * one list), and ! with a digit says: this is that third of the tensor. */
typedef struct Rule {
    const char *from, *to;
} Rule;

struct Layout {
    ModelPart part;
    const char *name;
    const char *marks[2];     /* a tensor that only this layout has, and one more in case it is missing */
    const Rule *rules, *more; /* tried in this order; both end with {0}; NULL: the names are Wan's own */
};

static const Rule TRANSFORMER[] = {
    {"condition_embedder.text_embedder.linear_1", "text_embedding.0"},
    {"condition_embedder.text_embedder.linear_2", "text_embedding.2"},
    {"condition_embedder.time_embedder.linear_1", "time_embedding.0"},
    {"condition_embedder.time_embedder.linear_2", "time_embedding.2"},
    {"condition_embedder.time_proj", "time_projection.1"},
    {"condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos"},
    {"condition_embedder.image_embedder.norm1", "img_emb.proj.0"},
    {"condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"},
    {"condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"},
    {"condition_embedder.image_embedder.norm2", "img_emb.proj.4"},
    {"blocks.#.scale_shift_table", "blocks.#.modulation"},
    {"scale_shift_table", "head.modulation"},
    {"proj_out", "head.head"},
    {"attn1", "self_attn"},
    {"attn2", "cross_attn"},
    {"to_q", "q"},
    {"to_k", "k"},
    {"to_v", "v"},
    {"to_out.0", "o"},
    {"add_k_proj", "k_img"},
    {"add_v_proj", "v_img"},
    {"norm_added_k", "norm_k_img"},
    {"ffn.net.0.proj", "ffn.0"},
    {"ffn.net.2", "ffn.2"},
    {"norm2", "norm3"}, /* crosswise: before cross-attention; the one before the ffn has no weights */
    {"norm3", "norm2"},
    {0},
};

static const Rule AUTOENCODER_21[] = {
    {"encoder.down_blocks.#", "encoder.downsamples.#"},
    {"decoder.up_blocks.#.resnets.#", "decoder.upsamples.@"},
    {"decoder.up_blocks.#.upsamplers.0", "decoder.upsamples.%"},
    {0},
};

static const Rule AUTOENCODER_22[] = {
    {"encoder.down_blocks.#.resnets.#", "encoder.downsamples.#.downsamples.#"},
    {"encoder.down_blocks.#.downsampler", "encoder.downsamples.#.downsamples.2"},
    {"decoder.up_blocks.#.resnets.#", "decoder.upsamples.#.upsamples.#"},
    {"decoder.up_blocks.#.upsampler", "decoder.upsamples.#.upsamples.3"},
    {0},
};

static const Rule AUTOENCODER[] = {
    {"quant_conv", "conv1"},
    {"post_quant_conv", "conv2"},
    {"conv_in", "conv1"},
    {"norm_out", "head.0"},
    {"conv_out", "head.2"},
    {"mid_block.resnets.0", "middle.0"},
    {"mid_block.attentions.0", "middle.1"},
    {"mid_block.resnets.1", "middle.2"},
    {"norm1", "residual.0"},
    {"conv1", "residual.2"},
    {"norm2", "residual.3"},
    {"conv2", "residual.6"},
    {"conv_shortcut", "shortcut"},
    {0},
};

static const Rule TEXT_ENCODER[] = {
    {"shared", "token_embedding"},
    {"encoder.embed_tokens", "token_embedding"}, /* the same numbers once more */
    {"encoder.final_layer_norm", "norm"},
    {"encoder.block.#.layer.0.layer_norm", "blocks.#.norm1"},
    {"encoder.block.#.layer.0.SelfAttention.relative_attention_bias", "blocks.#.pos_embedding.embedding"},
    {"encoder.block.#.layer.0.SelfAttention", "blocks.#.attn"},
    {"encoder.block.#.layer.1.layer_norm", "blocks.#.norm2"},
    {"encoder.block.#.layer.1.DenseReluDense.wi_0", "blocks.#.ffn.gate.0"},
    {"encoder.block.#.layer.1.DenseReluDense.wi_1", "blocks.#.ffn.fc1"},
    {"encoder.block.#.layer.1.DenseReluDense.wo", "blocks.#.ffn.fc2"},
    {0},
};

static const Rule TEXT_ENCODER_LLAMA[] = {
    {"token_embd", "token_embedding"},
    {"enc.output_norm", "norm"},
    {"enc.blk.#.attn_norm", "blocks.#.norm1"},
    {"enc.blk.#.attn_q", "blocks.#.attn.q"},
    {"enc.blk.#.attn_k", "blocks.#.attn.k"},
    {"enc.blk.#.attn_v", "blocks.#.attn.v"},
    {"enc.blk.#.attn_o", "blocks.#.attn.o"},
    {"enc.blk.#.attn_rel_b", "blocks.#.pos_embedding.embedding"},
    {"enc.blk.#.ffn_norm", "blocks.#.norm2"},
    {"enc.blk.#.ffn_gate", "blocks.#.ffn.gate.0"},
    {"enc.blk.#.ffn_up", "blocks.#.ffn.fc1"},
    {"enc.blk.#.ffn_down", "blocks.#.ffn.fc2"},
    {0},
};

static const Rule IMAGE_ENCODER[] = {
    {"vision_model.embeddings.class_embedding", "visual.cls_embedding"},
    {"vision_model.embeddings.patch_embedding", "visual.patch_embedding"},
    {"vision_model.embeddings.position_embedding.weight", "visual.pos_embedding"},
    {"vision_model.pre_layrnorm", "visual.pre_norm"}, /* so spelt */
    {"vision_model.post_layernorm", "visual.post_norm"},
    {"visual_projection.weight", "visual.head"},
    {"vision_model.encoder.layers.#.self_attn.q_proj", "visual.transformer.#.attn.to_qkv!0"},
    {"vision_model.encoder.layers.#.self_attn.k_proj", "visual.transformer.#.attn.to_qkv!1"},
    {"vision_model.encoder.layers.#.self_attn.v_proj", "visual.transformer.#.attn.to_qkv!2"},
    {"vision_model.encoder.layers.#.self_attn.out_proj", "visual.transformer.#.attn.proj"},
    {"vision_model.encoder.layers.#.layer_norm1", "visual.transformer.#.norm1"},
    {"vision_model.encoder.layers.#.layer_norm2", "visual.transformer.#.norm2"},
    {"vision_model.encoder.layers.#.mlp.fc1", "visual.transformer.#.mlp.0"},
    {"vision_model.encoder.layers.#.mlp.fc2", "visual.transformer.#.mlp.2"},
    {0},
};

static const Rule IMAGE_ENCODER_OPEN_CLIP[] = {
    {"visual.class_embedding", "visual.cls_embedding"},
    {"visual.conv1", "visual.patch_embedding"},
    {"visual.positional_embedding", "visual.pos_embedding"},
    {"visual.ln_pre", "visual.pre_norm"},
    {"visual.ln_post", "visual.post_norm"},
    {"visual.proj", "visual.head"},
    {"visual.transformer.resblocks.#.attn.in_proj_weight", "visual.transformer.#.attn.to_qkv.weight"},
    {"visual.transformer.resblocks.#.attn.in_proj_bias", "visual.transformer.#.attn.to_qkv.bias"},
    {"visual.transformer.resblocks.#.attn.out_proj", "visual.transformer.#.attn.proj"},
    {"visual.transformer.resblocks.#.ln_1", "visual.transformer.#.norm1"},
    {"visual.transformer.resblocks.#.ln_2", "visual.transformer.#.norm2"},
    {"visual.transformer.resblocks.#.mlp.c_fc", "visual.transformer.#.mlp.0"},
    {"visual.transformer.resblocks.#.mlp.c_proj", "visual.transformer.#.mlp.2"},
    {0},
};

static const Rule NONE[] = {{0}};

static const Layout LAYOUTS[] = {
    {PART_TRANSFORMER,
     "original",
     {"blocks.0.self_attn.q.weight", "blocks.0.cross_attn.v.weight"},
     NULL,
     NULL},
    {PART_TRANSFORMER,
     "diffusers",
     {"blocks.0.attn1.to_q.weight", "blocks.0.attn2.to_v.weight"},
     TRANSFORMER,
     NONE},
    {PART_AUTOENCODER,
     "original",
     {"decoder.upsamples.0.residual.2.weight", "encoder.downsamples.0.residual.2.weight"},
     NULL,
     NULL},
    {PART_AUTOENCODER,
     "original",
     {"decoder.upsamples.0.upsamples.0.residual.2.weight",
      "encoder.downsamples.0.downsamples.0.residual.2.weight"},
     NULL,
     NULL},
    {PART_AUTOENCODER,
     "diffusers",
     {"decoder.up_blocks.0.upsamplers.0.resample.1.weight", "encoder.down_blocks.0.conv1.weight"},
     AUTOENCODER_21,
     AUTOENCODER},
    {PART_AUTOENCODER,
     "diffusers",
     {"decoder.up_blocks.0.upsampler.resample.1.weight", "encoder.down_blocks.0.resnets.0.conv1.weight"},
     AUTOENCODER_22,
     AUTOENCODER},
    {PART_TEXT_ENCODER,
     "original",
     {"blocks.0.pos_embedding.embedding.weight", "blocks.0.ffn.gate.0.weight"},
     NULL,
     NULL},
    {PART_TEXT_ENCODER,
     "transformers",
     {"encoder.block.0.layer.0.SelfAttention.q.weight", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"},
     TEXT_ENCODER,
     NONE},
    {PART_TEXT_ENCODER,
     "llama.cpp",
     {"enc.blk.0.attn_q.weight", "enc.blk.0.ffn_gate.weight"},
     TEXT_ENCODER_LLAMA,
     NONE},
    {PART_IMAGE_ENCODER,
     "original",
     {"visual.transformer.0.attn.to_qkv.weight", "visual.transformer.0.mlp.0.weight"},
     NULL,
     NULL},
    {PART_IMAGE_ENCODER,
     "transformers",
     {"vision_model.encoder.layers.0.self_attn.q_proj.weight",
      "vision_model.encoder.layers.0.mlp.fc1.weight"},
     IMAGE_ENCODER,
     NONE},
    {PART_IMAGE_ENCODER,
     "open_clip",
     {"visual.transformer.resblocks.0.attn.in_proj_weight", "visual.transformer.resblocks.0.mlp.c_fc.weight"},
     IMAGE_ENCODER_OPEN_CLIP,
     NONE},
};

const char *model_part_name(ModelPart part)
{
    static const char *const NAMES[PART_KINDS] = {"transformer", "text encoder", "autoencoder",
                                                  "image encoder"};
    return NAMES[part];
}

const char *layout_name(const Layout *l)
{
    return l->name;
}

const Layout *layout_diffusers_transformer(void)
{
    size_t i = 0;
    while (LAYOUTS[i].rules != TRANSFORMER)
        i++;
    return &LAYOUTS[i];
}

/* --- recognising --- */

/* Is name a prefix, empty or with its dot, before mark? */
static bool has_mark(const char *name, const char *mark, char prefix[LAYOUT_NAME])
{
    size_t n = strlen(name), m = strlen(mark);
    if (n < m || n - m >= LAYOUT_NAME || strcmp(name + n - m, mark) != 0 || (n > m && name[n - m - 1] != '.'))
        return false;
    memcpy(prefix, name, n - m);
    prefix[n - m] = 0;
    return true;
}

static bool add_match(const WeightFile *f, const LayoutMatch *m, LayoutMatch matches[PART_KINDS], int *count,
                      SoraError *err)
{
    for (int i = 0; i < *count; i++)
        if (matches[i].part == m->part) {
            if (strcmp(matches[i].prefix, m->prefix) == 0 && matches[i].layout == m->layout)
                return true;
            return error_set(err, SORA_ERROR_INPUT, "%.100s: two %ss in it, \"%.30s\" and \"%.30s\"",
                             weight_file_path(f), model_part_name(m->part), matches[i].prefix, m->prefix);
        }
    matches[(*count)++] = *m;
    return true;
}

int layout_recognise(const WeightFile *f, LayoutMatch matches[PART_KINDS], SoraError *err)
{
    int count = 0;
    for (size_t k = 0; k < sizeof LAYOUTS / sizeof LAYOUTS[0]; k++)
        for (int i = 0; i < weight_file_count(f); i++) {
            LayoutMatch m = {LAYOUTS[k].part, &LAYOUTS[k], ""};
            const char *name = weight_file_tensor_name(f, i);
            if ((has_mark(name, LAYOUTS[k].marks[0], m.prefix) ||
                 has_mark(name, LAYOUTS[k].marks[1], m.prefix)) &&
                !add_match(f, &m, matches, &count, err))
                return -1;
        }
    return count;
}

/* --- renaming --- */

enum { MAX_NUMBERS = 4, MAX_DIGITS = 6 };

typedef struct Numbers {
    int values[MAX_NUMBERS], count;
} Numbers;

/* The bytes of name that the pattern covers, whole segments; 0: it does not fit. */
static size_t match(const char *pattern, const char *name, Numbers *numbers)
{
    const char *p = name;
    numbers->count = 0;
    for (; *pattern != 0; pattern++) {
        if (*pattern != '#') {
            if (*p++ != *pattern)
                return 0;
            continue;
        }
        int digits = 0, value = 0;
        for (; isdigit((unsigned char)*p) && digits < MAX_DIGITS; digits++)
            value = 10 * value + (*p++ - '0');
        if (digits == 0 || (digits > 1 && p[-digits] == '0') || numbers->count == MAX_NUMBERS)
            return 0;
        numbers->values[numbers->count++] = value;
    }
    return *p == 0 || *p == '.' ? (size_t)(p - name) : 0;
}

/* What name is built into; room for the longest. */
typedef struct Builder {
    LayoutName *out;
    size_t size;
    bool full;
} Builder;

static void append(Builder *b, const char *text, size_t size)
{
    if (b->size + size >= LAYOUT_NAME) {
        b->full = true;
        return;
    }
    memcpy(b->out->name + b->size, text, size);
    b->size += size;
    b->out->name[b->size] = 0;
}

static void append_rule(Builder *b, const char *to, const Numbers *numbers)
{
    const int *n = numbers->values;
    for (; *to != 0; to++) {
        char digits[16];
        int value;
        if (*to == '!') {
            b->out->piece = *++to - '0';
            b->out->pieces = 3;
            continue;
        }
        if (*to == '#') {
            value = *n++;
        } else if (*to == '@') {
            value = 4 * n[0] + n[1];
            n += 2;
        } else if (*to == '%') {
            value = 4 * *n++ + 3;
        } else {
            append(b, to, 1);
            continue;
        }
        append(b, digits, (size_t)snprintf(digits, sizeof digits, "%d", value));
    }
}

/* One step: the first rule that fits, or one segment as it is. Returns the bytes of name that are done. */
static size_t rewrite(Builder *b, const Layout *l, const char *name)
{
    const Rule *lists[2] = {l->rules, l->more};
    Numbers numbers;
    for (int k = 0; k < 2; k++)
        for (const Rule *r = lists[k]; r->from != NULL; r++) {
            size_t n = match(r->from, name, &numbers);
            if (n > 0) {
                append_rule(b, r->to, &numbers);
                return n;
            }
        }
    size_t n = strcspn(name, ".");
    append(b, name, n);
    return n;
}

bool layout_rename(const Layout *l, const char *name, LayoutName *out)
{
    *out = (LayoutName){.pieces = 1};
    Builder b = {.out = out};
    if (l->rules == NULL)
        append(&b, name, strlen(name));
    while (l->rules != NULL && *name != 0) {
        name += rewrite(&b, l, name);
        if (*name == '.') {
            append(&b, ".", 1);
            name++;
        }
    }
    return !b.full;
}

bool layout_is_unused(ModelPart part, const char *name)
{
    static const char *const PREFIXES[] = {"textual.", "visual.post_norm.", "text_model.",
                                           "text_projection."};
    static const char *const NAMES[] = {"log_scale", "logit_scale", "visual.head",
                                        "vision_model.embeddings.position_ids"};
    if (part != PART_IMAGE_ENCODER)
        return false;
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
        if (strncmp(name, PREFIXES[i], strlen(PREFIXES[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(name, NAMES[i]) == 0)
            return true;
    return false;
}
