/* A build without MPI. */
#include "team/team.h"

Team *team_mpi_open(const TeamOptions *options, SoraError *err)
{
    error_set(err, SORA_ERROR_UNSUPPORTED,
              "started as a part of a team, but this sora was built without MPI (libopenmpi-dev, -Dmpi=enabled)");
    return NULL;
}
