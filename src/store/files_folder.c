/* Files in a folder, in 256 folders by the last two digits of their id, so that none holds too many. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/files.h"

typedef struct Folder {
    Files base;
    char *path;
} Folder;

/* "KIND_<32 digits>.EXT" is in "<last two digits>/". NULL: no memory. */
static char *path_of(const Folder *f, const char *name, SoraError *err)
{
    size_t size = strlen(f->path) + strlen(name) + 5;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%.2s/%s", f->path, strchr(name, '_') + 31, name);
    else
        error_no_memory(err);
    return path;
}

static bool sync_folder_of(char *path, SoraError *err)
{
    *strrchr(path, '/') = 0;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_system(err, path, "cannot sync the folder");
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sync_file(const char *path, SoraError *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_system(err, path, "cannot sync");
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool add(Files *files, const char *path, const char *name, SoraError *err)
{
    char *final = path_of((Folder *)files, name, err), *end;
    if (final == NULL)
        return false;
    end = strrchr(final, '/');
    *end = 0;
    bool ok = dir_make_mode(final, 0700, err);
    *end = '/';
    ok = ok && sync_file(path, err);
    if (ok && rename(path, final) != 0)
        ok = errno == EXDEV ? file_copy(path, final, err) : error_system(err, final, "cannot store");
    ok = ok && sync_folder_of(final, err);
    free(final);
    return ok;
}

static bool size_of(Files *files, const char *name, int64_t *size, SoraError *err)
{
    char *path = path_of((Folder *)files, name, err);
    struct stat s;
    bool ok = path != NULL && (stat(path, &s) == 0 || error_system(err, path, "cannot read"));
    *size = ok ? s.st_size : 0;
    free(path);
    return ok;
}

static int open_file(Files *files, const char *name, int64_t first, int64_t last, int64_t *offset, SoraError *err)
{
    char *path = path_of((Folder *)files, name, err);
    int fd = path != NULL ? file_open(path, err) : -1;
    *offset = first;
    free(path);
    return fd;
}

static bool remove_file(Files *files, const char *name, SoraError *err)
{
    char *path = path_of((Folder *)files, name, err);
    bool ok = path != NULL && (unlink(path) == 0 || errno == ENOENT || error_system(err, path, "cannot remove"));
    free(path);
    return ok;
}

static void close_files(Files *files)
{
    free(((Folder *)files)->path);
    free(files);
}

static const FilesDriver FOLDER = {add, size_of, open_file, remove_file, close_files, false};

Files *files_folder_open(const char *path, SoraError *err)
{
    Folder *f = calloc(1, sizeof *f);
    if (f == NULL || (f->path = strdup(path)) == NULL) {
        free(f);
        error_no_memory(err);
        return NULL;
    }
    f->base.driver = &FOLDER;
    if (dir_make_mode(path, 0700, err))
        return &f->base;
    close_files(&f->base);
    return NULL;
}
