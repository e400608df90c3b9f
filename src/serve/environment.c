#include "serve/environment.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

char **environment_for_children(void)
{
    size_t count = 0, kept = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++)
        if (strncmp(environ[i], "AWS_", 4) != 0 && strncmp(environ[i], "PG", 2) != 0)
            copy[kept++] = environ[i];
    return copy;
}
