#include "base/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAG = 12, TRIES = 100, REMEMBERED = 64 };

static const char PREFIX[] = ".sora-", SUFFIX[] = ".part", LOCK[] = ".sora-lock";
static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuv"; /* 32 */

static bool is_scratch_name(const char *name)
{
    size_t first = strlen(PREFIX);
    return strlen(name) == first + TAG + strlen(SUFFIX) && strncmp(name, PREFIX, first) == 0 &&
           strspn(name + first, DIGITS) == TAG && strcmp(name + first + TAG, SUFFIX) == 0;
}

/* --- removing --- */

/* Everything in the open folder but the entry `keep` (NULL: nothing is kept). Links are removed and never followed. */
static void empty_folder(int folder, const char *keep)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (list == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        const char *name = e->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (keep != NULL && strcmp(name, keep) == 0) ||
            unlinkat(folder, name, 0) == 0)
            continue;
        int below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
            continue;
        empty_folder(below, NULL);
        close(below);
        unlinkat(folder, name, AT_REMOVEDIR);
    }
    closedir(list);
}

/* Whoever gets the lock may remove the folder. Where there is no lock file, its maker has not come to it and will take another
 * folder, or somebody was stopped while removing. */
static void sweep_one(int parent, const char *name)
{
    struct stat st;
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    if (fstat(folder, &st) == 0 && st.st_uid == geteuid()) {
        int lock = openat(folder, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
            empty_folder(folder, LOCK);
            unlinkat(folder, LOCK, 0);
            unlinkat(parent, name, AT_REMOVEDIR);
        }
        if (lock >= 0)
            close(lock);
    }
    close(folder);
}

void scratch_sweep(const char *folder)
{
    int fd = open(*folder != 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (list == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(list)) != NULL;)
        if (is_scratch_name(e->d_name))
            sweep_one(fd, e->d_name);
    closedir(list);
}

/* Has this process swept there already? From now on it has. */
static bool was_swept(const char *folder)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct { dev_t device; ino_t number; } done[REMEMBERED];
    static unsigned count;
    struct stat st;
    if (stat(*folder != 0 ? folder : ".", &st) != 0)
        return true;
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < count && i < REMEMBERED; i++)
        found = found || (done[i].device == st.st_dev && done[i].number == st.st_ino);
    if (!found) {
        done[count % REMEMBERED].device = st.st_dev;
        done[count++ % REMEMBERED].number = st.st_ino;
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

/* --- making --- */

static bool random_tag(char tag[TAG + 1])
{
    uint8_t bytes[TAG];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (int i = 0; i < TAG; i++)
        tag[i] = DIGITS[bytes[i] % 32];
    tag[TAG] = 0;
    return true;
}

/* Makes and locks the lock file. False with errno EAGAIN when a sweeper came between. */
static bool take_lock(Scratch *s)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->path, LOCK) < 0) {
        errno = ENOMEM;
        return false;
    }
    struct stat st;
    s->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int code = s->lock >= 0 ? 0 : errno == ENOENT || errno == EEXIST ? EAGAIN : errno;
    /* Where a file system has no locks, nobody gets one, and nothing is swept. */
    if (code == 0 && ((flock(s->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
                      (fstat(s->lock, &st) == 0 && st.st_nlink == 0)))
        code = EAGAIN;
    free(path);
    errno = code;
    return code == 0;
}

static bool try_make(Scratch *s, const char *beside, int folder)
{
    char tag[TAG + 1];
    *s = (Scratch){.lock = -1};
    if (!random_tag(tag))
        return false;
    if (asprintf(&s->path, "%.*s%s%s%s", folder, beside, PREFIX, tag, SUFFIX) < 0) {
        s->path = NULL;
        errno = ENOMEM;
        return false;
    }
    if (mkdir(s->path, 0700) == 0 && take_lock(s))
        return true;
    int code = errno;
    if (s->lock >= 0)
        close(s->lock);
    if (code != EEXIST) /* then it is not ours */
        rmdir(s->path);
    free(s->path);
    *s = (Scratch){0};
    errno = code;
    return false;
}

bool scratch_make(Scratch *s, const char *beside, SoraError *err)
{
    const char *slash = strrchr(beside, '/');
    int folder = slash != NULL ? (int)(slash - beside) + 1 : 0;
    char *place = strndup(beside, (size_t)folder);
    if (place != NULL && !was_swept(place))
        scratch_sweep(place);
    free(place);
    for (int i = 0; i < TRIES; i++) {
        if (try_make(s, beside, folder))
            return true;
        if (errno != EEXIST && errno != EAGAIN)
            break;
    }
    return error_system(err, beside, "cannot write");
}

void scratch_remove(Scratch *s)
{
    if (s->path == NULL)
        return;
    int folder = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) {
        empty_folder(folder, LOCK);
        unlinkat(folder, LOCK, 0);
        close(folder);
    }
    rmdir(s->path);
    close(s->lock);
    free(s->path);
    *s = (Scratch){0};
}
