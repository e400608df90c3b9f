#include "text/tokenizer.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/buffer.h"
#include "text/normalizer.h"
#include "text/spm_json.h"
#include "text/trie.h"
#include "text/utf8.h"

static const float UNKNOWN_PENALTY = 10.0f; /* below the worst piece */

struct Tokenizer {
    SpmModel model;
    Trie pieces;       /* normal, user-defined and unused ones */
    Trie user_defined; /* these pass the normaliser unchanged */
    Normalizer normalizer;
    float best_score, unknown_score;
    int unk_id, bos_id, eos_id, pad_id;
    int32_t byte_ids[256]; /* of <0x00> to <0xFF>; -1 where there is none */
};

/* The best way to cut the text up to here. */
typedef struct Best {
    float score;
    int32_t id;
    uint32_t begin; /* of the last piece */
    bool reached;
} Best;

/* The byte of a piece named <0x00> to <0xFF>, upper case; -1 for another name. */
static int piece_byte(const char *text)
{
    char name[8];
    unsigned byte;
    if (sscanf(text, "<0x%2X>", &byte) != 1)
        return -1;
    snprintf(name, sizeof name, "<0x%02X>", byte & 0xff);
    return strcmp(text, name) == 0 ? (int)byte : -1;
}

static bool is_text(SpmType type)
{
    return type == SPM_NORMAL || type == SPM_USER_DEFINED || type == SPM_UNUSED;
}

static int find_control(const SpmModel *m, const char *text)
{
    for (int i = 0; i < m->count; i++) {
        if (m->pieces[i].type == SPM_CONTROL && strcmp(m->pieces[i].text, text) == 0)
            return i;
    }
    return -1;
}

