/* The vocabulary in llama.cpp's GGUF files of T5 encoders, written as the protobuf message that SentencePiece's files
 * are (sentencepiece_model.proto), so that one reader checks and understands both. Keys and numbers: the GGUF
 * specification; types of tokens are SentencePiece's. */
#include <stdlib.h>
#include <string.h>

#include "weights/gguf.h"
#include "weights/message.h"
#include "weights/weight_table.h"

#define KEY "tokenizer.ggml."

enum { UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, BYTE = 6, BYTES = 256 };
enum {
    MAX_TOKENS = 1 << 20,
    FIELD_SIZE = 16,   /* bytes of a field's number, size and small value, at most */
    TOKEN_EXTRA = 48,  /* bytes around a token's text, at most */
    OTHER_EXTRA = 512, /* and around everything else */
};

/* llama.cpp gives this score to what tokenizer files of others add to the vocabulary ("<extra_id_0>"); SentencePiece
 * itself does not know these names. */
static const float ADDED_SCORE = -1000;

/* A message that is being written; there is always room. */
typedef struct Writer {
    uint8_t *p;
} Writer;

static void put_varint(Writer *w, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *w->p++ = (uint8_t)(value | 0x80);
    *w->p++ = (uint8_t)value;
}

static void put_number(Writer *w, int field, uint64_t value)
{
    put_varint(w, (uint64_t)field << 3);
    put_varint(w, value);
}

static void put_bytes(Writer *w, int field, const void *bytes, size_t size)
{
    put_varint(w, (uint64_t)field << 3 | 2);
    put_varint(w, size);
    if (size > 0)
        memcpy(w->p, bytes, size);
    w->p += size;
}

static void put_float(Writer *w, int field, float value)
{
    put_varint(w, (uint64_t)field << 3 | 5);
    memcpy(w->p, &value, 4);
    w->p += 4;
}

typedef struct Vocabulary {
    const WeightFile *file;
    const WeightList *tokens, *scores, *types, *charsmap;
    int64_t count, unknown, bos, eos, pad; /* ids; -1: not said */
    size_t bytes;                          /* of all tokens' texts */
} Vocabulary;

static bool flag(const Vocabulary *v, const char *key, bool otherwise)
{
    const char *text = weight_file_metadata(v->file, key);
    return text != NULL ? strcmp(text, "0") != 0 : otherwise;
}

static bool read_id(const Vocabulary *v, const char *key, int64_t *id, SoraError *err)
{
    const char *text = weight_file_metadata(v->file, key);
    *id = text != NULL ? strtoll(text, NULL, 10) : -1;
    return text == NULL || (*id >= 0 && *id < v->count) ||
           message_bad(weight_file_path(v->file), err, "%s is %lld, there are %lld tokens", key, (long long)*id,
                       (long long)v->count);
}

static bool check_list(const Vocabulary *v, const WeightList *l, const char *key, uint32_t type, SoraError *err)
{
    if (l != NULL && l->type == type && (l->count == (uint64_t)v->count || v->count < 0))
        return true;
    return message_bad(weight_file_path(v->file), err, "%s is no list of type %u for its tokens", key, type);
}

/* The size of the text that *at is at; the text follows. */
static size_t text_size(const uint8_t **at)
{
    uint64_t size;
    memcpy(&size, *at, sizeof size);
    *at += sizeof size;
    return (size_t)size;
}

static bool find_lists(Vocabulary *v, SoraError *err)
{
    v->count = -1;
    v->tokens = weight_file_list(v->file, KEY "tokens");
    v->scores = weight_file_list(v->file, KEY "scores");
    v->types = weight_file_list(v->file, KEY "token_type");
    v->charsmap = weight_file_list(v->file, KEY "precompiled_charsmap");
    if (!check_list(v, v->tokens, KEY "tokens", GGUF_TEXT, err))
        return false;
    if (v->tokens->count > MAX_TOKENS)
        return message_bad(weight_file_path(v->file), err, "%llu tokens, at most %d are accepted",
                           (unsigned long long)v->tokens->count, MAX_TOKENS);
    v->count = (int64_t)v->tokens->count;
    const uint8_t *at = v->tokens->data;
    for (int64_t i = 0; i < v->count; i++) {
        size_t size = text_size(&at);
        v->bytes += size;
        at += size;
    }
    return check_list(v, v->scores, KEY "scores", GGUF_F32, err) &&
           check_list(v, v->types, KEY "token_type", GGUF_I32, err) &&
           (v->charsmap == NULL || v->charsmap->type == GGUF_U8 || v->charsmap->type == GGUF_I8 ||
            message_bad(weight_file_path(v->file), err, KEY "precompiled_charsmap is no list of bytes")) &&
           read_id(v, KEY "unknown_token_id", &v->unknown, err) && read_id(v, KEY "bos_token_id", &v->bos, err) &&
           read_id(v, KEY "eos_token_id", &v->eos, err) && read_id(v, KEY "padding_token_id", &v->pad, err);
}

