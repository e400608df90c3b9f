#include "text/spm_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

/* A protobuf message is a row of fields: a varint (number << 3 | wire type), then the value. */
typedef struct Reader {
    const uint8_t *at, *end, *begin; /* begin: of the file, for messages */
    bool bad;                        /* what was read is no message */
} Reader;

typedef struct Field {
    uint32_t number;
    int wire;            /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value;      /* of wires 0, 1 and 5 */
    const uint8_t *data; /* of wire 2 */
    size_t size;
} Field;

/* Field numbers of sentencepiece_model.proto. */
enum {
    MODEL_PIECES = 1,
    MODEL_TRAINER = 2,
    MODEL_NORMALIZER = 3,
    PIECE_TEXT = 1,
    PIECE_SCORE = 2,
    PIECE_TYPE = 3,
    TRAINER_MODEL_TYPE = 3,
    TRAINER_WHITESPACE_AS_SUFFIX = 24,
    TRAINER_BYTE_FALLBACK = 35,
    TRAINER_UNK_SURFACE = 44,
    TRAINER_BOS_PIECE = 46,
    TRAINER_EOS_PIECE = 47,
    TRAINER_PAD_PIECE = 48,
    NORMALIZER_CHARSMAP = 2,
    NORMALIZER_ADD_DUMMY_PREFIX = 3,
    NORMALIZER_REMOVE_EXTRA_WHITESPACES = 4,
    NORMALIZER_ESCAPE_WHITESPACES = 5,
};

static uint64_t read_varint(Reader *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end)
            break;
        uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    r->bad = true;
    return 0;
}

static uint64_t read_fixed(Reader *r, size_t bytes)
{
    if ((size_t)(r->end - r->at) < bytes) {
        r->bad = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)r->at[i] << (8 * i);
    r->at += bytes;
    return value;
}

/* False at the end, or with r->bad set. */
static bool read_field(Reader *r, Field *f)
{
    if (r->at == r->end || r->bad)
        return false;
    uint64_t tag = read_varint(r);
    *f = (Field){.number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7)};
    if (tag >> 3 == 0 || tag >> 32 != 0)
        r->bad = true;
    switch (f->wire) {
    case 0:
        f->value = read_varint(r);
        break;
    case 1:
        f->value = read_fixed(r, 8);
        break;
    case 5:
        f->value = read_fixed(r, 4);
        break;
    case 2:
        f->value = read_varint(r);
        if (f->value > (uint64_t)(r->end - r->at))
            r->bad = true;
        if (r->bad)
            break;
        f->data = r->at;
        f->size = (size_t)f->value;
        r->at += f->size;
        break;
    default:
        r->bad = true;
    }
    return !r->bad;
}

/* Of a field of bytes; of another one, empty. */
static Reader field_reader(const Reader *outer, const Field *f)
{
    if (f->data == NULL)
        return (Reader){outer->at, outer->at, outer->begin, false};
    return (Reader){f->data, f->data + f->size, outer->begin, false};
}

static bool no_model(const Reader *r, const char *name, SoraError *err)
{
    return error_set(err, SORA_ERROR_INPUT, "%s: not a SentencePiece model (malformed at byte %zu)", name,
                     (size_t)(r->at - r->begin));
}

