/* How many threads this process has. */
#ifndef SORA_TESTS_THREADS_H
#define SORA_TESTS_THREADS_H

#include <dirent.h>
#include "tsan.h"

static int thread_count(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count - (UNDER_TSAN && count > 1); /* its thread comes with the first other one */
}

#endif
