/* Bringing the art: `npm pack` each package, check its SHA-512, unpack, build the pack. */
#include "stage/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/file.h"
#include "stage/pack.h"

extern char **environ;

typedef struct Package {
    const char *name, *version, *file; /* file: what `npm pack` calls it */
    const char *sha512;                /* base64, as npm's integrity */
} Package;

static const Package PACKAGES[] = {
    {"fluent-emoji-3d", "1.1.0", "lobehub-fluent-emoji-3d-1.1.0.tgz",
     "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="},
    {"fluent-emoji-anim-1", "1.0.0", "lobehub-fluent-emoji-anim-1-1.0.0.tgz",
     "/4m31vAuZEQ4aUJ5pxcOU5PVkuJya55GRxUZL7+zgLlxZXpzzE8jPqpDyhZICE3n47nS/Y9M5/vLdizi8201QA=="},
    {"fluent-emoji-anim-2", "1.0.0", "lobehub-fluent-emoji-anim-2-1.0.0.tgz",
     "S6yzf0RZXrQbXdxCWuHA9BAoLdBRk2flX+ne4TPGEH/qApwisCAKHoAAGjKSlTY3OVeZ9b7t/NEbmpjawnQYJA=="},
    {"fluent-emoji-anim-3", "1.0.0", "lobehub-fluent-emoji-anim-3-1.0.0.tgz",
     "UzRSUDMjdfdt9vER5bhjHkPqgc3EEgfGtYs6ndvizOTvQOxYQ57ow2RTkWSDZxwW30X4EYBi2eWTS7CXDDoFsg=="},
    {"fluent-emoji-anim-4", "1.0.0", "lobehub-fluent-emoji-anim-4-1.0.0.tgz",
     "IIkl5ztSd1HrzvIDt/uGsFoC1WODXRdYq5uROrnkyqi9DbToEcJ1nlY86PnoUXeFS9nBCnHfiYk3ouSEGThFmA=="},
};
enum { PACKAGE_COUNT = sizeof PACKAGES / sizeof PACKAGES[0] };

