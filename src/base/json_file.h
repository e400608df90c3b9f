/* JSON from files and from memory; small files, which are configurations. */
#ifndef SORA_BASE_JSON_FILE_H
#define SORA_BASE_JSON_FILE_H

#include <jansson.h>
#include "base/error.h"

/* The object in the file, at most 1 MiB; json_decref() it. NULL, with the path in the message, when the file
 * is missing or holds none. */
json_t *json_file_read(const char *path, SoraError *err);

/* json_loadb(), which takes some failed allocations for wrong JSON, and of others makes shorter texts: here they fail,
 * and *e says which it was. */
json_t *json_load_bytes(const void *text, size_t size, size_t flags, json_error_t *e);
bool json_short_of_memory(const json_error_t *e);

/* json_dumps(), which leaves things out when allocations fail: NULL then. The text is the caller's. json NULL: NULL. */
char *json_text(const json_t *json, size_t flags);
/* Prints what was made since shortage_begin() (base/shortage.h), and a newline; json_decref(). False, and nothing is
 * printed, when memory ran out meanwhile. */
bool json_print(json_t *json, size_t flags, SoraError *err);

#endif
