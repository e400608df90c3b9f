#include "media/exif.h"

#include <stdbool.h>
#include <string.h>

enum { ORIENTATION = 0x0112, SHORT = 3 };

typedef struct Bytes {
    const uint8_t *at;
    size_t size;
} Bytes;

static uint32_t number(const uint8_t *p, int bytes, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << 8 * (little ? i : bytes - 1 - i);
    return v;
}

/* Of the first directory of a TIFF structure, which EXIF data are. */
static int find_in_tiff(Bytes b)
{
    if (b.size < 8 || (memcmp(b.at, "II*\0", 4) != 0 && memcmp(b.at, "MM\0*", 4) != 0))
        return 1;
    bool little = b.at[0] == 'I';
    size_t at = number(b.at + 4, 4, little);
    if (at > b.size - 2)
        return 1;
    size_t count = number(b.at + at, 2, little);
    for (at += 2; count > 0 && b.size - at >= 12; count--, at += 12) {
        const uint8_t *entry = b.at + at;
        uint32_t value = number(entry + 8, 2, little);
        if (number(entry, 2, little) == ORIENTATION)
            return number(entry + 2, 2, little) == SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* What WebP and JPEG have in front of it, and some writers of PNG. */
static int find_in_exif(Bytes b)
{
    if (b.size >= 6 && memcmp(b.at, "Exif\0\0", 6) == 0)
        b = (Bytes){b.at + 6, b.size - 6};
    return find_in_tiff(b);
}

/* Segments up to the picture's own data. */
static int find_in_jpeg(Bytes b)
{
    enum { APP1 = 0xe1, SCAN = 0xda };
    for (size_t at = 2; b.size - at >= 4 && b.at[at] == 0xff && b.at[at + 1] != SCAN;) {
        if (b.at[at + 1] == 0xff) { /* filling */
            at++;
            continue;
        }
        size_t length = number(b.at + at + 2, 2, false);
        if (length < 2 || length > b.size - at - 2)
            return 1;
        Bytes segment = {b.at + at + 4, length - 2};
        if (b.at[at + 1] == APP1 && segment.size >= 6 && memcmp(segment.at, "Exif\0\0", 6) == 0)
            return find_in_exif(segment);
        at += 2 + length;
    }
    return 1;
}

static int find_in_png(Bytes b)
{
    for (size_t at = 8; b.size >= 12 && at <= b.size - 12;) {
        size_t length = number(b.at + at, 4, false);
        if (length > b.size - at - 12)
            return 1;
        if (memcmp(b.at + at + 4, "eXIf", 4) == 0)
            return find_in_exif((Bytes){b.at + at + 8, length});
        at += 12 + length;
    }
    return 1;
}

static int find_in_webp(Bytes b)
{
    for (size_t at = 12; b.size >= 8 && at <= b.size - 8;) {
        size_t length = number(b.at + at + 4, 4, true);
        if (length > b.size - at - 8)
            return 1;
        if (memcmp(b.at + at, "EXIF", 4) == 0)
            return find_in_exif((Bytes){b.at + at + 8, length});
        at += 8 + length + (length & 1);
    }
    return 1;
}

int exif_orientation(const uint8_t *file, size_t size)
{
    Bytes b = {file, size};
    if (size >= 4 && memcmp(file, "\xff\xd8\xff", 3) == 0)
        return find_in_jpeg(b);
    if (size >= 8 && memcmp(file, "\x89PNG\r\n\x1a\n", 8) == 0)
        return find_in_png(b);
    if (size >= 12 && memcmp(file, "RIFF", 4) == 0 && memcmp(file + 8, "WEBP", 4) == 0)
        return find_in_webp(b);
    return find_in_tiff(b);
}