/* Runs a program found in PATH, its output into the file `log`. */
static bool run_program(const char *const *argv, const char *log, SoraError *err)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", argv[0]);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    int code = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ),
        status = 0;
    posix_spawn_file_actions_destroy(&actions);
    if (code == ENOENT)
        return error_set(err, SORA_ERROR_NOT_FOUND,
                         "%s: this program is needed and not installed (Debian: apt-get install %s)", argv[0],
                         argv[0]);
    if (code != 0)
        return error_set(err, SORA_ERROR_IO, "%s: cannot run: %s", argv[0], strerror(code));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(err, SORA_ERROR_IO, "%s: %s", argv[0], strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) /* some C libraries report a missing program so */
        return error_set(err, SORA_ERROR_NOT_FOUND,
                         "%s: this program is needed and not installed (Debian: apt-get install %s)", argv[0],
                         argv[0]);
    return error_set(err, SORA_ERROR_IO, "%s: failed (%s %d)", argv[0], WIFEXITED(status) ? "exit" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* The last line of npm's log that says something, appended to the error. */
static void quote_log(const char *log, SoraError *err)
{
    char *text = file_read(log, 1 << 20, NULL, NULL), *save = NULL, best[128] = "";
    if (text == NULL)
        return;
    for (char *line = strtok_r(text, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save))
        if (best[0] == 0 || strstr(line, "code") != NULL)
            snprintf(best, sizeof best, "%.120s", line);
    free(text);
    size_t n = strlen(err->message);
    if (best[0] != 0)
        snprintf(err->message + n, sizeof err->message - n, ": %s", best);
}

static bool check_hash(const char *path, const Package *p, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    unsigned char digest[EVP_MAX_MD_SIZE], text[128] = "";
    unsigned size = 0;
    bool ok = EVP_Digest(map.data != NULL ? map.data : (const uint8_t *)"", map.size, digest, &size,
                         EVP_sha512(), NULL) == 1;
    file_map_close(&map);
    if (!ok)
        return error_set(err, SORA_ERROR_INTERNAL, "%s: cannot compute its SHA-512", p->file);
    EVP_EncodeBlock(text, digest, (int)size);
    return strcmp((char *)text, p->sha512) == 0 ||
           error_set(err, SORA_ERROR_INPUT, "%s: wrong SHA-512 (%.12s..., expected %.12s...); not used",
                     p->file, (char *)text, p->sha512);
}

static bool note(const StageFetch *f, const char *what, int done, SoraError *err)
{
    return f->note == NULL || f->note(what, done, PACKAGE_COUNT, f->user) ||
           error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

static bool pack_all(const StageFetch *f, const char *node_modules, const char *out, SoraError *err)
{
    return note(f, "packing", PACKAGE_COUNT, err) && pack_build(node_modules, out, err);
}

static bool fetch_package(const Package *p, const char *dir, Arena *arena, SoraError *err)
{
    char *what = arena_printf(arena, "@lobehub/%s@%s", p->name, p->version),
         *log = arena_printf(arena, "%s/log", dir);
    char *archive = arena_printf(arena, "%s/%s", dir, p->file),
         *folder = arena_printf(arena, "%s/@lobehub/%s", dir, p->name);
    if (what == NULL || log == NULL || archive == NULL || folder == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", p->name);
    const char *npm[] = {"npm", "pack", "--silent", "--pack-destination", dir, what, NULL};
    if (!run_program(npm, log, err)) {
        if (err != NULL && err->code == SORA_ERROR_IO)
            quote_log(log, err);
        return error_wrap(err, "%s", what);
    }
    if (!file_exists(archive))
        return error_set(err, SORA_ERROR_IO, "%s: npm brought no %s", what, p->file);
    const char *tar[] = {"tar", "-xzf", archive, "--strip-components=1", "--no-same-owner",
                         "-C",  folder, NULL};
    bool ok = check_hash(archive, p, err) && dir_make(folder, err) && run_program(tar, log, err);
    unlink(archive);
    return ok;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool fetch_all(const StageFetch *f, const char *out, const char *dir, Arena *arena, SoraError *err)
{
    for (int i = 0; i < PACKAGE_COUNT; i++)
        if (!note(f, PACKAGES[i].name, i, err) || !fetch_package(&PACKAGES[i], dir, arena, err))
            return false;
    return pack_all(f, dir, out, err);
}

bool stage_fetch(const StageFetch *fetch, SoraError *err)
{
    Arena arena;
    arena_init(&arena, 1 << 14);
    char *home = stage_default_path(), *out = arena_strdup(&arena, fetch->out_path != NULL ? fetch->out_path
                                                                   : home != NULL          ? home
                                                                                           : "");
    free(home);
    char *dir = NULL, *slash = out != NULL ? strrchr(out, '/') : NULL;
    if (out != NULL)
        dir = arena_printf(&arena, "%.*s/.stage-fetch-XXXXXX", slash != NULL ? (int)(slash - out) : 1,
                           slash != NULL ? out : ".");
    bool ok = dir != NULL ? true : error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    if (ok) {
        char *end = strrchr(dir, '/');
        *end = 0;
        ok = *dir == 0 || dir_make(dir, err);
        *end = '/';
    }
    if (ok && fetch->art != NULL) {
        ok = pack_all(fetch, fetch->art, out, err);
    } else if (ok && mkdtemp(dir) == NULL) {
        ok = error_set(err, SORA_ERROR_IO, "%s: cannot make a temporary folder: %s", dir, strerror(errno));
    } else if (ok) {
        ok = fetch_all(fetch, out, dir, &arena, err);
        remove_tree(dir);
    }
    arena_deinit(&arena);
    return ok;
}
