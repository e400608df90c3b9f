#include "serve/operation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[OPERATION_KINDS] = {"generate", "extend", "loop",        "blend",
                                                   "remix",    "fill",   "interpolate", "recut"};
static const char *const USES[INPUT_USES] = {"first", "last", "video", "mask"};

const char *operation_name(OperationKind kind)
{
    return NAMES[kind];
}

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; name != NULL && i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

bool operation_find(const char *name, OperationKind *kind)
{
    int i = find(NAMES, OPERATION_KINDS, name);
    if (i >= 0)
        *kind = (OperationKind)i;
    return i >= 0;
}

json_t *operation_json(const Operation *o)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, o->seed); /* JSON's numbers end before its range does */
    json_t *root =
        json_pack("{ss ss? ss? ss? si si si si sf sf sf ss sf sf sf sf sf ss? sb sb sb}", "operation", NAMES[o->kind], "model",
                  o->model, "prompt", o->prompt, "negative", o->negative, "width", o->width, "height", o->height, "frames",
                  o->frames, "steps", o->steps, "fps", o->fps, "seconds", o->seconds, "guidance", o->guidance, "seed", seed,
                  "strength", o->strength, "from", o->from, "to", o->to, "before", o->before, "after", o->after, "curve",
                  o->curve, "at_start", o->at_start, "watermark", o->watermark, "picture", o->picture);
    json_t *inputs = json_array(), *passages = json_array(), *earlier = json_array();
    bool ok = root != NULL && inputs != NULL && passages != NULL && earlier != NULL;
    for (int i = 0; ok && i < o->input_count; i++)
        ok = json_array_append_new(inputs, json_pack("{ss ss}", "use", USES[o->inputs[i].use], "file", o->inputs[i].file)) == 0;
    for (int i = 0; ok && i < o->passage_count; i++)
        ok = json_array_append_new(passages,
                                   json_pack("{ss sf}", "prompt", o->passages[i].prompt, "from", o->passages[i].from)) == 0;
    for (int i = 0; ok && i < o->earlier_count; i++)
        ok = json_array_append_new(earlier, json_string(o->earlier[i])) == 0;
    ok = ok && json_object_set(root, "inputs", inputs) == 0 && json_object_set(root, "passages", passages) == 0 &&
         json_object_set(root, "earlier", earlier) == 0 && (o->policy == NULL || json_object_set_new(root, "policy", json_string(o->policy)) == 0);
    json_decref(earlier);
    json_decref(inputs);
    json_decref(passages);
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}

static const char *text(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

static double number(const json_t *root, const char *name)
{
    return json_number_value(json_object_get(root, name));
}

static int whole(const json_t *root, const char *name)
{
    double n = number(root, name);
    return n > -1e9 && n < 1e9 ? (int)n : 0;
}

static bool read_lists(Operation *o, const json_t *root, SoraError *err)
{
    const json_t *inputs = json_object_get(root, "inputs"), *passages = json_object_get(root, "passages");
    size_t n = json_array_size(inputs), m = json_array_size(passages);
    if (n > OPERATION_MOST_INPUTS || m > OPERATION_MOST_PASSAGES)
        return error_set(err, SORA_ERROR_INPUT, "operation: too many inputs or passages");
    for (size_t i = 0; i < n; i++) {
        const json_t *input = json_array_get(inputs, i);
        int use = find(USES, INPUT_USES, text(input, "use"));
        if (use < 0 || text(input, "file") == NULL)
            return error_set(err, SORA_ERROR_INPUT, "operation: an input is wrong");
        o->inputs[o->input_count++] = (OperationInput){(InputUse)use, text(input, "file")};
    }
    for (size_t i = 0; i < m; i++) {
        const json_t *passage = json_array_get(passages, i);
        o->passages[i].prompt = text(passage, "prompt");
        o->passages[i].from = number(passage, "from");
        o->passage_count++;
        if (o->passages[i].prompt == NULL)
            return error_set(err, SORA_ERROR_INPUT, "operation: a passage has no prompt");
    }
    return true;
}

bool operation_read(Operation *o, const json_t *root, SoraError *err)
{
    *o = (Operation){.model = text(root, "model"),
                     .prompt = text(root, "prompt"),
                     .negative = text(root, "negative"),
                     .policy = text(root, "policy"),
                     .width = whole(root, "width"),
                     .height = whole(root, "height"),
                     .frames = whole(root, "frames"),
                     .steps = whole(root, "steps"),
                     .fps = number(root, "fps"),
                     .seconds = number(root, "seconds"),
                     .guidance = number(root, "guidance"),
                     .strength = number(root, "strength"),
                     .from = number(root, "from"),
                     .to = number(root, "to"),
                     .before = number(root, "before"),
                     .after = number(root, "after"),
                     .curve = text(root, "curve"),
                     .at_start = json_is_true(json_object_get(root, "at_start")),
                     .watermark = json_is_true(json_object_get(root, "watermark")),
                     .picture = json_is_true(json_object_get(root, "picture"))};
    const char *seed = text(root, "seed");
    o->seed = seed != NULL ? strtoull(seed, NULL, 10) : 0;
    if (!operation_find(text(root, "operation"), &o->kind))
        return error_set(err, SORA_ERROR_INPUT, "operation: of no known kind");
    return read_lists(o, root, err);
}
