#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/place.h"
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

typedef struct Showing {
    Progress bar;
    const char *replaces; /* a file that is there and will be replaced; the user has not been told yet; NULL: none */
} Showing;

/* Called when the input has been found to be good. */
static bool show(void *user, int64_t done, int64_t total)
{
    enum { MB = 1000000 };
    Showing *s = user;
    if (s->replaces != NULL)
        place_announce("sora convert", &(Place){s->replaces, 1});
    s->replaces = NULL;
    progress_show(&s->bar, &(ProgressStep){"convert", "MB", (int)(done / MB), (int)((total + MB - 1) / MB)});
    return !interrupt_requested();
}

static bool is_file_name(const char *path)
{
    static const char *const ENDS[] = {".safetensors", ".gguf"};
    size_t n = strlen(path);
    for (int i = 0; i < 2; i++)
        if (n > strlen(ENDS[i]) && strcasecmp(path + n - strlen(ENDS[i]), ENDS[i]) == 0)
            return true;
    return false;
}

static void print_result(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode))
        printf("%s: a whole model\n", path);
    else
        printf("%s: %.1f MB\n", path, (double)st.st_size / 1e6);
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const ConvertArgs *a = values;
    bool model = dir_exists(arguments[0]) && !is_file_name(arguments[1]);
    if (!model && dir_exists(arguments[1]))
        return error_set(err, SORA_ERROR_INPUT, "%s: it is a folder, expected a file", arguments[1]);
    interrupt_catch();
    Showing s = {.replaces = model ? NULL : arguments[1]};
    progress_begin(&s.bar);
    ConvertOptions how = {.type = convert_type(a->type), .own_names = a->own_names, .progress = show, .user = &s};
    bool ok = (model ? model_convert : weights_convert)(arguments[0], arguments[1], &how, err);
    progress_end(&s.bar);
    if (ok)
        print_result(arguments[1]);
    return ok;
}

const Command CMD_CONVERT = {
    .name = "convert",
    .summary = "write a weight file or a whole model in another type or container",
    .arguments = "IN OUT",
    .description =
        "IN is a .safetensors file, its index or folder, a .gguf or a PyTorch file; OUT ends in .safetensors "
        "or .gguf, and only that can hold the q types. Norms, biases and other small tensors keep their 16 "
        "or 32 bits. Memory stays small, whatever the file's size, and OUT appears only when complete.\n\n"
        "With a model's folder as IN and a new folder as OUT, all parts are written, with the tokenizer and the "
        "configs; q types as GGUF, others as safetensors. The autoencoder keeps its types.",
    .examples = "  sora convert Wan2.1_VAE.pth vae.safetensors --type f16\n"
                "  sora convert transformer/ wan-Q4_K.gguf --type q4_k --own-names\n"
                "  sora convert Wan2.1-T2V-14B wan-14b-q4 --type q4_k",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
