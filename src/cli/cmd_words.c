#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct WordsArgs {
    const char *model;
    bool json;
} WordsArgs;

static const WordsArgs defaults = {0};

static const Option options[] = {
    {'m', "model", OPTION_STRING, offsetof(WordsArgs, model), "DIR",
     .help = "the model's folder, or the name of an installed one (default: $SORA_MODEL, else nano)"},
    {0, "json", OPTION_FLAG, offsetof(WordsArgs, json), .help = "all word forms, as words.json has them"},
    {0},
};

static const char *first_of(const json_t *entry, const char *language)
{
    const char *text = json_string_value(json_array_get(json_object_get(entry, language), 0));
    return text != NULL ? text : "";
}

/* "nouns (35)", then "dog / 犬", a line each. */
static void print_class(const char *name, const json_t *list)
{
    size_t i;
    json_t *entry;
    printf("%s (%zu)\n", name, json_array_size(list));
    json_array_foreach(list, i, entry)
    {
        const char *en = first_of(entry, "en"), *ja = first_of(entry, "ja");
        printf("  %s%s%s\n", en, *en != 0 && *ja != 0 ? " / " : "", ja);
    }
}

static bool print_words(const WordsArgs *a, const char *text, SoraError *err)
{
    json_t *root = json_loads(text, 0, NULL), *list;
    const char *name;
    if (root == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "words: out of memory");
    if (a->json)
        printf("%s\n", text);
    json_object_foreach(root, name, list)
        if (!a->json && json_array_size(list) > 0 && strcmp(name, "others") != 0)
            print_class(name, list);
    json_decref(root);
    return true;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const WordsArgs *a = values;
    SoraEngine *engine = sora_engine_open(a->model, NULL, err);
    const char *words = engine != NULL ? sora_engine_words(engine) : NULL;
    bool ok = engine != NULL;
    if (ok && words == NULL)
        ok = error_set(err, SORA_ERROR_NOT_FOUND, "%s: the model does not say what it knows: there is no words.json in its folder",
                       sora_engine_name(engine));
    ok = ok && print_words(a, words, err);
    sora_engine_close(engine);
    return ok;
}

const Command CMD_WORDS = {
    .name = "words",
    .summary = "what a model knows",
    .description = "Lists the words of the captions that the model was trained with, in English and Japanese: nouns, colours, "
                   "actions, places ... Words that are not among them mean nothing to it; sora generate names them.",
    .examples = "  sora words\n"
                "  sora words -m train-out/nano/model --json\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = run,
};
