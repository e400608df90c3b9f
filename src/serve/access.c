#include "serve/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "serve/key_cache.h"
#include "serve/server.h"

/* "Bearer KEY", or the cookie that POST /v1/session sets for a page. NULL: neither. */
static const char *key_sent(const Call *call)
{
    const char *header = call_header(call, "Authorization");
    if (header != NULL && strncasecmp(header, "Bearer ", 7) == 0)
        return header + 7 + strspn(header + 7, " ");
    return MHD_lookup_connection_value(call->connection, MHD_COOKIE_KIND, "sora_session");
}

/* A page elsewhere must not act through a browser that is logged in here: who changes something says where from. */
static bool is_own_origin(const Call *call)
{
    const char *origin = call_header(call, "Origin"), *host = call_header(call, "Host");
    if (origin == NULL)
        return true;
    const char *name = strstr(origin, "://");
    return name != NULL && host != NULL && strcasecmp(name + 3, host) == 0;
}

/* Names under which a browser on this machine may know a server that needs no key. Another one is a stranger's, who had it
 * point here. */
static bool is_local_name(const char *host)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; host != NULL && i < sizeof NAMES / sizeof *NAMES; i++) {
        size_t n = strlen(NAMES[i]);
        if (strncasecmp(host, NAMES[i], n) == 0 && (host[n] == 0 || host[n] == ':'))
            return true;
    }
    return false;
}

/* The key of a text, or "local" where none is needed; *found: is there one? */
static bool ask_store(Call *call, const char *text, ApiKey *key, bool *found, SoraError *err)
{
    Server *s = call->server;
    bool any = true;
    *found = false;
    if (text != NULL && *text != 0 && !store_key_find(s->store, text, key, found, err))
        return false;
    if (*found || !s->loopback)
        return true;
    return store_key_any(s->store, &any, err) && (any || store_key_get(s->store, "local", key, found, err));
}

static bool find_key(Call *call, SoraError *err)
{
    const char *text = key_sent(call);
    bool found = key_cache_get(call->server->keys, text, &call->key);
    if (!found && !ask_store(call, text, &call->key, &found, err))
        return false;
    if (!found)
        call_error(call, 401, "invalid_api_key", NULL,
                   text == NULL || *text == 0 ? "an API key is missing: Authorization: Bearer KEY"
                                              : "the API key is wrong or was revoked");
    else if (strcmp(call->key.id, "local") == 0 && !is_local_name(call_header(call, "Host")))
        call_error(call, 403, "wrong_host", NULL, "without keys the server answers as localhost alone");
    else
        key_cache_put(call->server->keys, text, &call->key);
    return true;
}

const Plan *access_plan(const Call *call)
{
    const Plan *plan = call->key.plan != NULL ? plans_find(call->server->plans, call->key.plan) : NULL;
    return plan != NULL ? plan : plans_find(call->server->plans, "unlimited");
}

static void limit_rate(Call *call)
{
    const Plan *plan = access_plan(call);
    char text[32];
    if (plan->requests_a_minute == 0)
        return;
    LimiterAnswer a = limiter_take(call->server->limiter, call->key.id, plan->requests_a_minute, clock_seconds());
    snprintf(text, sizeof text, "%d", a.limit);
    call_add_header(call, "x-ratelimit-limit-requests", text);
    snprintf(text, sizeof text, "%d", a.remaining);
    call_add_header(call, "x-ratelimit-remaining-requests", text);
    snprintf(text, sizeof text, "%.3gs", a.reset);
    call_add_header(call, "x-ratelimit-reset-requests", text);
    if (a.allowed)
        return;
    snprintf(text, sizeof text, "%.0f", a.wait + 0.5 < 1 ? 1 : a.wait + 0.5);
    call_add_header(call, "retry-after", text);
    snprintf(text, sizeof text, "%.0f", a.wait * 1000 + 1);
    call_add_header(call, "retry-after-ms", text);
    call_error(call, 429, "rate_limit_exceeded", NULL, "more than %d requests a minute; the plan of this key is %s", a.limit,
               plan->name);
}

void access_check(Call *call, const char *scope)
{
    SoraError err = {0};
    if (!is_own_origin(call) && strcmp(call->method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(call->method, MHD_HTTP_METHOD_HEAD) != 0) {
        call_error(call, 403, "wrong_origin", NULL, "a page of another origin asked");
        return;
    }
    if (scope == NULL)
        return;
    if (!find_key(call, &err)) {
        call_fail(call, &err);
        return;
    }
    if (call->answer.status != 0)
        return;
    if (!api_key_has_scope(&call->key, scope))
        call_error(call, 403, "missing_scope", NULL, "this key lacks the scope \"%s\"", scope);
    else
        limit_rate(call);
}
