/* replay FOLDER: gives every file of the folder to the harness that it is linked with, whole and cut in half.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

enum { MAX_FILE = 16 << 20 };

/* In a block of its own size, so that a sanitizer sees a read past the end. */
static bool run(const char *bytes, size_t size)
{
    uint8_t *block = malloc(size ? size : 1);
    if (block == NULL)
        return false;
    memcpy(block, bytes, size);
    bool ok = LLVMFuzzerTestOneInput(block, size) == 0;
    free(block);
    return ok;
}

static bool run_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    SoraError err;
    size_t size = 0;
    char *bytes = file_read(path, MAX_FILE, &size, &err);
    if (bytes == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return false;
    }
    bool ok = run(bytes, size) && run(bytes, size / 2);
    free(bytes);
    return ok;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int count = 0;
    bool ok = true;
    for (const struct dirent *e; ok && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.') {
            ok = run_file(argv[1], e->d_name);
            count++;
        }
    closedir(dir);
    printf("%d files\n", count);
    return ok && count > 0 ? 0 : 1;
}
