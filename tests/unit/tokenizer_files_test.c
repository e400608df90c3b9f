/* The same vocabulary as a .model file, as a tokenizer.json and inside a GGUF text encoder: the same ids. The fixtures'
 * .model files are rewritten here as transformers and llama.cpp would write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>

#include "base/file.h"
#include "text/spm_json.h"
#include "text/tokenizer.h"
#include "unit/weight_bytes.h"
#include "weights/weight_part.h"

enum { IDS = 1 << 16, EXTRA = 4 };

static const char *fixtures(void)
{
    const char *dir = getenv("SORA_FIXTURES");
    return dir != NULL ? dir : "../shared/fixtures/wan";
}

/* --- as transformers' converter writes it --- */

static json_t *json_charsmap(const SpmModel *m)
{
    char *text = malloc(m->charsmap_size * 2 + 8);
    EVP_EncodeBlock((unsigned char *)text, m->charsmap, (int)m->charsmap_size);
    json_t *json = json_string(text);
    free(text);
    return json;
}

static json_t *json_normalizer(const SpmModel *m)
{
    json_t *steps = json_array();
    if (m->charsmap_size > 0)
        json_array_append_new(steps, json_pack("{s:s, s:o}", "type", "Precompiled", "precompiled_charsmap", json_charsmap(m)));
    if (m->remove_extra_whitespaces)
        json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex", " {2,}",
                                               "content", " "));
    return json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", steps);
}

static json_t *json_tokenizer(const SpmModel *m)
{
    json_t *vocabulary = json_array(), *added = json_array();
    int unknown = -1;
    for (int i = 0; i < m->count; i++) {
        const SpmPiece *p = &m->pieces[i];
        json_array_append_new(vocabulary, json_pack("[s, f]", p->text, (double)p->score));
        unknown = p->type == SPM_UNKNOWN ? i : unknown;
        if (p->type == SPM_UNKNOWN || p->type == SPM_CONTROL || p->type == SPM_USER_DEFINED)
            json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", i, "content", p->text, "special",
                                                   p->type != SPM_USER_DEFINED));
    }
    for (int i = 0; i < EXTRA; i++) /* beyond the vocabulary */
        json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", m->count + i, "content", "<extra_id_0>", "special", 1));
    return json_pack("{s:s, s:o, s:o, s:{s:s, s:s, s:s}, s:{s:s, s:i, s:o, s:b}}", "version", "1.0", "added_tokens", added,
                     "normalizer", json_normalizer(m), "pre_tokenizer", "type", "Metaspace", "replacement", "\xe2\x96\x81",
                     "prepend_scheme", m->add_dummy_prefix ? "always" : "never", "model", "type", "Unigram", "unk_id",
                     unknown, "vocab", vocabulary, "byte_fallback", (int)m->byte_fallback);
}

static Tokenizer *from_json(const json_t *json)
{
    SoraError err = {0};
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
    Tokenizer *t = tokenizer_open_memory(text, strlen(text), "tokenizer.json", &err);
    if (t == NULL)
        fail_msg("%s", err.message);
    free(text);
    return t;
}

/* --- as llama.cpp's converter writes it --- */

enum { U8 = 0, U32 = 4, I32 = 5, F32 = 6, BOOL = 7, TEXT = 8, LIST = 9 };

static void put_key(Bytes *b, const char *key, uint32_t type)
{
    put_text(b, key);
    put_int(b, type, 4);
}

static void put_list(Bytes *b, const char *key, uint32_t type, int count)
{
    put_key(b, key, LIST);
    put_int(b, type, 4);
    put_int(b, (uint64_t)count, 8);
}

static void put_id(Bytes *b, const char *key, const SpmModel *m, const char *name)
{
    uint64_t id = 0;
    while (id < (uint64_t)m->count && strcmp(m->pieces[id].text, name) != 0)
        id++;
    put_key(b, key, U32);
    put_int(b, id < (uint64_t)m->count ? id : 0, 4);
}

static void put_vocabulary(Bytes *b, const SpmModel *m)
{
    int count = m->count + 2 * EXTRA; /* added names, then what fills the embedding's rows */
    char name[32];
    put_list(b, "tokenizer.ggml.tokens", TEXT, count);
    for (int i = 0; i < m->count; i++)
        put_text(b, m->pieces[i].text);
    for (int i = 0; i < 2 * EXTRA; i++) {
        snprintf(name, sizeof name, i < EXTRA ? "<extra_id_%d>" : "[PAD%d]", i);
        put_text(b, name);
    }
    put_list(b, "tokenizer.ggml.scores", F32, count);
    for (int i = 0; i < count; i++)
        put(b, i < m->count ? &m->pieces[i].score : &(float){-1000}, 4);
    put_list(b, "tokenizer.ggml.token_type", I32, count);
    for (int i = 0; i < count; i++)
        put_int(b, i < m->count ? (uint64_t)m->pieces[i].type : i < m->count + EXTRA ? 4 : 5, 4);
}

