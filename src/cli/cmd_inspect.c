#include <jansson.h>
#include <stdio.h>

#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "engine/inspect.h"

typedef struct InspectArgs {
    const char *transformer, *low_noise, *text_encoder, *vae, *image_encoder, *tokenizer;
    bool json;
} InspectArgs;

static const InspectArgs defaults;

static const Option options[] = {
    {0, "transformer", OPTION_STRING, offsetof(InspectArgs, transformer), "FILE", .help = "this one instead"},
    {0, "transformer-2", OPTION_STRING, offsetof(InspectArgs, low_noise), "FILE",
     .help = "the expert of little noise"},
    {0, "text-encoder", OPTION_STRING, offsetof(InspectArgs, text_encoder), "FILE",
     .help = "this one instead"},
    {0, "vae", OPTION_STRING, offsetof(InspectArgs, vae), "FILE", .help = "this one instead"},
    {0, "image-encoder", OPTION_STRING, offsetof(InspectArgs, image_encoder), "FILE",
     .help = "this one instead"},
    {0, "tokenizer", OPTION_STRING, offsetof(InspectArgs, tokenizer), "FILE",
     .help = "a SentencePiece model or tokenizer.json"},
    {0, "json", OPTION_FLAG, offsetof(InspectArgs, json), .help = "print one JSON object"},
    {0},
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* The first few of a list of names. */
static void print_list(const json_t *part, const char *key)
{
    enum { SHOWN = 8 };
    const json_t *list = json_object_get(part, key), *item;
    size_t i, n = json_array_size(list);
    json_array_foreach(list, i, item) if (i < SHOWN) printf("  %s: %s\n", key, json_string_value(item));
    if (n > SHOWN)
        printf("  %s: and %zu more\n", key, n - SHOWN);
}

static void print_part(const char *name, const json_t *part)
{
    const char *separator = "", *type;
    json_t *types = json_object_get(part, "types"), *count;
    printf("%s: %s\n  %s, names: %s", name, text_of(part, "file"), text_of(part, "format"),
           text_of(part, "layout"));
    if (*text_of(part, "prefix") != 0)
        printf(" after \"%s\"", text_of(part, "prefix"));
    printf("\n  %.0f tensors, %.4g million parameters, %.4g GB (", number_of(part, "tensors"),
           number_of(part, "parameters") / 1e6, number_of(part, "bytes") / 1e9);
    json_object_foreach(types, type, count)
    {
        printf("%s%s %lld", separator, type, (long long)json_integer_value(count));
        separator = ", ";
    }
    printf(")\n");
    print_list(part, "missing");
    print_list(part, "wrong");
    print_list(part, "unknown");
}

static void print_text(json_t *root)
{
    const char *name;
    json_t *part, *need;
    size_t i;
    const json_t *lora = json_object_get(root, "lora");
    if (lora != NULL) {
        printf("LoRA: %s, %.0f changes\n", text_of(lora, "file"), number_of(lora, "changes"));
        return;
    }
    if (json_is_string(json_object_get(root, "model")))
        printf("model: %s\n", text_of(root, "model"));
    else if (json_is_string(json_object_get(root, "name")))
        printf("model: %s, by its model.json; its sizes are of no published model\n", text_of(root, "name"));
    else
        printf("model: its sizes are of no published model, and no model.json names it\n");
    json_object_foreach(json_object_get(root, "parts"), name, part) print_part(name, part);
    if (json_is_string(json_object_get(root, "tokenizer")))
        printf("tokenizer: %s\n", text_of(root, "tokenizer"));
    const json_t *memory = json_object_get(root, "memory");
    printf("memory: %.4g GB of weights, of which %.4g GB are copied; %.4g GB are free\n",
           number_of(memory, "weights") / 1e9, number_of(memory, "copied") / 1e9,
           number_of(memory, "available") / 1e9);
    if (json_object_get(memory, "size") != NULL)
        printf("  a step of %s takes about %.3g GB, whatever the weights are\n", text_of(memory, "size"),
               number_of(memory, "step") / 1e9);
    bool fits = !json_is_false(json_object_get(memory, "fits"));
    const char *runs = fits ? "yes" : "yes, but not in its own size: there is too little memory";
    printf("runs here: %s\n", json_is_true(json_object_get(root, "runs")) ? runs : "no");
    json_array_foreach(json_object_get(root, "needs"), i, need)
        printf("  needs %s\n", json_string_value(need));
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const InspectArgs *a = values;
    ModelPaths paths = {.model = count > 0 ? arguments[0] : NULL,
                        .slots = {[SLOT_TRANSFORMER] = a->transformer,
                                  [SLOT_LOW_NOISE] = a->low_noise,
                                  [SLOT_TEXT_ENCODER] = a->text_encoder,
                                  [SLOT_AUTOENCODER] = a->vae,
                                  [SLOT_IMAGE_ENCODER] = a->image_encoder},
                        .tokenizer = a->tokenizer};
    bool given = paths.model != NULL;
    for (int i = 0; i < SLOT_COUNT; i++)
        given = given || paths.slots[i] != NULL;
    if (!given)
        return error_set(err, SORA_ERROR_INPUT, "a model's file or folder is missing");
    shortage_begin();
    json_t *root = inspect_model(&paths, err);
    if (root != NULL && shortage_seen()) { /* then something may be missing in it */
        json_decref(root);
        return error_no_memory(err);
    }
    if (root == NULL)
        return false;
    if (a->json)
        return json_print(root, JSON_INDENT(1), err);
    print_text(root);
    json_decref(root);
    return true;
}

const Command CMD_INSPECT = {
    .name = "inspect",
    .summary = "what a model's files are, and whether they run here",
    .arguments = "[FILE|DIR]",
    .description =
        "Says which model it is, in whose names and types, what is missing or unknown, and how much memory "
        "its weights take. Reads nothing but the headers. With files of its own for a part, or without a "
        "folder, the options say which.",
    .examples = "  sora inspect models/nano\n"
                "  sora inspect wan2.1_t2v_1.3B_fp16.safetensors\n"
                "  sora inspect --transformer wan-Q4_K.gguf --vae wan_2.1_vae.safetensors --json",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
};
