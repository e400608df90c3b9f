#include "serve/worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scratch.h"
#include "serve/log.h"
#include "serve/operation.h"
#include "store/files.h"
#include "store/jobs.h"

enum {
    OPEN_SECONDS = 1800, /* for a large model on a slow disk */
    TICK_MS = 100,       /* how long a cancellation may take to be seen, besides the step itself */
    STORE_MS = 250,      /* between two words to the store while progress is made */
    ALIVE_MS = 5000,     /* and when none is */
    AWAY_SECONDS = 600,  /* that a store may be away while a job waits for it */
    STOP_SECONDS = 5,    /* for the engine to stop by itself; then it is ended */
    STORE_TRIES = 8,
};

typedef struct Slot {
    Worker *worker;
    pthread_t thread;
    bool started;
    char name[96];
    EngineChild *child;
    int model; /* of the child */
} Slot;

struct Worker {
    Server *server;
    Slot *slots;
    int count;
    atomic_bool hand_back; /* what runs */
};

/* A job at hand. */
typedef struct Run {
    Slot *slot;
    const Job *job;
    int model; /* as it was asked for */
    JobLease lease;
    Scratch scratch;
    json_t *operation;
    int percent, told;   /* told to the store */
    double began, heard; /* heard: the store, by clock_seconds() */
    double stepped;
    int step;
    double stop_by; /* 0: it is not to stop */
    double away;    /* since when the store has been; 0: it is there */
    bool stopping, lost;
    json_t *made;
    char code[64], message[256]; /* of a failure; code "" for none */
    bool crashed;
} Run;

static void fail_run(Run *r, const char *code, const char *message)
{
    snprintf(r->code, sizeof r->code, "%s", code);
    snprintf(r->message, sizeof r->message, "%s", message);
}

/* --- the engine's process --- */

static void drop_child(Slot *s)
{
    if (s->child == NULL)
        return;
    engine_child_end(s->child);
    s->child = NULL;
    s->worker->server->metrics.models[s->model].loaded--;
}

static bool get_child(Slot *s, int model, SoraError *err)
{
    Server *server = s->worker->server;
    const char *path = server->options->models[model].path;
    if (s->child != NULL && strcmp(engine_child_model(s->child), path) == 0)
        return true;
    drop_child(s);
    s->child = engine_child_start(&(EnginePlan){server->options, path, policy_picture_rules(server->policy)->generated}, OPEN_SECONDS, err);
    s->model = model;
    if (s->child != NULL)
        server->metrics.models[model].loaded++;
    return s->child != NULL;
}

/* --- talking to the store --- */

static void heed(Run *r, JobHold hold)
{
    r->heard = clock_seconds();
    if (hold == JOB_LOST)
        r->lost = true;
    if (hold != JOB_HELD && r->stop_by == 0)
        r->stop_by = clock_seconds() + STOP_SECONDS;
}

/* Progress goes to the store when there is some, and now and then so that the lease holds. */
static void tell_store(Run *r, const char *preview)
{
    double now = clock_seconds();
    SoraError err = {0};
    JobHold hold;
    bool due = r->percent != r->told ? now - r->heard > STORE_MS / 1000.0 : now - r->heard > ALIVE_MS / 1000.0;
    if (!due && preview == NULL)
        return;
    if (store_job_progress(r->slot->worker->server->store, &r->lease, r->percent, preview, &hold, &err)) {
        r->told = r->percent;
        heed(r, hold);
    } else {
        log_line("warning", err.message, json_pack("{ss}", "job", r->lease.id));
        r->heard = now; /* not at once again */
    }
}

static void look_at_store(Run *r)
{
    SoraError err = {0};
    JobHold hold;
    if (store_job_look(r->slot->worker->server->store, &r->lease, &hold, &err) && hold != JOB_HELD) {
        r->heard = clock_seconds();
        heed(r, hold);
    }
}

/* --- waiting for the store --- */

/* A store that is away (a full disk, a network, a database) is waited for as long as somebody wants the job: what was made is not
 * thrown away for it. Once more? */
