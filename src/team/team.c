#include "team/team.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool sum(Team *t, double *values, int count, SoraError *err)
{
    return true;
}

static bool sum_begin(Team *t, float *values, int64_t count, SoraError *err)
{
    return true;
}

static bool sum_end(Team *t, SoraError *err)
{
    return true;
}

static bool share(Team *t, int from, void *bytes, size_t size, SoraError *err)
{
    return true;
}

static bool gather(Team *t, const void *bytes, size_t size, void *out, SoraError *err)
{
    memcpy(out, bytes, size);
    return true;
}

static void beat(Team *t)
{
}

static bool fail(Team *t, const SoraError *err)
{
    return true;
}

static void close_solo(Team *t, bool ok)
{
}

Team *team_solo(void)
{
    static Team solo = {.size = 1, .local_size = 1, .sum = sum, .sum_begin = sum_begin, .sum_end = sum_end, .share = share,
                        .gather = gather, .beat = beat, .fail = fail, .close = close_solo};
    return &solo;
}

/* Open MPI's mpirun, Slurm's and others' PMI. */
bool team_started(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL || getenv("PMI_RANK") != NULL;
}

Team *team_open(const TeamOptions *options, SoraError *err)
{
    return team_started() ? team_mpi_open(options, err) : team_solo();
}

void team_close(Team *t, bool ok)
{
    if (t != NULL)
        t->close(t, ok);
}

/* What a rank shows of itself. */
typedef struct Card {
    uint64_t hash;
    char host[64];
} Card;

bool team_agree(Team *t, const char *what, uint64_t hash, SoraError *err)
{
    Card own = {.hash = hash}, *all = calloc((size_t)t->size, sizeof *all);
    if (all == NULL)
        return error_no_memory(err);
    if (gethostname(own.host, sizeof own.host - 1) != 0)
        snprintf(own.host, sizeof own.host, "?");
    bool ok = t->gather(t, &own, sizeof own, all, err);
    for (int i = 1; ok && i < t->size; i++)
        if (all[i].hash != all[0].hash)
            ok = error_set(err, SORA_ERROR_INPUT, "rank %d (%.63s) has %s than rank 0 (%.63s)", i, all[i].host, what, all[0].host);
    free(all);
    return ok;
}
