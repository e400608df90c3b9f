#include "serve/system.h"

#include <stdlib.h>
#include <string.h>

#include "serve/routes.h"
#include "serve/server.h"
#include "serve/web.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

enum { MOST_UNKNOWN = 50 };

static json_t *model_json(const Server *s, int i)
{
    const ModelFacts *f = &s->facts[i];
    return json_pack("{ss ss si ss s{ss si si si si sf si si si sb}}", "id", s->options->models[i].name, "object", "model",
                     "created", 0, "owned_by", "sora.c", "details", "model", f->name, "width", f->width, "height", f->height,
                     "frames", f->frames, "steps", f->steps, "fps", f->fps, "multiple", f->multiple, "most_frames",
                     f->most_frames, "most_side", f->most_side, "words", f->words != NULL);
}

void models_list(Call *call)
{
    json_t *data = json_array();
    for (int i = 0; i < call->server->options->model_count; i++)
        json_array_append_new(data, model_json(call->server, i));
    call_json(call, 200, json_pack("{ss so}", "object", "list", "data", data));
}

void models_retrieve(Call *call)
{
    int i = server_model(call->server, call->names[0]);
    if (i >= 0)
        call_json(call, 200, model_json(call->server, i));
    else
        call_error(call, 404, "model_not_found", "model", "there is no model \"%.60s\"", call->names[0]);
}

void models_words(Call *call)
{
    int i = server_model(call->server, call->names[0]);
    const char *words = i >= 0 ? call->server->facts[i].words : NULL;
    if (words != NULL)
        call_text(call, strdup(words), "application/json");
    else
        call_error(call, 404, "not_found", "model", "the model \"%.60s\" has no list of words", call->names[0]);
}

/* As vocabulary_unknown() has them. */
static json_t *unknown_json(const Vocabulary *v, const char *text)
{
    UnknownWord words[MOST_UNKNOWN];
    json_t *data = json_array();
    int count = vocabulary_unknown(v, text, words, MOST_UNKNOWN);
    for (int i = 0; i < count && i < MOST_UNKNOWN; i++)
        json_array_append_new(data, json_pack("{ss ss?}", "word", words[i].word, "near", words[i].near));
    return json_pack("{ss so}", "object", "list", "data", data);
}

void models_unknown(Call *call)
{
    SoraError err = {0};
    int i = server_model(call->server, call->names[0]);
    const char *words = i >= 0 ? call->server->facts[i].words : NULL, *text = call_query(call, "text");
    Vocabulary *v = NULL;
    if (words == NULL)
        call_error(call, 404, "not_found", "model", "the model \"%.60s\" has no list of words", call->names[0]);
    else if (text == NULL)
        call_error(call, 400, "missing_required_parameter", "text", "text: what is to be looked at is missing");
    else if (!utf8_check(text, strlen(text), "text", &err))
        call_error(call, 400, "invalid_value", "text", "%s", err.message);
    else if ((v = vocabulary_open_memory(words, strlen(words), "words.json", &err)) == NULL)
        call_fail(call, &err);
    else
        call_json(call, 200, unknown_json(v, text));
    vocabulary_close(v);
}

void health(Call *call)
{
    call_json(call, 200, json_pack("{ss}", "status", "ok"));
}

void ready(Call *call)
{
    SoraError err = {0};
    if (call->server->stopping)
        call_error(call, 503, "stopping", NULL, "the server is stopping");
    else if (!store_check(call->server->store, &err))
        call_fail(call, &err);
    else
        call_json(call, 200, json_pack("{ss}", "status", "ready"));
}

void metrics(Call *call)
{
    Server *s = call->server;
    SoraError err = {0};
    const char *categories[METRICS_CATEGORIES + 1] = {NULL};
    for (size_t i = 0; s->policy != NULL && i < METRICS_CATEGORIES; i++) {
        categories[i] = policy_category(s->policy, i);
        if (categories[i] == NULL)
            break;
    }
    char *text = metrics_print(&s->metrics, categories, s->store, &err);
    if (text != NULL)
        call_text(call, text, "text/plain; version=0.0.4");
    else
        call_fail(call, &err);
}

/* --- OpenAPI --- */

static json_t *reference(const char *schema)
{
    return json_pack("{s{s{ss+}}}", "application/json", "schema", "$ref", "#/components/schemas/", schema);
}

static json_t *parameters_of(const Route *r)
{
    json_t *list = json_array();
    for (const char *s = strchr(r->path, '{'); s != NULL; s = strchr(s + 1, '{'))
        json_array_append_new(list, json_pack("{ss# ss sb s{ss}}", "name", s + 1, (int)strcspn(s + 1, "}"), "in", "path",
                                              "required", 1, "schema", "type", "string"));
    return list;
}

static json_t *operation_of(const Route *r)
{
    json_t *error = json_pack("{ss so}", "description", "an error", "content", reference("Error"));
    json_t *done = json_pack("{ss}", "description", r->summary);
    if (r->answer != NULL)
        json_object_set_new(done, "content", reference(r->answer));
    json_t *o = json_pack("{ss ss so s{so so}}", "operationId", r->id, "summary", r->summary, "parameters", parameters_of(r),
                          "responses", "200", done, "default", error);
    if (r->body != NULL) {
        json_t *content = reference(r->body);
        json_object_set_new(content, "multipart/form-data",
                            json_pack("{s{ss+}}", "schema", "$ref", "#/components/schemas/", r->body));
        json_object_set_new(o, "requestBody", json_pack("{so}", "content", content));
    }
    json_object_set_new(o, "security", r->scope != NULL ? json_pack("[{s[]}]", "key") : json_array());
    return o;
}

void openapi(Call *call)
{
    json_t *paths = json_object(), *schemas = json_loads(WEB_SCHEMAS, 0, NULL);
    for (const Route *r = ROUTES; r->method != NULL; r++) {
        if (strchr(r->path, '*') != NULL)
            continue;
        json_t *path = json_object_get(paths, r->path);
        char method[8] = "";
        for (size_t i = 0; r->method[i] != 0 && i < 7; i++)
            method[i] = (char)(r->method[i] + ('a' - 'A'));
        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, r->path, path);
        }
        json_object_set_new(path, method, operation_of(r));
    }
    call_json(call, 200,
              json_pack("{ss s{ss ss} so s{s{s{ss ss}} so}}", "openapi", "3.1.0", "info", "title", "sora.c", "version",
                        SORA_VERSION, "paths", paths, "components", "securitySchemes", "key", "type", "http", "scheme", "bearer",
                        "schemas", schemas));
}
