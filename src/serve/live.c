#include "serve/live.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/access.h"
#include "serve/log.h"
#include "serve/videos.h"

enum { QUEUE = 24, OPEN_SECONDS = 600, LOOK_MS = 10, MOST_PICTURE = 4 << 20 };

#define BOUNDARY "sora-frame"

typedef struct Picture {
    char *data; /* with its own head before it */
    size_t size;
} Picture;

struct Live {
    Lives *all;
    char id[STORE_ID_SIZE], key[STORE_ID_SIZE];
    EngineChild *child;
    double fps, began, watched, looked; /* watched: when somebody last read; looked: at the key */
    pthread_mutex_t lock;               /* of what follows */
    Picture queue[QUEUE];
    int count;
    double due; /* of the first one */
    Picture sending;
    size_t sent;
    struct MHD_Connection *reader, *sleeping; /* who watches; the same while there is nothing to send */
    bool stop, ended;
    int users; /* the thread, who watches, who has just found it; of Lives.lock */
};

struct Lives {
    Server *server;
    pthread_mutex_t lock;
    Live **list; /* `most` of them; NULL: a free place */
    int most;
    bool stop;
};

/* --- who has it --- */

static void let_go(Live *l)
{
    Lives *all = l->all;
    pthread_mutex_lock(&all->lock);
    bool last = --l->users == 0;
    for (int i = 0; last && i < all->most; i++)
        if (all->list[i] == l)
            all->list[i] = NULL;
    pthread_mutex_unlock(&all->lock);
    if (!last)
        return;
    for (int i = 0; i < l->count; i++)
        free(l->queue[i].data);
    free(l->sending.data);
    engine_child_end(l->child);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* The one with that id, of that key; to be let go of. */
static Live *find(Call *call)
{
    Lives *all = call->server->lives;
    Live *found = NULL;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; found == NULL && i < all->most; i++)
        if (all->list[i] != NULL && strcmp(all->list[i]->id, call->names[0]) == 0 && strcmp(all->list[i]->key, call->key.id) == 0)
            found = all->list[i];
    if (found != NULL)
        found->users++;
    pthread_mutex_unlock(&all->lock);
    if (found == NULL)
        call_not_found(call, "live video", call->names[0]);
    return found;
}

/* --- its thread --- */

/* Takes the base64 of a picture. */
static bool add_picture(Live *l, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0, size;
    if (n == 0 || n % 4 != 0 || n > MOST_PICTURE)
        return false;
    size_t padding = (size_t)(text[n - 1] == '=') + (size_t)(text[n - 2] == '=');
    size = n / 4 * 3 - padding;
    char *data = malloc(n + 256);
    if (data == NULL)
        return false;
    int head = snprintf(data, 200, "--" BOUNDARY "\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", size);
    if (EVP_DecodeBlock((unsigned char *)data + head, (const unsigned char *)text, (int)n) < (int)size) {
        free(data);
        return false;
    }
    memcpy(data + head + size, "\r\n", 2);
    pthread_mutex_lock(&l->lock);
    if (l->count == 0 && l->due < clock_seconds())
        l->due = clock_seconds();
    l->queue[l->count++] = (Picture){data, (size_t)head + size + 2};
    pthread_mutex_unlock(&l->lock);
    return true;
}

/* False: it is over. */
static bool hear(Live *l)
{
    json_t *m = NULL;
    EngineHeard heard = engine_child_hear(l->child, LOOK_MS, &m);
    if (heard != HEARD_MESSAGE)
        return heard == HEARD_NOTHING;
    const char *is = json_string_value(json_object_get(m, "is"));
    bool goes_on = is != NULL && strcmp(is, "failed") != 0 && strcmp(is, "ended") != 0;
    if (goes_on && strcmp(is, "frame") == 0)
        goes_on = add_picture(l, json_string_value(json_object_get(m, "jpeg")));
    else if (!goes_on && is != NULL && strcmp(is, "failed") == 0)
        log_line("error", json_string_value(json_object_get(m, "message")), json_pack("{ss}", "live", l->id));
    json_decref(m);
    return goes_on;
}

