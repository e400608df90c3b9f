/* SentencePiece models and tokenizer.json from bytes: whatever they are, opening ends in an error or in a tokenizer
 * whose ids are in its vocabulary and can be decoded. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text/tokenizer.h"

enum { MAX_IDS = 8192, MAX_TEXT = 1024 };

static void check_text(const Tokenizer *t, const char *text, size_t n)
{
    static int32_t ids[MAX_IDS];
    int count = tokenizer_encode(t, text, n, ids, MAX_IDS);
    assert(count >= 0);
    int kept = count < MAX_IDS ? count : MAX_IDS;
    for (int i = 0; i < kept; i++)
        assert(tokenizer_piece(t, ids[i]) != NULL);
    SoraError err = {0};
    size_t size;
    char *decoded = tokenizer_decode(t, ids, kept, &size, &err);
    assert(decoded != NULL && decoded[size] == 0);
    free(decoded);
    int length = tokenizer_encode_padded(t, text, n, ids, 16);
    assert(length >= 0 && length <= 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Tokenizer *t = tokenizer_open_memory(data, size, "fuzz", &err);
    if (t == NULL) {
        assert(err.code != SORA_OK && err.message[0] != 0);
        return 0;
    }
    static const char TEXT[] = " a  fox \xef\xbc\xa1\xc3\xa9 A\xcc\x81 \xe2\x96\x81<x> \xff\xe3\x81\x82";
    check_text(t, TEXT, sizeof TEXT); /* with its 0 byte */
    check_text(t, (const char *)data, size < MAX_TEXT ? size : MAX_TEXT);
    for (int id = 0; id < tokenizer_vocab_size(t) && id < 64; id++)
        check_text(t, tokenizer_piece(t, id), strlen(tokenizer_piece(t, id)));
    tokenizer_close(t);
    return 0;
}
