#include "serve/engine_child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/environment.h"

enum { MOST_LINE = 8 << 20, PIPE = 3 };

struct EngineChild {
    pid_t pid; /* 0: it is gone */
    int fd, status;
    char *model;
    ModelFacts facts;
    char *line;
    size_t size, room;
};

/* --- lines --- */

bool engine_child_send(EngineChild *c, const json_t *message, SoraError *err)
{
    char *text = json_dumps(message, JSON_COMPACT);
    if (text == NULL)
        return error_no_memory(err);
    size_t size = strlen(text), at = 0;
    text[size++] = '\n';
    while (at < size) {
        ssize_t n = send(c->fd, text + at, size - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    free(text);
    return at == size || error_set(err, SORA_ERROR_INTERNAL, "the engine's process is gone");
}

/* The first line that is complete; NULL: there is none. */
static json_t *take_line(EngineChild *c, bool *nonsense)
{
    char *end = c->size > 0 ? memchr(c->line, '\n', c->size) : NULL;
    if (end == NULL)
        return NULL;
    json_t *message = json_loadb(c->line, (size_t)(end - c->line), 0, NULL);
    size_t used = (size_t)(end - c->line) + 1;
    memmove(c->line, c->line + used, c->size - used);
    c->size -= used;
    *nonsense = !json_is_object(message);
    return message;
}

static bool more_room(EngineChild *c)
{
    if (c->room - c->size >= 4096)
        return true;
    size_t room = c->room == 0 ? 16384 : 2 * c->room;
    char *line = room <= MOST_LINE ? realloc(c->line, room) : NULL;
    if (line == NULL)
        return false;
    c->line = line;
    c->room = room;
    return true;
}

EngineHeard engine_child_hear(EngineChild *c, int milliseconds, json_t **message)
{
    double until = clock_seconds() + milliseconds / 1000.0;
    bool nonsense = false;
    for (;;) {
        *message = take_line(c, &nonsense);
        if (nonsense) {
            json_decref(*message);
            return HEARD_END;
        }
        if (*message != NULL)
            return HEARD_MESSAGE;
        double left = until - clock_seconds();
        struct pollfd p = {c->fd, POLLIN, 0};
        int ready = poll(&p, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0 && left <= 0)
            return HEARD_NOTHING;
        if (ready == 0)
            continue;
        ssize_t n = ready > 0 && more_room(c) ? recv(c->fd, c->line + c->size, c->room - c->size, 0) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return HEARD_END;
        c->size += (size_t)n;
    }
}

/* --- processes --- */

static bool spawn(EngineChild *c, const EnginePlan *plan, int theirs, SoraError *err)
{
    char threads[16], memory[24], tell[8], explicit[24];
    const ServeOptions *o = plan->options;
    const char *program = o->engine_program != NULL ? o->engine_program : "/proc/self/exe";
    snprintf(threads, sizeof threads, "%d", o->threads);
    snprintf(memory, sizeof memory, "%zu", o->job_memory);
    snprintf(tell, sizeof tell, "%d", o->tell_prompt);
    snprintf(explicit, sizeof explicit, "%.9g", (double)plan->explicit);
    char *arguments[] = {(char *)"sora",
                         (char *)ENGINE_COMMAND,
                         c->model,
                         threads,
                         memory,
                         tell,
                         (char *)(o->credentials != NULL ? o->credentials : ""),
                         explicit,
                         NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 2, 1); /* what a library prints is no message */
    posix_spawn_file_actions_adddup2(&actions, theirs, PIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C is the server's to handle */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    char **environment = environment_for_children();
    int code = environment != NULL ? posix_spawn(&c->pid, program, &actions, &attributes, arguments, environment) : ENOMEM;
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (code != 0)
        c->pid = 0;
    return code == 0 || error_set(err, SORA_ERROR_IO, "no process for the engine: %s", strerror(code));
}

static bool read_facts(EngineChild *c, const json_t *m)
{
    ModelFacts *f = &c->facts;
    const json_t *o = json_object_get(m, "model");
    const char *name = json_string_value(json_object_get(o, "name")), *words = json_string_value(json_object_get(o, "words"));
    if (name == NULL || json_unpack((json_t *)o, "{si si si si sf si si si si}", "width", &f->width, "height", &f->height,
                                    "frames", &f->frames, "steps", &f->steps, "fps", &f->fps, "multiple", &f->multiple, "stride",
                                    &f->stride, "most_frames", &f->most_frames, "most_side", &f->most_side) != 0)
        return false;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->words = words != NULL ? strdup(words) : NULL;
    return f->width > 0 && f->height > 0 && f->multiple > 0 && f->stride > 0 && f->most_frames > 0 && f->most_side > 0 &&
           f->fps > 0;
}

static bool fail_as_told(const json_t *m, SoraError *err)
{
    json_int_t code = json_integer_value(json_object_get(m, "code"));
    const char *text = json_string_value(json_object_get(m, "message"));
    return error_set(err, code > SORA_OK && code <= SORA_ERROR_INTERNAL ? (SoraErrorCode)code : SORA_ERROR_INTERNAL, "%s",
                     text != NULL ? text : "the engine failed");
}

static bool wait_ready(EngineChild *c, int seconds, SoraError *err)
{
    json_t *m = NULL;
    char how[128];
    switch (engine_child_hear(c, seconds * 1000, &m)) {
    case HEARD_MESSAGE:
        break;
    case HEARD_NOTHING:
        return error_set(err, SORA_ERROR_IO, "%s: not open after %d s", c->model, seconds);
    case HEARD_END:
        engine_child_explain(c, how, sizeof how);
        return error_set(err, SORA_ERROR_INTERNAL, "%s: its process %s while it was opened", c->model, how);
    }
    const char *is = json_string_value(json_object_get(m, "is"));
    bool ready = is != NULL && strcmp(is, "ready") == 0 && read_facts(c, m);
    if (!ready)
        fail_as_told(m, err);
    json_decref(m);
    return ready;
}

EngineChild *engine_child_start(const EnginePlan *plan, int seconds, SoraError *err)
{
    int ends[2] = {-1, -1};
    EngineChild *c = calloc(1, sizeof *c);
    if (c == NULL || (c->model = strdup(plan->model)) == NULL) {
        free(c);
        error_no_memory(err);
        return NULL;
    }
    c->fd = -1;
    bool ok = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 || error_system(err, "engine", "no socket");
    /* dup2() of a descriptor onto itself would leave it to be closed. */
    if (ok && ends[1] == PIPE) {
        int other = fcntl(PIPE, F_DUPFD_CLOEXEC, PIPE + 1);
        close(PIPE);
        ends[1] = other;
        ok = other >= 0 || error_system(err, "engine", "no socket");
    }
    c->fd = ends[0];
    ok = ok && spawn(c, plan, ends[1], err);
    if (ends[1] >= 0)
        close(ends[1]);
    if (ok && wait_ready(c, seconds, err))
        return c;
    engine_child_end(c);
    return NULL;
}

const char *engine_child_model(const EngineChild *c)
{
    return c->model;
}

const ModelFacts *engine_child_facts(const EngineChild *c)
{
    return &c->facts;
}

static void reap(EngineChild *c)
{
    while (c->pid > 0 && waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}

void engine_child_explain(EngineChild *c, char *text, size_t size)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL); /* one that talks nonsense is still there */
        reap(c);
    }
    if (WIFSIGNALED(c->status))
        snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(c->status), strsignal(WTERMSIG(c->status)));
    else
        snprintf(text, size, "ended with code %d", WEXITSTATUS(c->status));
}

