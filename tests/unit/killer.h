/* Ends the process with SIGKILL before its nth call that changes or opens files. The program is linked with killer_link of
 * tests/meson.build, so that the library's calls come here. */
#ifndef SORA_TESTS_KILLER_H
#define SORA_TESTS_KILLER_H

#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic long killer_calls, killer_at; /* 0: never */

static void killer_count(void)
{
    if (++killer_calls == killer_at)
        raise(SIGKILL);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = va_arg(args, int); /* what is there without one is not used */
    va_end(args);
    killer_count();
    return __real_open64(path, flags, mode);
}

#define KILLER(name, parameters, arguments)                                                                  \
    int __real_##name parameters;                                                                            \
    int __wrap_##name parameters;                                                                            \
    int __wrap_##name parameters                                                                             \
    {                                                                                                        \
        killer_count();                                                                                      \
        return __real_##name arguments;                                                                      \
    }
KILLER(rename, (const char *from, const char *to), (from, to))
KILLER(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
KILLER(mkdir, (const char *path, mode_t mode), (path, mode))
KILLER(rmdir, (const char *path), (path))
KILLER(unlinkat, (int folder, const char *name, int flags), (folder, name, flags))
KILLER(flock, (int file, int operation), (file, operation))
KILLER(fsync, (int file), (file))

/* Runs it in a child that is killed before call n. True when the child came to its end before that, with run's answer in
 * *ok. */
static bool killer_run(long n, bool (*run)(void *user), void *user, bool *ok)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        killer_calls = 0;
        killer_at = n;
        _exit(run(user) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    *ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return WIFEXITED(status);
}

#endif
