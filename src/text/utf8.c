#include "text/utf8.h"

/* The smallest character that needs 1, 2, 3 and 4 bytes; less is an overlong form. */
static const int32_t SMALLEST[5] = {0, 0, 0x80, 0x800, 0x10000};

int32_t utf8_decode(const char *s, size_t n, int *length)
{
    const uint8_t *b = (const uint8_t *)s;
    *length = 1;
    if (b[0] < 0x80)
        return b[0];
    int size = (b[0] & 0xe0) == 0xc0 ? 2 : (b[0] & 0xf0) == 0xe0 ? 3 : (b[0] & 0xf8) == 0xf0 ? 4 : 0;
    if (size == 0 || (size_t)size > n)
        return -1;
    int32_t c = b[0] & (0x7f >> size);
    for (int i = 1; i < size; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return -1;
        c = c << 6 | (b[i] & 0x3f);
    }
    if (c < SMALLEST[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return -1;
    *length = size;
    return c;
}

int utf8_encode(int32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(0xf00 >> size | c);
    return size;
}

bool utf8_is_space(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool utf8_check(const char *s, size_t n, const char *what, SoraError *err)
{
    int length;
    for (size_t i = 0; i < n; i += (size_t)length) {
        if (utf8_decode(s + i, n - i, &length) < 0)
            return error_set(err, SORA_ERROR_INPUT, "byte %zu (0x%02x) of %s is not UTF-8", i + 1,
                             (unsigned)(uint8_t)s[i], what);
    }
    return true;
}
