#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/making.h"

typedef struct RemixArgs {
    MakingArgs making;
    const char *strength;
    double seconds;
} RemixArgs;

static const RemixArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    {0, "strength", OPTION_STRING, offsetof(RemixArgs, strength), "N|subtle|mild|strong",
     .help = "how much is made anew: 0.05 changes next to nothing, 1 keeps nothing; subtle is 0.4, mild 0.6, strong "
             "0.8 (default)"},
    MAKING_SECONDS(RemixArgs, seconds, "take so much from its beginning (default: all)"),
    MAKING_OPTIONS(RemixArgs, making),
    {0},
};

static bool parse_strength(const char *text, double *strength, SoraError *err)
{
    static const char *const names[] = {"subtle", "mild", "strong"};
    static const double values[] = {0.4, 0.6, 0.8};
    char *end;
    for (int i = 0; text != NULL && i < 3; i++)
        if (strcmp(text, names[i]) == 0)
            text = NULL, *strength = values[i];
    if (text == NULL)
        return true;
    *strength = strtod(text, &end);
    return (end != text && *end == 0 && *strength >= 0.05 && *strength <= 1) ||
           error_set(err, SORA_ERROR_INPUT,
                     "--strength: \"%.40s\" is not a number from 0.05 to 1, nor subtle, mild or strong", text);
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const RemixArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = SORA_EDIT_REMIX;
    edit.seconds = a->seconds;
    if (!parse_strength(a->strength, &edit.strength, err))
        return false;
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_REMIX = {
    .name = "remix",
    .summary = "make a video anew with other words",
    .arguments = "VIDEO",
    .description = "The same motion and the same places, with another thing, place or style, as the prompt says.",
    .examples = "  sora remix car.mp4 -p \"a bus drives left on a street\"\n"
                "  sora remix car.mp4 -p \"a car in the snow\" --strength mild -o snow.mp4",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
