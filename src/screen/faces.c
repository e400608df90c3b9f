#include "screen/faces.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

/* It looks for faces from a twentieth to a half of the side of what it is given: so from a tenth to all of a picture's.
 */
enum { PLACE = 480, ROW = 2, SECONDS = 60, PICTURE = 3 };

static const char PROGRAM[] = "facedetect";
extern char **environ;

static bool missing(SoraError *err)
{
    return error_set(
        err, SORA_ERROR_UNSUPPORTED,
        "uploads with people cannot be checked: the program %s is not installed (\"set faces allow\" in a policy "
        "looks for none)",
        PROGRAM);
}

bool faces_can_be_found(void)
{
    const char *path = getenv("PATH");
    char name[4096];
    while (path != NULL && *path != 0) {
        size_t n = strcspn(path, ":");
        snprintf(name, sizeof name, "%.*s/%s", (int)n, path, PROGRAM);
        if (access(name, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

bool face_sheet_add(FaceSheet *sheet, const Image *picture, SoraError *err)
{
    Image small = {0};
    if (sheet->image.rgb == NULL && !image_init(&sheet->image, ROW * PLACE, ROW * PLACE, err))
        return false;
    int longer = picture->width > picture->height ? picture->width : picture->height;
    int width = (int)((int64_t)picture->width * PLACE / longer),
        height = (int)((int64_t)picture->height * PLACE / longer);
    if (!image_resize(&small, picture, width > 0 ? width : 1, height > 0 ? height : 1, err))
        return false;
    int left = sheet->count % ROW * PLACE, top = sheet->count / ROW * PLACE;
    for (int y = 0; y < small.height; y++)
        memcpy(sheet->image.rgb + 3 * ((size_t)(top + y) * (size_t)sheet->image.width + (size_t)left),
               small.rgb + 3 * (size_t)y * (size_t)small.width, 3 * (size_t)small.width);
    image_deinit(&small);
    sheet->count++;
    return true;
}

/* Without a name: the program gets it as an open file. */
static FILE *write_pixmap(const Image *image, SoraError *err)
{
    FILE *f = file_temporary(err);
    size_t size = 3 * (size_t)image->width * (size_t)image->height;
    if (f == NULL)
        return NULL;
    if (fprintf(f, "P6\n%d %d\n255\n", image->width, image->height) > 0 && fwrite(image->rgb, 1, size, f) == size &&
        fflush(f) == 0)
        return f;
    file_temporary_failed(err);
    fclose(f);
    return NULL;
}

static pid_t start(int picture, int out, SoraError *err)
{
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    char *arguments[] = {(char *)PROGRAM, (char *)"/dev/fd/3", NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, picture, PICTURE);
    int code = posix_spawnp(&pid, PROGRAM, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code == 0) {
        prlimit(pid, RLIMIT_CPU, &(struct rlimit){SECONDS, SECONDS}, NULL);
        return pid;
    }
    if (code == ENOENT)
        missing(err);
    else
        error_set(err, SORA_ERROR_IO, "no process for %s: %s", PROGRAM, strerror(code));
    return 0;
}

/* It prints a line for each face. */
static int count_lines(int fd)
{
    char text[4096];
    int lines = 0;
    for (;;) {
        ssize_t n = read(fd, text, sizeof text);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lines;
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    }
}

static bool run_program(int picture, int *faces, SoraError *err)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(err, SORA_ERROR_IO, "no pipe for %s: %s", PROGRAM, strerror(errno));
    pid_t pid = start(picture, ends[1], err);
    close(ends[1]);
    *faces = pid > 0 ? count_lines(ends[0]) : 0;
    close(ends[0]);
    if (pid == 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           error_set(err, SORA_ERROR_IO, "uploads with people cannot be checked: %s failed", PROGRAM);
}

bool face_sheet_look(FaceSheet *sheet, int *faces, SoraError *err)
{
    *faces = 0;
    if (sheet->count == 0)
        return true;
    FILE *f = write_pixmap(&sheet->image, err);
    bool ok = f != NULL && run_program(fileno(f), faces, err);
    if (f != NULL)
        fclose(f);
    face_sheet_deinit(sheet);
    return ok;
}

void face_sheet_deinit(FaceSheet *sheet)
{
    image_deinit(&sheet->image);
    *sheet = (FaceSheet){.count = 0};
}
