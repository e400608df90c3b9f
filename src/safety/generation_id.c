#include "safety/generation_id.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

bool generation_id_make(char id[GENERATION_ID_SIZE], SoraError *err)
{
    uint8_t b[16];
    struct timespec now;
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return error_set(err, SORA_ERROR_INTERNAL, "generation id: %s", strerror(errno));
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    char *s = id;
    for (int i = 0; i < 16; i++)
        s += sprintf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    return true;
}

bool generation_id_check(const char *id)
{
    for (int i = 0; i < GENERATION_ID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? id[i] != '-' : id[i] == 0 || strchr("0123456789abcdef", id[i]) == NULL)
            return false;
    }
    return id[GENERATION_ID_SIZE - 1] == 0;
}
