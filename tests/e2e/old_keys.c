/* old_keys FOLDER YEARS: keys as sora makes them, so many years from now (-20: long expired; 70: not valid yet). */
#include <stdio.h>
#include <stdlib.h>
#include "credentials/keys.h"

int main(int argc, char **argv)
{
    SoraError err = {0};
    KeysMade made;
    if (argc != 3)
        return 2;
    KeysPlan plan = {.now = time(NULL) + (time_t)atoi(argv[2]) * 365 * 86400};
    if (keys_init(argv[1], &plan, &made, &err))
        return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}
