/* Allocations that failed within libraries. Some of those turn that into an answer: "this is no JSON", "no such
 * certificate", "one item less". malloc() leaves ENOMEM in errno, which lasts until another call fails, so whoever asks
 * soon after each answer misses none. */
#ifndef SORA_BASE_SHORTAGE_H
#define SORA_BASE_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Forgets what was. */
static inline void shortage_begin(void)
{
    errno = 0;
}

/* Did an allocation of this thread fail since? A true answer may be of one that somebody got over; a false one is sure
 * only if nothing else has failed since. */
static inline bool shortage_seen(void)
{
    return errno == ENOMEM;
}

#endif
