#include "serve/serve.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sora.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/scratch.h"
#include "screen/faces.h"
#include "screen/screen.h"
#include "serve/hooks_api.h"
#include "serve/http.h"
#include "serve/key_cache.h"
#include "serve/live.h"
#include "serve/log.h"
#include "serve/offload.h"
#include "serve/waiter.h"
#include "serve/worker.h"

enum { SWEEP_SECONDS = 5, HOOKS_MS = 500 };

int server_model(const Server *s, const char *name)
{
    const ServeOptions *o = s->options;
    if (name == NULL)
        return 0;
    for (int i = 0; i < o->model_count; i++)
        if (strcmp(o->models[i].name, name) == 0)
            return i;
    /* A dated one, as OpenAI has them: sora-2-2025-10-06 is sora-2. */
    for (int i = 0; i < o->model_count; i++) {
        size_t n = strlen(o->models[i].name);
        if (strncmp(name, o->models[i].name, n) == 0 && name[n] == '-' && strspn(name + n, "-0123456789") == strlen(name + n) &&
            strlen(name + n) == 11)
            return i;
    }
    return -1;
}

/* --- beginning --- */

typedef struct Running {
    Server server;
    Scratch scratch;
    int lock;
    Worker *worker;
    Http *http;
    pthread_t hooks;
    bool hooks_started;
} Running;

