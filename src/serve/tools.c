/* `sora verify` and `sora trace` of files that are sent: this program once more, in a process with limits, so that a file that
 * makes a parser crash is an error of the file. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/environment.h"
#include "serve/server.h"
#include "serve/system.h"

enum { MOST_OUTPUT = 4 << 20, SECONDS = 60 };

typedef struct Tool {
    char *text;
    size_t size;
    int status;
} Tool;

/* All that it prints, within the time. */
static bool read_all(Tool *t, int fd, pid_t pid)
{
    double until = clock_seconds() + SECONDS;
    bool ok = true;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int ready = poll(&p, 1, 1000);
        if (clock_seconds() > until || t->size == MOST_OUTPUT) {
            kill(pid, SIGKILL);
            ok = false;
        }
        if (ready <= 0)
            continue;
        ssize_t n = read(fd, t->text + t->size, MOST_OUTPUT - t->size);
        if (n <= 0)
            break;
        t->size += (size_t)n;
    }
    while (waitpid(pid, &t->status, 0) < 0 && errno == EINTR)
        ;
    t->text[t->size] = 0;
    return ok;
}

static bool run_tool(Tool *t, const char *command, const char *path)
{
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *arguments[] = {(char *)"sora", (char *)command, (char *)path, (char *)"--json", NULL};
    t->text = malloc(MOST_OUTPUT + 1);
    if (t->text == NULL || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    char **environment = environment_for_children();
    bool ok = environment != NULL && posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environment) == 0;
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ok = ok && read_all(t, ends[0], pid);
    close(ends[0]);
    return ok;
}

/* Exit codes 0 and 1 are answers; what else there is says why not. */
static void answer(Call *call, const char *command)
{
    Tool t = {0};
    const CallFile *file = call_find_file(call, "file");
    if (file == NULL) {
        call_error(call, 400, "missing_required_parameter", "file", "file: a file is missing");
        return;
    }
    bool ran = run_tool(&t, command, file->path);
    json_t *json = ran && WIFEXITED(t.status) && WEXITSTATUS(t.status) <= 1 ? json_loadb(t.text, t.size, 0, NULL) : NULL;
    json_object_del(json, "file"); /* a name of ours */
    json_object_del(json, "path");
    if (json != NULL)
        call_json(call, 200, json);
    else
        call_error(call, 400, "invalid_file", "file", "file: it cannot be read");
    free(t.text);
}

void tool_verify(Call *call)
{
    answer(call, "verify");
}

void tool_trace(Call *call)
{
    answer(call, "trace");
}
