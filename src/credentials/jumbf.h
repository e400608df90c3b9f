/* JUMBF (ISO 19566-5): boxes in boxes, of which a manifest store is made. */
#ifndef SORA_CREDENTIALS_JUMBF_H
#define SORA_CREDENTIALS_JUMBF_H

#include "base/arena.h"
#include "base/error.h"
#include "credentials/bytes.h"

/* A superbox ("jumb") has a kind, a label and children; any other box only its payload. */
typedef struct JumbfBox {
    char type[5];      /* "jumb", "cbor", "json", "bfdb" ... */
    uint8_t uuid[16];  /* of a superbox: its kind */
    const char *label; /* of a superbox: UTF-8; the arena's */
    Span whole;        /* with its header */
    Span payload;      /* without; what hashed URIs hash */
    int count;
    struct JumbfBox *children; /* without the description box */
} JumbfBox;

/* The superbox that source begins with; what follows it is left alone. Depth and numbers are bounded. NULL
 * with SORA_ERROR_INPUT. Spans point into source. */
const JumbfBox *jumbf_parse(Arena *arena, Span source, SoraError *err);

/* kind: the four letters of a JUMBF content type ("c2ma"); the rest of the UUID is fixed. */
bool jumbf_is(const JumbfBox *box, const char *kind);
const JumbfBox *jumbf_content(const JumbfBox *box, const char *type); /* the first of a type; NULL: none */

/* Writing: begin returns the place that end is given. A superbox begins with its description. */
size_t jumbf_begin(Bytes *b, const char *type);
size_t jumbf_begin_super(Bytes *b, const char *kind, const char *label);
void jumbf_end(Bytes *b, size_t at);

/* Kind of an embedded file's box, which is no four letters. */
extern const char JUMBF_EMBEDDED_FILE[];

#endif
