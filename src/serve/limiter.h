/* How many requests a key has left in its minute: a bucket that fills steadily. Each process counts for itself. */
#ifndef SORA_SERVE_LIMITER_H
#define SORA_SERVE_LIMITER_H

#include <stdbool.h>

typedef struct Limiter Limiter;

typedef struct LimiterAnswer {
    bool allowed;
    int limit, remaining;
    double reset; /* seconds until it is full again */
    double wait;  /* seconds until the next one is allowed */
} LimiterAnswer;

Limiter *limiter_new(void); /* NULL: no memory */
void limiter_free(Limiter *limiter);

/* Takes one of `a_minute`, at `now` by clock_seconds(). */
LimiterAnswer limiter_take(Limiter *limiter, const char *key, int a_minute, double now);

#endif
