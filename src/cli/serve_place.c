#include "cli/serve_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

char *serve_data(const char *given, SoraError *err)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = given != NULL                ? asprintf(&path, "%s", given)
            : xdg != NULL && *xdg != 0   ? asprintf(&path, "%s/sora/serve", xdg)
            : home != NULL && *home != 0 ? asprintf(&path, "%s/.local/share/sora/serve", home)
                                         : -2;
    if (n >= 0)
        return path;
    if (n == -2)
        error_set(err, SORA_ERROR_INPUT, "there is no home folder; say where with --data");
    else
        error_no_memory(err);
    return NULL;
}

Store *serve_store_open(const char *data, const char *store, SoraError *err)
{
    char *folder = serve_data(data, err), database[4096], files[4096];
    Store *s = NULL;
    if (folder != NULL && dir_make_mode(folder, 0700, err)) {
        snprintf(database, sizeof database, "%s/store.sqlite", folder);
        snprintf(files, sizeof files, "%s/files", folder);
        s = store_open(&(StorePlan){.database = store != NULL ? store : database, .files = files, .connections = 1}, err);
    }
    free(folder);
    return s;
}
