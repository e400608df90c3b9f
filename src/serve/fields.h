/* What a client sends, as one JSON object whichever way it came: JSON, or a form whose names have brackets
 * ("video[id]", "characters[][id]", "events[]"). */
#ifndef SORA_SERVE_FIELDS_H
#define SORA_SERVE_FIELDS_H

#include <jansson.h>
#include "base/error.h"

enum { FIELDS_MOST = 200, FIELDS_DEPTH = 4, FIELD_NAME_SIZE = 128 };

/* Adds a value under such a name. False: the name is wrong, the text is not UTF-8, or there are too many. */
bool fields_add(json_t *root, const char *name, const char *text, size_t size, SoraError *err);

/* The text of a member, whether it was sent as a string or as a number; NULL: there is none. buffer: for numbers. */
const char *fields_text(const json_t *root, const char *name, char buffer[32]);
/* A whole number. *there: is it sent? False: it is sent and is none, or is out of range. */
bool fields_int(const json_t *root, const char *name, int64_t min, int64_t max, int64_t *value, bool *there, SoraError *err);
bool fields_real(const json_t *root, const char *name, double min, double max, double *value, bool *there, SoraError *err);

/* "1280x720" */
bool fields_size(const char *text, int *width, int *height);

/* "bytes=0-99", "bytes=-500", "bytes=100-" of something of `size` bytes. */
typedef enum RangeAnswer { RANGE_WHOLE, RANGE_PART, RANGE_UNSATISFIABLE } RangeAnswer;
/* A header that is wrong or asks for several parts is as if it were not there, as RFC 9110 has it. */
RangeAnswer range_parse(const char *header, int64_t size, int64_t *first, int64_t *last);

/* "data:image/png;base64,...": the bytes, to be freed. NULL: it is none, or is damaged. */
unsigned char *data_url_decode(const char *url, size_t *size);

#endif
