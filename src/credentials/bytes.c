#include "credentials/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 30 };

void bytes_deinit(Bytes *b)
{
    free(b->data);
    *b = (Bytes){0};
}

static bool grow(Bytes *b, size_t size)
{
    if (b->failed || size > MAX_BYTES - b->size) {
        b->failed = true;
        return false;
    }
    if (b->size + size <= b->room)
        return true;
    size_t room = b->room ? b->room : 256;
    while (room < b->size + size)
        room *= 2;
    uint8_t *data = realloc(b->data, room);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

void bytes_put(Bytes *b, const void *data, size_t size)
{
    if (size == 0 || !grow(b, size))
        return;
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_put_zeros(Bytes *b, size_t size)
{
    if (size == 0 || !grow(b, size))
        return;
    memset(b->data + b->size, 0, size);
    b->size += size;
}

void bytes_put_text(Bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text));
}

void bytes_put_u8(Bytes *b, uint8_t value)
{
    bytes_put(b, &value, 1);
}

void bytes_put_u16(Bytes *b, uint16_t value)
{
    uint8_t p[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    bytes_put(b, p, sizeof p);
}

void bytes_put_u32(Bytes *b, uint32_t value)
{
    uint8_t p[4];
    set_u32(p, value);
    bytes_put(b, p, sizeof p);
}

void bytes_put_u64(Bytes *b, uint64_t value)
{
    uint8_t p[8];
    set_u64(p, value);
    bytes_put(b, p, sizeof p);
}

Span bytes_span(const Bytes *b)
{
    return (Span){b->data, b->size};
}

bool span_equal(Span a, Span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool span_is(Span a, const char *text)
{
    return span_equal(a, (Span){(const uint8_t *)text, strlen(text)});
}

bool span_starts(Span a, const char *text)
{
    size_t n = strlen(text);
    return a.size >= n && memcmp(a.data, text, n) == 0;
}

bool span_is_utf8(Span s)
{
    for (size_t i = 0; i < s.size;) {
        uint8_t c = s.data[i];
        size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
        if (n == 0 || n > s.size - i)
            return false;
        uint32_t rune = n == 1 ? c : c & (0x7fu >> n);
        for (size_t k = 1; k < n; k++) {
            if (s.data[i + k] >> 6 != 2)
                return false;
            rune = rune << 6 | (s.data[i + k] & 0x3f);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (rune < least[n] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
            return false;
        i += n;
    }
    return true;
}
