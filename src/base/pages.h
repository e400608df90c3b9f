/* Advice to the system about memory, in whole pages. */
#ifndef SORA_BASE_PAGES_H
#define SORA_BASE_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* madvise() about the pages that lie wholly within these bytes; neighbours' are left alone. */
static inline void pages_advise(const void *data, size_t size, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + size) / page * page;
    if (data != NULL && begin < end)
        (void)madvise((void *)begin, end - begin, advice);
}

#endif
