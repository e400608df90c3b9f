#include "cli/cli.h"
#include "cli/making.h"

typedef struct BlendArgs {
    MakingArgs making;
    double seconds, strength; /* strength: 0 if it was not given */
    int curve;
} BlendArgs;

static const BlendArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    MAKING_SECONDS(BlendArgs, seconds,
                   "of the bridge (default 2), or with a curve of the whole (default: the longer one's)"),
    {0, "curve", OPTION_CHOICE, offsetof(BlendArgs, curve),
     .help = "bridge: A, then a bridge, then B (default); others: A becomes B over their length, evenly, slowly at "
             "both ends, or most "
             "of it early or late",
     .choices = "bridge|linear|smooth|early|late"},
    {0, "strength", OPTION_DOUBLE, offsetof(BlendArgs, strength), "N",
     .help = "with a curve: how much of the mix is made anew, 0.05 to 1 (default 0.6)", .min = 0.05, .max = 1},
    MAKING_OPTIONS(BlendArgs, making),
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const BlendArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = SORA_EDIT_BLEND;
    edit.seconds = a->seconds;
    edit.curve = (SoraCurve)a->curve; /* in the order of its names */
    edit.strength = a->strength > 0 ? a->strength : 0.6;
    if (a->strength > 0 && edit.curve == SORA_CURVE_BRIDGE)
        return error_set(err, SORA_ERROR_INPUT, "--strength is of a mix, and a bridge is made anew anyway: give a --curve or leave it out");
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_BLEND = {
    .name = "blend",
    .summary = "let one video turn into another",
    .arguments = "A B",
    .description = "Two videos or pictures become one. Size and frames a second are the first one's.",
    .examples = "  sora blend dog.mp4 cat.mp4 -p \"a dog turns into a cat\" --seconds 3\n"
                "  sora blend day.mp4 night.mp4 --curve smooth",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
