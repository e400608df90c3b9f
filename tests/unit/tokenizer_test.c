#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "linear_time.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

/* A .model file put together by hand. */
typedef struct Bytes {
    uint8_t data[8192];
    size_t size;
} Bytes;

static void add_varint(Bytes *b, uint64_t value)
{
    do {
        b->data[b->size++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
}

static void add_flag(Bytes *b, uint32_t field, uint64_t value)
{
    add_varint(b, (uint64_t)field << 3);
    add_varint(b, value);
}

static void add_bytes(Bytes *b, uint32_t field, const void *bytes, size_t size)
{
    add_varint(b, (uint64_t)field << 3 | 2);
    add_varint(b, size);
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

static void add_piece(Bytes *b, const char *text, float score, int type)
{
    Bytes piece = {.size = 0};
    add_bytes(&piece, 1, text, strlen(text));
    add_varint(&piece, 2 << 3 | 5);
    memcpy(piece.data + piece.size, &score, 4);
    piece.size += 4;
    if (type != 1)
        add_flag(&piece, 3, (uint64_t)type);
    add_bytes(b, 1, piece.data, piece.size);
}

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, UNUSED = 5, BYTE = 6 };

/* Ids:      0    1    2    3    4    5     6    7     8     9 */
static void add_basic_pieces(Bytes *b)
{
    add_piece(b, "<pad>", 0, CONTROL);
    add_piece(b, "</s>", 0, CONTROL);
    add_piece(b, "<unk>", 0, UNKNOWN);
    add_piece(b, "\xe2\x96\x81", -1, NORMAL);
    add_piece(b, "a", -2, NORMAL);
    add_piece(b, "b", -2, NORMAL);
    add_piece(b, "ab", -3, NORMAL);
    add_piece(b, "\xe2\x96\x81" "a", -2.5f, NORMAL);
    add_piece(b, "abb", 0, UNUSED);
    add_piece(b, "ba", 0, USER);
}

static int encode(const Bytes *b, const char *text, int32_t ids[64])
{
    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(b->data, b->size, "test.model", &err);
    if (t == NULL)
        fail_msg("%s", err.message);
    int count = tokenizer_encode(t, text, strlen(text), ids, 64);
    tokenizer_close(t);
    return count;
}

static void expect_ids(const Bytes *b, const char *text, int count, const int32_t *expected)
{
    int32_t ids[64];
    assert_int_equal(encode(b, text, ids), count);
    assert_memory_equal(ids, expected, (size_t)count * sizeof *ids);
}

static void best_path_wins(void **state)
{
    Bytes b = {.size = 0};
    add_basic_pieces(&b);
    expect_ids(&b, "ab", 2, (int32_t[]){3, 6});      /* -1 -3, against -2.5 -2 of "_a b" */
    expect_ids(&b, "  a  ", 1, (int32_t[]){7});      /* spaces collapse and go */
    expect_ids(&b, "abb", 3, (int32_t[]){3, 6, 5});  /* the unused piece is not used */
    expect_ids(&b, "</s>a", 3, (int32_t[]){3, 2, 4}); /* names of control pieces are text; unknowns join */
    expect_ids(&b, "bab", 3, (int32_t[]){3, 9, 5});
    expect_ids(&b, "", 0, (int32_t[]){0});
    expect_ids(&b, " ", 0, (int32_t[]){0});
    expect_ids(&b, "\xff" "a", 3, (int32_t[]){3, 2, 4});
}

static void bytes_stand_for_unknown_characters(void **state)
{
    Bytes b = {.size = 0};
    add_basic_pieces(&b);
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        add_piece(&b, name, 0, BYTE);
    }
    Bytes trainer = {.size = 0};
    add_flag(&trainer, 35, 1);
    add_bytes(&b, 2, trainer.data, trainer.size);
    expect_ids(&b, "\xc3\xa9", 3, (int32_t[]){3, 10 + 0xc3, 10 + 0xa9});

    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(b.data, b.size, "test.model", &err);
    size_t n;
    int32_t ids[] = {1, 3, 10 + 0xc3, 10 + 0xa9, 10 + 0xc3, 7, 2, 0};
    char *text = tokenizer_decode(t, ids, 8, &n, &err);
    assert_string_equal(text, "\xc3\xa9\xef\xbf\xbd a \xe2\x81\x87 ");
    assert_int_equal(n, strlen(text));
    free(text);
    assert_null(tokenizer_decode(t, (int32_t[]){266}, 1, NULL, &err));
    assert_string_equal(err.message, "id 266 is not in the vocabulary of 266 pieces");
    assert_int_equal(tokenizer_pad_id(t), 0);
    assert_int_equal(tokenizer_bos_id(t), -1);
    tokenizer_close(t);
}

/* A double array of one key: "A" becomes "a b". */
static void add_charsmap(Bytes *b, uint32_t value)
{
    uint8_t map[4 + 323 * 4 + 4] = {(323 * 4) & 0xff, (323 * 4) >> 8};
    uint32_t root = 0x100 << 10, unit = 'A' | 0x100 | 3 << 10, leaf = 0x80000000u | value;
    memcpy(map + 4, &root, 4);
    memcpy(map + 4 + 321 * 4, &unit, 4); /* 321 = 0x100 ^ 'A' */
    memcpy(map + 4 + 322 * 4, &leaf, 4); /* 322 = 321 ^ 3 */
    memcpy(map + 4 + 323 * 4, "a b", 4);
    Bytes normalizer = {.size = 0};
    add_bytes(&normalizer, 2, map, sizeof map);
    add_bytes(b, 3, normalizer.data, normalizer.size);
}

static void charsmap_replaces(void **state)
{
    Bytes b = {.size = 0};
    add_basic_pieces(&b);
    add_charsmap(&b, 0);
    expect_ids(&b, "A", 3, (int32_t[]){7, 3, 5});
    b.size = 0;
    add_basic_pieces(&b);
    add_charsmap(&b, 77); /* beyond the strings: no rule */
    expect_ids(&b, "A", 2, (int32_t[]){3, 2});
}

static void padded_ends_with_eos(void **state)
{
    Bytes b = {.size = 0};
    add_basic_pieces(&b);
    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(b.data, b.size, "test.model", &err);
    int32_t ids[4];
    assert_int_equal(tokenizer_encode_padded(t, "ab", 2, ids, 4), 3);
    assert_memory_equal(ids, ((int32_t[]){3, 6, 1, 0}), sizeof ids);
    assert_int_equal(tokenizer_encode_padded(t, "abbbbbb", 7, ids, 4), 4);
    assert_memory_equal(ids, ((int32_t[]){3, 6, 5, 1}), sizeof ids);
    tokenizer_close(t);
}

static void expect_error(const void *data, size_t size, const char *message)
{
    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(data, size, "x.model", &err);
    tokenizer_close(t);
    assert_null(t);
    assert_string_equal(err.message, message);
}

static void no_model_is_refused(void **state)
{
    expect_error("", 0, "x.model: empty file");
    expect_error("[\"a\", 1]", 8, "x.model: not a SentencePiece model (malformed at byte 1)");
    expect_error("\x10\x01", 2, "x.model: not a SentencePiece model (no pieces)");
    expect_error("\x0a\x00", 2, "x.model: piece 0 is empty");

    Bytes b = {.size = 0};
    add_piece(&b, "a", 0, NORMAL);
    expect_error(b.data, b.size, "x.model: no unknown piece");
    add_piece(&b, "<unk>", 0, UNKNOWN);
    size_t good = b.size;
    add_piece(&b, "a", 0, UNUSED);
    expect_error(b.data, b.size, "x.model: pieces 0 and 2 are the same");
    b.size = good;
    add_piece(&b, "a\xff", 0, NORMAL);
    expect_error(b.data, b.size, "x.model: piece 2: byte 2 (0xff) of its text is not UTF-8");
    b.size = good;
    add_piece(&b, "b", 0, 7);
    expect_error(b.data, b.size, "x.model: piece 2 has the unknown type 7");
    b.size = good;
    add_piece(&b, "b", 0.0f / 0.0f, NORMAL);
    expect_error(b.data, b.size, "x.model: piece 2 has a score that is not finite");
    b.size = good;
    add_bytes(&b, 2, "\x18\x02", 2);
    expect_error(b.data, b.size, "x.model: SentencePiece model of type BPE, only unigram is supported");
    b.size = good;
    add_bytes(&b, 2, "\x98\x02\x01", 3);
    expect_error(b.data, b.size, "x.model: byte fallback without the piece <0x00>");
    b.size = good;
    add_bytes(&b, 3, "\x12\x03" "abc", 5);
    expect_error(b.data, b.size, "x.model: broken normalisation table (3 bytes)");
}

/* Every truncation and many changed bytes: an error or a tokenizer that works, never more. */
static void damaged_models_do_no_harm(void **state)
{
    Bytes b = {.size = 0};
    add_basic_pieces(&b);
    add_charsmap(&b, 0);
    int opened = 0, refused = 0;
    for (size_t i = 0; i < b.size * 8; i++) {
        Bytes bad = b;
        if (i < b.size)
            bad.size = i;
        else
            bad.data[i % b.size] ^= (uint8_t)(1 << (i / b.size));
        SoraError err = {0};
        Tokenizer *t = tokenizer_open_memory(bad.data, bad.size, "x", &err);
        if (t == NULL) {
            assert_true(err.code == SORA_ERROR_INPUT || err.code == SORA_ERROR_UNSUPPORTED);
            refused++;
            continue;
        }
        int32_t ids[64];
        int count = tokenizer_encode(t, "a AbbA  \xc3\xa9 ba", 13, ids, 64);
        assert_true(count > 0 && count < 64);
        for (int k = 0; k < count; k++)
            assert_true(ids[k] >= 0 && ids[k] < tokenizer_vocab_size(t));
        tokenizer_close(t);
        opened++;
    }
    assert_true(opened > 1000 && refused > 200);
}

static void encode_mixed(const void *tokenizer, size_t characters)
{
    char *text = malloc(characters * 3);
    for (size_t i = 0; i < characters; i++)
        memcpy(text + 3 * i, i % 7 == 0 ? "a  " : i % 3 == 0 ? "\xe3\x81\x82" : "ab ", 3);
    assert_true(tokenizer_encode(tokenizer, text, characters * 3, NULL, 0) > (int)(characters / 2));
    free(text);
}

static void long_texts_take_linear_time(void **state)
{
    Bytes b = {.size = 0};
    add_basic_pieces(&b);
    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(b.data, b.size, "test.model", &err);
    assert_true(takes_linear_time(encode_mixed, t, 250000));
    char *big = calloc(1, TOKENIZER_MAX_TEXT + 1);
    assert_int_equal(tokenizer_encode(t, big, TOKENIZER_MAX_TEXT + 1, NULL, 0), -1);
    free(big);
    tokenizer_close(t);
}

static void utf8_is_checked(void **state)
{
    SoraError err = {0};
    assert_true(utf8_check("a\xc3\xa9\xe2\x96\x81\xf0\x9f\x98\x80\0b", 12, "the prompt", &err));
    const char *const bad[] = {"a\x80", "a\xc3", "a\xc0\x80", "a\xe0\x80\x80", "a\xed\xa0\x80", "a\xf4\x90\x80\x80",
                               "a\xf5\x80\x80\x80", "a\xff", "a\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(utf8_check(bad[i], strlen(bad[i]), "the prompt", &err));
        assert_non_null(strstr(err.message, "byte 2 (0x"));
        assert_non_null(strstr(err.message, "of the prompt is not UTF-8"));
    }
    for (int32_t c = 0; c <= 0x10ffff; c += 61) {
        char out[4];
        int length, size = utf8_encode(c, out);
        if (c < 0xd800 || c > 0xdfff) {
            assert_int_equal(utf8_decode(out, (size_t)size, &length), c);
            assert_int_equal(length, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_path_wins),
        cmocka_unit_test(bytes_stand_for_unknown_characters),
        cmocka_unit_test(charsmap_replaces),
        cmocka_unit_test(padded_ends_with_eos),
        cmocka_unit_test(no_model_is_refused),
        cmocka_unit_test(damaged_models_do_no_harm),
        cmocka_unit_test(long_texts_take_linear_time),
        cmocka_unit_test(utf8_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
