#include "serve/offload.h"

#include <pthread.h>
#include <stdlib.h>

#include "serve/http.h"

struct Offload {
    pthread_t threads[OFFLOAD_THREADS];
    int count;
    pthread_mutex_t lock;
    pthread_cond_t added;
    Call *first, *last;
    bool stop;
};

static Call *next(Offload *o)
{
    pthread_mutex_lock(&o->lock);
    while (o->first == NULL && !o->stop)
        pthread_cond_wait(&o->added, &o->lock);
    Call *call = o->first;
    if (call != NULL)
        o->first = call->next;
    if (o->first == NULL)
        o->last = NULL;
    pthread_mutex_unlock(&o->lock);
    return call;
}

static void *loop(void *user)
{
    for (Call *call; (call = next(user)) != NULL;) {
        call->run(call);
        if (call->answer.status == 0)
            call_error(call, 500, "server_error", NULL, "the server failed (request %s)", call->id);
        http_resume(call->connection);
    }
    return NULL;
}

void offload_add(Offload *o, Call *call)
{
    pthread_mutex_lock(&o->lock);
    bool stopped = o->stop;
    call->next = NULL;
    if (stopped)
        call_error(call, 503, "server_stopping", NULL, "the server is stopping; try again");
    else if (o->last != NULL)
        o->last->next = call;
    else
        o->first = call;
    o->last = stopped ? o->last : call;
    pthread_cond_signal(&o->added);
    pthread_mutex_unlock(&o->lock);
    if (stopped)
        http_resume(call->connection);
}

Offload *offload_start(SoraError *err)
{
    Offload *o = calloc(1, sizeof *o);
    if (o == NULL) {
        error_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->added, NULL);
    while (o->count < OFFLOAD_THREADS && pthread_create(&o->threads[o->count], NULL, loop, o) == 0)
        o->count++;
    if (o->count > 0)
        return o;
    offload_free(o);
    error_set(err, SORA_ERROR_IO, "no thread for requests");
    return NULL;
}

void offload_stop(Offload *o)
{
    if (o == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    o->stop = true;
    pthread_cond_broadcast(&o->added);
    pthread_mutex_unlock(&o->lock);
    for (int i = 0; i < o->count; i++)
        pthread_join(o->threads[i], NULL);
}

void offload_free(Offload *o)
{
    if (o == NULL)
        return;
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->added);
    free(o);
}
