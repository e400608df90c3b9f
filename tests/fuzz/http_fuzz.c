/* Whatever bytes a client may send: they go over a connection to a whole server with a database, which makes no videos. It answers
 * in HTTP's form or closes the connection, and never with status 500, which is a fault of ours.
 *
 * Addresses in what is sent may be asked for pictures, so let the fuzzer run without a network: unshare -rn sh -c 'ip link set lo
 * up; build-fuzz/tests/fuzz_http -detect_leaks=0 ...' (calls that wait for a picture are never answered, and are no leaks). */
#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fuzz.h"
#include "serve/http.h"
#include "serve/key_cache.h"
#include "serve/live.h"
#include "serve/log.h"
#include "serve/offload.h"
#include "serve/waiter.h"
#include "store/inside.h"

enum { CLEAN_EVERY = 200, PATIENCE_MS = 2000, WAITED_MS = 60 };

static Server server;
static Http *http;
static int port;
static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", folder);
}

static void stop(void)
{
    waiter_stop(server.waiter);
    offload_stop(server.offload);
    http_stop(http);
    lives_free(server.lives);
    waiter_free(server.waiter);
    offload_free(server.offload);
    store_close(server.store);
    policy_close(server.policy);
    plans_close(server.plans);
    limiter_free(server.limiter);
    key_cache_free(server.keys);
    status_cache_free(server.statuses);
    remove_folder();
}

static void start(void)
{
    static const ServeOptions options = {.models = {{"sora-2", "stub"}}, .model_count = 1, .log = LOG_NOTHING};
    char database[80], files[80];
    SoraError err = {0};
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    log_begin(LOG_NOTHING);
    snprintf(folder, sizeof folder, "%s/sora-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert(mkdtemp(folder) != NULL);
    snprintf(database, sizeof database, "%s/store.sqlite", folder);
    snprintf(files, sizeof files, "%s/files", folder);
    server.options = &options;
    server.loopback = true;
    server.uploads = folder;
    server.facts[0] = (ModelFacts){"stub", 256, 256, 17, 10, 12, 16, 4, 100000, 4096, NULL};
    server.limiter = limiter_new();
    server.keys = key_cache_new();
    server.statuses = status_cache_new(STATUS_SECONDS_ALONE);
    server.plans = plans_open(NULL, &err);
    server.policy = policy_open(NULL, &err);
    server.store = store_open(&(StorePlan){.database = database, .files = files}, &err);
    server.waiter = waiter_start(&server, &err);
    server.lives = lives_new(&server); /* room for none */
    server.offload = offload_start(&err);
    http = http_start(&server, &port, &err);
    if (http == NULL || server.store == NULL || server.policy == NULL || server.plans == NULL)
        fprintf(stderr, "%s\n", err.message);
    assert(http != NULL && server.store != NULL && server.policy != NULL && server.plans != NULL);
    atexit(stop);
}

static int connect_to_it(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* The answer's first bytes; what comes afterwards is read and forgotten. */
static size_t hear(int fd, char *answer, size_t room)
{
    char rest[16384];
    size_t size = 0;
    double until = clock_seconds() + PATIENCE_MS / 1000.0;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        /* Once it has begun, its end comes soon; so does that of a connection which is not answered. */
        if (poll(&p, 1, size > 0 ? WAITED_MS : 5 * WAITED_MS) <= 0 || clock_seconds() > until)
            return size;
        ssize_t n = size < room ? recv(fd, answer + size, room - size, 0) : recv(fd, rest, sizeof rest, 0);
        if (n <= 0)
            return size;
        size += size < room ? (size_t)n : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int runs;
    char answer[4096] = "";
    SoraError err = {0};
    if (runs++ == 0)
        start();
    int fd = connect_to_it();
    for (size_t at = 0; at < size;) {
        ssize_t n = send(fd, data + at, size - at, MSG_NOSIGNAL);
        if (n <= 0)
            break; /* it has heard enough */
        at += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    size_t got = hear(fd, answer, sizeof answer - 1);
    close(fd);
    if (got > 0) {
        int status = 0;
        assert(sscanf(answer, "HTTP/1.%*d %d", &status) == 1 && status >= 100 && status < 600);
        if (status == 500)
            fprintf(stderr, "%s\n", answer);
        assert(status != 500);
    }
    if (runs % CLEAN_EVERY == 0)
        assert(store_run(server.store, &(DbQuery){.sql = "DELETE FROM jobs"}, NULL, &err) &&
               store_run(server.store, &(DbQuery){.sql = "DELETE FROM hooks"}, NULL, &err) &&
               store_run(server.store, &(DbQuery){.sql = "DELETE FROM keys WHERE id <> 'local'"}, NULL, &err));
    return 0;
}
