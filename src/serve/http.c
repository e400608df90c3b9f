#include "serve/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/access.h"
#include "serve/body.h"
#include "serve/call.h"
#include "serve/live.h"
#include "serve/log.h"
#include "serve/offload.h"
#include "serve/routes.h"
#include "serve/videos.h"
#include "store/files.h"

enum {
    MOST_CONNECTIONS = 4096,
    HEADER_BYTES = 32 << 10,
    HEADER_SECONDS = 20, /* for a request's line and headers */
    IDLE_SECONDS = 65,   /* between two requests of a connection; a client that keeps one 60 s is never surprised */
    BODY_SECONDS = 600,
    ANSWER_SECONDS = 3600,   /* for whoever reads a video slowly */
    DISCARD_BYTES = 1 << 20, /* a body of this size is read although the answer is known, so that the client reads the answer */
};

/* A connection, known by its socket. */
typedef struct Peer {
    int fd;
    double deadline;
    struct Peer *next, *before;
} Peer;

struct Http {
    Server *server;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    Peer *peers;
};

/* A request that is being read or answered. */
typedef struct Exchange {
    Call call;
    const Route *route;
    Body *body;
    char *names; /* which Call.names point into */
    Peer *peer;
    bool known; /* the answer is there */
} Exchange;

static void set_deadline(Http *h, Peer *p, double seconds)
{
    pthread_mutex_lock(&h->lock);
    if (p != NULL)
        p->deadline = clock_seconds() + seconds;
    pthread_mutex_unlock(&h->lock);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
    Http *h = user;
    Peer *p = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        p = calloc(1, sizeof *p);
        if (p == NULL || info == NULL) {
            free(p);
            return;
        }
        p->fd = info->connect_fd;
        p->deadline = clock_seconds() + HEADER_SECONDS;
        pthread_mutex_lock(&h->lock);
        p->next = h->peers;
        if (p->next != NULL)
            p->next->before = p;
        h->peers = p;
        pthread_mutex_unlock(&h->lock);
        *context = p;
    } else if (p != NULL) {
        pthread_mutex_lock(&h->lock);
        if (p->next != NULL)
            p->next->before = p->before;
        if (p->before != NULL)
            p->before->next = p->next;
        else
            h->peers = p->next;
        pthread_mutex_unlock(&h->lock);
        free(p);
        *context = NULL;
    }
}

/* While the lock is held no connection of the list is closed, so the socket is still the connection's. */
void http_sweep(Http *h)
{
    double now = clock_seconds();
    pthread_mutex_lock(&h->lock);
    for (Peer *p = h->peers; p != NULL; p = p->next)
        if (now > p->deadline)
            shutdown(p->fd, SHUT_RDWR);
    pthread_mutex_unlock(&h->lock);
}

/* --- answers --- */

/* Of an answer that is headers alone; never called. */
static ssize_t no_bytes(void *user, uint64_t at, char *buffer, size_t size)
{
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *response_of(Answer *a)
{
    if (a->live != NULL) {
        struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64 << 10, live_read, a->live, live_leave);
        a->live = r != NULL ? NULL : a->live;
        return r;
    }
    if (a->bare)
        return MHD_create_response_from_callback((uint64_t)(a->last - a->first + 1), 1024, no_bytes, NULL, NULL);
    if (a->fd >= 0) {
        struct MHD_Response *r =
            MHD_create_response_from_fd_at_offset64((uint64_t)(a->last - a->first + 1), a->fd, (uint64_t)a->offset);
        a->fd = r != NULL ? -1 : a->fd;
        return r;
    }
    if (a->fixed != NULL)
        return MHD_create_response_from_buffer(a->fixed_size, (void *)a->fixed, MHD_RESPMEM_PERSISTENT);
    char *text = a->text != NULL ? a->text : a->json != NULL ? json_dumps(a->json, JSON_COMPACT) : strdup("");
    size_t size = text != NULL ? (a->text != NULL ? a->text_size : strlen(text)) : 0;
    a->text = NULL;
    struct MHD_Response *r = text != NULL ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE) : NULL;
    if (r == NULL)
        free(text);
    return r;
}

static void add_headers(struct MHD_Response *r, const Call *call)
{
    const Answer *a = &call->answer;
    MHD_add_response_header(r, "content-type", a->type != NULL ? a->type : "application/json");
    MHD_add_response_header(r, "x-request-id", call->id);
    MHD_add_response_header(r, "x-content-type-options", "nosniff");
    bool named = false;
    for (int i = 0; i < a->header_count; i++) {
        MHD_add_response_header(r, a->headers[i].name, a->headers[i].value);
        named = named || strcmp(a->headers[i].name, "cache-control") == 0;
    }
    if (!named)
        MHD_add_response_header(r, "cache-control", *a->etag != 0 ? "private, max-age=3600" : "no-store");
    if (*a->etag != 0) {
        MHD_add_response_header(r, "etag", a->etag);
        MHD_add_response_header(r, "accept-ranges", "bytes");
    }
    if (a->status == 206) {
        char range[96];
        snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)a->first, (long long)a->last, (long long)a->size);
        MHD_add_response_header(r, "content-range", range);
    }
}