static void put_gguf(Bytes *b, const SpmModel *m)
{
    put_str(b, "GGUF");
    put_int(b, 3, 4);
    put_int(b, 1, 8);
    put_int(b, m->charsmap_size > 0 ? 10 : 9, 8);
    put_key(b, "general.architecture", TEXT);
    put_text(b, "t5encoder");
    put_key(b, "tokenizer.ggml.model", TEXT);
    put_text(b, "t5");
    put_vocabulary(b, m);
    put_key(b, "tokenizer.ggml.add_space_prefix", BOOL);
    put_int(b, m->add_dummy_prefix, 1);
    put_key(b, "tokenizer.ggml.remove_extra_whitespaces", BOOL);
    put_int(b, m->remove_extra_whitespaces, 1);
    put_id(b, "tokenizer.ggml.eos_token_id", m, "</s>");
    put_id(b, "tokenizer.ggml.padding_token_id", m, "<pad>");
    if (m->charsmap_size > 0) {
        put_list(b, "tokenizer.ggml.precompiled_charsmap", U8, (int)m->charsmap_size);
        put(b, m->charsmap, m->charsmap_size);
    }
    put_text(b, "enc.blk.0.attn_q.weight");
    put_int(b, 2, 4);
    put_int(b, 2, 8);
    put_int(b, 2, 8);
    put_int(b, 0, 4); /* F32 */
    put_int(b, 0, 8);
    put_zeros(b, (32 - b->size % 32) % 32 + 16);
}

static WeightPart *gguf_part(const Bytes *b, WeightFile **file, SoraError *err)
{
    LayoutMatch matches[PART_KINDS];
    *file = weight_file_open_memory(b->data, b->size, "text.gguf", err);
    if (*file == NULL)
        fail_msg("%s", err->message);
    assert_int_equal(layout_recognise(*file, matches, err), 1);
    return weight_part_new(*file, &matches[0], err);
}

static Tokenizer *from_gguf(const SpmModel *m)
{
    SoraError err = {0};
    Bytes b = {0};
    WeightFile *file;
    put_gguf(&b, m);
    WeightPart *part = gguf_part(&b, &file, &err);
    if (part == NULL)
        fail_msg("%s", err.message);
    const Tensor *model = weight_part_tokenizer(part);
    assert_non_null(model);
    Tokenizer *t = tokenizer_open_memory(model->data, tensor_bytes(model), "gguf", &err);
    if (t == NULL)
        fail_msg("%s", err.message);
    weight_part_free(part);
    weight_file_close(file);
    free_bytes(&b);
    return t;
}

/* --- the same ids --- */

static void expect_same(const Tokenizer *a, const Tokenizer *b, const json_t *strings)
{
    static int32_t x[IDS], y[IDS];
    size_t i;
    json_t *string;
    assert_int_equal(tokenizer_pad_id(a), tokenizer_pad_id(b));
    assert_int_equal(tokenizer_eos_id(a), tokenizer_eos_id(b));
    assert_int_equal(tokenizer_unk_id(a), tokenizer_unk_id(b));
    json_array_foreach(strings, i, string)
    {
        const char *text = json_string_value(string);
        size_t size = json_string_length(string);
        int n = tokenizer_encode(a, text, size, x, IDS);
        assert_in_range(n, 0, IDS);
        if (tokenizer_encode(b, text, size, y, IDS) != n || memcmp(x, y, (size_t)n * sizeof *x) != 0)
            fail_msg("other ids for string %zu: %.60s", i, text);
        assert_int_equal(tokenizer_encode_padded(a, text, size, x, 64), tokenizer_encode_padded(b, text, size, y, 64));
        assert_memory_equal(x, y, 64 * sizeof *x);
    }
}

