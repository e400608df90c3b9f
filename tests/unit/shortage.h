/* Memory that runs short, and a disk with a hole: malloc() and the like of this program and of all its libraries, and
 * fread(), which fail once, at a chosen call, and say so as glibc's do. For one file of a program. */
#ifndef SORA_TESTS_SHORTAGE_H
#define SORA_TESTS_SHORTAGE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

static atomic_long shortage_left; /* the call, counted from now, that fails; 0: none */
static atomic_long shortage_calls;
static atomic_bool shortage_paused;                     /* nothing fails or is counted */
static atomic_long shortage_reads_left, shortage_reads; /* the same of fread() */

/* glibc's own. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
size_t shortage_fread(void *data, size_t size, size_t count, FILE *file) __asm__("fread_unlocked");

static bool shortage_reaches(atomic_long *calls, atomic_long *left, int why)
{
    if (atomic_load(&shortage_paused))
        return false;
    atomic_fetch_add(calls, 1);
    if (atomic_load(left) == 0 || atomic_fetch_sub(left, 1) != 1)
        return false;
    errno = why;
    return true;
}

static bool shortage_comes(void)
{
    return shortage_reaches(&shortage_calls, &shortage_left, ENOMEM);
}

#pragma GCC visibility push(default)
void *malloc(size_t size)
{
    return shortage_comes() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return shortage_comes() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return shortage_comes() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return shortage_comes() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    if (shortage_comes() || (*p = __libc_memalign(alignment, size)) == NULL)
        return ENOMEM;
    return 0;
}

size_t fread(void *data, size_t size, size_t count, FILE *file)
{
    return shortage_reaches(&shortage_reads, &shortage_reads_left, EIO) ? 0 : shortage_fread(data, size, count, file);
}
#pragma GCC visibility pop

#endif