static enum MHD_Result answer(Http *h, Exchange *e)
{
    struct MHD_Response *r = response_of(&e->call.answer);
    if (r == NULL)
        return MHD_NO;
    add_headers(r, &e->call);
    set_deadline(h, e->peer, ANSWER_SECONDS);
    enum MHD_Result result = MHD_queue_response(e->call.connection, (unsigned int)e->call.answer.status, r);
    MHD_destroy_response(r);
    e->known = true;
    return result;
}

/* --- a request --- */

static void on_completed(void *user, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
    Http *h = user;
    Exchange *e = *context;
    if (e == NULL)
        return;
    Call *c = &e->call;
    double seconds = clock_seconds() - c->began;
    int status = c->answer.status;
    if (status >= 100 && status < 600)
        h->server->metrics.http[status / 100]++;
    histogram_add(&h->server->metrics.http_seconds, seconds);
    if (log_wants_requests())
        log_line("info", "request",
                 json_pack("{ss ss ss si sf ss? sb}", "request_id", c->id, "method", c->method, "path", c->path, "status", status,
                           "seconds", seconds, "key", *c->key.id != 0 ? c->key.id : NULL, "complete",
                           code == MHD_REQUEST_TERMINATED_COMPLETED_OK));
    set_deadline(h, e->peer, IDLE_SECONDS);
    body_free(e->body);
    call_drop_files(c);
    api_key_deinit(&c->key);
    json_decref(c->fields);
    json_decref(c->kept);
    json_decref(c->answer.json);
    free(c->answer.text);
    if (c->answer.fd >= 0)
        close(c->answer.fd);
    if (c->answer.live != NULL)
        live_leave(c->answer.live);
    free(e->names);
    free((char *)c->path);
    free(e);
    *context = NULL;
}

static Exchange *begin(Http *h, struct MHD_Connection *connection, const char *url, const char *method)
{
    Exchange *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    e->peer = info != NULL ? info->socket_context : NULL;
    Call *c = &e->call;
    c->server = h->server;
    c->connection = connection;
    c->method = method; /* stays as long as the request */
    c->path = strdup(url);
    c->began = clock_seconds();
    c->answer.fd = -1;
    c->fields = json_object();
    e->names = malloc(strlen(url) + 1);
    if (c->path != NULL && c->fields != NULL && e->names != NULL && store_make_id(c->id, "req", NULL))
        return e;
    free((char *)c->path);
    free(e->names);
    json_decref(c->fields);
    free(e);
    return NULL;
}

/* Who, what, and may they? Fills the answer when not. */
static void look_at_head(Exchange *e)
{
    Call *c = &e->call;
    const char *method = strcmp(c->method, MHD_HTTP_METHOD_HEAD) == 0 ? MHD_HTTP_METHOD_GET : c->method;
    switch (route_find(method, c->path, &e->route, c->names, e->names)) {
    case ROUTE_NO_PATH:
        call_error(c, 404, "not_found", NULL, "there is nothing at %.200s", c->path);
        return;
    case ROUTE_NO_METHOD:
        call_error(c, 405, "method_not_allowed", NULL, "%.20s is not possible at %.200s", c->method, c->path);
        return;
    case ROUTE_FOUND:
        break;
    }
    access_check(c, e->route->scope);
}

static int64_t announced_length(const Call *c)
{
    const char *text = call_header(c, "Content-Length");
    return text != NULL ? strtoll(text, NULL, 10) : call_header(c, "Transfer-Encoding") != NULL ? -1 : 0;
}

static void begin_body(Exchange *e)
{
    Call *c = &e->call;
    SoraError err = {0};
    int status = 0;
    int64_t length = announced_length(c);
    if (length == 0)
        return;
    if (length > BODY_MOST_FILES + BODY_MOST_TEXT)
        call_error(c, 413, "request_too_large", NULL, "the request is too large");
    else if (e->route->body != NULL && (e->body = body_begin(c, c->server->uploads, &status, &err)) == NULL)
        call_error(c, status, status == 415 ? "unsupported_content_type" : "invalid_body", NULL, "%s", err.message);
}

static void take_body(Exchange *e, const char *data, size_t size)
{
    SoraError err = {0};
    int status = 400;
    if (e->call.answer.status != 0 || e->body == NULL || body_add(e->body, data, size, &status, &err))
        return;
    call_error(&e->call, status,
               status == 413   ? "request_too_large"
               : status == 503 ? "overloaded"
                               : "invalid_body",
               NULL, "%s", err.message);
}