static bool is_loopback(const char *host)
{
    return host == NULL || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* One server works on a folder at a time; whoever wants more of them takes PostgreSQL. */
static bool lock_data(Running *r, const char *data, SoraError *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock", data);
    r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (r->lock < 0)
        return error_system(err, path, "cannot open");
    if (flock(r->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    return error_set(err, SORA_ERROR_INPUT,
                     "%s: another sora serve uses this folder; several share one with --store postgres://...", data);
}

static bool open_store(Running *r, SoraError *err)
{
    const ServeOptions *o = r->server.options;
    char database[4096], files[4096], beside[4096];
    snprintf(database, sizeof database, "%s/store.sqlite", o->data);
    snprintf(files, sizeof files, "%s/files", o->data);
    snprintf(beside, sizeof beside, "%s/work", o->data);
    if (!dir_make_mode(o->data, 0700, err) || (o->store == NULL && !lock_data(r, o->data, err)) ||
        !scratch_make(&r->scratch, beside, err))
        return false;
    r->server.uploads = r->scratch.path;
    r->server.store = store_open(&(StorePlan){.database = o->store != NULL ? o->store : database,
                                              .files = o->files != NULL ? o->files : files,
                                              .connections = 8 + o->jobs},
                                 err);
    return r->server.store != NULL && (o->store != NULL || store_release_all(r->server.store, err));
}

/* Without keys whoever reaches the server may do everything, so only this machine may reach it. */
static bool check_exposure(Server *s, SoraError *err)
{
    bool any = false;
    s->loopback = is_loopback(s->options->host);
    if (s->loopback || s->options->no_http)
        return true;
    return store_key_any(s->store, &any, err) &&
           (any ||
            error_set(err, SORA_ERROR_INPUT,
                      "--host %.60s: without keys the server listens on this machine alone; make one first: sora keys create",
                      s->options->host));
}

/* Without the judge of pictures nothing is served. Without facedetect uploads are refused, which is said once. */
static bool check_screen(const Server *s, SoraError *err)
{
    Screen *screen = screen_open(policy_picture_rules(s->policy), 1, err);
    if (screen != NULL && !policy_picture_rules(s->policy)->faces && !faces_can_be_found() && !s->options->no_http)
        log_line("warning",
                 "uploads are refused: uploads with people cannot be checked: the program facedetect is not installed; install it, or "
                 "allow faces with \"set faces allow\" in --policy FILE",
                 NULL);
    screen_close(screen);
    return screen != NULL;
}

static bool open_all(Running *r, SoraError *err)
{
    Server *s = &r->server;
    const ServeOptions *o = s->options;
    s->metrics.began = clock_seconds();
    s->metrics.model_count = o->model_count;
    for (int i = 0; i < o->model_count; i++)
        s->metrics.models[i].name = o->models[i].name;
    s->limiter = limiter_new();
    s->keys = key_cache_new();
    s->statuses = status_cache_new(o->store != NULL ? STATUS_SECONDS : STATUS_SECONDS_ALONE);
    s->plans = s->limiter != NULL && s->keys != NULL && s->statuses != NULL ? plans_open(o->plans, err) : NULL;
    s->policy = s->plans != NULL ? policy_open(o->policy, err) : NULL;
    return s->policy != NULL && check_screen(s, err) && open_store(r, err) && check_exposure(s, err) && sora_credentials_init(o->credentials, err) &&
           (r->worker = worker_start(s, err)) != NULL;
}

static void *hooks_loop(void *user)
{
    Server *s = user;
    while (!s->stopping) {
        hooks_deliver(s);
        usleep(HOOKS_MS * 1000);
    }
    return NULL;
}

static bool listen_all(Running *r, SoraError *err)
{
    Server *s = &r->server;
    int port = s->options->port;
    bool any = true;
    if (s->options->no_http) {
        log_line("info", "taking jobs", json_pack("{si}", "jobs", s->options->jobs));
        return true;
    }
    s->waiter = waiter_start(s, err);
    s->lives = s->waiter != NULL ? lives_new(s) : NULL;
    s->offload = s->lives != NULL ? offload_start(err) : NULL;
    r->hooks_started = s->offload != NULL && pthread_create(&r->hooks, NULL, hooks_loop, s) == 0;
    r->http = r->hooks_started ? http_start(s, &port, err) : NULL;
    if (r->http == NULL || !store_key_any(s->store, &any, err))
        return false;
    printf("sora serve: http://%s:%d%s\n", s->options->host != NULL ? s->options->host : "127.0.0.1", port,
           any ? "" : "  (without keys: for this machine alone; sora keys create makes one)");
    fflush(stdout);
    return true;
}

/* --- running --- */

static void keep_house(Running *r, double *swept)
{
    SoraError err = {0};
    double now = clock_seconds();
    if (r->http != NULL)
        http_sweep(r->http);
    if (now - *swept < SWEEP_SECONDS)
        return;
    *swept = now;
    if (!store_sweep(r->server.store, &err))
        log_line("warning", err.message, NULL);
}

static void wait_for_end(Running *r, const sigset_t *ends)
{
    double swept = 0;
    const struct timespec second = {1, 0};
    while (sigtimedwait(ends, NULL, &second) < 0)
        keep_house(r, &swept);
    log_line("info", "stopping", NULL);
}

static void stop(Running *r)
{
    Server *s = &r->server;
    s->stopping = true;
    worker_stop(r->worker, s->options->grace); /* meanwhile requests are answered, and /readyz says no */
    waiter_stop(s->waiter);
    offload_stop(s->offload);
    lives_stop(s->lives);
    http_stop(r->http);
    lives_free(s->lives);
    waiter_free(s->waiter);
    offload_free(s->offload);
    if (r->hooks_started)
        pthread_join(r->hooks, NULL);
    store_close(s->store);
    policy_close(s->policy);
    plans_close(s->plans);
    limiter_free(s->limiter);
    key_cache_free(s->keys);
    status_cache_free(s->statuses);
    for (int i = 0; i < SERVE_MOST_MODELS; i++)
        free(s->facts[i].words);
    scratch_remove(&r->scratch);
    if (r->lock >= 0)
        close(r->lock);
}

bool serve_run(const ServeOptions *options, SoraError *err)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &ends, &before); /* in all threads; the first one waits for them */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    log_begin(options->log);
    Running *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_no_memory(err);
    r->lock = -1;
    r->server.options = options;
    bool ok = open_all(r, err) && listen_all(r, err);
    if (ok)
        wait_for_end(r, &ends);
    stop(r);
    free(r);
    curl_global_cleanup();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}