static bool wait_for_store(Run *r, const char *what, const SoraError *err)
{
    double now = clock_seconds();
    if (err->code != SORA_ERROR_IO)
        return false;
    if (r->away == 0) {
        r->away = now;
        log_line("warning", err->message, json_pack("{ss ss}", "job", r->lease.id, "waits", what));
    }
    double waited = now - r->away;
    if (waited > AWAY_SECONDS || r->lost || r->stop_by > 0 || r->slot->worker->hand_back)
        return false;
    usleep(waited < 5 ? 250000 : 2000000);
    tell_store(r, NULL); /* the lease holds meanwhile, and a cancellation is heard */
    if (r->slot->worker->hand_back)
        r->stop_by = now;
    return true;
}

/* --- inputs --- */

/* The files that the operation names in the store get paths in the job's folder. */
static bool fetch_inputs(Run *r, SoraError *err)
{
    json_t *input;
    size_t i;
    json_array_foreach (json_object_get(r->operation, "inputs"), i, input) {
        const char *name = json_string_value(json_object_get(input, "file")), *dot = name != NULL ? strrchr(name, '.') : NULL;
        char path[4096];
        snprintf(path, sizeof path, "%s/input-%zu%s", r->scratch.path, i, dot != NULL ? dot : "");
        if (name == NULL)
            return error_set(err, SORA_ERROR_INPUT, "operation: an input has no file");
        r->away = 0;
        while (!store_file_fetch(r->slot->worker->server->store, name, path, err))
            if (!wait_for_store(r, "for an input", err))
                return false;
        json_object_set_new(input, "file", json_string(path));
    }
    return true;
}

static bool make_folder(Run *r, SoraError *err)
{
    char beside[4096];
    snprintf(beside, sizeof beside, "%s/job", r->slot->worker->server->uploads);
    while (!scratch_make(&r->scratch, beside, err))
        if (!wait_for_store(r, "for room on the disk", err))
            return false;
    return true;
}

/* --- messages of the engine --- */

static void on_progress(Run *r, const json_t *m)
{
    const char *phase = json_string_value(json_object_get(m, "phase"));
    json_int_t done = json_integer_value(json_object_get(m, "done")), total = json_integer_value(json_object_get(m, "total"));
    double part = total > 0 && done >= 0 && done <= total ? (double)done / (double)total : 0, now = clock_seconds();
    if (phase != NULL && strcmp(phase, "denoise") == 0) {
        if (r->step > 0 && done == r->step + 1)
            histogram_add(&r->slot->worker->server->metrics.models[r->model].step_seconds, now - r->stepped);
        r->step = (int)done;
        r->stepped = now;
    }
    double percent = phase == NULL                   ? 0
                     : strcmp(phase, "frames") == 0  ? 99 * part
                     : strcmp(phase, "denoise") == 0 ? 2 + 78 * part
                     : strcmp(phase, "decode") == 0  ? 80 + 19 * part
                                                     : 1;
    if ((int)percent > r->percent)
        r->percent = (int)percent;
}

/* Is it the plain name of a file in the job's folder? */
static bool path_of(const Run *r, const json_t *m, const char *member, char *path, size_t size)
{
    const char *name = json_string_value(json_object_get(m, member));
    struct stat s;
    if (name == NULL || *name == '.' || strchr(name, '/') != NULL || strlen(name) > 64)
        return false;
    snprintf(path, size, "%s/%s", r->scratch.path, name);
    return lstat(path, &s) == 0 && S_ISREG(s.st_mode);
}

static void on_preview(Run *r, const json_t *m)
{
    char path[4096], name[STORE_ID_SIZE];
    SoraError err = {0};
    if (path_of(r, m, "file", path, sizeof path) &&
        store_file_add(r->slot->worker->server->store, path, "preview", ".jpg", name, &err))
        tell_store(r, name);
}

/* What an engine's error is called by those who asked. */
static const char *code_name(SoraErrorCode code)
{
    return code == SORA_ERROR_INPUT         ? "invalid_request"
           : code == SORA_ERROR_MEMORY      ? "out_of_memory"
           : code == SORA_ERROR_UNSUPPORTED ? "unsupported"
           : code == SORA_ERROR_CANCELLED   ? "cancelled"
           : code == SORA_ERROR_IO          ? "storage_error"
                                            : "server_error";
}

/* Paths of ours are nobody's business. */
static void strip_folder(const Run *r, const char *from, char *to, size_t size)
{
    const char *at = strstr(from, r->scratch.path);
    size_t n = strlen(r->scratch.path);
    if (at != NULL)
        snprintf(to, size, "%.*s%s", (int)(at - from), from, at + n + (at[n] == '/'));
    else
        snprintf(to, size, "%s", from);
}

