#include "text/spm_json.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"

static const char SPACE_SYMBOL[] = "\xe2\x96\x81"; /* U+2581 */

enum { MAX_DEPTH = 8, SHOWN = 40 }; /* of sequences in sequences; bytes of a name in a message */

typedef struct Json {
    SpmModel *model;
    const char *name; /* for messages */
    SoraError *err;
} Json;

bool spm_json_is(const uint8_t *data, size_t size)
{
    return size > 0 && data[0] == '{';
}

static bool bad(const Json *j, const char *fact)
{
    return error_set(j->err, SORA_ERROR_INPUT, "%s: %s", j->name, fact);
}

static bool unsupported(const Json *j, const char *kind, const json_t *type)
{
    const char *text = json_string_value(type);
    return error_set(j->err, SORA_ERROR_UNSUPPORTED, "%s: %s \"%.*s\" is not supported", j->name, kind, SHOWN,
                     text != NULL ? text : "");
}

static bool is(const json_t *json, const char *text)
{
    return json_is_string(json) && strcmp(json_string_value(json), text) == 0;
}

/* --- the vocabulary --- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static bool is_byte(const char *text)
{
    return strlen(text) == 6 && strncmp(text, "<0x", 3) == 0 && is_hex(text[3]) && is_hex(text[4]) && text[5] == '>';
}

static bool read_piece(const Json *j, const json_t *entry, size_t id, char **text)
{
    const json_t *name = json_array_get(entry, 0), *score = json_array_get(entry, 1);
    const char *s = json_string_value(name);
    size_t size = json_string_length(name);
    if (s == NULL || !json_is_number(score))
        return error_set(j->err, SORA_ERROR_INPUT, "%s: entry %zu of the vocabulary is no [text, score]", j->name, id);
    if (size == 0 || size > SPM_MAX_PIECE)
        return error_set(j->err, SORA_ERROR_INPUT, "%s: piece %zu has %zu bytes, 1 to %d are accepted", j->name, id,
                         size, SPM_MAX_PIECE);
    float value = (float)json_number_value(score);
    if (!isfinite(value))
        return error_set(j->err, SORA_ERROR_INPUT, "%s: piece %zu has a score that is not finite", j->name, id);
    memcpy(*text, s, size + 1);
    j->model->pieces[id] =
        (SpmPiece){.text = *text, .size = (uint32_t)size, .score = value, .type = is_byte(s) ? SPM_BYTE : SPM_NORMAL};
    *text += size + 1;
    return true;
}

static bool read_vocabulary(const Json *j, const json_t *vocabulary)
{
    SpmModel *m = j->model;
    const json_t *entry;
    size_t i, count = json_array_size(vocabulary), bytes = 0;
    if (count == 0 || count > SPM_MAX_PIECES)
        return error_set(j->err, SORA_ERROR_INPUT, "%s: %zu pieces, 1 to %d are accepted", j->name, count,
                         SPM_MAX_PIECES);
    json_array_foreach(vocabulary, i, entry) bytes += json_string_length(json_array_get(entry, 0)) + 1;
    char *text = m->texts = malloc(bytes);
    m->pieces = calloc(count, sizeof *m->pieces);
    if (m->texts == NULL || m->pieces == NULL)
        return error_set(j->err, SORA_ERROR_MEMORY, "%s: out of memory", j->name);
    json_array_foreach(vocabulary, i, entry) if (!read_piece(j, entry, i, &text)) return false;
    m->count = (int)count;
    return true;
}

/* What is said of pieces beside the vocabulary. Names that are not in it are of no use to a text encoder. */
static bool read_types(const Json *j, const json_t *unknown, const json_t *added)
{
    SpmModel *m = j->model;
    const json_t *token;
    size_t i;
    json_array_foreach(added, i, token)
    {
        json_int_t id = json_integer_value(json_object_get(token, "id"));
        const char *text = json_string_value(json_object_get(token, "content"));
        if (text == NULL || id < 0 || id >= m->count || strcmp(m->pieces[id].text, text) != 0)
            continue;
        m->pieces[id].type = json_is_true(json_object_get(token, "special")) ? SPM_CONTROL : SPM_USER_DEFINED;
    }
    json_int_t id = json_integer_value(unknown);
    if (!json_is_integer(unknown) || id < 0 || id >= m->count)
        return bad(j, "\"unk_id\" is no id of a piece");
    m->pieces[id].type = SPM_UNKNOWN;
    return true;
}

static bool read_model(const Json *j, const json_t *root)
{
    const json_t *model = json_object_get(root, "model"), *type = json_object_get(model, "type");
    const json_t *fallback = json_object_get(model, "byte_fallback");
    if (!json_is_object(model))
        return bad(j, "no tokenizer (no \"model\" in it)");
    if (type != NULL && !is(type, "Unigram"))
        return unsupported(j, "a model of the type", type);
    if (!read_vocabulary(j, json_object_get(model, "vocab")) ||
        !read_types(j, json_object_get(model, "unk_id"), json_object_get(root, "added_tokens")))
        return false;
    int bytes = 0;
    for (int i = 0; i < j->model->count; i++)
        bytes += j->model->pieces[i].type == SPM_BYTE;
    /* Files of before 2023 do not say. */
    j->model->byte_fallback = fallback != NULL ? json_is_true(fallback) : bytes == 256;
    return true;
}

