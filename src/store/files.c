#include "store/files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* "KIND_<32 digits>.EXT" */
static bool check_name(const char *name, SoraError *err)
{
    const char *id = strchr(name, '_');
    return (id != NULL && strlen(id) >= 33 && strlen(name) < STORE_ID_SIZE && strchr(name, '/') == NULL &&
            strspn(id + 1, "0123456789abcdef") == 32) ||
           error_set(err, SORA_ERROR_INPUT, "store: \"%.64s\" is not a file of ours", name);
}

int store_file_open(Store *store, const char *name, int64_t *size, SoraError *err)
{
    int64_t offset;
    struct stat s;
    int fd = store_file_open_part(store, name, 0, -1, &offset, err);
    if (fd >= 0 && fstat(fd, &s) != 0) {
        error_system(err, name, "cannot read");
        close(fd);
        fd = -1;
    }
    *size = fd >= 0 ? s.st_size : 0;
    return fd;
}

int store_file_open_part(Store *store, const char *name, int64_t first, int64_t last, int64_t *offset, SoraError *err)
{
    return check_name(name, err) ? store->files->driver->open(store->files, name, first, last, offset, err) : -1;
}

bool store_file_size(Store *store, const char *name, int64_t *size, SoraError *err)
{
    return check_name(name, err) && store->files->driver->size(store->files, name, size, err);
}

bool store_files_are_far(const Store *store)
{
    return store->files->driver->far;
}

Files *files_open(const char *place, SoraError *err)
{
    return strncmp(place, "s3://", 5) == 0 ? files_s3_open(place, err) : files_folder_open(place, err);
}

static bool copy_bytes(int in, int out)
{
    char buffer[65536];
    ssize_t n;
    while ((n = read(in, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(out, buffer + done, (size_t)(n - done))) <= 0)
                return false;
    return n == 0;
}

bool store_file_fetch(Store *store, const char *name, const char *path, SoraError *err)
{
    int64_t size;
    int in = store_file_open(store, name, &size, err);
    if (in < 0)
        return false;
    int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = out >= 0 && copy_bytes(in, out), made = out >= 0;
    if (made)
        ok = close(out) == 0 && ok;
    if (!ok) {
        error_system(err, path, "cannot copy");
        if (made)
            unlink(path);
    }
    close(in);
    return ok;
}

bool store_file_remove(Store *store, const char *name, SoraError *err)
{
    return check_name(name, err) && store->files->driver->remove(store->files, name, err) &&
           store_run(store, &(DbQuery){.sql = "DELETE FROM removals WHERE file = $1", {db_text(name)}}, NULL, err);
}