/* Does anybody want it still? */
static bool is_wanted(Live *l, double now)
{
    ApiKey key;
    bool found = true;
    if (now - l->watched > LIVE_IDLE_SECONDS || now - l->began > LIVE_SECONDS)
        return false;
    if (now - l->looked < 0.5)
        return true;
    l->looked = now;
    if (!store_key_get(l->all->server->store, l->key, &key, &found, NULL))
        return true; /* the database is away for a moment */
    bool wanted = found && key.revoked == 0;
    api_key_deinit(&key);
    return wanted;
}

static void *live_loop(void *user)
{
    Live *l = user;
    bool goes_on = true;
    while (goes_on) {
        pthread_mutex_lock(&l->lock);
        double now = clock_seconds();
        bool full = l->count == QUEUE;
        if (l->reader != NULL)
            l->watched = now;
        goes_on = !l->stop;
        if (l->sleeping != NULL && l->count > 0 && now >= l->due) {
            struct MHD_Connection *c = l->sleeping;
            l->sleeping = NULL;
            MHD_resume_connection(c);
        }
        pthread_mutex_unlock(&l->lock);
        goes_on = goes_on && is_wanted(l, now);
        if (goes_on && full)
            usleep(LOOK_MS * 1000); /* the engine waits meanwhile, so that new words are heard soon */
        else if (goes_on)
            goes_on = hear(l);
    }
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    if (l->sleeping != NULL)
        MHD_resume_connection(l->sleeping);
    l->sleeping = NULL;
    engine_child_end(l->child);
    l->child = NULL;
    pthread_mutex_unlock(&l->lock);
    let_go(l);
    return NULL;
}

/* --- whoever watches --- */

ssize_t live_read(void *user, uint64_t at, char *buffer, size_t size)
{
    Live *l = user;
    ssize_t n = 0;
    pthread_mutex_lock(&l->lock);
    double now = clock_seconds();
    if (l->sending.data == NULL && l->count > 0 && now >= l->due && !l->stop) {
        l->sending = l->queue[0];
        l->sent = 0;
        memmove(l->queue, l->queue + 1, (size_t)--l->count * sizeof *l->queue);
        l->due += 1 / l->fps;
        if (l->due < now - 0.5) /* it was made too slowly; it need not catch up */
            l->due = now;
    }
    if (l->sending.data != NULL) {
        size_t left = l->sending.size - l->sent;
        n = (ssize_t)(left < size ? left : size);
        memcpy(buffer, l->sending.data + l->sent, (size_t)n);
        l->sent += (size_t)n;
        if (l->sent == l->sending.size) {
            free(l->sending.data);
            l->sending = (Picture){0};
        }
    } else if (l->ended) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        l->sleeping = l->reader;
        MHD_suspend_connection(l->reader);
    }
    pthread_mutex_unlock(&l->lock);
    return n;
}

void live_leave(void *user)
{
    Live *l = user;
    pthread_mutex_lock(&l->lock);
    l->reader = l->sleeping = NULL;
    free(l->sending.data);
    l->sending = (Picture){0};
    pthread_mutex_unlock(&l->lock);
    let_go(l);
}

void live_watch(Call *call)
{
    Live *l = find(call);
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    bool taken = l->reader != NULL;
    if (!taken)
        l->reader = call->connection;
    pthread_mutex_unlock(&l->lock);
    if (taken) {
        call_error(call, 400, "already_watched", NULL, "somebody watches this live video; each has one");
        let_go(l);
        return;
    }
    call->answer.live = l;
    call->answer.status = 200;
    call->answer.type = "multipart/x-mixed-replace; boundary=" BOUNDARY;
    call_add_header(call, "x-accel-buffering", "no"); /* a web server before this one is to pass frames on at once */
}

/* --- begin, change, end --- */

static json_t *live_json(const Live *l)
{
    return json_pack("{ss ss sI sf}", "id", l->id, "object", "live", "created_at", (json_int_t)(store_now() / 1000), "fps", l->fps);
}

/* A place for it; false: there is none. */
static bool take_place(Lives *all, Live *l)
{
    bool taken = false;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; !taken && !all->stop && i < all->most; i++)
        if (all->list[i] == NULL) {
            all->list[i] = l;
            taken = true;
        }
    pthread_mutex_unlock(&all->lock);
    return taken;
}

