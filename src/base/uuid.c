#include "base/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool fill_random(uint8_t b[16], SoraError *err)
{
    return getrandom(b, 16, 0) == 16 || error_set(err, SORA_ERROR_INTERNAL, "UUID: no random numbers: %s", strerror(errno));
}

static void print(uint8_t b[16], int version, char id[UUID_SIZE])
{
    b[6] = (uint8_t)(version << 4 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f)); /* the variant */
    for (int i = 0; i < 16; i++)
        id += sprintf(id, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

bool uuid_make_v4(char id[UUID_SIZE], SoraError *err)
{
    uint8_t b[16];
    if (!fill_random(b, err))
        return false;
    print(b, 4, id);
    return true;
}

bool uuid_make_v7(char id[UUID_SIZE], SoraError *err)
{
    uint8_t b[16];
    struct timespec now;
    if (!fill_random(b, err))
        return false;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return error_set(err, SORA_ERROR_INTERNAL, "UUID: no clock: %s", strerror(errno));
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    print(b, 7, id);
    return true;
}

bool uuid_check(const char *id)
{
    for (int i = 0; i < UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? id[i] != '-' : id[i] == 0 || strchr("0123456789abcdef", id[i]) == NULL)
            return false;
    }
    return id[UUID_SIZE - 1] == 0;
}