/* Special pieces, byte pieces and the range of scores. */
static bool index_pieces(Tokenizer *t, const char *name, SoraError *err)
{
    const SpmModel *m = &t->model;
    float lowest = FLT_MAX, highest = FLT_MIN; /* sentencepiece begins with the smallest positive number */
    t->unk_id = -1;
    for (int i = 0; i < 256; i++)
        t->byte_ids[i] = -1;
    for (int i = 0; i < m->count; i++) {
        const SpmPiece *p = &m->pieces[i];
        int byte = p->type == SPM_BYTE ? piece_byte(p->text) : -1;
        if (p->type == SPM_UNKNOWN && t->unk_id >= 0)
            return error_set(err, SORA_ERROR_INPUT, "%s: pieces %d and %d are both unknown pieces", name, t->unk_id, i);
        if (p->type == SPM_BYTE && (byte < 0 || t->byte_ids[byte] >= 0))
            return error_set(err, SORA_ERROR_INPUT, "%s: byte piece %d is not <0x00> to <0xFF>, or comes twice",
                             name, i);
        if (p->type == SPM_UNKNOWN)
            t->unk_id = i;
        if (p->type == SPM_BYTE)
            t->byte_ids[byte] = i;
        if (p->type == SPM_NORMAL) {
            lowest = p->score < lowest ? p->score : lowest;
            highest = p->score > highest ? p->score : highest;
        }
    }
    if (t->unk_id < 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: no unknown piece", name);
    for (int i = 0; i < 256 && m->byte_fallback; i++) {
        if (t->byte_ids[i] < 0)
            return error_set(err, SORA_ERROR_INPUT, "%s: byte fallback without the piece <0x%02X>", name, i);
    }
    t->best_score = highest;
    t->unknown_score = lowest - UNKNOWN_PENALTY;
    t->bos_id = find_control(m, m->bos_piece);
    t->eos_id = find_control(m, m->eos_piece);
    t->pad_id = find_control(m, m->pad_piece);
    return true;
}

static bool build_tries(Tokenizer *t, const char *name, SoraError *err)
{
    const SpmModel *m = &t->model;
    TrieKey *keys = malloc((size_t)m->count * sizeof *keys);
    if (keys == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    bool ok = true;
    for (int user_only = 0; ok && user_only < 2; user_only++) {
        size_t count = 0;
        for (int i = 0; i < m->count; i++) {
            const SpmPiece *p = &m->pieces[i];
            if (user_only ? p->type == SPM_USER_DEFINED : is_text(p->type))
                keys[count++] = (TrieKey){p->text, p->size, i};
        }
        ok = trie_init(user_only ? &t->user_defined : &t->pieces, keys, count) ||
             error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
        for (size_t i = 1; ok && i < count; i++) { /* sorted now */
            if (strcmp(keys[i].bytes, keys[i - 1].bytes) == 0)
                ok = error_set(err, SORA_ERROR_INPUT, "%s: pieces %d and %d are the same", name, keys[i - 1].value,
                               keys[i].value);
        }
    }
    free(keys);
    if (ok && t->pieces.nodes == NULL)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no ordinary pieces", name);
    return ok;
}

Tokenizer *tokenizer_open_memory(const void *data, size_t size, const char *name, SoraError *err)
{
    static const char *const TYPES[] = {"unknown", "unigram", "BPE", "word", "char"};
    Tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
        return NULL;
    }
    bool ok = spm_json_is(data, size) ? spm_json_init(&t->model, data, size, name, err)
                                      : spm_model_init(&t->model, data, size, name, err);
    int type = t->model.model_type;
    if (ok && type != 1)
        ok = error_set(err, SORA_ERROR_UNSUPPORTED, "%s: SentencePiece model of type %s, only unigram is supported",
                       name, TYPES[type >= 1 && type <= 4 ? type : 0]);
    ok = ok && index_pieces(t, name, err) && build_tries(t, name, err) &&
         normalizer_init(&t->normalizer, &t->model, &t->user_defined, name, err);
    if (ok)
        return t;
    tokenizer_close(t);
    return NULL;
}

Tokenizer *tokenizer_open(const char *path, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return NULL;
    Tokenizer *t = tokenizer_open_memory(map.data, map.size, path, err);
    file_map_close(&map);
    return t;
}

void tokenizer_close(Tokenizer *t)
{
    if (t == NULL)
        return;
    normalizer_deinit(&t->normalizer);
    trie_deinit(&t->user_defined);
    trie_deinit(&t->pieces);
    spm_model_deinit(&t->model);
    free(t);
}

/* Length by the first byte alone, as sentencepiece steps; the text is UTF-8 unless the model's own
 * replacements are not. */
static size_t character_length(const char *text, size_t n)
{
    static const uint8_t LENGTHS[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t length = LENGTHS[(uint8_t)text[0] >> 4];
    return length < n ? length : n;
}

static void offer(Best *end, double score, int32_t id, size_t begin)
{
    if (end->reached && !(score > end->score))
        return;
    *end = (Best){(float)score, id, (uint32_t)begin, true};
}

/* Viterbi, in the arithmetic of sentencepiece (sums in double, kept in float) so that ties fall alike:
 * best[e] is the best cut of text[0, e). best has n + 1 elements, all zero. */
static void search(const Tokenizer *t, const char *text, size_t n, Best *best)
{
    size_t length;
    for (size_t begin = 0; begin < n; begin += length) {
        length = character_length(text + begin, n - begin);
        float before = best[begin].score;
        bool whole_character = false;
        uint32_t node = 0;
        for (size_t end = begin; end < n;) {
            node = trie_child(&t->pieces, node, (uint8_t)text[end++]);
            if (node == 0)
                break;
            int32_t id = t->pieces.nodes[node].value;
            if (id < 0 || t->model.pieces[id].type == SPM_UNUSED)
                continue;
            const SpmPiece *p = &t->model.pieces[id];
            bool user = p->type == SPM_USER_DEFINED; /* rewarded so that it wins */
            double score = user ? (float)p->size * t->best_score - 0.1 : (double)p->score;
            offer(&best[end], score + before, id, begin);
            whole_character = whole_character || end - begin == length;
        }
        if (!whole_character)
            offer(&best[begin + length], t->unknown_score + before, t->unk_id, begin);
    }
}

/* The best path, linked from its end, is linked from its beginning instead: afterwards best[b] of
 * each piece that begins at b holds its id and, in begin, its end. */
static void forward_links(Best *best, size_t n)
{
    size_t end = n;
    Best piece = best[n];
    while (end > 0) {
        size_t begin = piece.begin;
        Best before = best[begin];
        best[begin] = (Best){.id = piece.id, .begin = (uint32_t)end};
        piece = before;
        end = begin;
    }
}

/* Where ids go: the first max of them are kept, all are counted. */
typedef struct Output {
    int32_t *ids;
    int count, max;
} Output;

static void put(Output *out, int32_t id)
{
    if (out->count < out->max)
        out->ids[out->count] = id;
    out->count++;
}

/* Unknown pieces become bytes, or a run of them one unknown id. best is linked forwards. */
static void write_ids(const Tokenizer *t, const char *text, const Best *best, size_t n, Output *out)
{
    bool unknown_before = false;
    for (size_t begin = 0; begin < n;) {
        size_t end = best[begin].begin;
        int32_t id = best[begin].id;
        bool unknown = id == t->unk_id;
        if (unknown && t->model.byte_fallback) {
            for (size_t i = begin; i < end; i++)
                put(out, t->byte_ids[(uint8_t)text[i]]);
        } else if (!(unknown && unknown_before)) {
            put(out, id);
        }
        unknown_before = unknown;
        begin = end;
    }
}

int tokenizer_encode(const Tokenizer *t, const char *text, size_t n, int32_t *ids, int max_ids)
{
    if (n > TOKENIZER_MAX_TEXT)
        return -1;
    size_t size;
    char *normal = normalizer_apply(&t->normalizer, text, n, &size);
    Best *best = normal != NULL && size < INT32_MAX / 8 ? calloc(size + 1, sizeof *best) : NULL;
    Output out = {ids, 0, max_ids};
    if (best != NULL) {
        search(t, normal, size, best);
        forward_links(best, size);
        write_ids(t, normal, best, size, &out);
    }
    bool ok = best != NULL;
    free(best);
    free(normal);
    return ok ? out.count : -1;
}

int tokenizer_encode_padded(const Tokenizer *t, const char *text, size_t n, int32_t *ids, int length)
{
    int count = tokenizer_encode(t, text, n, ids, length - 1);
    if (count < 0)
        return -1;
    if (count > length - 1)
        count = length - 1;
    if (t->eos_id >= 0)
        ids[count++] = t->eos_id;
    for (int i = count; i < length; i++)
        ids[i] = t->pad_id >= 0 ? t->pad_id : 0;
    return count;
}

int tokenizer_vocab_size(const Tokenizer *t)
{
    return t->model.count;
}

int tokenizer_pad_id(const Tokenizer *t)
{
    return t->pad_id;
}

int tokenizer_eos_id(const Tokenizer *t)
{
    return t->eos_id;
}

int tokenizer_bos_id(const Tokenizer *t)
{
    return t->bos_id;
}

int tokenizer_unk_id(const Tokenizer *t)
{
    return t->unk_id;
}

const char *tokenizer_piece(const Tokenizer *t, int id)
{
    return id >= 0 && id < t->model.count ? t->model.pieces[id].text : NULL;
}

float tokenizer_score(const Tokenizer *t, int id)
{
    return id >= 0 && id < t->model.count ? t->model.pieces[id].score : 0;
}

/* The bytes of a row of byte pieces as characters; what is not UTF-8 becomes U+FFFD. */
static void flush_bytes(Buffer *bytes, Buffer *out)
{
    int length;
    for (size_t i = 0; i < bytes->size; i += (size_t)length) {
        if (utf8_decode(bytes->bytes + i, bytes->size - i, &length) < 0)
            buffer_append(out, "\xef\xbf\xbd", 3);
        else
            buffer_append(out, bytes->bytes + i, (size_t)length);
    }
    bytes->size = 0;
}

/* Appends a piece that is no byte. At the beginning of the text its leading space is dropped. Returns
 * whether that space was the one that encoding put there, so that later ones stay. */
static bool append_piece(const Tokenizer *t, const SpmPiece *p, bool beginning, Buffer *out)
{
    static const char SPACE_SYMBOL[] = "\xe2\x96\x81";
    const SpmModel *m = &t->model;
    if (p->type == SPM_CONTROL)
        return false;
    if (p->type == SPM_UNKNOWN) {
        buffer_append(out, m->unk_surface, strlen(m->unk_surface));
        return false;
    }
    bool dropped = beginning && (m->add_dummy_prefix || m->remove_extra_whitespaces) &&
                   strncmp(p->text, SPACE_SYMBOL, 3) == 0;
    for (const char *s = p->text + (dropped ? 3 : 0); *s != 0;) {
        bool space = strncmp(s, SPACE_SYMBOL, 3) == 0;
        buffer_append(out, space ? " " : s, 1);
        s += space ? 3 : 1;
    }
    return dropped && !m->remove_extra_whitespaces;
}

char *tokenizer_decode(const Tokenizer *t, const int32_t *ids, int count, size_t *n, SoraError *err)
{
    Buffer out = {0}, bytes = {0};
    bool beginning = true, dropped = false;
    for (int i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= t->model.count) {
            error_set(err, SORA_ERROR_INPUT, "id %d is not in the vocabulary of %d pieces", (int)ids[i],
                      t->model.count);
            buffer_deinit(&out);
            buffer_deinit(&bytes);
            return NULL;
        }
        const SpmPiece *p = &t->model.pieces[ids[i]];
        if (p->type == SPM_BYTE) {
            char byte = (char)piece_byte(p->text);
            buffer_append(&bytes, &byte, 1);
            continue;
        }
        flush_bytes(&bytes, &out);
        beginning = beginning && !dropped && out.size == 0;
        dropped = append_piece(t, p, beginning, &out);
    }
    flush_bytes(&bytes, &out);
    out.failed = out.failed || bytes.failed;
    buffer_deinit(&bytes);
    char *text = buffer_take(&out, n);
    if (text == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory for the text of %d ids", count);
    return text;
}
