#include "cli/cli.h"
#include "cli/making.h"

typedef struct ExtendArgs {
    MakingArgs making;
    double seconds;
    bool before;
} ExtendArgs;

static const ExtendArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    MAKING_SECONDS(ExtendArgs, seconds, "how much is made (default 2)"),
    {0, "before", OPTION_FLAG, offsetof(ExtendArgs, before),
     .help = "lead up to its beginning instead of going on after its end"},
    MAKING_OPTIONS(ExtendArgs, making),
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const ExtendArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = SORA_EDIT_EXTEND;
    edit.seconds = a->seconds;
    edit.at_start = a->before;
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_EXTEND = {
    .name = "extend",
    .summary = "let a video go on",
    .arguments = "VIDEO",
    .description = "What is there stays as it is, pixel for pixel; what comes after it, or before it, is made, as long "
                   "as you like. Size and frames a second are the video's own, unless the model cannot make them. "
                   "Without a prompt the words in the video's metadata are heard. A picture will do as well.",
    .examples = "  sora extend dog.mp4 -p \"the dog runs left\" --seconds 4\n"
                "  sora extend dog.mp4 -p \"a dog sits on a beach\" --before -o longer.mp4",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