static bool start(Live *l, Call *call, Operation *o, int model, SoraError *err)
{
    const Server *s = call->server;
    pthread_t thread;
    const EnginePlan plan = {s->options, s->options->models[model].path, policy_picture_rules(s->policy)->generated};
    l->child = engine_child_start(&plan, OPEN_SECONDS, err);
    json_t *operation = l->child != NULL ? operation_json(o) : NULL;
    json_t *message = json_pack("{ss so}", "do", "live", "operation", operation);
    bool ok = l->child != NULL && (message != NULL || error_no_memory(err)) && engine_child_send(l->child, message, err);
    json_decref(message);
    l->began = l->watched = clock_seconds();
    if (!ok)
        return false;
    l->users++; /* the thread's */
    ok = pthread_create(&thread, NULL, live_loop, l) == 0 || error_set(err, SORA_ERROR_IO, "no thread for a live video");
    if (ok)
        pthread_detach(thread);
    else
        l->users--;
    return ok;
}

void live_create(Call *call)
{
    SoraError err = {0};
    Operation o = {.kind = OPERATION_GENERATE};
    int model;
    const Plan *plan = access_plan(call);
    if (!videos_read_live(call, &o, &model))
        return;
    if (plan->videos_a_day > 0 || plan->credits_a_day > 0 || plan->watermark) {
        call_error(call, 403, "plan_limit", NULL, "the plan %s counts or marks videos, which a live one has no end for", plan->name);
        return;
    }
    Live *l = calloc(1, sizeof *l);
    if (l == NULL || !store_make_id(l->id, "live", &err)) {
        free(l);
        call_fail(call, &err);
        return;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->all = call->server->lives;
    l->users = 1;
    l->fps = call->server->facts[model].fps;
    snprintf(l->key, sizeof l->key, "%s", call->key.id);
    if (!take_place(l->all, l)) {
        call_add_header(call, "retry-after", "10");
        call_error(call, 429, "too_many_live_videos", NULL, "this server makes %d live videos at the same time (--live)", l->all->most);
    } else if (start(l, call, &o, model, &err)) {
        call_json(call, 200, live_json(l));
    } else {
        call_fail(call, &err);
    }
    let_go(l);
}

void live_change(Call *call)
{
    SoraError err = {0};
    const char *prompt;
    if (!videos_read_words(call, &prompt))
        return;
    Live *l = find(call);
    if (l == NULL)
        return;
    json_t *message = json_pack("{ss ss}", "do", "words", "prompt", prompt);
    pthread_mutex_lock(&l->lock);
    bool ok = message != NULL && l->child != NULL && engine_child_send(l->child, message, &err);
    pthread_mutex_unlock(&l->lock);
    if (ok)
        call_json(call, 200, live_json(l));
    else
        call_error(call, 404, "not_found", NULL, "this live video has ended");
    json_decref(message);
    let_go(l);
}

static void tell_to_stop(Live *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
}

void live_end(Call *call)
{
    Live *l = find(call);
    if (l == NULL)
        return;
    tell_to_stop(l);
    call_json(call, 200, json_pack("{ss ss sb}", "id", l->id, "object", "live.deleted", "deleted", 1));
    let_go(l);
}

/* --- all of them --- */

Lives *lives_new(Server *server)
{
    Lives *all = calloc(1, sizeof *all);
    if (all == NULL || (all->list = calloc((size_t)server->options->live + 1, sizeof *all->list)) == NULL) {
        free(all);
        return NULL;
    }
    all->server = server;
    all->most = server->options->live;
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

/* Those that have only a reader left are freed by the HTTP side. */
static bool any_runs(Lives *all)
{
    bool any = false;
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    for (int i = 0; i < all->most; i++) {
        Live *l = all->list[i];
        if (l == NULL)
            continue;
        tell_to_stop(l);
        pthread_mutex_lock(&l->lock);
        any = any || !l->ended;
        pthread_mutex_unlock(&l->lock);
    }
    pthread_mutex_unlock(&all->lock);
    return any;
}

void lives_stop(Lives *all)
{
    while (all != NULL && any_runs(all))
        usleep(LOOK_MS * 1000);
}

void lives_free(Lives *all)
{
    if (all == NULL)
        return;
    pthread_mutex_destroy(&all->lock);
    free(all->list);
    free(all);
}
