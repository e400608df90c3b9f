/* In place of db_postgres.c in a build without libpq. */
#include "store/inside.h"

Db *db_postgres_open(const char *url, SoraError *err)
{
    error_set(err, SORA_ERROR_UNSUPPORTED, "this build has no PostgreSQL; give --store a folder");
    return NULL;
}

bool store_listen(Store *store, SoraError *err)
{
    return true;
}

void store_unlisten(Store *store)
{
}