static int32_t token_type(const Vocabulary *v, int64_t id, float score)
{
    int32_t type;
    memcpy(&type, v->types->data + 4 * id, 4);
    if (id == v->unknown)
        return UNKNOWN;
    if (id == v->bos || id == v->eos || id == v->pad)
        return CONTROL;
    return type == USER_DEFINED && score <= ADDED_SCORE ? CONTROL : type;
}

/* Returns how many of the tokens are single bytes. */
static int put_tokens(Writer *w, const Vocabulary *v)
{
    const uint8_t *at = v->tokens->data;
    int bytes = 0;
    for (int64_t i = 0; i < v->count; i++) {
        size_t size = text_size(&at);
        float score;
        memcpy(&score, v->scores->data + 4 * i, 4);
        int32_t type = token_type(v, i, score);
        uint8_t head[FIELD_SIZE], tail[2 * FIELD_SIZE];
        Writer h = {head}, t = {tail};
        put_varint(&h, 1 << 3 | 2);
        put_varint(&h, size);
        put_float(&t, 2, score);
        put_number(&t, 3, (uint32_t)type);
        put_varint(w, 1 << 3 | 2);
        put_varint(w, (size_t)(h.p - head) + size + (size_t)(t.p - tail));
        memcpy(w->p, head, (size_t)(h.p - head));
        w->p += h.p - head;
        memcpy(w->p, at, size);
        w->p += size;
        memcpy(w->p, tail, (size_t)(t.p - tail));
        w->p += t.p - tail;
        bytes += type == BYTE;
        at += size;
    }
    return bytes;
}

/* The name of a special token, which readers look for among the tokens. */
static void put_name(Writer *w, const Vocabulary *v, int field, int64_t id)
{
    const uint8_t *at = v->tokens->data;
    size_t size = 0;
    for (int64_t i = 0; i <= id; i++) {
        size = text_size(&at);
        at += i < id ? size : 0;
    }
    if (id >= 0 && size < 64)
        put_bytes(w, field, at, size);
}

static void put_model(Writer *w, const Vocabulary *v)
{
    uint8_t message[OTHER_EXTRA / 2];
    int bytes = put_tokens(w, v);
    Writer m = {message};
    put_number(&m, 3, 1); /* unigram */
    put_number(&m, 35, bytes == BYTES);
    put_name(&m, v, 46, v->bos);
    put_name(&m, v, 47, v->eos);
    put_name(&m, v, 48, v->pad);
    put_bytes(w, 2, message, (size_t)(m.p - message));
    m.p = message;
    put_number(&m, 3, flag(v, KEY "add_space_prefix", true));
    put_number(&m, 4, flag(v, KEY "remove_extra_whitespaces", true));
    size_t charsmap = v->charsmap != NULL ? (size_t)v->charsmap->count : 0, flags = (size_t)(m.p - message);
    uint8_t head[FIELD_SIZE];
    Writer h = {head};
    put_varint(&h, 2 << 3 | 2);
    put_varint(&h, charsmap);
    put_varint(w, 3 << 3 | 2);
    put_varint(w, flags + (size_t)(h.p - head) + charsmap);
    memcpy(w->p, message, flags);
    w->p += flags;
    memcpy(w->p, head, (size_t)(h.p - head));
    w->p += h.p - head;
    if (charsmap > 0)
        memcpy(w->p, v->charsmap->data, charsmap);
    w->p += charsmap;
}

bool gguf_tokenizer(const WeightFile *f, Arena *memory, Tensor *model, SoraError *err)
{
    Vocabulary v = {.file = f};
    const char *kind = weight_file_metadata(f, KEY "model");
    *model = (Tensor){0};
    if (kind == NULL || strcmp(kind, "t5") != 0)
        return true;
    if (!find_lists(&v, err))
        return false;
    size_t room = v.bytes + (size_t)v.count * TOKEN_EXTRA + OTHER_EXTRA +
                  (v.charsmap != NULL ? (size_t)v.charsmap->count : 0);
    uint8_t *bytes = arena_alloc(memory, room);
    if (bytes == NULL)
        return message_no_memory(weight_file_path(f), err);
    Writer w = {bytes};
    put_model(&w, &v);
    *model = tensor_over(bytes, DTYPE_U8, 1, (int64_t[]){w.p - bytes});
    return true;
}