static void strip_notes(const Run *r)
{
    json_t *note;
    size_t i;
    json_array_foreach (json_object_get(r->made, "notes"), i, note) {
        char text[512];
        const char *from = json_string_value(json_object_get(note, "text"));
        strip_folder(r, from != NULL ? from : "", text, sizeof text);
        json_object_set_new(note, "text", json_string(text));
    }
    json_object_del(r->made, "parameters"); /* they name files of ours, and the request has all else */
}

/* True: the job is over. */
static bool on_message(Run *r, json_t *m)
{
    const char *is = json_string_value(json_object_get(m, "is"));
    if (is == NULL)
        return false;
    if (strcmp(is, "progress") == 0) {
        on_progress(r, m);
    } else if (strcmp(is, "preview") == 0) {
        on_preview(r, m);
    } else if (strcmp(is, "failed") == 0) {
        char text[256];
        const char *message = json_string_value(json_object_get(m, "message"));
        strip_folder(r, message != NULL ? message : "", text, sizeof text);
        bool refused = json_is_string(json_object_get(m, "refused"));
        fail_run(r, refused ? "moderation_blocked" : code_name((SoraErrorCode)json_integer_value(json_object_get(m, "code"))), text);
        return true;
    } else if (strcmp(is, "made") == 0) {
        r->made = json_incref(m);
        strip_notes(r);
        return true;
    }
    return false;
}

/* Until the engine is done with it, one way or another. */
static void attend(Run *r)
{
    Slot *s = r->slot;
    Server *server = s->worker->server;
    for (;;) {
        json_t *m = NULL;
        EngineHeard heard = engine_child_hear(s->child, TICK_MS, &m);
        bool over = heard == HEARD_MESSAGE && on_message(r, m);
        if (heard == HEARD_MESSAGE)
            json_decref(m);
        if (over)
            return;
        double now = clock_seconds();
        if (heard == HEARD_END) {
            char how[128];
            engine_child_explain(s->child, how, sizeof how);
            log_line("error", "an engine's process ended", json_pack("{ss ss}", "job", r->lease.id, "how", how));
            server->metrics.child_crashes++;
            r->crashed = true;
            drop_child(s);
            return;
        }
        tell_store(r, NULL);
        if (heard == HEARD_NOTHING)
            look_at_store(r);
        if (s->worker->hand_back && r->stop_by == 0)
            r->stop_by = now + STOP_SECONDS;
        if (server->options->job_seconds > 0 && now - r->began > server->options->job_seconds) {
            fail_run(r, "timeout", "it took longer than this server allows");
            drop_child(s);
            return;
        }
        if (r->stop_by > 0 && !r->stopping) {
            json_t *stop = json_pack("{ss}", "do", "stop");
            engine_child_send(s->child, stop, NULL);
            json_decref(stop);
            r->stopping = true;
        }
        if (r->stop_by > 0 && now > r->stop_by) {
            drop_child(s); /* in the middle of a long step */
            fail_run(r, "cancelled", "the job was cancelled");
            return;
        }
    }
}

/* --- ends --- */

typedef struct Stored {
    char video[STORE_ID_SIZE], thumbnail[STORE_ID_SIZE], spritesheet[STORE_ID_SIZE];
} Stored;

static bool store_one(Run *r, const char *member, const char *kind, char name[STORE_ID_SIZE], SoraError *err)
{
    char path[4096];
    *name = 0;
    if (json_is_null(json_object_get(r->made, member)))
        return true;
    if (!path_of(r, r->made, member, path, sizeof path))
        return error_set(err, SORA_ERROR_INTERNAL, "the engine made no %s", member);
    /* Each try has a name of its own; what an earlier one may have stored goes, for nobody names it. */
    r->away = 0;
    while (!store_file_add(r->slot->worker->server->store, path, kind, strrchr(path, '.'), name, err))
        if (access(path, R_OK) != 0 || !wait_for_store(r, "to store what was made", err))
            return false;
    return true;
}

static const char *or_null(const char *s)
{
    return *s != 0 ? s : NULL;
}

