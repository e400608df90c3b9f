#include "store/files.h"

#include <string.h>

#include "store/inside.h"

enum { ADOPTED_WITHIN_MS = 3600000 };

bool file_drop(Db *db, const char *name, int64_t due, SoraError *err)
{
    return name == NULL ||
           db_run(db,
                  &(DbQuery){.sql = "INSERT INTO removals (file, due) VALUES ($1, $2) ON CONFLICT (file) DO UPDATE SET due = $2",
                             {db_text(name), db_int(due)}},
                  NULL, err);
}

bool file_keep(Db *db, const char *name, SoraError *err)
{
    return name == NULL || db_run(db, &(DbQuery){.sql = "DELETE FROM removals WHERE file = $1", {db_text(name)}}, NULL, err);
}

bool store_file_add(Store *store, const char *path, const char *kind, const char *extension, char name[STORE_ID_SIZE],
                    SoraError *err)
{
    if (!store_make_id(name, kind, err))
        return false;
    strncat(name, extension, STORE_ID_SIZE - 1 - strlen(name));
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && file_drop(db, name, store_now() + ADOPTED_WITHIN_MS, err);
    db_return(store->pool, db);
    return ok && store->files->driver->add(store->files, path, name, err);
}

int store_file_open(Store *store, const char *name, int64_t *size, SoraError *err)
{
    return store->files->driver->open(store->files, name, size, err);
}

bool store_file_remove(Store *store, const char *name, SoraError *err)
{
    return store->files->driver->remove(store->files, name, err) &&
           store_run(store, &(DbQuery){.sql = "DELETE FROM removals WHERE file = $1", {db_text(name)}}, NULL, err);
}
