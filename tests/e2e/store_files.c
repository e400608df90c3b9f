/* store_files DATA: are the files of a server that has stopped those that its database names? Prints how many are named and how
 * many are noted as due for removal. Fails when one is named and not there, or is there and neither. */
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST = 100000 };

static char *known[MOST];
static int count, strays, on_disk;

static int take(void *named, int columns, char **values, char **names)
{
    for (int i = 0; i < columns; i++) {
        if (values[i] == NULL || count == MOST)
            continue;
        known[count++] = strdup(values[i]);
        ++*(int *)named;
    }
    return 0;
}

static int visit(const char *path, const struct stat *s, int type, struct FTW *at)
{
    if (type != FTW_F)
        return 0;
    const char *name = strrchr(path, '/') + 1;
    int i = 0;
    on_disk++;
    while (i < count && strcmp(known[i], name) != 0)
        i++;
    if (i == count) {
        printf("a stray file: %s\n", name);
        strays++;
    }
    return 0;
}

int main(int argc, char **argv)
{
    char path[4096];
    sqlite3 *db;
    int named = 0, noted = 0, missing = 0;
    if (argc != 2)
        return 2;
    snprintf(path, sizeof path, "%s/store.sqlite", argv[1]);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "SELECT video, thumbnail, spritesheet, preview FROM jobs", take, &named, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "SELECT file FROM job_inputs", take, &named, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "SELECT file FROM characters", take, &named, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "SELECT file FROM removals", take, &noted, NULL) != SQLITE_OK) {
        printf("%s: %s\n", path, sqlite3_errmsg(db));
        return 1;
    }
    sqlite3_close(db);
    for (int i = 0; i < named; i++) {
        struct stat s;
        snprintf(path, sizeof path, "%s/files/%.2s/%s", argv[1], strchr(known[i], '_') + 31, known[i]);
        if (stat(path, &s) != 0 || s.st_size == 0) {
            printf("not there: %s\n", known[i]);
            missing++;
        }
    }
    snprintf(path, sizeof path, "%s/files", argv[1]);
    nftw(path, visit, 16, FTW_PHYS);
    printf("%d files are named, %d are to be removed, %d are on the disk, %d are missing, %d are strays\n", named, noted, on_disk,
           missing, strays);
    return missing > 0 || strays > 0;
}