static bool complete(Run *r, SoraError *err)
{
    Server *server = r->slot->worker->server;
    Stored f = {0};
    JobHold hold;
    bool ok = store_one(r, "video", "video", f.video, err) && store_one(r, "thumbnail", "thumb", f.thumbnail, err) &&
              store_one(r, "spritesheet", "sheet", f.spritesheet, err);
    json_object_del(r->made, "video");
    json_object_del(r->made, "thumbnail");
    json_object_del(r->made, "spritesheet");
    json_object_del(r->made, "is");
    char *text = ok ? json_dumps(r->made, JSON_COMPACT) : NULL;
    ok = ok && (text != NULL || error_no_memory(err));
    int64_t expires = server->options->keep_hours > 0 ? store_now() + (int64_t)server->options->keep_hours * 3600000 : 0;
    JobResult result = {or_null(f.video), or_null(f.thumbnail), or_null(f.spritesheet), text, expires};
    r->away = 0;
    while (ok && !store_job_complete(server->store, &r->lease, &result, &hold, err))
        ok = wait_for_store(r, "to say that it is finished", err);
    if (ok)
        r->lost = hold == JOB_LOST;
    free(text);
    return ok;
}

static void count(Run *r, Finished how)
{
    Metrics *m = &r->slot->worker->server->metrics;
    m->models[r->model].finished[how]++;
    histogram_add(&m->models[r->model].generation_seconds, clock_seconds() - r->began);
    if (how == FINISHED_COMPLETED)
        m->models[r->model].frames += (uint64_t)json_integer_value(json_object_get(r->made, "frames"));
}

/* Said again until the store has heard it; meanwhile the lease may run out, and somebody else has the job. */
static void end_badly(Run *r, bool release)
{
    Store *store = r->slot->worker->server->store;
    SoraError err = {0};
    JobHold hold;
    for (int i = 0; i < STORE_TRIES; i++) {
        if (release ? store_job_release(store, &r->lease, r->crashed, &hold, &err)
                    : store_job_fail(store, &r->lease, r->code, r->message, &hold, &err))
            return;
        usleep(500000);
    }
    log_line("error", err.message, json_pack("{ss}", "job", r->lease.id));
}

static void conclude(Run *r)
{
    SoraError err = {0};
    if (r->made != NULL && complete(r, &err)) {
        count(r, r->lost ? FINISHED_CANCELLED : FINISHED_COMPLETED);
        return;
    }
    if (r->made != NULL) {
        log_line("error", err.message, json_pack("{ss}", "job", r->lease.id));
        fail_run(r, "storage_error", "the result could not be stored");
    }
    bool cancelled = r->stop_by > 0, handed_back = r->slot->worker->hand_back && cancelled;
    count(r, handed_back ? FINISHED_HANDED_BACK : cancelled ? FINISHED_CANCELLED : FINISHED_FAILED);
    if (r->crashed || handed_back) {
        end_badly(r, true);
        return;
    }
    if (cancelled)
        fail_run(r, "cancelled", "the job was cancelled");
    end_badly(r, false);
}

static void make(Run *r)
{
    Slot *s = r->slot;
    SoraError err = {0};
    int model = server_model(s->worker->server, r->job->model);
    r->model = model >= 0 ? model : 0;
    r->operation = json_loads(r->job->request, 0, NULL);
    if (model < 0 || r->operation == NULL) {
        fail_run(r, "model_not_found", "no worker has this model");
        return;
    }
    json_object_set_new(r->operation, "model", json_string(s->worker->server->options->models[model].path));
    if (!make_folder(r, &err) || !fetch_inputs(r, &err)) {
        log_line("error", err.message, json_pack("{ss}", "job", r->lease.id));
        fail_run(r, "storage_error", "the server could not prepare the job");
        return;
    }
    json_t *message = json_pack("{ss ss sO}", "do", "make", "folder", r->scratch.path, "operation", r->operation);
    if (!get_child(s, model, &err) || message == NULL || !engine_child_send(s->child, message, &err)) {
        log_line("error", err.message, json_pack("{ss}", "job", r->lease.id));
        drop_child(s);
        r->crashed = true;
    } else {
        attend(r);
    }
    json_decref(message);
}

