/* What a client can send, behind the HTTP library: names with brackets, values, ranges, data URLs, addresses, operations and plans as
 * JSON.
 * The first byte chooses; the rest is the text, of a form as lines NAME=VALUE. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "serve/fetch.h"
#include "serve/fields.h"
#include "serve/operation.h"
#include "serve/plans.h"
#include "serve/routes.h"

static void check_form(char *text)
{
    json_t *root = json_object();
    SoraError err = {0};
    for (char *line = text, *end; line != NULL && *line != 0; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = 0;
        char *value = strchr(line, '=');
        if (value == NULL)
            continue;
        *value++ = 0;
        if (!fields_add(root, line, value, strlen(value), &err))
            assert(err.code == SORA_ERROR_INPUT && *err.message != 0);
    }
    int64_t n = 0;
    double x = 0;
    bool there;
    if (fields_int(root, "seed", 0, 100, &n, &there, &err) && there)
        assert(n >= 0 && n <= 100);
    if (fields_real(root, "seconds", 0.5, 2, &x, &there, &err) && there)
        assert(x >= 0.5 && x <= 2);
    char *dump = json_dumps(root, 0);
    assert(dump != NULL); /* what was taken is UTF-8 */
    free(dump);
    json_decref(root);
}

static void check_range(const char *text)
{
    for (int64_t size = 0; size < 1000; size = 3 * size + 1) {
        int64_t first = -1, last = -1;
        if (range_parse(text, size, &first, &last) == RANGE_PART)
            assert(0 <= first && first <= last && last < size);
    }
}

static void check_json(const char *text)
{
    SoraError err = {0};
    json_t *root = json_loads(text, 0, NULL);
    Operation o;
    if (operation_read(&o, root, &err)) {
        json_t *again = operation_json(&o);
        Operation twice;
        assert(again == NULL || operation_read(&twice, again, &err));
        assert(again == NULL || (twice.kind == o.kind && twice.input_count == o.input_count && twice.seed == o.seed));
        json_decref(again);
    }
    Plans *plans = json_is_object(root) ? plans_open_json(root, "plans", &err) : NULL;
    if (plans != NULL)
        assert(plans_find(plans, "unlimited") != NULL);
    plans_close(plans);
    json_decref(root);
}

static void check_rest(const char *text)
{
    int width, height;
    size_t size;
    const Route *route;
    const char *names[CALL_MOST_NAMES] = {NULL};
    SoraError err = {0};
    if (!fetch_check(text, &err))
        assert(err.code == SORA_ERROR_INPUT);
    if (fields_size(text, &width, &height))
        assert(width > 0 && height > 0 && width < 100000 && height < 100000);
    unsigned char *bytes = data_url_decode(text, &size);
    if (bytes != NULL)
        assert(size <= strlen(text));
    free(bytes);
    char *buffer = malloc(strlen(text) + 2);
    if (buffer != NULL && route_find("GET", text, &route, names, buffer) == ROUTE_FOUND)
        assert(route->run != NULL);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] % 4) {
    case 0:
        check_form(text);
        break;
    case 1:
        check_range(text);
        break;
    case 2:
        check_json(text);
        break;
    default:
        check_rest(text);
    }
    free(text);
    return 0;
}
