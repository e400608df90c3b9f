#include "cli/cli.h"
#include "cli/making.h"

typedef struct FillArgs {
    MakingArgs making;
    const char *mask;
    double seconds;
} FillArgs;

static const FillArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    {0, "mask", OPTION_STRING, offsetof(FillArgs, mask), "FILE",
     .help = "a picture or a video of its size: what is white is made anew, what is black stays as it is"},
    MAKING_SECONDS(FillArgs, seconds,
                   "of a picture: how long (default: the model's own length); of a video: so much of it"),
    MAKING_OPTIONS(FillArgs, making),
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const FillArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = SORA_EDIT_FILL;
    edit.seconds = a->seconds;
    edit.mask_path = a->mask;
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_FILL = {
    .name = "fill",
    .summary = "make a part of a video or picture anew",
    .arguments = "VIDEO",
    .description = "What a mask has in white is made; outside of it every pixel stays. With a larger --size the frame "
                   "becomes larger and what lies around it is made. Of a picture with a mask a video is made in which "
                   "only the white part moves.",
    .examples = "  sora fill dog.mp4 --mask sky.png -p \"a sky full of balloons\"\n"
                "  sora fill dog.mp4 --size 384x256 -p \"a dog on a wide beach\"\n"
                "  sora fill lake.png --mask water.png -p \"waves on a lake\" --seconds 3 -o lake.gif",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
