#include "serve/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/server.h"
#include "serve/uploads.h"
#include "serve/videos.h"
#include "store/social.h"

void feed_list(Call *call)
{
    const char *featured = call_query(call, "featured");
    JobPage page = {.feed = true, .featured = featured != NULL && strcmp(featured, "true") == 0};
    videos_answer_page(call, &page);
}

static bool is_delete(const Call *call)
{
    return strcmp(call->method, MHD_HTTP_METHOD_DELETE) == 0;
}

static void answer(Call *call, bool ok, bool found, const char *what, const char *member, bool value, const SoraError *err)
{
    if (!ok)
        call_fail(call, err);
    else if (!found)
        call_not_found(call, what, call->names[0]);
    else
        call_json(call, 200, json_pack("{ss sb}", "id", call->names[0], member, value));
}

/* May others see that text? */
static bool is_allowed(Call *call, const char *param, const char *text)
{
    SoraError err = {0};
    PolicyVerdict verdict = {.allowed = true};
    if (call->server->policy == NULL ||
        (policy_check(call->server->policy, text, strlen(text), NULL, NULL, &verdict, &err) && verdict.allowed))
        return true;
    call_error(call, 400, "moderation_blocked", param, "%s", verdict.allowed ? err.message : verdict.sentence);
    return false;
}

void feed_publish(Call *call)
{
    SoraError err = {0};
    bool found = false, published = !is_delete(call);
    const char *title = json_string_value(json_object_get(call->fields, "title"));
    if (title != NULL && strlen(title) > 400) {
        call_error(call, 400, "string_above_max_length", "title", "title: more than 400 bytes");
        return;
    }
    if (title != NULL && !is_allowed(call, "title", title))
        return;
    bool ok = store_job_publish(call->server->store, call->names[0], call->key.id, published, title, &found, &err);
    answer(call, ok, found, "finished video of yours", "published", published, &err);
}

void feed_like(Call *call)
{
    SoraError err = {0};
    bool found = false, liked = !is_delete(call);
    bool ok = store_job_like(call->server->store, call->names[0], call->key.id, liked, &found, &err);
    answer(call, ok, found, "published video", "liked", liked, &err);
}

void feed_report(Call *call)
{
    SoraError err = {0};
    char id[STORE_ID_SIZE];
    bool found = false;
    const char *reason = json_string_value(json_object_get(call->fields, "reason"));
    if (reason == NULL || *reason == 0 || strlen(reason) > 2000) {
        call_error(call, 400, "invalid_value", "reason", "reason: 1 to 2000 bytes");
        return;
    }
    if (!store_report_create(call->server->store, call->names[0], call->key.id, reason, id, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "published video", call->names[0]);
    else
        call_json(call, 200, json_pack("{ss ss}", "id", id, "video", call->names[0]));
}

/* --- characters --- */

static json_t *character_json(const Character *c)
{
    return json_pack("{ss ss sI}", "id", c->id, "name", c->name, "created_at", (json_int_t)(c->created / 1000));
}

void characters_create(Call *call)
{
    SoraError err = {0};
    char file[STORE_ID_SIZE];
    bool there;
    const char *name = json_string_value(json_object_get(call->fields, "name"));
    if (name == NULL || *name == 0 || strlen(name) > 80) {
        call_error(call, 400, "invalid_value", "name", "name: 1 to 80 bytes");
        return;
    }
    if (!is_allowed(call, "name", name) || !upload_take(call, "video", INPUT_VIDEO, file, &there))
        return;
    if (!there) {
        call_error(call, 400, "missing_required_parameter", "video", "video: a file is missing");
        return;
    }
    Character c = {.name = strdup(name), .file = strdup(file)};
    bool ok = (c.name != NULL && c.file != NULL) || error_no_memory(&err);
    if (ok && store_character_create(call->server->store, call->key.id, &c, &err))
        call_json(call, 200, character_json(&c));
    else
        call_fail(call, &err);
    character_deinit(&c);
}

void characters_retrieve(Call *call)
{
    SoraError err = {0};
    Character c;
    bool found;
    if (!store_character_get(call->server->store, call->names[0], call->key.id, &c, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "character", call->names[0]);
    else
        call_json(call, 200, character_json(&c));
    if (found)
        character_deinit(&c);
}
