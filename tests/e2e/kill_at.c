/* LD_PRELOAD=kill_at.so SORA_KILL_AT=N: the process ends by SIGKILL just before its Nth call of those that change the disk or
 * leave the machine, so a test can kill a server before every single step of it. Engines, which are further processes of the
 * same program, live on. */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls, last; /* last 0: never */

__attribute__((constructor)) static void begin(void)
{
    char line[4096] = "";
    const char *at = getenv("SORA_KILL_AT");
    FILE *f = fopen("/proc/self/cmdline", "re");
    size_t n = f != NULL ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f != NULL)
        fclose(f);
    const char *second = n > 0 ? line + strlen(line) + 1 : line;
    if (at != NULL && strcmp(second, "engine-process") != 0)
        last = atol(at);
}

static void step(void)
{
    if (last > 0 && ++calls == last)
        kill(getpid(), SIGKILL);
}

#define CALL(type, name, parameters, arguments)                                                                                  \
    type name parameters;                                                                                                        \
    __attribute__((visibility("default"))) type name parameters                                                                  \
    {                                                                                                                            \
        type(*real) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                                    \
        step();                                                                                                                  \
        return real arguments;                                                                                                   \
    }

CALL(int, fsync, (int fd), (fd))
CALL(int, fdatasync, (int fd), (fd))
CALL(int, rename, (const char *from, const char *to), (from, to))
CALL(int, unlink, (const char *path), (path))
CALL(ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
CALL(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
