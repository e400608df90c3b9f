/* A folder for the files of one test program: setup and teardown of its group. */
#ifndef SORA_TESTS_TEMP_DIR_H
#define SORA_TESTS_TEMP_DIR_H

#include <stdio.h>
#include <stdlib.h>

static char dir[] = "/tmp/sora-test-XXXXXX";

static int setup(void **state)
{
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

#endif