static float float_of_bits(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* Copies a string field into a fixed array. */
static bool copy_string(char out[64], const Field *f, const char *name, SoraError *err)
{
    if (f->size >= 64 || memchr(f->data, 0, f->size) != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: the name of a special piece is %zu bytes or has a 0 byte", name,
                         f->size);
    memcpy(out, f->data, f->size);
    out[f->size] = 0;
    return true;
}

/* Appends a piece; its text goes to *text. */
static bool read_piece(SpmModel *m, Reader r, char **text, const char *name, SoraError *err)
{
    SpmPiece piece = {.text = *text, .type = SPM_NORMAL};
    Field f;
    int id = m->count;
    while (read_field(&r, &f)) {
        if (f.number == PIECE_TEXT && f.wire == 2) {
            if (f.size > SPM_MAX_PIECE)
                return error_set(err, SORA_ERROR_INPUT, "%s: piece %d has %zu bytes, at most %d are accepted", name,
                                 id, f.size, SPM_MAX_PIECE);
            memcpy(*text, f.data, f.size);
            piece.size = (uint32_t)f.size;
        } else if (f.number == PIECE_SCORE && f.wire == 5) {
            piece.score = float_of_bits(f.value);
        } else if (f.number == PIECE_TYPE && f.wire == 0) {
            if (f.value < SPM_NORMAL || f.value > SPM_BYTE)
                return error_set(err, SORA_ERROR_INPUT, "%s: piece %d has the unknown type %llu", name, id,
                                 (unsigned long long)f.value);
            piece.type = (SpmType)f.value;
        }
    }
    if (r.bad)
        return no_model(&r, name, err);
    if (piece.size == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: piece %d is empty", name, id);
    if (memchr(piece.text, 0, piece.size) != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: piece %d has a 0 byte", name, id);
    if (!utf8_check(piece.text, piece.size, "its text", err))
        return error_wrap(err, "%s: piece %d", name, id);
    if (!isfinite(piece.score))
        return error_set(err, SORA_ERROR_INPUT, "%s: piece %d has a score that is not finite", name, id);
    (*text)[piece.size] = 0;
    *text += piece.size + 1;
    m->pieces[m->count++] = piece;
    return true;
}

static bool read_trainer(SpmModel *m, Reader r, const char *name, SoraError *err)
{
    Field f;
    bool ok = true;
    while (ok && read_field(&r, &f)) {
        bool flag = f.value != 0, string = f.wire == 2;
        if (f.number == TRAINER_MODEL_TYPE && f.wire == 0)
            m->model_type = f.value <= 100 ? (int)f.value : 100;
        else if (f.number == TRAINER_WHITESPACE_AS_SUFFIX && f.wire == 0)
            m->whitespace_as_suffix = flag;
        else if (f.number == TRAINER_BYTE_FALLBACK && f.wire == 0)
            m->byte_fallback = flag;
        else if (f.number == TRAINER_UNK_SURFACE && string)
            ok = copy_string(m->unk_surface, &f, name, err);
        else if (f.number == TRAINER_BOS_PIECE && string)
            ok = copy_string(m->bos_piece, &f, name, err);
        else if (f.number == TRAINER_EOS_PIECE && string)
            ok = copy_string(m->eos_piece, &f, name, err);
        else if (f.number == TRAINER_PAD_PIECE && string)
            ok = copy_string(m->pad_piece, &f, name, err);
    }
    return ok && (!r.bad || no_model(&r, name, err));
}

static bool read_normalizer(SpmModel *m, Reader r, const char *name, SoraError *err)
{
    Field f;
    while (read_field(&r, &f)) {
        if (f.number == NORMALIZER_CHARSMAP && f.wire == 2) {
            m->charsmap = f.data;
            m->charsmap_size = f.size;
        } else if (f.number == NORMALIZER_ADD_DUMMY_PREFIX && f.wire == 0) {
            m->add_dummy_prefix = f.value != 0;
        } else if (f.number == NORMALIZER_REMOVE_EXTRA_WHITESPACES && f.wire == 0) {
            m->remove_extra_whitespaces = f.value != 0;
        } else if (f.number == NORMALIZER_ESCAPE_WHITESPACES && f.wire == 0) {
            m->escape_whitespaces = f.value != 0;
        }
    }
    return !r.bad || no_model(&r, name, err);
}

/* Counts the pieces and checks that the whole file is a row of fields. */
static bool count_pieces(Reader r, size_t *count, const char *name, SoraError *err)
{
    Field f;
    *count = 0;
    while (read_field(&r, &f))
        *count += f.number == MODEL_PIECES && f.wire == 2;
    if (r.bad)
        return no_model(&r, name, err);
    if (*count == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: not a SentencePiece model (no pieces)", name);
    if (*count > SPM_MAX_PIECES)
        return error_set(err, SORA_ERROR_INPUT, "%s: %zu pieces, at most %d are accepted", name, *count,
                         SPM_MAX_PIECES);
    return true;
}

bool spm_model_init(SpmModel *m, const uint8_t *data, size_t size, const char *name, SoraError *err)
{
    *m = (SpmModel){.unk_surface = " \xe2\x81\x87 ", .bos_piece = "<s>", .eos_piece = "</s>", .pad_piece = "<pad>",
                    .model_type = 1, .add_dummy_prefix = true, .remove_extra_whitespaces = true,
                    .escape_whitespaces = true};
    if (size > SPM_MAX_FILE)
        return error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %d are accepted", name, size, SPM_MAX_FILE);
    if (size == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: empty file", name);
    Reader r = {data, data + size, data, false};
    size_t count;
    if (!count_pieces(r, &count, name, err))
        return false;
    /* The texts are parts of the file, each with the 0 byte that is added here. A piece whose text
     * comes twice is written over itself, so the room is enough. */
    m->texts = malloc(size + count);
    m->pieces = calloc(count, sizeof *m->pieces);
    char *text = m->texts;
    bool ok = (m->texts != NULL && m->pieces != NULL) ||
              error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    Field f;
    while (ok && read_field(&r, &f)) {
        Reader inner = field_reader(&r, &f);
        if (f.number == MODEL_PIECES && f.wire == 2)
            ok = read_piece(m, inner, &text, name, err);
        else if (f.number == MODEL_TRAINER && f.wire == 2)
            ok = read_trainer(m, inner, name, err);
        else if (f.number == MODEL_NORMALIZER && f.wire == 2)
            ok = read_normalizer(m, inner, name, err);
    }
    if (!ok)
        spm_model_deinit(m);
    return ok;
}

void spm_model_deinit(SpmModel *m)
{
    free(m->texts);
    free(m->pieces);
    free(m->memory);
    *m = (SpmModel){0};
}