static void all_sources_give_equal_ids(void **state)
{
    static const char *const MODELS[] = {"spm_bf", "spm_nobf", "spm_bf_identity_keepws"};
    SoraError err = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/tokenizer/tokenizer.json", fixtures());
    if (!file_exists(path)) {
        fprintf(stderr, "%s is not there: skipped\n", path);
        skip();
    }
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, NULL); /* some strings have a 0 byte */
    const json_t *strings = json_object_get(root, "strings");
    assert_true(json_array_size(strings) > 200);
    for (int i = 0; i < 3; i++) {
        size_t size;
        SpmModel m;
        snprintf(path, sizeof path, "%s/tokenizer/%s.model", fixtures(), MODELS[i]);
        char *bytes = file_read(path, 1 << 24, &size, &err);
        assert_non_null(bytes);
        assert_true(spm_model_init(&m, (const uint8_t *)bytes, size, path, &err));
        Tokenizer *model = tokenizer_open(path, &err), *gguf = from_gguf(&m);
        json_t *json = json_tokenizer(&m);
        Tokenizer *fast = from_json(json);
        expect_same(model, fast, strings);
        expect_same(model, gguf, strings);
        json_object_del(json_object_get(json, "model"), "byte_fallback"); /* as older files are */
        Tokenizer *old = from_json(json);
        expect_same(model, old, strings);
        json_decref(json);
        tokenizer_close(old);
        tokenizer_close(fast);
        tokenizer_close(gguf);
        tokenizer_close(model);
        spm_model_deinit(&m);
        free(bytes);
    }
    json_decref(root);
}

static void expect_json_error(const char *text, const char *message)
{
    SoraError err = {0};
    assert_null(tokenizer_open_memory(text, strlen(text), "x.json", &err));
    assert_string_equal(err.message, message);
}

#define MODEL(rest) "{\"model\": {\"vocab\": [[\"<unk>\", 0], [\"a\", -1]], \"unk_id\": 0}" rest "}"

static void broken_json_is_refused(void **state)
{
    expect_json_error("{", "x.json: no JSON object");
    expect_json_error("{}", "x.json: no tokenizer (no \"model\" in it)");
    expect_json_error("{\"model\": {\"type\": \"BPE\"}}", "x.json: a model of the type \"BPE\" is not supported");
    expect_json_error("{\"model\": {\"vocab\": []}}", "x.json: 0 pieces, 1 to 1048576 are accepted");
    expect_json_error("{\"model\": {\"vocab\": [[\"a\"]]}}", "x.json: entry 0 of the vocabulary is no [text, score]");
    expect_json_error("{\"model\": {\"vocab\": [[\"\", 0]]}}", "x.json: piece 0 has 0 bytes, 1 to 512 are accepted");
    expect_json_error("{\"model\": {\"vocab\": [[\"a\", 1e300]]}}", "x.json: piece 0 has a score that is not finite");
    expect_json_error("{\"model\": {\"vocab\": [[\"a\", 0]], \"unk_id\": 1}}", "x.json: \"unk_id\" is no id of a piece");
    expect_json_error(MODEL(", \"normalizer\": {\"type\": \"Lowercase\"}"),
                      "x.json: a step of the type \"Lowercase\" is not supported");
    expect_json_error(MODEL(", \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"?===\"}"),
                      "x.json: \"precompiled_charsmap\" is no base64");
    expect_json_error(MODEL(", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"b\"}"),
                      "x.json: a normalizer replaces other things than spaces, which is not supported");
    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(MODEL(""), strlen(MODEL("")), "x.json", &err);
    assert_non_null(t);
    tokenizer_close(t);
}

/* What a damaged list does. */
static void broken_gguf_is_refused(void **state)
{
    static const struct {
        const char *find;
        size_t at; /* bytes after the key */
        uint32_t value;
        const char *message;
    } CASES[] = {
        {"tokenizer.ggml.eos_token_id", 4, 99, "text.gguf: tokenizer.ggml.eos_token_id is 99, there are 10 tokens"},
        {"tokenizer.ggml.scores", 4, I32, "text.gguf: tokenizer.ggml.scores is no list of type 6 for its tokens"},
        {"tokenizer.ggml.scores", 8, 9, "text.gguf: tokenizer.ggml.scores is no list of type 6 for its tokens"},
    };
    SpmPiece pieces[2] = {{"<unk>", 5, 0, SPM_UNKNOWN}, {"a", 1, -1, SPM_NORMAL}};
    SpmModel m = {.pieces = pieces, .count = 2};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        Bytes b = {0};
        WeightFile *file;
        put_gguf(&b, &m);
        uint8_t *key = memmem(b.data, b.size, CASES[i].find, strlen(CASES[i].find));
        assert_non_null(key);
        memcpy(key + strlen(CASES[i].find) + CASES[i].at, &CASES[i].value, 4);
        if (CASES[i].at == 8) { /* one score fewer: its bytes go */
            uint8_t *scores = key + strlen(CASES[i].find) + 16;
            memmove(scores, scores + 4, (size_t)(b.data + b.size - scores) - 4);
            b.size -= 4;
            put_zeros(&b, 4);
        }
        assert_null(gguf_part(&b, &file, &err));
        assert_string_equal(err.message, CASES[i].message);
        weight_file_close(file);
        free_bytes(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sources_give_equal_ids),
        cmocka_unit_test(broken_json_is_refused),
        cmocka_unit_test(broken_gguf_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
