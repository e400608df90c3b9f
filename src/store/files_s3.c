/* Files as objects in a bucket, under their names. An object is there whole or not at all. What is read comes through a file
 * without a name. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/files.h"
#include "store/s3.h"

typedef struct Bucket {
    Files base;
    S3 *s3;
} Bucket;

static S3 *s3_of(Files *files)
{
    return ((Bucket *)files)->s3;
}

static bool add(Files *files, const char *path, const char *name, SoraError *err)
{
    struct stat s;
    int fd = file_open(path, err);
    bool ok = fd >= 0 && (fstat(fd, &s) == 0 || error_system(err, path, "cannot read")) &&
              s3_put(s3_of(files), name, fd, s.st_size, err);
    if (fd >= 0)
        close(fd);
    if (ok)
        unlink(path); /* it was moved */
    return ok;
}

static bool size_of(Files *files, const char *name, int64_t *size, SoraError *err)
{
    return s3_size(s3_of(files), name, size, err);
}

static int open_part(Files *files, const char *name, int64_t first, int64_t last, int64_t *offset, SoraError *err)
{
    FILE *f = file_temporary(err);
    int fd = f != NULL ? fcntl(fileno(f), F_DUPFD_CLOEXEC, 3) : -1;
    if (f != NULL && fd < 0)
        error_system(err, name, "cannot open");
    if (f != NULL)
        fclose(f);
    *offset = 0;
    if (fd < 0)
        return -1;
    if (s3_get(s3_of(files), name, first, last, fd, err) &&
        (lseek(fd, 0, SEEK_SET) == 0 || error_system(err, name, "cannot read")))
        return fd;
    close(fd);
    return -1;
}

static bool remove_object(Files *files, const char *name, SoraError *err)
{
    return s3_remove(s3_of(files), name, err);
}

static void close_files(Files *files)
{
    s3_close(s3_of(files));
    free(files);
}

static const FilesDriver BUCKET = {add, size_of, open_part, remove_object, close_files, true};

/* Is the bucket there, and may we write to it? */
static bool try_it(S3 *s3, const char *url, SoraError *err)
{
    FILE *f = file_temporary(err);
    bool ok = f != NULL && s3_put(s3, "sora-was-here", fileno(f), 0, err);
    if (f != NULL)
        fclose(f);
    return ok || error_wrap(err, "%s", url);
}

Files *files_s3_open(const char *url, SoraError *err)
{
    Bucket *b = calloc(1, sizeof *b);
    if (b == NULL) {
        error_no_memory(err);
        return NULL;
    }
    b->base.driver = &BUCKET;
    b->s3 = s3_open(url, err);
    if (b->s3 != NULL && try_it(b->s3, url, err))
        return &b->base;
    close_files(&b->base);
    return NULL;
}
