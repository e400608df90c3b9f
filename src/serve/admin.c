#include "serve/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "serve/access.h"
#include "serve/fields.h"
#include "serve/server.h"
#include "serve/videos.h"
#include "store/social.h"

bool scopes_check(const char *scopes, SoraError *err)
{
    static const char *const SCOPES[] = {"videos", "admin"};
    int count = 0;
    for (const char *s = scopes; *s != 0; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        bool known = false;
        for (int i = 0; i < 2; i++)
            known = known || (strlen(SCOPES[i]) == n && memcmp(SCOPES[i], s, n) == 0);
        if (!known)
            return error_set(err, SORA_ERROR_INPUT, "scopes: \"%.*s\" is neither videos nor admin", (int)(n < 40 ? n : 40), s);
        count++;
        s += n;
    }
    return count > 0 || error_set(err, SORA_ERROR_INPUT, "scopes: none is given");
}

json_t *key_json(const ApiKey *k)
{
    return json_pack("{ss ss ss ss? ss ss so so}", "id", k->id, "object", "api_key", "name", k->name, "hint", k->hint, "scopes",
                     k->scopes, "plan", k->plan, "created_at", time_json(k->created), "revoked_at", time_json(k->revoked));
}

static void audit(Call *call, const char *action, const char *target, const char *detail)
{
    SoraError err = {0};
    if (!store_audit(call->server->store, call->key.id, action, target, detail, &err))
        call_fail(call, &err); /* what cannot be recorded is said to have failed */
}

void admin_keys_list(Call *call)
{
    SoraError err = {0};
    ApiKeyList list;
    if (!store_key_list(call->server->store, &list, &err)) {
        call_fail(call, &err);
        return;
    }
    json_t *data = json_array();
    for (int i = 0; i < list.count; i++)
        json_array_append_new(data, key_json(&list.keys[i]));
    call_json(call, 200, json_pack("{ss so}", "object", "list", "data", data));
    api_key_list_deinit(&list);
}

/* name, scopes and plan, as they are sent; NULL for what is not. */
static bool take(Call *call, const char **name, const char **scopes, const char **plan)
{
    SoraError err = {0};
    *name = json_string_value(json_object_get(call->fields, "name"));
    *scopes = json_string_value(json_object_get(call->fields, "scopes"));
    *plan = json_string_value(json_object_get(call->fields, "plan"));
    if (*plan != NULL && plans_find(call->server->plans, *plan) == NULL)
        call_error(call, 400, "invalid_value", "plan", "plan: there is no plan \"%.40s\"", *plan);
    else if (*scopes != NULL && !scopes_check(*scopes, &err))
        call_error(call, 400, "invalid_value", "scopes", "%s", err.message);
    else if (*name != NULL && (strlen(*name) > 200 || **name == 0))
        call_error(call, 400, "invalid_value", "name", "name: 1 to 200 bytes");
    else
        return true;
    return false;
}

void admin_keys_create(Call *call)
{
    SoraError err = {0};
    char text[STORE_SERVER_KEY_SIZE];
    const char *name, *scopes, *plan;
    if (!take(call, &name, &scopes, &plan))
        return;
    ApiKey key = {.name = strdup(name != NULL ? name : "key"),
                  .scopes = strdup(scopes != NULL ? scopes : "videos"),
                  .plan = strdup(plan != NULL ? plan : "free")};
    bool ok = (key.name != NULL && key.scopes != NULL && key.plan != NULL) || error_no_memory(&err);
    if (ok && store_key_create(call->server->store, &key, text, &err)) {
        json_t *json = key_json(&key);
        json_object_set_new(json, "key", json_string(text));
        call_json(call, 200, json);
        audit(call, "key.created", key.id, key.name);
    } else {
        call_fail(call, &err);
    }
    api_key_deinit(&key);
}

static void add_usage(Call *call, json_t *json, const char *id)
{
    SoraError err = {0};
    KeyUsageList *list = malloc(sizeof *list);
    json_t *days = json_array();
    if (list != NULL && store_key_usage(call->server->store, id, 30, list, &err))
        for (int i = 0; i < list->count; i++)
            json_array_append_new(days,
                                  json_pack("{sI sI sI}", "day", (json_int_t)list->days[i].day * 86400, "videos",
                                            (json_int_t)list->days[i].videos, "credits", (json_int_t)list->days[i].credits));
    free(list);
    json_object_set_new(json, "usage", days);
}

static void show(Call *call, const char *id)
{
    SoraError err = {0};
    ApiKey key;
    bool found;
    if (!store_key_get(call->server->store, id, &key, &found, &err)) {
        call_fail(call, &err);
        return;
    }
    if (!found) {
        call_not_found(call, "key", id);
        return;
    }
    json_t *json = key_json(&key);
    const Plan *plan = plans_find(call->server->plans, key.plan);
    if (plan != NULL)
        json_object_set_new(json, "limits", plans_json(plan));
    add_usage(call, json, id);
    call_json(call, 200, json);
    api_key_deinit(&key);
}

