#include "serve/waiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/access.h"
#include "serve/http.h"
#include "serve/videos.h"

enum { MOST = 256, LOOK_MS = 25, LONGEST_SECONDS = 570 }; /* less than a client's 600 s */

struct Waiter {
    Server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    Call *calls[MOST];
    int count;
    bool stop;
};

/* Answers it if it can be answered. The connection may be another request's as soon as it is resumed. */
static bool look(Waiter *w, Call *call)
{
    SoraError err = {0};
    Job job;
    bool found;
    if (!store_job_get(w->server->store, call->job, NULL, &job, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_error(call, 500, "server_error", NULL, "the job was deleted");
    else if (job.state == JOB_COMPLETED || job.state == JOB_FAILED)
        images_answer(call, &job);
    else if (w->stop || clock_seconds() - call->began > LONGEST_SECONDS)
        call_error(call, 503, "not_finished", NULL, "the picture is not finished");
    job_deinit(&job);
    return call->answer.status != 0;
}

static void *loop(void *user)
{
    Waiter *w = user;
    bool stop = false;
    while (!stop) {
        pthread_mutex_lock(&w->lock);
        stop = w->stop;
        for (int i = 0; i < w->count; i++) {
            Call *call = w->calls[i];
            if (look(w, call)) {
                w->calls[i--] = w->calls[--w->count];
                http_resume(call->connection);
            }
        }
        pthread_mutex_unlock(&w->lock);
        if (!stop)
            usleep(LOOK_MS * 1000);
    }
    return NULL;
}

void waiter_add(Waiter *w, Call *call)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->count < MOST && !w->stop;
    if (room)
        w->calls[w->count++] = call;
    else
        call_error(call, 503, "overloaded", NULL, "too many requests wait for pictures");
    pthread_mutex_unlock(&w->lock);
    if (!room)
        http_resume(call->connection);
}

Waiter *waiter_start(Server *server, SoraError *err)
{
    Waiter *w = calloc(1, sizeof *w);
    if (w == NULL) {
        error_no_memory(err);
        return NULL;
    }
    w->server = server;
    pthread_mutex_init(&w->lock, NULL);
    if (pthread_create(&w->thread, NULL, loop, w) == 0)
        return w;
    pthread_mutex_destroy(&w->lock);
    free(w);
    error_set(err, SORA_ERROR_IO, "no thread for those who wait");
    return NULL;
}

void waiter_stop(Waiter *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void waiter_free(Waiter *w)
{
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w);
}