static void run_job(Slot *s, const Job *job)
{
    Server *server = s->worker->server;
    Run r = {.slot = s, .job = job, .began = clock_seconds(), .lease = {.fence = job->fence}};
    memcpy(r.lease.id, job->id, sizeof r.lease.id);
    r.heard = r.began;
    histogram_add(&server->metrics.queue_seconds, (double)(job->started - job->created) / 1000);
    make(&r);
    conclude(&r);
    log_line("info", "job",
             json_pack("{ss ss sf ss ss}", "job", job->id, "model", job->model, "seconds", clock_seconds() - r.began, "end",
                       r.crashed      ? "crashed"
                       : *r.code != 0 ? r.code
                                      : "completed",
                       "reason", r.message));
    scratch_remove(&r.scratch);
    json_decref(r.operation);
    json_decref(r.made);
}

static void *slot_loop(void *user)
{
    Slot *s = user;
    Server *server = s->worker->server;
    while (!server->stopping) {
        SoraError err = {0};
        Job job;
        bool found = false;
        uint64_t seen = store_wakes(server->store);
        if (!store_job_claim(server->store, s->name, &job, &found, &err))
            log_line("warning", err.message, NULL);
        if (found)
            run_job(s, &job);
        else
            store_wait(server->store, seen, 500);
        job_deinit(&job);
    }
    drop_child(s);
    return NULL;
}

static bool open_models(Worker *w, SoraError *err)
{
    Server *server = w->server;
    for (int i = server->options->model_count - 1; i >= 0; i--) { /* the first one stays with the first slot */
        int same = i + 1;
        while (i > 0 && same < server->options->model_count &&
               strcmp(server->options->models[same].path, server->options->models[i].path) != 0)
            same++;
        if (i > 0 && same < server->options->model_count) { /* another name for one that was opened */
            server->facts[i] = server->facts[same];
            server->facts[i].words = server->facts[same].words != NULL ? strdup(server->facts[same].words) : NULL;
            continue;
        }
        EngineChild *child =
            engine_child_start(&(EnginePlan){server->options, server->options->models[i].path, policy_picture_rules(server->policy)->generated},
                               OPEN_SECONDS, err);
        if (child == NULL)
            return false;
        server->facts[i] = *engine_child_facts(child);
        if (server->facts[i].words != NULL)
            server->facts[i].words = strdup(server->facts[i].words);
        if (i == 0 && w->count > 0) {
            w->slots[0].child = child;
            server->metrics.models[0].loaded++;
        } else {
            engine_child_end(child);
        }
    }
    return true;
}

Worker *worker_start(Server *server, SoraError *err)
{
    char host[64] = "";
    Worker *w = calloc(1, sizeof *w);
    gethostname(host, sizeof host - 1);
    if (w != NULL)
        w->slots = calloc((size_t)server->options->jobs + 1, sizeof *w->slots);
    if (w == NULL || w->slots == NULL) {
        free(w);
        error_no_memory(err);
        return NULL;
    }
    w->server = server;
    w->count = server->options->jobs;
    bool ok = open_models(w, err);
    for (int i = 0; ok && i < w->count; i++) {
        Slot *s = &w->slots[i];
        s->worker = w;
        snprintf(s->name, sizeof s->name, "%s:%d:%d", host, (int)getpid(), i);
        s->started = pthread_create(&s->thread, NULL, slot_loop, s) == 0;
        ok = s->started || error_set(err, SORA_ERROR_IO, "no thread for a worker");
    }
    if (ok)
        return w;
    server->stopping = true;
    worker_stop(w, 0);
    return NULL;
}

void worker_stop(Worker *w, int grace)
{
    if (w == NULL)
        return;
    double until = clock_seconds() + grace;
    store_wake(w->server->store);
    for (int i = 0; i < w->count; i++) {
        Slot *s = &w->slots[i];
        struct timespec limit;
        clock_gettime(CLOCK_REALTIME, &limit);
        double left = until - clock_seconds();
        limit.tv_sec += left > 0 ? (time_t)left : 0;
        if (s->started && pthread_timedjoin_np(s->thread, NULL, &limit) == 0)
            s->started = false;
    }
    w->hand_back = true;
    for (int i = 0; i < w->count; i++) {
        if (w->slots[i].started)
            pthread_join(w->slots[i].thread, NULL);
        engine_child_end(w->slots[i].child);
    }
    free(w->slots);
    free(w);
}
