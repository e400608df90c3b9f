#include "base/lost.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_MAPS = 256 };

/* A map that is watched. begin is written last and read first; 0: the place is free. */
typedef struct Watched {
    _Atomic uintptr_t begin, end;
    _Atomic(Losses *) owner;
    char path[LOST_PATH]; /* its end, if it is longer */
} Watched;

static Watched maps[MAX_MAPS];
static _Atomic uintptr_t page_size;
static Losses process;
static _Thread_local Losses *begun; /* the innermost one; NULL: the process */

void lost_begin(Losses *l)
{
    l->outer = begun;
    begun = l;
}

void lost_end(Losses *l)
{
    begun = l->outer;
    l->outer = NULL;
}

void lost_watch(const void *data, size_t size, const char *path)
{
    static const uintptr_t TAKEN = 1; /* no map begins there */
    size_t n = strlen(path);
    for (int i = 0; i < MAX_MAPS; i++) {
        uintptr_t none = 0;
        if (!atomic_compare_exchange_strong(&maps[i].begin, &none, TAKEN))
            continue;
        snprintf(maps[i].path, sizeof maps[i].path, "%s", n < LOST_PATH ? path : path + n - LOST_PATH + 1);
        maps[i].owner = begun != NULL ? begun : &process;
        maps[i].end = (uintptr_t)data + size;
        maps[i].begin = (uintptr_t)data;
        return;
    }
}

void lost_forget(const void *data)
{
    for (int i = 0; i < MAX_MAPS; i++)
        if (maps[i].begin == (uintptr_t)data)
            maps[i].begin = 0;
}

static void note(Losses *owner, const char *path)
{
    if (atomic_exchange(&owner->named, true))
        return;
    memcpy(owner->path, path, sizeof owner->path);
    owner->any = true;
}

/* Zeros from the page of address to the map's end, in place of what is not there any more. All that is called here is
 * safe in a handler: mmap() is a system call alone. */
static bool replace(uintptr_t address)
{
    uintptr_t page = address / page_size * page_size;
    for (int i = 0; i < MAX_MAPS; i++) {
        uintptr_t begin = maps[i].begin, end = maps[i].end;
        if (begin <= 1 || address < begin || address >= (end + page_size - 1) / page_size * page_size)
            continue;
        note(maps[i].owner, maps[i].path);
        return mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
    return false;
}

static void handle(int number, siginfo_t *info, void *context)
{
    if (!replace((uintptr_t)info->si_addr))
        signal(number, SIG_DFL); /* and it comes again */
}

void lost_catch(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

static bool is_whole(const Losses *l, SoraError *err)
{
    return !l->any || error_set(err, SORA_ERROR_IO, "%s: lost its end while it was being read", l->path);
}

bool lost_check(SoraError *err)
{
    for (const Losses *l = begun; l != NULL; l = l->outer)
        if (!is_whole(l, err))
            return false;
    return is_whole(&process, err);
}
