/* Where a server keeps what it keeps: for the commands that look into it. */
#ifndef SORA_CLI_SERVE_PLACE_H
#define SORA_CLI_SERVE_PLACE_H

#include "store/store.h"

/* given, else $XDG_DATA_HOME/sora/serve, else ~/.local/share/sora/serve; free() it. NULL: no memory, or there is no home. */
char *serve_data(const char *given, SoraError *err);

/* The store of --data and --store, which are as they were given. */
Store *serve_store_open(const char *data, const char *store, SoraError *err);

#endif