void admin_keys_show(Call *call)
{
    show(call, call->names[0]);
}

void own_key(Call *call)
{
    show(call, call->key.id);
}

void admin_keys_change(Call *call)
{
    SoraError err = {0};
    const char *name, *scopes, *plan;
    bool found;
    if (!take(call, &name, &scopes, &plan))
        return;
    if (!store_key_change(call->server->store, call->names[0], plan, scopes, name, &found, &err)) {
        call_fail(call, &err);
        return;
    }
    if (!found) {
        call_not_found(call, "key", call->names[0]);
        return;
    }
    show(call, call->names[0]);
    audit(call, "key.changed", call->names[0], plan != NULL ? plan : scopes);
}

void admin_keys_revoke(Call *call)
{
    SoraError err = {0};
    bool found;
    if (!store_key_revoke(call->server->store, call->names[0], &found, &err)) {
        call_fail(call, &err);
        return;
    }
    if (!found) {
        call_error(call, 404, "not_found", NULL, "there is no key %.80s that is not revoked", call->names[0]);
        return;
    }
    show(call, call->names[0]);
    audit(call, "key.revoked", call->names[0], NULL);
}

void admin_plans(Call *call)
{
    json_t *data = json_array();
    for (int i = 0; plans_at(call->server->plans, i) != NULL; i++)
        json_array_append_new(data, plans_json(plans_at(call->server->plans, i)));
    call_json(call, 200, json_pack("{ss so}", "object", "list", "data", data));
}

void admin_audit(Call *call)
{
    SoraError err = {0};
    AuditList list;
    const char *before = call_query(call, "before");
    if (!store_audit_list(call->server->store, before != NULL ? strtoll(before, NULL, 10) : 0, 100, &list, &err)) {
        call_fail(call, &err);
        return;
    }
    json_t *data = json_array();
    for (int i = 0; i < list.count; i++)
        json_array_append_new(data,
                              json_pack("{sI so ss ss ss? ss?}", "number", (json_int_t)list.lines[i].number, "at",
                                        time_json(list.lines[i].at), "actor", list.lines[i].actor, "action", list.lines[i].action,
                                        "target", list.lines[i].target, "detail", list.lines[i].detail));
    call_json(call, 200, json_pack("{ss so}", "object", "list", "data", data));
    audit_list_deinit(&list);
}

void admin_reports(Call *call)
{
    SoraError err = {0};
    const char *all = call_query(call, "all");
    ReportList *list = malloc(sizeof *list);
    if (list == NULL || !store_report_list(call->server->store, all == NULL, list, &err)) {
        free(list);
        call_fail(call, &err);
        return;
    }
    json_t *data = json_array();
    for (int i = 0; i < list->count; i++) {
        const Report *r = &list->reports[i];
        json_array_append_new(data, json_pack("{ss ss ss ss so ss? so}", "id", r->id, "video", r->job, "reporter", r->key,
                                              "reason", r->reason, "at", time_json(r->at), "decision", r->decision, "decided_at",
                                              time_json(r->decided)));
    }
    call_json(call, 200, json_pack("{ss so}", "object", "list", "data", data));
    report_list_deinit(list);
    free(list);
}

void admin_report_decide(Call *call)
{
    SoraError err = {0};
    bool found;
    const char *decision = json_string_value(json_object_get(call->fields, "decision"));
    if (decision == NULL || (strcmp(decision, "kept") != 0 && strcmp(decision, "removed") != 0)) {
        call_error(call, 400, "invalid_value", "decision", "decision: kept or removed is expected");
        return;
    }
    if (!store_report_decide(call->server->store, call->names[0], decision, &found, &err)) {
        call_fail(call, &err);
        return;
    }
    if (!found) {
        call_not_found(call, "report", call->names[0]);
        return;
    }
    call_json(call, 200, json_pack("{ss ss}", "id", call->names[0], "decision", decision));
    audit(call, "report.decided", call->names[0], decision);
}

void admin_feature(Call *call)
{
    SoraError err = {0};
    bool found, featured = strcmp(call->method, MHD_HTTP_METHOD_DELETE) != 0;
    if (!store_job_feature(call->server->store, call->names[0], featured, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "published video", call->names[0]);
    else
        call_json(call, 200, json_pack("{ss sb}", "id", call->names[0], "featured", featured));
}

/* The cookie is the key itself, out of reach of scripts and of other sites. */
void session_begin(Call *call)
{
    char cookie[200];
    const char *header = call_header(call, "Authorization"), *proto = call_header(call, "X-Forwarded-Proto");
    const char *key = header != NULL && strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : "";
    snprintf(cookie, sizeof cookie, "sora_session=%.100s; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000%s", key,
             proto != NULL && strcmp(proto, "https") == 0 ? "; Secure" : "");
    if (*key != 0 && strcmp(call->key.id, "local") != 0)
        call_add_header(call, "set-cookie", cookie);
    show(call, call->key.id);
}

void session_end(Call *call)
{
    call_add_header(call, "set-cookie", "sora_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    call_json(call, 200, json_pack("{sb}", "ended", 1));
}