/* Files are decoded and stored; pictures may be fetched, and videos copied. */
static bool takes_long(const Call *c)
{
    if (c->run == live_create)
        return true;
    if (store_files_are_far(c->server->store) && (c->run == videos_content || c->run == videos_remix))
        return true;
    return c->file_count > 0 || json_object_get(c->fields, "input_reference") != NULL ||
           json_object_get(c->fields, "video") != NULL || json_object_get(c->fields, "videos") != NULL ||
           json_object_get(c->fields, "characters") != NULL;
}

static void run(Exchange *e)
{
    Call *c = &e->call;
    SoraError err = {0};
    int status = 400;
    if (c->answer.status == 0 && e->body != NULL && !body_end(e->body, &status, &err))
        call_error(c, status, "invalid_body", NULL, "%s", err.message);
    body_free(e->body);
    e->body = NULL;
    if (c->answer.status == 0) { /* else it may be that there is no such route */
        c->run = e->route->run;
        c->offloaded = takes_long(c);
        if (!c->offloaded)
            c->run(c);
    }
    if (c->answer.status == 0 && !c->waits && !c->offloaded)
        call_error(c, 500, "server_error", NULL, "the server failed (request %s)", c->id);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context)
{
    Http *h = user;
    Exchange *e = *context;
    if (e == NULL) {
        *context = e = begin(h, connection, url, method);
        if (e == NULL)
            return MHD_NO;
        set_deadline(h, e->peer, BODY_SECONDS);
        look_at_head(e);
        if (e->call.answer.status == 0)
            begin_body(e);
        int64_t length = announced_length(&e->call);
        bool long_one = length < 0 || length > DISCARD_BYTES;
        return e->call.answer.status != 0 && long_one ? answer(h, e) : MHD_YES;
    }
    if (e->known)
        return MHD_YES;
    if (*size > 0) {
        take_body(e, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (!e->call.waits && !e->call.offloaded)
        run(e);
    else if (e->call.answer.status == 0)
        call_error(&e->call, 503, "server_stopping", NULL, "the server is stopping; the job goes on");
    if (e->call.offloaded && e->call.answer.status == 0) {
        MHD_suspend_connection(connection);
        offload_add(h->server->offload, &e->call);
        return MHD_YES;
    }
    if (e->call.waits && e->call.answer.status == 0) {
        MHD_suspend_connection(connection);
        waiter_add(h->server->waiter, &e->call);
        return MHD_YES;
    }
    return answer(h, e);
}

void http_resume(struct MHD_Connection *connection)
{
    MHD_resume_connection(connection);
}

/* --- beginning and end --- */

static int listen_at(const char *host, int *port, SoraError *err)
{
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST}, *list = NULL;
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    snprintf(service, sizeof service, "%d", *port);
    if (getaddrinfo(host, service, &hints, &list) != 0) {
        error_set(err, SORA_ERROR_INPUT, "--host %.60s: not an address of this machine, such as 127.0.0.1 or 0.0.0.0", host);
        return -1;
    }
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, list->ai_addr, list->ai_addrlen) == 0 && listen(fd, 4096) == 0 &&
              getsockname(fd, (struct sockaddr *)&own, &size) == 0;
    freeaddrinfo(list);
    if (!ok) {
        error_set(err, SORA_ERROR_IO, "%s port %d: cannot listen: %s", host, *port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port : ((struct sockaddr_in *)&own)->sin_port);
    return fd;
}

/* As many descriptors as the system gives. */
static unsigned int most_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 256;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 2 * MOST_CONNECTIONS ? MOST_CONNECTIONS
           : limit.rlim_cur > 128                ? (unsigned int)(limit.rlim_cur / 2)
                                                 : 64;
}

Http *http_start(Server *server, int *port, SoraError *err)
{
    const char *host = server->options->host != NULL ? server->options->host : "127.0.0.1";
    Http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        error_no_memory(err);
        return NULL;
    }
    h->server = server;
    pthread_mutex_init(&h->lock, NULL);
    int fd = listen_at(host, port, err);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned int threads = cores < 2 ? 4 : cores > 8 ? 16 : (unsigned int)(2 * cores);
    h->daemon = fd < 0 ? NULL
                       : MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
                                          on_request, h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
                                          MHD_OPTION_CONNECTION_LIMIT, most_connections(), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                          (size_t)HEADER_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS,
                                          MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
                                          on_connection, h, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (h->daemon != NULL)
        return h;
    if (fd >= 0) {
        close(fd);
        error_set(err, SORA_ERROR_INTERNAL, "%s: the HTTP library did not start", host);
    }
    pthread_mutex_destroy(&h->lock);
    free(h);
    return NULL;
}

void http_stop(Http *h)
{
    if (h == NULL)
        return;
    MHD_stop_daemon(h->daemon);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
