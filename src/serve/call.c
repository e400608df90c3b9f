#include "serve/call.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/fields.h"
#include "serve/log.h"
#include "serve/server.h"
#include "store/files.h"

const char *call_header(const Call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

const char *call_query(const Call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

void call_add_header(Call *call, const char *name, const char *value)
{
    Answer *a = &call->answer;
    if (a->header_count == ANSWER_MOST_HEADERS)
        return;
    a->headers[a->header_count].name = name;
    snprintf(a->headers[a->header_count++].value, sizeof a->headers[0].value, "%s", value);
}

void call_json(Call *call, int status, json_t *json)
{
    Answer *a = &call->answer;
    json_decref(a->json);
    a->json = json;
    a->status = json != NULL ? status : 500;
}

/* What OpenAI's library makes an exception of. */
static const char *type_of(int status)
{
    return status == 401   ? "authentication_error"
           : status == 403 ? "permission_error"
           : status == 429 ? "rate_limit_error"
           : status >= 500 ? "server_error"
                           : "invalid_request_error";
}

void call_error(Call *call, int status, const char *code, const char *param, const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    json_t *text = json_string(message);
    if (text == NULL) /* what was quoted is no UTF-8, or its end was cut */
        text = json_string("the request is wrong");
    call_json(call, status,
              json_pack("{s{so ss ss? ss?}}", "error", "message", text, "type", type_of(status), "param", param, "code", code));
}

void call_fail(Call *call, const SoraError *err)
{
    log_line("error", err->message, json_pack("{ss ss}", "request_id", call->id, "path", call->path));
    if (err->code == SORA_ERROR_IO) {
        call_add_header(call, "retry-after", "2");
        call_error(call, 503, "storage_unavailable", NULL, "the server cannot reach its storage; try again (request %s)",
                   call->id);
    } else {
        call_error(call, 500, "server_error", NULL, "the server failed; its log says why (request %s)", call->id);
    }
}

void call_not_found(Call *call, const char *what, const char *id)
{
    call_error(call, 404, "not_found", NULL, "there is no %s with the id %.80s", what, id);
}

void call_text(Call *call, char *text, const char *type)
{
    Answer *a = &call->answer;
    free(a->text);
    a->text = text;
    a->text_size = text != NULL ? strlen(text) : 0;
    a->type = type;
    a->status = text != NULL ? 200 : 500;
}

CallFile *call_find_file(Call *call, const char *field)
{
    for (int i = 0; i < call->file_count; i++)
        if (strcmp(call->files[i].field, field) == 0)
            return &call->files[i];
    return NULL;
}

/* The bytes that are asked for; false: the answer is filled. */
static bool choose_range(Call *call)
{
    Answer *a = &call->answer;
    const char *if_range = call_header(call, "If-Range");
    char range[64];
    if (if_range != NULL && strcmp(if_range, a->etag) != 0)
        return true;
    switch (range_parse(call_header(call, "Range"), a->size, &a->first, &a->last)) {
    case RANGE_WHOLE:
        return true;
    case RANGE_PART:
        a->status = 206;
        return true;
    case RANGE_UNSATISFIABLE:
        break;
    }
    snprintf(range, sizeof range, "bytes */%lld", (long long)a->size);
    call_add_header(call, "content-range", range);
    call_error(call, 416, "range_not_satisfiable", NULL, "the file has %lld bytes", (long long)a->size);
    return false;
}

void call_file(Call *call, const char *name, const char *type)
{
    Answer *a = &call->answer;
    Store *store = call->server->store;
    SoraError err = {0};
    const char *same = call_header(call, "If-None-Match");
    bool known = store_file_size(store, name, &a->size, &err);
    a->first = 0;
    a->last = a->size - 1;
    if (known) {
        snprintf(a->etag, sizeof a->etag, "\"%s\"", name);
        a->type = type;
        a->status = 200;
        if (same != NULL && (strcmp(same, a->etag) == 0 || strcmp(same, "*") == 0)) {
            a->status = 304;
            return;
        }
        if (!choose_range(call))
            return;
        a->bare = strcmp(call->method, MHD_HTTP_METHOD_HEAD) == 0;
        if (a->bare || (a->fd = store_file_open_part(store, name, a->first, a->last, &a->offset, &err)) >= 0)
            return;
        *a->etag = 0;
        a->type = NULL;
    }
    if (err.code == SORA_ERROR_NOT_FOUND)
        call_error(call, 404, "video_expired", NULL, "the files of this video have expired");
    else
        call_fail(call, &err);
}
