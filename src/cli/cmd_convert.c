#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "weights/convert.h"
#include "weights/lora.h"
#include "weights/tfjs.h"

typedef struct ConvertArgs {
    int type;
    bool own_names;
    OptionList loras;
} ConvertArgs;

static const ConvertArgs defaults = {.type = 2};

static const Option options[] = {
    {0, "type", OPTION_CHOICE, offsetof(ConvertArgs, type), .help = "of the matrices (default bf16)",
     .choices = CONVERT_TYPES},
    {0, "own-names", OPTION_FLAG, offsetof(ConvertArgs, own_names),
     .help = "Wan's own names for the tensors, whatever the file's are"},
    {0, "lora", OPTION_LIST, offsetof(ConvertArgs, loras), "FILE[:N]",
     .help = "merge a LoRA into the transformer, N times as strongly; FILE:N:high or :low for one of two experts"},
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

/* LoRAs that are open, and which expert each changes. */
typedef struct Merging {
    Lora *files[OPTION_LIST_MAX];
    LoraUse high[OPTION_LIST_MAX], low[OPTION_LIST_MAX];
    int count, high_count, low_count;
} Merging;

static bool open_loras(Merging *m, const OptionList *list, SoraError *err)
{
    for (int i = 0; i < OPTION_LIST_MAX && list->items[i] != NULL; i++) {
        LoraArgument a;
        if (!lora_argument_parse(&a, list->items[i], err) || (m->files[m->count] = lora_open(a.path, err)) == NULL)
            return false;
        LoraUse use = {m->files[m->count++], a.strength};
        if (a.expert != LORA_LOW_NOISE)
            m->high[m->high_count++] = use;
        if (a.expert != LORA_HIGH_NOISE)
            m->low[m->low_count++] = use;
    }
    return true;
}

static void close_loras(Merging *m)
{
    for (int i = 0; i < m->count; i++)
        lora_close(m->files[i]);
}

/* Its numbers stay as they are. */
static bool convert_judge(const char *from, const char *to, bool options_given, SoraError *err)
{
    if (options_given)
        return error_set(err, SORA_ERROR_INPUT, "%s: a picture judge keeps its types and has no LoRA: leave the options out", from);
    if (!mobilenet_convert(from, to, err))
        return false;
    printf("%s: a picture judge\n", to);
    return true;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const ConvertArgs *a = values;
    bool model = dir_exists(arguments[0]) && !is_file_name(arguments[1]);
    if (model && tfjs_recognised(arguments[0]))
        return convert_judge(arguments[0], arguments[1], memcmp(a, &defaults, sizeof defaults) != 0, err);
    if (!model && dir_exists(arguments[1]))
        return error_set(err, SORA_ERROR_INPUT, "%s: it is a folder, expected a file", arguments[1]);
    interrupt_catch();
    Showing s = {.replaces = model ? NULL : arguments[1]};
    progress_begin(&s.bar);
    Merging m = {.count = 0};
    int lost = 0;
    bool ok = open_loras(&m, &a->loras, err);
    ConvertOptions how = {.type = convert_type(a->type), .own_names = a->own_names, .progress = show, .user = &s, .lost = &lost,
                          .loras = {m.high, m.high_count}, .low_noise_loras = {m.low, m.low_count}};
    ok = ok && (model ? model_convert : weights_convert)(arguments[0], arguments[1], &how, err);
    progress_end(&s.bar);
    close_loras(&m);
    if (ok && lost > 0)
        fprintf(stderr, "sora convert: %d changes of the LoRA fit nothing in the transformer\n", lost);
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
        "configs; q types as GGUF, others as safetensors. The autoencoder keeps its types.\n\n"
        "From the MobileNetV2 of the npm package nsfwjs 4.4.0 (its folder dist/models/mobilenet_v2) it makes the judge of pictures, "
        "which models/pictures is.",
    .examples = "  sora convert Wan2.1_VAE.pth vae.safetensors --type f16\n"
                "  sora convert transformer/ wan-Q4_K.gguf --type q4_k --own-names\n"
                "  sora convert Wan2.1-T2V-14B wan-14b-q4 --type q4_k\n"
                "  sora convert Wan2.1-T2V-1.3B wan-style --lora style.safetensors:0.8",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
