#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/serve_place.h"
#include "serve/admin.h"
#include "serve/plans.h"
#include "store/keys.h"

typedef struct KeysArgs {
    const char *data, *store, *name, *scopes, *plan, *plans;
    bool json;
} KeysArgs;

static const KeysArgs defaults;

#define PLACE_OPTIONS                                                                                                            \
    {0,                                                                                                                          \
     "data",                                                                                                                     \
     OPTION_STRING,                                                                                                              \
     offsetof(KeysArgs, data),                                                                                                   \
     "DIR",                                                                                                                      \
     .help = "of the server (default: sora/serve in the user's data "                                                            \
             "folder)"},                                                                                                         \
        {0, "store", OPTION_STRING, offsetof(KeysArgs, store), "URL", .help = "postgres://..., if the server has one"},          \
    {                                                                                                                            \
        0, "json", OPTION_FLAG, offsetof(KeysArgs, json), .help = "print JSON"                                                   \
    }

static const Option place_options[] = {PLACE_OPTIONS, {0}};

static const Option create_options[] = {
    {'n', "name", OPTION_STRING, offsetof(KeysArgs, name), "TEXT", .help = "whose it is, or what for (default: key)"},
    {0, "scopes", OPTION_STRING, offsetof(KeysArgs, scopes), "LIST", .help = "videos (default), admin, or \"videos admin\""},
    {0, "plan", OPTION_STRING, offsetof(KeysArgs, plan), "NAME", .help = "what it may do (default: unlimited)"},
    {0, "plans", OPTION_STRING, offsetof(KeysArgs, plans), "FILE", .help = "the server's plans, if it has its own"},
    PLACE_OPTIONS,
    {0},
};

static const Option limit_options[] = {
    {0, "plan", OPTION_STRING, offsetof(KeysArgs, plan), "NAME", .help = "another plan"},
    {0, "scopes", OPTION_STRING, offsetof(KeysArgs, scopes), "LIST", .help = "other scopes"},
    {'n', "name", OPTION_STRING, offsetof(KeysArgs, name), "TEXT", .help = "another name"},
    {0, "plans", OPTION_STRING, offsetof(KeysArgs, plans), "FILE", .help = "the server's plans, if it has its own"},
    PLACE_OPTIONS,
    {0},
};

static void print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

