/* Whether work takes time in proportion to its size, on any machine however busy. Included after cmocka.h. */
#ifndef SORA_TESTS_LINEAR_TIME_H
#define SORA_TESTS_LINEAR_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

static double processor_ticks(void (*work)(const void *arg, size_t size), const void *arg, size_t size)
{
    clock_t begin = clock();
    work(arg, size);
    return (double)(clock() - begin) + 1;
}

/* Four times the size takes 4 times as long, and 16 times if each part looks at all others. Other programs disturb single
 * measurements, so one of many that is under 8 is enough: no quadratic algorithm has one. */
static bool takes_linear_time(void (*work)(const void *arg, size_t size), const void *arg, size_t size)
{
    for (int tries = 0; tries < 30; tries++) {
        double once = processor_ticks(work, arg, size);
        if (processor_ticks(work, arg, 4 * size) < 8 * once)
            return true;
    }
    return false;
}

#endif
