/* Bringing the art: `npm pack` each package, check its SHA-512, unpack, build the pack. */
#include "stage/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/file.h"
#include "base/scratch.h"
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

/* What goes on, for whoever waits. */
typedef struct Step {
    const StageFetch *fetch;
    const char *what;
    int done, total;
} Step;

static bool go_on(const Step *s, SoraError *err)
{
    const StageFetch *f = s->fetch;
    return f->note == NULL || f->note(s->what, s->done, s->total, f->user) ||
           error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

static bool not_installed(const char *program, SoraError *err)
{
    return error_set(err, SORA_ERROR_NOT_FOUND, "%s: this program is needed and not installed (Debian: apt-get install %s)",
                     program, program);
}

/* Waits until it has ended, and ends it when the user cancels. */
static bool wait_for(pid_t pid, const char *program, const Step *step, int *status, SoraError *err)
{
    enum { PAUSE_MS = 50, PATIENCE = 40 };
    bool ok = true;
    pid_t ended;
    for (int asked = 0; (ended = waitpid(pid, status, WNOHANG)) == 0; nanosleep(&(struct timespec){0, PAUSE_MS * 1000000}, NULL)) {
        ok = ok && go_on(step, err);
        if (!ok)
            kill(pid, asked++ < PATIENCE ? SIGTERM : SIGKILL);
    }
    return ended < 0 ? error_system(err, program, "cannot wait for it") : ok;
}

/* Runs a program found in PATH, its output into the file `log`. */
static bool run_program(const char *const *argv, const char *log, const Step *step, SoraError *err)
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
        return not_installed(argv[0], err);
    if (code != 0)
        return error_set(err, SORA_ERROR_IO, "%s: cannot run: %s", argv[0], strerror(code));
    if (!wait_for(pid, argv[0], step, &status, err))
        return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) /* some C libraries report a missing program so */
        return not_installed(argv[0], err);
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

static bool report_packing(void *user, int done, int total)
{
    return go_on(&(Step){user, "packing", done, total}, NULL);
}

static bool pack_all(const StageFetch *f, const char *node_modules, const char *out, SoraError *err)
{
    PackProgress progress = {report_packing, (void *)(uintptr_t)f};
    return pack_build(node_modules, out, &progress, err);
}

/* npm's cache lies in dir too, and goes with it. */
static bool fetch_package(const Step *step, const Package *p, const char *dir, Arena *arena, SoraError *err)
{
    char *what = arena_printf(arena, "@lobehub/%s@%s", p->name, p->version),
         *log = arena_printf(arena, "%s/log", dir), *cache = arena_printf(arena, "%s/cache", dir);
    char *archive = arena_printf(arena, "%s/%s", dir, p->file),
         *folder = arena_printf(arena, "%s/@lobehub/%s", dir, p->name);
    if (what == NULL || log == NULL || cache == NULL || archive == NULL || folder == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", p->name);
    const char *npm[] = {"npm", "pack", "--silent", "--cache", cache, "--pack-destination", dir, what, NULL};
    if (!run_program(npm, log, step, err)) {
        if (err != NULL && err->code == SORA_ERROR_IO)
            quote_log(log, err);
        return err != NULL && err->code == SORA_ERROR_CANCELLED ? false : error_wrap(err, "%s", what);
    }
    if (!file_exists(archive))
        return error_set(err, SORA_ERROR_IO, "%s: npm brought no %s", what, p->file);
    const char *tar[] = {"tar", "-xzf", archive, "--strip-components=1", "--no-same-owner",
                         "-C",  folder, NULL};
    bool ok = check_hash(archive, p, err) && dir_make(folder, err) && run_program(tar, log, step, err);
    unlink(archive);
    return ok;
}

static bool fetch_all(const StageFetch *f, const char *out, const char *dir, Arena *arena, SoraError *err)
{
    for (int i = 0; i < PACKAGE_COUNT; i++) {
        Step step = {f, PACKAGES[i].name, i, PACKAGE_COUNT};
        if (!go_on(&step, err) || !fetch_package(&step, &PACKAGES[i], dir, arena, err))
            return false;
    }
    return pack_all(f, dir, out, err);
}

/* The folder that a file is to lie in. */
static bool make_place(const char *path, Arena *arena, SoraError *err)
{
    char *folder = arena_strdup(arena, path), *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    if (slash == NULL || slash == folder)
        return folder != NULL || error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    *slash = 0;
    return dir_make(folder, err);
}

bool stage_fetch(const StageFetch *fetch, SoraError *err)
{
    Arena arena;
    Scratch scratch = {0};
    arena_init(&arena, 1 << 14);
    char *home = fetch->out_path == NULL ? stage_default_path() : NULL;
    const char *out = fetch->out_path != NULL ? fetch->out_path : home;
    bool ok = out != NULL || error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    ok = ok && make_place(out, &arena, err);
    if (ok && fetch->art != NULL)
        ok = pack_all(fetch, fetch->art, out, err);
    else
        ok = ok && scratch_make(&scratch, out, err) && fetch_all(fetch, out, scratch.path, &arena, err);
    scratch_remove(&scratch);
    free(home);
    arena_deinit(&arena);
    return ok;
}
