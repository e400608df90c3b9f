#include "cli/place.h"

#include <stdio.h>
#include "base/file.h"

bool place_check(const char *output, const char *const inputs[], int count, SoraError *err)
{
    for (int i = 0; i < count; i++)
        if (inputs[i] != NULL && file_same(output, inputs[i]))
            return error_set(err, SORA_ERROR_INPUT, "%s: it is an input as well; name another output", output);
    return true;
}

void place_announce(const char *command, const char *output)
{
    if (file_exists(output))
        fprintf(stderr, "%s: %s is there and will be replaced\n", command, output);
}
