#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lost.h"
#include "base/pages.h"

static bool io_error(SoraError *err, const char *what, const char *path)
{
    SoraErrorCode code = errno == ENOENT ? SORA_ERROR_NOT_FOUND : errno == ENOMEM ? SORA_ERROR_MEMORY : SORA_ERROR_IO;
    return error_set(err, code, "%s: %s: %s", path, what, strerror(errno));
}

bool file_map_open(FileMap *map, const char *path, SoraError *err)
{
    *map = (FileMap){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would wait */
    if (fd < 0)
        return io_error(err, "cannot open", path);
    struct stat st;
    bool ok = false;
    if (fstat(fd, &st) != 0) {
        io_error(err, "cannot read", path);
    } else if (!S_ISREG(st.st_mode)) {
        error_set(err, SORA_ERROR_INPUT, "%s: not a regular file", path);
    } else if (st.st_size == 0) {
        ok = true;
    } else {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            io_error(err, "cannot map", path);
        } else {
            *map = (FileMap){p, (size_t)st.st_size};
            lost_watch(p, map->size, path);
            ok = true;
        }
    }
    close(fd);
    return ok;
}

void file_map_close(FileMap *map)
{
    if (map->data != NULL) {
        lost_forget(map->data);
        munmap((void *)(uintptr_t)map->data, map->size);
    }
    *map = (FileMap){0};
}

void file_map_forget(const FileMap *map, const void *data, size_t size)
{
    uintptr_t begin = (uintptr_t)data, first = (uintptr_t)map->data;
    if (map->data != NULL && begin >= first && begin + size <= first + map->size)
        pages_advise(data, size, MADV_DONTNEED); /* a private map that nobody wrote: nothing is lost */
}

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder != NULL && *folder != 0 ? folder : dir_exists("/var/tmp") ? "/var/tmp" : "/tmp"; /* which may be memory */
}

bool file_temporary_failed(SoraError *err)
{
    return error_set(err, SORA_ERROR_IO, "temporary file in %s ($TMPDIR): cannot write: %s", temporary_folder(), strerror(errno));
}

FILE *file_temporary(SoraError *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/sora-XXXXXX", temporary_folder()) < 0) {
        error_set(err, SORA_ERROR_MEMORY, "temporary file: out of memory");
        return NULL;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    FILE *stream = NULL;
    if (fd >= 0 && (unlink(path) != 0 || (stream = fdopen(fd, "w+b")) == NULL)) {
        int why = errno;
        close(fd);
        errno = why;
    }
    if (stream == NULL)
        file_temporary_failed(err);
    free(path);
    return stream;
}

enum { IN_MEMORY = 64 << 20 };

/* Maps a new file of that size; the file stays as long as the map. */
static void *map_temporary(size_t size, SoraError *err)
{
    FILE *stream = file_temporary(err);
    if (stream == NULL)
        return MAP_FAILED;
    void *data = MAP_FAILED;
    if ((errno = posix_fallocate(fileno(stream), 0, (off_t)size)) != 0 ||
        (data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(stream), 0)) == MAP_FAILED) {
        file_temporary_failed(err);
        error_wrap(err, "%.2f GB", (double)size / 1e9);
    }
    fclose(stream);
    return data;
}

bool file_memory_init(FileMemory *m, size_t size, SoraError *err)
{
    *m = (FileMemory){NULL, size};
    void *data = size > IN_MEMORY ? map_temporary(size, err)
                                  : mmap(NULL, size > 0 ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return size > IN_MEMORY ? false : error_set(err, SORA_ERROR_MEMORY, "out of memory");
    m->data = data;
    return true;
}

void file_memory_deinit(FileMemory *m)
{
    if (m->data != NULL)
        munmap(m->data, m->size > 0 ? m->size : 1);
    *m = (FileMemory){0};
}

void file_memory_leave(const FileMemory *m, size_t offset, size_t size)
{
    if (m->size > IN_MEMORY && offset <= m->size && size <= m->size - offset)
        pages_advise(m->data + offset, size, MADV_DONTNEED); /* of a shared map: the file has them */
}

char *file_read(const char *path, size_t max_size, size_t *size, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return NULL;
    char *text = NULL;
    if (map.size > max_size) {
        error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %zu are accepted", path, map.size, max_size);
    } else if ((text = malloc(map.size + 1)) == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    } else {
        if (map.size > 0)
            memcpy(text, map.data, map.size);
        text[map.size] = 0;
        if (size != NULL)
            *size = map.size;
    }
    file_map_close(&map);
    return text;
}

bool file_writer_open(FileWriter *w, const char *path, SoraError *err)
{
    *w = (FileWriter){0};
    size_t n = strlen(path) + 32;
    w->path = strdup(path);
    w->part_path = malloc(n);
    if (w->path == NULL || w->part_path == NULL) {
        file_writer_abort(w);
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    }
    snprintf(w->part_path, n, "%s.part-%ld", path, (long)getpid());
    w->stream = fopen(w->part_path, "wbe");
    if (w->stream == NULL) {
        io_error(err, "cannot write", path);
        free(w->part_path); /* it is not ours to remove */
        w->part_path = NULL;
        file_writer_abort(w);
        return false;
    }
    return true;
}

bool file_writer_commit(FileWriter *w, SoraError *err)
{
    bool ok = fflush(w->stream) == 0 && !ferror(w->stream) && fsync(fileno(w->stream)) == 0;
    if (!ok)
        io_error(err, "cannot write", w->path);
    if (fclose(w->stream) != 0 && ok)
        ok = io_error(err, "cannot write", w->path);
    w->stream = NULL;
    ok = ok && lost_check(err);
    if (ok && rename(w->part_path, w->path) != 0)
        ok = io_error(err, "cannot rename to", w->path);
    if (ok) {
        free(w->part_path);
        w->part_path = NULL;
    }
    file_writer_abort(w);
    return ok;
}

bool file_writer_finish(FileWriter *w, const FileFinish *finish, SoraError *err)
{
    bool ok = true;
    if (finish != NULL && (fflush(w->stream) != 0 || ferror(w->stream)))
        ok = io_error(err, "cannot write", w->path);
    if (ok && finish != NULL)
        ok = finish->run(finish->user, w->part_path, w->path, err);
    if (!ok)
        file_writer_abort(w);
    return ok && file_writer_commit(w, err);
}

void file_writer_abort(FileWriter *w)
{
    if (w->stream != NULL)
        fclose(w->stream);
    if (w->part_path != NULL)
        unlink(w->part_path);
    free(w->part_path);
    free(w->path);
    *w = (FileWriter){0};
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool dir_make(const char *path, SoraError *err)
{
    char *p = strdup(path);
    if (p == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    bool ok = true;
    for (char *s = p + 1; ok && *s; s++) {
        if (*s != '/')
            continue;
        *s = 0;
        ok = mkdir(p, 0777) == 0 || errno == EEXIST;
        *s = '/';
    }
    ok = ok && (mkdir(p, 0777) == 0 || errno == EEXIST);
    if (!ok)
        io_error(err, "cannot make folder", path);
    else if (!dir_exists(path))
        ok = error_set(err, SORA_ERROR_IO, "%s: not a folder", path);
    free(p);
    return ok;
}

bool file_copy(const char *from, const char *to, SoraError *err)
{
    FileMap map;
    FileWriter w;
    if (!file_map_open(&map, from, err))
        return false;
    bool ok = file_writer_open(&w, to, err);
    if (ok && map.size > 0)
        fwrite(map.data, 1, map.size, w.stream); /* commit finds its errors */
    ok = ok && file_writer_commit(&w, err);
    file_map_close(&map);
    return ok;
}
