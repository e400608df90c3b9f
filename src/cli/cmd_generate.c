#include "cli/cli.h"
#include "cli/making.h"

typedef struct GenerateArgs {
    MakingArgs making;
    const char *image, *last_image;
    int frames;
    double seconds;
    bool loop;
} GenerateArgs;

static const GenerateArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    {0, "image", OPTION_STRING, offsetof(GenerateArgs, image), "FILE",
     .help = "a picture that becomes the first frame: PNG, JPEG, WebP ..."},
    {0, "last-image", OPTION_STRING, offsetof(GenerateArgs, last_image), "FILE",
     .help = "a picture that it ends with"},
    {0, "frames", OPTION_INT, offsetof(GenerateArgs, frames), "N",
     .help = "number of frames: 1, 5, 9, 13, 17 ...", .min = 1, .max = 100000},
    {0, "seconds", OPTION_DOUBLE, offsetof(GenerateArgs, seconds), "N",
     .help = "how long it is, to the frame: what is longer than the model makes at once is made in windows", .min = 0.001,
     .max = 86400},
    {0, "loop", OPTION_FLAG, offsetof(GenerateArgs, loop), .help = "its end goes over into its beginning"},
    MAKING_OPTIONS(GenerateArgs, making),
    {0},
};

static bool check_args(const GenerateArgs *a, SoraError *err)
{
    if (a->frames > 0 && a->seconds > 0)
        return error_set(err, SORA_ERROR_INPUT, "--frames and --seconds both say how long it is: leave one out");
    if (a->loop && (a->image != NULL || a->last_image != NULL))
        return error_set(err, SORA_ERROR_INPUT, "--loop makes a video from words alone; sora loop closes one that is there");
    return making_check_file(a->image, "picture", err) && making_check_file(a->last_image, "picture", err);
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const GenerateArgs *a = values;
    Making m;
    SoraGiven given[2];
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = a->loop ? SORA_EDIT_LOOP : SORA_EDIT_NEW;
    edit.seconds = a->seconds;
    edit.keep_partial = a->making.keep_partial;
    bool ok = making_begin(&m, &a->making, count > 0 ? arguments[0] : NULL, true, err) && check_args(a, err);
    m.edit = a->seconds > 0 || a->loop || a->making.keep_partial ? &edit : NULL;
    m.request.given = given;
    m.request.frames = a->frames;
    m.inputs[0] = a->image != NULL ? a->image : a->last_image;
    m.inputs[1] = a->image != NULL ? a->last_image : NULL;
    if (a->image != NULL)
        given[m.request.given_count++] = (SoraGiven){.path = a->image, .still = true};
    if (a->last_image != NULL)
        given[m.request.given_count++] = (SoraGiven){.path = a->last_image, .still = true, .at_end = true};
    ok = ok && making_run(&m, err);
    making_end(&m);
    return ok;
}

const Command CMD_GENERATE = {
    .name = "generate",
    .summary = "turn a sentence into a video",
    .arguments = "[PROMPT]",
    .description = "Makes a video of what the prompt says. What is not given is the model's own choice. "
                   "The same numbers give the same video. Ctrl-C stops and leaves no file. MP4, PNG, JPEG and WebP carry "
                   "content credentials: a signed C2PA manifest that says that AI made them (sora credentials).",
    .examples = "  sora \"" EXAMPLE_PROMPT "\"\n"
                "  sora generate -p \"a red balloon floats up into the sky\" --seed 7 --steps 30 -o balloon.webm\n"
                "  sora generate -p \"a bus drives on a street in the rain\" --size 160x96 --frames 33 -o bus.gif\n"
                "  sora generate -p \"a dog runs on a beach\" --seconds 60 -o minute.mp4\n"
                "  sora generate -p \"a fish swims in the sea\" --loop --seconds 2 -o fish.gif\n"
                "  sora generate -p \"the cat runs away\" --image cat.jpg -o cat.mp4\n"
                "  sora generate -p \"a lake at night\" --time-authority http://timestamp.digicert.com\n"
                "  sora generate -p \"a house in the snow\" --frames 1 -o house.png --json\n"
                "  sora generate -p \"rain\" -m Wan2.1-T2V-1.3B --lora few-steps.safetensors:0.8 --steps 4 --guidance 1",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
};
