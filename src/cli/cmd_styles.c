#include <string.h>

#include "cli/cli.h"
#include "cli/styles.h"

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    json_t *all = styles_read(err), *style;
    const char *name;
    json_object_foreach(all, name, style) {
        const char *about = json_string_value(json_object_get(style, "about"));
        printf("%-14s %s%s%s%s\n", name, json_string_value(json_object_get(style, "prompt")), about != NULL ? " (" : "",
               about != NULL ? about : "", about != NULL ? ")" : "");
    }
    json_decref(all);
    return all != NULL;
}

const Command CMD_STYLES = {
    .name = "styles",
    .summary = "list the presets of --style",
    .description = "Each adds its words to the prompt. Your own go into sora/styles.json in $XDG_CONFIG_HOME or ~/.config, or into the file that "
                   "$SORA_STYLES names: {\"oil\": {\"prompt\": \"an oil painting\", \"negative\": \"photograph\", \"about\": \"thick "
                   "paint\"}}. Whether a model knows the words is another matter: a note says which it does not.",
    .examples = "  sora styles\n"
                "  sora \"a dog runs on a beach\" --style pencil",
    .run = run,
};
