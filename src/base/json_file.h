/* Small JSON files: configurations. */
#ifndef SORA_BASE_JSON_FILE_H
#define SORA_BASE_JSON_FILE_H

#include <jansson.h>
#include "base/error.h"

/* The object in the file, at most 1 MiB; json_decref() it. NULL, with the path in the message, when the file
 * is missing or holds none. */
json_t *json_file_read(const char *path, SoraError *err);

#endif