static void print_key(const ApiKey *k)
{
    char when[32] = "";
    time_t t = (time_t)(k->created / 1000);
    struct tm parts;
    if (gmtime_r(&t, &parts) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d", &parts);
    printf("%s  %s...  %s  %-12s %-14s %s%s\n", k->id, k->hint != NULL ? k->hint : "", when, k->plan, k->scopes, k->name,
           k->revoked > 0 ? "  (revoked)" : "");
}

/* Are plan and scopes, where they are given, known? */
static bool check(const KeysArgs *a, SoraError *err)
{
    Plans *plans = plans_open(a->plans, err);
    bool ok = plans != NULL && (a->scopes == NULL || scopes_check(a->scopes, err)) &&
              (a->plan == NULL || plans_find(plans, a->plan) != NULL ||
               error_set(err, SORA_ERROR_INPUT, "--plan: there is no plan \"%.40s\"%s", a->plan,
                         a->plans == NULL ? "; --plans names a file with others" : ""));
    plans_close(plans);
    return ok;
}

static bool create(const void *values, char **arguments, int count, SoraError *err)
{
    const KeysArgs *a = values;
    char text[STORE_SERVER_KEY_SIZE];
    if (!check(a, err))
        return false;
    Store *store = serve_store_open(a->data, a->store, err);
    ApiKey key = {.name = strdup(a->name != NULL ? a->name : "key"),
                  .scopes = strdup(a->scopes != NULL ? a->scopes : "videos"),
                  .plan = strdup(a->plan != NULL ? a->plan : "unlimited")};
    bool ok = store != NULL && ((key.name != NULL && key.scopes != NULL && key.plan != NULL) || error_no_memory(err)) &&
              store_key_create(store, &key, text, err) &&
              store_audit(store, "command line", "key.created", key.id, key.name, err);
    if (ok && a->json) {
        json_t *o = key_json(&key);
        json_object_set_new(o, "key", json_string(text));
        print_json(o);
    } else if (ok) {
        printf("%s\n", text);
        fprintf(stderr, "sora: this is shown once; the server keeps only a hash. Its id is %s\n", key.id);
    }
    api_key_deinit(&key);
    store_close(store);
    return ok;
}

static bool list(const void *values, char **arguments, int count, SoraError *err)
{
    const KeysArgs *a = values;
    ApiKeyList keys = {0};
    Store *store = serve_store_open(a->data, a->store, err);
    bool ok = store != NULL && store_key_list(store, &keys, err);
    json_t *all = json_array();
    for (int i = 0; ok && i < keys.count; i++) {
        if (a->json)
            json_array_append_new(all, key_json(&keys.keys[i]));
        else
            print_key(&keys.keys[i]);
    }
    if (ok && a->json)
        print_json(json_incref(all));
    json_decref(all);
    api_key_list_deinit(&keys);
    store_close(store);
    return ok;
}

static bool none(const char *id, SoraError *err)
{
    return error_set(err, SORA_ERROR_NOT_FOUND, "there is no key %.80s; sora keys list shows all", id);
}

static void print_usage(const KeyUsageList *usage, const ApiKey *key, bool json)
{
    json_t *days = json_array();
    for (int i = 0; i < usage->count; i++) {
        const KeyUsage *d = &usage->days[i];
        char when[32] = "";
        time_t t = (time_t)d->day * 86400;
        struct tm parts;
        if (gmtime_r(&t, &parts) != NULL)
            strftime(when, sizeof when, "%Y-%m-%d", &parts);
        if (json)
            json_array_append_new(
                days, json_pack("{ss sI sI}", "day", when, "videos", (json_int_t)d->videos, "credits", (json_int_t)d->credits));
        else
            printf("  %s  %lld videos, %lld credits\n", when, (long long)d->videos, (long long)d->credits);
    }
    if (json) {
        json_t *o = key_json(key);
        json_object_set(o, "usage", days);
        print_json(o);
    }
    json_decref(days);
}

static bool show(const void *values, char **arguments, int count, SoraError *err)
{
    const KeysArgs *a = values;
    ApiKey key = {0};
    bool found = false;
    Store *store = serve_store_open(a->data, a->store, err);
    KeyUsageList *usage = calloc(1, sizeof *usage);
    bool ok = store != NULL && (usage != NULL || error_no_memory(err)) && store_key_get(store, arguments[0], &key, &found, err) &&
              (found || none(arguments[0], err)) && store_key_usage(store, key.id, 30, usage, err);
    if (ok && !a->json)
        print_key(&key);
    if (ok)
        print_usage(usage, &key, a->json);
    free(usage);
    api_key_deinit(&key);
    store_close(store);
    return ok;
}

static bool limit(const void *values, char **arguments, int count, SoraError *err)
{
    const KeysArgs *a = values;
    bool found = false;
    if (a->plan == NULL && a->scopes == NULL && a->name == NULL)
        return error_set(err, SORA_ERROR_INPUT, "nothing to change: --plan, --scopes or --name is missing");
    if (!check(a, err))
        return false;
    Store *store = serve_store_open(a->data, a->store, err);
    bool ok = store != NULL && store_key_change(store, arguments[0], a->plan, a->scopes, a->name, &found, err) &&
              (found || none(arguments[0], err)) && store_audit(store, "command line", "key.changed", arguments[0], a->plan, err);
    store_close(store);
    return ok;
}

static bool end_key(const void *values, char **arguments, int count, SoraError *err)
{
    const KeysArgs *a = values;
    bool found = false;
    Store *store = serve_store_open(a->data, a->store, err);
    bool ok = store != NULL && store_key_revoke(store, arguments[0], &found, err) &&
              (found || error_set(err, SORA_ERROR_NOT_FOUND, "there is no key %.80s that is not revoked", arguments[0])) &&
              store_audit(store, "command line", "key.revoked", arguments[0], NULL, err);
    store_close(store);
    return ok;
}

static const Command create_command = {
    .name = "create",
    .summary = "make a key, which is shown once",
    .examples = "  sora keys create --name \"the studio\" --scopes \"videos admin\"\n",
    .options = create_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = create,
};

static const Command list_command = {
    .name = "list",
    .summary = "all keys",
    .examples = "  sora keys list --json\n",
    .options = place_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = list,
};

static const Command show_command = {
    .name = "show",
    .summary = "a key and what it was used for",
    .examples = "  sora keys show key_019ac0ffee\n",
    .arguments = "ID",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = place_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = show,
};

static const Command limit_command = {
    .name = "limit",
    .summary = "another plan, other scopes or another name",
    .examples = "  sora keys limit key_019ac0ffee --plan free\n",
    .arguments = "ID",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = limit_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = limit,
};

static const Command revoke_command = {
    .name = "revoke",
    .summary = "a key that ends at once, with the jobs that run under it",
    .examples = "  sora keys revoke key_019ac0ffee\n",
    .arguments = "ID",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = place_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = end_key,
};

static const Command *const subcommands[] = {&create_command, &list_command,   &show_command,
                                             &limit_command,  &revoke_command, NULL};

const Command CMD_KEYS = {
    .name = "keys",
    .summary = "API keys of a server",
    .description = "The server may run meanwhile: it sees a new or revoked key with the next request.",
    .examples = "  sora keys create --name \"the studio\" --scopes \"videos admin\"\n"
                "  sora keys limit key_019ac... --plan free\n"
                "  sora keys revoke key_019ac...",
    .subcommands = subcommands,
};
