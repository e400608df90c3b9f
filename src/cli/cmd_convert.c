#include <stdio.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "weights/convert.h"

typedef struct ConvertArgs {
    int type;
    bool own_names;
} ConvertArgs;

static const ConvertArgs defaults = {.type = 2};

static const Option options[] = {
    {0, "type", OPTION_CHOICE, offsetof(ConvertArgs, type), .help = "of the matrices (default bf16)",
     .choices = CONVERT_TYPES},
    {0, "own-names", OPTION_FLAG, offsetof(ConvertArgs, own_names),
     .help = "Wan's own names for the tensors, whatever the file's are"},
    {0},
};

static bool show(void *user, int done, int total)
{
    progress_show(user, &(ProgressStep){"convert", "tensors", done, total});
    return !interrupt_requested();
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const ConvertArgs *a = values;
    if (dir_exists(arguments[1]))
        return error_set(err, SORA_ERROR_INPUT, "%s: it is a folder, expected a file", arguments[1]);
    interrupt_catch();
    Progress bar;
    progress_begin(&bar);
    ConvertOptions how = {convert_type(a->type), a->own_names, show, &bar};
    bool ok = weights_convert(arguments[0], arguments[1], &how, err);
    progress_end(&bar);
    return ok;
}

const Command CMD_CONVERT = {
    .name = "convert",
    .summary = "write a weight file in another type or container",
    .arguments = "IN OUT",
    .description =
        "IN is a .safetensors file, its index or folder, a .gguf or a PyTorch file; OUT ends in .safetensors "
        "or .gguf, and only that can hold the q types. Norms, biases and other small tensors keep their 16 "
        "or 32 bits. Memory stays small, whatever the file's size, and OUT appears only when complete.",
    .examples = "  sora convert Wan2.1_VAE.pth vae.safetensors --type f16\n"
                "  sora convert transformer/ wan-Q4_K.gguf --type q4_k --own-names",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
