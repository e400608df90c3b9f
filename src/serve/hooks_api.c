#include "serve/hooks_api.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/fetch.h"
#include "serve/log.h"
#include "serve/server.h"
#include "serve/videos.h"
#include "store/hooks.h"

enum { MOST_ATTEMPTS = 10, OLD_SECRET_MS = 86400000 };

static const char *const EVENTS[] = {"video.completed", "video.failed"};

static json_t *hook_json(const Hook *h, bool with_secret)
{
    char hint[16];
    json_t *events = json_array();
    for (int i = 0; i < 2; i++)
        if (strstr(h->events, EVENTS[i]) != NULL)
            json_array_append_new(events, json_string(EVENTS[i]));
    snprintf(hint, sizeof hint, "%.9s...", h->secret);
    json_t *o = json_pack("{ss ss ss ss so so so ss}", "id", h->id, "object", "webhook_endpoint", "name", h->name, "url", h->url,
                          "event_types", events, "created_at", time_json(h->created), "updated_at", time_json(h->updated),
                          "signing_secret_hint", hint);
    if (with_secret)
        json_object_set_new(o, "signing_secret", json_string(h->secret));
    return o;
}

static char *new_secret(void)
{
    unsigned char bytes[24];
    char *text = malloc(64);
    if (text == NULL || RAND_bytes(bytes, sizeof bytes) != 1) {
        free(text);
        return NULL;
    }
    memcpy(text, "whsec_", 6);
    EVP_EncodeBlock((unsigned char *)text + 6, bytes, sizeof bytes);
    return text;
}

/* From the fields into the hook; what is not sent stays. */
static bool take(Call *call, Hook *h)
{
    SoraError err = {0};
    const char *url = json_string_value(json_object_get(call->fields, "url")),
               *name = json_string_value(json_object_get(call->fields, "name"));
    const json_t *events = json_object_get(call->fields, "event_types");
    if (url != NULL && !fetch_check(url, &err)) {
        call_error(call, 400, "invalid_value", "url", "url: %s", err.message);
        return false;
    }
    if (name != NULL && strlen(name) > 200) {
        call_error(call, 400, "invalid_value", "name", "name: more than 200 bytes");
        return false;
    }
    char list[64] = "";
    for (size_t i = 0; i < json_array_size(events); i++) {
        const char *event = json_string_value(json_array_get(events, i));
        int k = event != NULL && strcmp(event, EVENTS[0]) == 0 ? 0 : event != NULL && strcmp(event, EVENTS[1]) == 0 ? 1 : -1;
        if (k < 0) {
            call_error(call, 400, "invalid_value", "event_types", "event_types: video.completed and video.failed are possible");
            return false;
        }
        if (strstr(list, EVENTS[k]) == NULL) {
            strcat(list, *list != 0 ? " " : "");
            strcat(list, EVENTS[k]);
        }
    }
    char **const texts[] = {&h->url, &h->name, &h->events};
    const char *const values[] = {url, name, *list != 0 ? list : NULL};
    for (int i = 0; i < 3; i++) {
        if (values[i] == NULL)
            continue;
        free(*texts[i]);
        *texts[i] = strdup(values[i]);
    }
    return true;
}

void hooks_create(Call *call)
{
    SoraError err = {0};
    Hook h = {.name = strdup("webhook"), .secret = new_secret()};
    bool full = false;
    snprintf(h.key, sizeof h.key, "%s", call->key.id);
    if (!take(call, &h)) {
        hook_deinit(&h);
        return;
    }
    if (h.url == NULL || h.events == NULL)
        call_error(call, 400, "missing_required_parameter", h.url == NULL ? "url" : "event_types", "%s is missing",
                   h.url == NULL ? "url" : "event_types");
    else if (h.secret == NULL || h.name == NULL || !store_hook_create(call->server->store, &h, &full, &err))
        call_fail(call, &err);
    else if (full)
        call_error(call, 400, "too_many_webhooks", NULL, "a key has at most %d webhooks", HOOK_MOST);
    else
        call_json(call, 200, hook_json(&h, true));
    hook_deinit(&h);
}