/* --- normalisers and pre-tokenizers --- */

static bool decode_charsmap(const Json *j, const json_t *text)
{
    SpmModel *m = j->model;
    size_t size = json_string_length(text);
    if (size == 0)
        return true;
    if (m->memory != NULL || size % 4 != 0 || size > SPM_MAX_FILE)
        return bad(j, "\"precompiled_charsmap\" comes twice, or is no base64");
    m->memory = malloc(size / 4 * 3);
    if (m->memory == NULL)
        return error_set(j->err, SORA_ERROR_MEMORY, "%s: out of memory", j->name);
    const char *s = json_string_value(text);
    if (EVP_DecodeBlock(m->memory, (const unsigned char *)s, (int)size) != (int)(size / 4 * 3))
        return bad(j, "\"precompiled_charsmap\" is no base64");
    m->charsmap = m->memory;
    m->charsmap_size = size / 4 * 3 - (s[size - 1] == '=') - (s[size - 2] == '=');
    return true;
}

/* SentencePiece's own: runs of spaces become one, a space is shown as U+2581. */
static bool read_replace(const Json *j, const json_t *step)
{
    const json_t *pattern = json_object_get(step, "pattern"), *content = json_object_get(step, "content");
    bool symbol = is(content, SPACE_SYMBOL), space = is(content, " ");
    if (is(json_object_get(pattern, "Regex"), " {2,}") && (symbol || space)) {
        j->model->remove_extra_whitespaces = true;
        return true;
    }
    if (is(json_object_get(pattern, "String"), " ") && symbol) {
        j->model->escape_whitespaces = true;
        return true;
    }
    return bad(j, "a normalizer replaces other things than spaces, which is not supported");
}

static bool read_metaspace(const Json *j, const json_t *step)
{
    const json_t *scheme = json_object_get(step, "prepend_scheme"), *prefix = json_object_get(step, "add_prefix_space");
    if (!is(json_object_get(step, "replacement"), SPACE_SYMBOL))
        return bad(j, "a pre-tokenizer shows spaces as something else than U+2581");
    j->model->escape_whitespaces = true;
    j->model->add_dummy_prefix = scheme != NULL ? !is(scheme, "never") : prefix == NULL || json_is_true(prefix);
    return true;
}

static bool read_steps(const Json *j, const json_t *step, int depth);

static bool read_sequence(const Json *j, const json_t *list, int depth)
{
    const json_t *step;
    size_t i;
    if (depth == MAX_DEPTH)
        return bad(j, "sequences in sequences in sequences ...");
    json_array_foreach(list, i, step) if (!read_steps(j, step, depth + 1)) return false;
    return true;
}

static bool read_steps(const Json *j, const json_t *step, int depth)
{
    const json_t *type = json_object_get(step, "type");
    if (step == NULL || json_is_null(step))
        return true;
    if (is(type, "Sequence"))
        return read_sequence(j, json_object_get(step, "normalizers"), depth) &&
               read_sequence(j, json_object_get(step, "pretokenizers"), depth);
    if (is(type, "Precompiled"))
        return decode_charsmap(j, json_object_get(step, "precompiled_charsmap"));
    if (is(type, "Replace"))
        return read_replace(j, step);
    if (is(type, "Metaspace"))
        return read_metaspace(j, step);
    if (is(type, "WhitespaceSplit") || is(type, "Strip")) {
        j->model->remove_extra_whitespaces = true;
        return true;
    }
    return unsupported(j, "a step of the type", type);
}

bool spm_json_init(SpmModel *m, const uint8_t *data, size_t size, const char *name, SoraError *err)
{
    Json j = {m, name, err};
    json_error_t e;
    *m = (SpmModel){.unk_surface = " \xe2\x81\x87 ", .bos_piece = "<s>", .eos_piece = "</s>", .pad_piece = "<pad>",
                    .model_type = 1};
    if (size > SPM_MAX_JSON)
        return error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %d are accepted", name, size, SPM_MAX_JSON);
    json_t *root = json_load_bytes(data, size, 0, &e);
    bool ok = json_is_object(root);
    if (!ok && root == NULL && json_short_of_memory(&e))
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    else if (!ok)
        bad(&j, "no JSON object");
    ok = ok && read_model(&j, root) && read_steps(&j, json_object_get(root, "normalizer"), 0) &&
         read_steps(&j, json_object_get(root, "pre_tokenizer"), 0);
    json_decref(root);
    if (!ok)
        spm_model_deinit(m);
    return ok;
}