void engine_child_end(EngineChild *c)
{
    if (c == NULL)
        return;
    if (c->fd >= 0)
        close(c->fd);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        reap(c);
    }
    free(c->model);
    free(c->facts.words);
    free(c->line);
    free(c);
}

/* --- what fits --- */

static int to_multiple(double x, int multiple, int most)
{
    int n = (int)lround(x / multiple) * multiple;
    int top = most / multiple * multiple;
    return n < multiple ? multiple : n > top ? top : n;
}

void facts_fit_size(const ModelFacts *f, int *width, int *height)
{
    int w = *width, h = *height, m = f->multiple;
    double most = 1.1 * f->width * f->height, best = 1e9;
    if (w % m == 0 && h % m == 0 && (double)w * h <= most && w <= f->most_side && h <= f->most_side)
        return;
    double shape = (double)w / h, scale = sqrt((double)f->width * f->height / ((double)w * h));
    if (scale > 1)
        scale = 1;
    for (int rows = m; rows <= to_multiple(h * scale + m, m, f->most_side); rows += m) {
        int columns = to_multiple(rows * shape, m, f->most_side);
        /* The shape counts most; then, that it is not small. */
        double cost =
            fabs(log((double)columns / rows / shape)) + 0.15 * fabs(log((double)columns * rows / (w * h * scale * scale)));
        if ((double)columns * rows <= most && cost < best) {
            best = cost;
            *width = columns;
            *height = rows;
        }
    }
}

int facts_fit_seconds(const ModelFacts *f, double seconds)
{
    double n = 1 + round((seconds * f->fps - 1) / f->stride) * f->stride;
    return n < 1 + f->stride ? 1 + f->stride : n <= f->most_frames ? (int)n : 0;
}
