#include "base/json_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MAX_BYTES = 1 << 20 };

json_t *json_file_read(const char *path, SoraError *err)
{
    size_t size;
    char *text = file_read(path, MAX_BYTES, &size, err);
    if (text == NULL)
        return NULL;
    json_error_t where;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (root != NULL && json_is_object(root))
        return root;
    char *quote = strstr(where.text, " near '"); /* what stands there may be another file's secret */
    if (quote != NULL)
        *quote = 0;
    if (root != NULL)
        error_set(err, SORA_ERROR_INPUT, "%s: no JSON object", path);
    else if (json_error_code(&where) == json_error_out_of_memory)
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    else
        error_set(err, SORA_ERROR_INPUT, "%s:%d: %s", path, where.line, where.text);
    json_decref(root);
    return NULL;
}
