/* Bytes: what others wrote, as a span that is never read past its end, and a buffer to write into. */
#ifndef SORA_CREDENTIALS_BYTES_H
#define SORA_CREDENTIALS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to somebody else. */
typedef struct Span {
    const uint8_t *data;
    size_t size;
} Span;

/* A growing buffer. A failure (no memory) is sticky: later writes do nothing; look once, at `failed`. */
typedef struct Bytes {
    uint8_t *data; /* heap; bytes_deinit() */
    size_t size, room;
    bool failed;
} Bytes;

void bytes_deinit(Bytes *b); /* a zeroed one is allowed */
void bytes_put(Bytes *b, const void *data, size_t size);
void bytes_put_zeros(Bytes *b, size_t size);
void bytes_put_text(Bytes *b, const char *text); /* without its 0 */
void bytes_put_u8(Bytes *b, uint8_t value);
void bytes_put_u16(Bytes *b, uint16_t value); /* big-endian, as all here */
void bytes_put_u32(Bytes *b, uint32_t value);
void bytes_put_u64(Bytes *b, uint64_t value);
Span bytes_span(const Bytes *b);

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static inline void set_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void set_u64(uint8_t *p, uint64_t v)
{
    set_u32(p, (uint32_t)(v >> 32));
    set_u32(p + 4, (uint32_t)v);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void set_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

bool span_is(Span a, const char *text);
bool span_equal(Span a, Span b);
bool span_starts(Span a, const char *text);
bool span_is_utf8(Span s);

#endif
