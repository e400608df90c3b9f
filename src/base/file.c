#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/lost.h"
#include "base/pages.h"

int file_open(const char *path, SoraError *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would wait */
    if (fd < 0) {
        error_system(err, path, "cannot open");
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) != 0)
        error_system(err, path, "cannot read");
    else if (!S_ISREG(st.st_mode))
        error_set(err, SORA_ERROR_INPUT, "%s: not a regular file", path);
    else
        return fd;
    close(fd);
    return -1;
}

bool file_read_head(const char *path, void *head, size_t room, size_t *size, SoraError *err)
{
    int fd = file_open(path, err);
    if (fd < 0)
        return false;
    size_t n = 0;
    ssize_t more;
    do {
        more = read(fd, (char *)head + n, room - n);
        n += more > 0 ? (size_t)more : 0;
    } while ((more > 0 && n < room) || (more < 0 && errno == EINTR));
    if (more < 0)
        error_system(err, path, "cannot read");
    close(fd);
    *size = n;
    return more >= 0;
}

bool file_map_open(FileMap *map, const char *path, SoraError *err)
{
    *map = (FileMap){0};
    int fd = file_open(path, err);
    if (fd < 0)
        return false;
    struct stat st;
    bool ok = false;
    if (fstat(fd, &st) != 0) {
        error_system(err, path, "cannot read");
    } else {
        void *p = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
        ok = p != MAP_FAILED || error_system(err, path, "cannot map");
        if (ok)
            *map = (FileMap){p, (size_t)st.st_size, st.st_dev, st.st_ino};
        if (ok && p != NULL)
            lost_watch(p, map->size, path);
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

bool file_map_is(const FileMap *map, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == map->device && st.st_ino == map->number && st.st_ino != 0;
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
    int fd = open(temporary_folder(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    bool named = fd < 0 && (fd = mkostemp(path, O_CLOEXEC)) >= 0; /* a file system without files without names */
    FILE *stream = NULL;
    if (fd >= 0 && ((named && unlink(path) != 0) || (stream = fdopen(fd, "w+b")) == NULL)) {
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

static char *copy_map(const FileMap *map, const char *path, size_t max_size, SoraError *err)
{
    char *text = NULL;
    if (map->size > max_size)
        error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %zu are accepted", path, map->size, max_size);
    else if ((text = malloc(map->size + 1)) == NULL)
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    else if (map->size > 0)
        memcpy(text, map->data, map->size);
    if (text != NULL)
        text[map->size] = 0;
    return text;
}

bool file_hash(const char *path, uint64_t *hash, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    *hash = hash64(HASH64_START, map.data, map.size);
    file_map_close(&map);
    return true;
}

char *file_read(const char *path, size_t max_size, size_t *size, SoraError *err)
{
    FileMap map;
    Losses losses = {0};
    char *text = NULL;
    lost_begin(&losses);
    if (file_map_open(&map, path, err)) {
        text = copy_map(&map, path, max_size, err);
        if (text != NULL && size != NULL)
            *size = map.size;
        file_map_close(&map);
    }
    if (text != NULL && !lost_check(err)) {
        free(text);
        text = NULL;
    }
    lost_end(&losses);
    return text;
}

/* Where path leads: the end of its links, there or not. *st is the file's, or zeros. Heap; NULL on failure. */
static char *follow_links(const char *path, const char *name, struct stat *st, SoraError *err)
{
    enum { MOST = 40 };
    char target[PATH_MAX], *at = strdup(path), *next;
    struct stat link;
    if (stat(path, st) != 0) {
        *st = (struct stat){0};
        if (errno != ENOENT) { /* a link that the kernel will not follow, among others */
            error_system(err, name, "cannot write");
            free(at);
            return NULL;
        }
    }
    for (int i = 0; at != NULL && i < MOST && lstat(at, &link) == 0 && S_ISLNK(link.st_mode); i++) {
        ssize_t n = readlink(at, target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        const char *slash = strrchr(at, '/');
        int folder = *target != '/' && slash != NULL ? (int)(slash - at) + 1 : 0;
        next = NULL;
        if (asprintf(&next, "%.*s%s", folder, at, target) < 0)
            next = NULL;
        free(at);
        at = next;
    }
    if (at == NULL)
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    return at;
}

static bool open_part(FileWriter *w, mode_t mode, const struct stat *st, SoraError *err)
{
    const char *slash = strrchr(w->final, '/');
    if (asprintf(&w->part_path, "%s/%s", w->scratch.path, slash != NULL ? slash + 1 : w->final) < 0) {
        w->part_path = NULL;
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", w->path);
    }
    int fd = open(w->part_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode != 0 ? mode : 0666);
    if (fd >= 0 && mode == 0 && st->st_mode != 0 && fchmod(fd, st->st_mode & 0777) != 0) {
        close(fd);
        fd = -1;
    }
    w->stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
    return w->stream != NULL || error_system(err, w->path, "cannot write");
}

static bool open_writer(FileWriter *w, const char *path, const char *name, mode_t mode, SoraError *err)
{
    *w = (FileWriter){0};
    struct stat st;
    bool ok = (w->path = strdup(name)) != NULL || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    ok = ok && (w->final = follow_links(path, name, &st, err)) != NULL;
    if (ok && st.st_mode != 0 && !S_ISREG(st.st_mode))
        ok = error_set(err, SORA_ERROR_IO, "%s: cannot write: it is %s", name,
                       S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    ok = ok && (scratch_make(&w->scratch, w->final, NULL) || error_system(err, name, "cannot write")) &&
         open_part(w, mode, &st, err);
    if (!ok)
        file_writer_abort(w);
    return ok;
}

bool file_writer_open(FileWriter *w, const char *path, SoraError *err)
{
    return open_writer(w, path, path, 0, err);
}

bool file_writer_open_as(FileWriter *w, const char *path, const char *name, SoraError *err)
{
    return open_writer(w, path, name, 0, err);
}

bool file_writer_open_mode(FileWriter *w, const char *path, mode_t mode, SoraError *err)
{
    return open_writer(w, path, path, mode, err);
}

/* STEM-N.EXT of STEM.EXT; the name itself for N = 1. */
static char *numbered_name(const char *path, int n)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot = strrchr(name, '.');
    int stem = (int)((dot != NULL && dot != name ? dot : path + strlen(path)) - path);
    char *numbered = NULL;
    if (n == 1)
        return strdup(path);
    return asprintf(&numbered, "%.*s-%d%s", stem, path, n, path + stem) >= 0 ? numbered : NULL;
}

char *file_free_name(const char *path)
{
    struct stat st;
    char *name = strdup(path);
    for (int n = 2; name != NULL && lstat(name, &st) == 0; n++) {
        free(name);
        name = numbered_name(path, n);
    }
    return name;
}

/* rename() that replaces nothing. */
static int rename_new(const char *from, const char *to)
{
    struct stat st;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (lstat(to, &st) == 0) { /* a file system that cannot: another process may come between here */
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static bool give_free_name(FileWriter *w, char **new_name, SoraError *err)
{
    for (int n = 1;; n++) {
        char *name = numbered_name(w->final, n);
        if (name == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", w->path);
        if (rename_new(w->part_path, name) == 0) {
            *new_name = name;
            return true;
        }
        free(name);
        if (errno != EEXIST)
            return error_system(err, w->path, "cannot rename to");
    }
}

static bool close_and_name(FileWriter *w, char **new_name, SoraError *err)
{
    bool ok = fflush(w->stream) == 0 && !ferror(w->stream) && (w->passing || fsync(fileno(w->stream)) == 0);
    if (!ok)
        error_system(err, w->path, "cannot write");
    if (fclose(w->stream) != 0 && ok)
        ok = error_system(err, w->path, "cannot write");
    w->stream = NULL;
    ok = ok && lost_check(err);
    if (ok && new_name != NULL)
        ok = give_free_name(w, new_name, err);
    else if (ok && rename(w->part_path, w->final) != 0)
        ok = error_system(err, w->path, "cannot rename to");
    file_writer_abort(w);
    return ok;
}

bool file_writer_commit(FileWriter *w, SoraError *err)
{
    return close_and_name(w, NULL, err);
}

bool file_writer_finish(FileWriter *w, const FileFinish *finish, char **new_name, SoraError *err)
{
    bool ok = true;
    if (new_name != NULL)
        *new_name = NULL;
    if (finish != NULL && (fflush(w->stream) != 0 || ferror(w->stream)))
        ok = error_system(err, w->path, "cannot write");
    w->passing = w->passing || (finish != NULL && finish->passing);
    if (ok && finish != NULL && finish->run != NULL)
        ok = finish->run(finish->user, w->part_path, w->path, err);
    if (!ok)
        file_writer_abort(w);
    return ok && close_and_name(w, new_name, err);
}

void file_writer_abort(FileWriter *w)
{
    if (w->stream != NULL)
        fclose(w->stream);
    scratch_remove(&w->scratch);
    free(w->part_path);
    free(w->final);
    free(w->path);
    *w = (FileWriter){0};
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool file_same(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool dir_make(const char *path, SoraError *err)
{
    return dir_make_mode(path, 0777, err);
}

bool dir_make_mode(const char *path, mode_t mode, SoraError *err)
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
    ok = ok && (mkdir(p, mode) == 0 || errno == EEXIST);
    if (!ok)
        error_system(err, path, "cannot make folder");
    else if (!dir_exists(path))
        ok = error_set(err, SORA_ERROR_IO, "%s: not a folder", path);
    free(p);
    return ok;
}

static bool copy_file(const char *from, const char *to, SoraError *err)
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

bool file_copy(const char *from, const char *to, SoraError *err)
{
    Losses losses = {0};
    lost_begin(&losses);
    bool ok = file_same(from, to) || copy_file(from, to, err);
    lost_end(&losses);
    return ok;
}
