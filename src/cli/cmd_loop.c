#include "cli/cli.h"
#include "cli/making.h"

typedef struct LoopArgs {
    MakingArgs making;
    double seconds;
} LoopArgs;

static const LoopArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    MAKING_SECONDS(LoopArgs, seconds, "how long the way back is (default 2)"),
    MAKING_OPTIONS(LoopArgs, making),
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const LoopArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = SORA_EDIT_LOOP;
    edit.seconds = a->seconds;
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_LOOP = {
    .name = "loop",
    .summary = "lead a video back to its beginning",
    .arguments = "VIDEO",
    .description = "After the video comes what leads from its end to its beginning, so that it can be shown again and "
                   "again without a jump. generate --loop makes a new video that closes on itself.",
    .examples = "  sora loop dog.mp4 -o dog-loop.gif\n"
                "  sora loop dog.mp4 -p \"a dog runs in a circle\" --seconds 3",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