void hooks_list(Call *call)
{
    SoraError err = {0};
    HookList *list = malloc(sizeof *list);
    if (list == NULL || !store_hook_list(call->server->store, call->key.id, list, &err)) {
        free(list);
        call_fail(call, &err);
        return;
    }
    json_t *data = json_array();
    for (int i = 0; i < list->count; i++)
        json_array_append_new(data, hook_json(&list->hooks[i], false));
    call_json(call, 200,
              json_pack("{ss so ss? ss? sb}", "object", "list", "data", data, "first_id",
                        list->count > 0 ? list->hooks[0].id : NULL, "last_id",
                        list->count > 0 ? list->hooks[list->count - 1].id : NULL, "has_more", 0));
    hook_list_deinit(list);
    free(list);
}

static bool get(Call *call, Hook *h)
{
    SoraError err = {0};
    bool found;
    if (!store_hook_get(call->server->store, call->names[0], call->key.id, h, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "webhook endpoint", call->names[0]);
    else
        return true;
    return false;
}

void hooks_retrieve(Call *call)
{
    Hook h;
    if (!get(call, &h))
        return;
    call_json(call, 200, hook_json(&h, false));
    hook_deinit(&h);
}

static void save(Call *call, Hook *h, bool with_secret)
{
    SoraError err = {0};
    bool found;
    if (!store_hook_change(call->server->store, h, &found, &err))
        call_fail(call, &err);
    else
        call_json(call, 200, hook_json(h, with_secret));
}

void hooks_change(Call *call)
{
    Hook h;
    if (!get(call, &h))
        return;
    if (take(call, &h))
        save(call, &h, false);
    hook_deinit(&h);
}

void hooks_delete(Call *call)
{
    SoraError err = {0};
    bool found;
    if (!store_hook_delete(call->server->store, call->names[0], call->key.id, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "webhook endpoint", call->names[0]);
    else
        call_json(call, 200, json_pack("{ss ss sb}", "id", call->names[0], "object", "webhook_endpoint.deleted", "deleted", 1));
}

void hooks_rotate(Call *call)
{
    Hook h;
    if (!get(call, &h))
        return;
    const json_t *keep = json_object_get(call->fields, "keep_old_secret_active_for_24_hours");
    bool kept = json_is_true(keep) || (json_is_string(keep) && strcmp(json_string_value(keep), "true") == 0);
    free(h.old_secret);
    h.old_secret = kept ? h.secret : NULL;
    h.old_until = kept ? store_now() + OLD_SECRET_MS : 0;
    if (!kept)
        free(h.secret);
    h.secret = new_secret();
    if (h.secret != NULL)
        save(call, &h, true);
    hook_deinit(&h);
}

void hooks_test(Call *call)
{
    SoraError err = {0};
    Hook h;
    char id[STORE_ID_SIZE], body[512];
    const char *event = json_string_value(json_object_get(call->fields, "event_type"));
    if (!get(call, &h))
        return;
    if (event == NULL || (strcmp(event, EVENTS[0]) != 0 && strcmp(event, EVENTS[1]) != 0))
        call_error(call, 400, "invalid_value", "event_type", "event_type: video.completed or video.failed is expected");
    else if (!store_make_id(id, "evt", &err))
        call_fail(call, &err);
    else {
        snprintf(
            body, sizeof body,
            "{\"id\": \"%s\", \"object\": \"event\", \"type\": \"%s\", \"created_at\": %lld, \"data\": {\"id\": \"video_test\"}}",
            id, event, (long long)(store_now() / 1000));
        if (store_delivery_add(call->server->store, h.id, id, body, &err))
            call_json(call, 200, json_pack("{ss ss}", "id", id, "object", "webhook_endpoint.test"));
        else
            call_fail(call, &err);
    }
    hook_deinit(&h);
}

/* --- delivering --- */

char *hook_signature(const char *secret, const char *id, int64_t timestamp, const char *body)
{
    unsigned char key[512], mac[EVP_MAX_MD_SIZE];
    unsigned int mac_size = 0;
    size_t size = strlen(secret);
    if (size >= 380)
        return NULL;
    if (strncmp(secret, "whsec_", 6) == 0) {
        const char *code = secret + 6;
        int n = EVP_DecodeBlock(key, (const unsigned char *)code, (int)strlen(code));
        size_t length = strlen(code), padding = length > 1 && code[length - 1] == '=' ? (code[length - 2] == '=' ? 2 : 1) : 0;
        if (n < (int)padding)
            return NULL;
        size = (size_t)n - padding;
    } else {
        memcpy(key, secret, size);
    }
    char *text = NULL, *signature = malloc(64);
    if (asprintf(&text, "%s.%lld.%s", id, (long long)timestamp, body) < 0)
        text = NULL;
    if (text == NULL || signature == NULL ||
        HMAC(EVP_sha256(), key, (int)size, (unsigned char *)text, strlen(text), mac, &mac_size) == NULL) {
        free(text);
        free(signature);
        return NULL;
    }
    memcpy(signature, "v1,", 3);
    EVP_EncodeBlock((unsigned char *)signature + 3, mac, (int)mac_size);
    free(text);
    return signature;
}

static bool deliver(Server *s, const HookDelivery *d, SoraError *err)
{
    int64_t now = store_now() / 1000;
    long status = 0;
    char id[128], when[64], signature[256];
    char *first = hook_signature(d->hook.secret, d->id, now, d->body);
    char *second = d->hook.old_secret != NULL && d->hook.old_until > store_now()
                       ? hook_signature(d->hook.old_secret, d->id, now, d->body)
                       : NULL;
    snprintf(id, sizeof id, "webhook-id: %s", d->id);
    snprintf(when, sizeof when, "webhook-timestamp: %lld", (long long)now);
    snprintf(signature, sizeof signature, "webhook-signature: %s%s%s", first != NULL ? first : "", second != NULL ? " " : "",
             second != NULL ? second : "");
    free(second);
    if (first == NULL)
        return error_set(err, SORA_ERROR_INTERNAL, "the body could not be signed");
    free(first);
    const char *const headers[] = {"content-type: application/json", id, when, signature, NULL};
    return fetch_post(d->hook.url, d->body, headers, s->options->private_urls, &status, err) &&
           ((status >= 200 && status < 300) || error_set(err, SORA_ERROR_INPUT, "status %ld", status));
}

/* After 5 s, then four times as long each time, up to a day. */
static int64_t pause_after(int attempts)
{
    int64_t seconds = 5;
    for (int i = 1; i < attempts && seconds < 86400; i++)
        seconds *= 4;
    return (seconds < 86400 ? seconds : 86400) * 1000;
}

void hooks_deliver(Server *s)
{
    HookDelivery d;
    bool found = true;
    SoraError err = {0};
    while (!s->stopping && store_delivery_claim(s->store, &d, &found, &err) && found) {
        SoraError why = {0};
        bool ok = deliver(s, &d, &why), last = d.attempts >= MOST_ATTEMPTS;
        if (ok || last)
            store_delivery_done(s->store, &d, &err);
        else
            store_delivery_again(s->store, &d, store_now() + pause_after(d.attempts), &err);
        atomic_uint_fast64_t *counter = ok     ? &s->metrics.hooks_delivered
                                        : last ? &s->metrics.hooks_given_up
                                               : &s->metrics.hooks_failed;
        (*counter)++;
        if (!ok)
            log_line(
                "warning", "a webhook was not delivered",
                json_pack("{ss ss si ss}", "webhook", d.hook.id, "event", d.id, "attempt", d.attempts, "reason", why.message));
        hook_delivery_deinit(&d);
    }
}
