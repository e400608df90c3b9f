#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chat.h"
#include "cli/cli.h"
#include "cli/making.h"
#include "cli/rewriting_print.h"

typedef struct RewriteArgs {
    const char *model, *rewriter, *rewriter_model;
    int rewriter_seconds;
    uint64_t seed;
    bool json, instructions;
} RewriteArgs;

static const RewriteArgs defaults = {0};

static const Option options[] = {
    {'m', "model", OPTION_STRING, offsetof(RewriteArgs, model), "DIR",
     .help = "the model whose words they become, or the name of an installed one (default: $SORA_MODEL, else nano)"},
    {0, "seed", OPTION_SEED, offsetof(RewriteArgs, seed), "N", .help = "of what is drawn where something is left open (default 0)"},
    MAKING_REWRITER_OPTIONS(RewriteArgs, rewriter, rewriter_model, rewriter_seconds),
    {0, "instructions", OPTION_FLAG, offsetof(RewriteArgs, instructions), .help = "print the request that --rewriter would send, and send none"},
    {0, "json", OPTION_FLAG, offsetof(RewriteArgs, json), .help = "print one JSON object"},
    {0},
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

void rewriting_print(const SoraRewriting *rewriting, FILE *out)
{
    json_t *root = json_loads(rewriting->json, 0, NULL), *step, *word;
    size_t i;
    json_array_foreach(json_object_get(root, "steps"), i, step)
        fprintf(out, "%-7s %s%s%s%s\n", text_of(step, "step"), text_of(step, "text"), *text_of(step, "did") != 0 ? "  (" : "",
                text_of(step, "did"), *text_of(step, "did") != 0 ? ")" : "");
    json_array_foreach(json_object_get(root, "unknown"), i, word)
        fprintf(out, "%s\"%s\"%s", i == 0 ? "unknown, and nothing known is near: " : ", ", json_string_value(word),
                i + 1 == json_array_size(json_object_get(root, "unknown")) ? "\n" : "");
    json_decref(root);
}

static bool print_request(const RewriteArgs *a, const char *words, const char *prompt, SoraError *err)
{
    Chat chat = {a->rewriter, a->rewriter_model, a->rewriter_seconds};
    char *instructions = chat_instructions(words);
    json_t *body = instructions != NULL ? chat_body(&chat, instructions, prompt, a->seed) : NULL;
    bool ok = body != NULL && json_dumpf(body, stdout, JSON_INDENT(2)) == 0;
    if (ok)
        puts("");
    json_decref(body);
    free(instructions);
    return ok || error_no_memory(err);
}

/* Here a failure is one, since the answer is all that is wanted. */
static bool ask(const RewriteArgs *a, const char *words, const char *prompt, SoraError *err)
{
    Chat chat = {a->rewriter, a->rewriter_model, a->rewriter_seconds};
    char *text = chat_rewrite(&chat, words, prompt, a->seed, err);
    json_t *root = text != NULL && a->json ? json_pack("{ss ss ss}", "asked", prompt, "text", text, "rewriter", a->rewriter) : NULL;
    if (root != NULL) {
        json_dumpf(root, stdout, JSON_COMPACT);
        puts("");
    } else if (text != NULL) {
        puts(text);
    }
    json_decref(root);
    free(text);
    return text != NULL;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const RewriteArgs *a = values;
    SoraRewriting r = {0};
    if (a->rewriter == NULL && (a->rewriter_model != NULL || a->rewriter_seconds != 0) && !a->instructions)
        return error_set(err, SORA_ERROR_INPUT, "--rewriter-model and --rewriter-timeout need --rewriter URL");
    SoraEngine *engine = sora_engine_open(a->model, NULL, err);
    if (engine != NULL && (a->instructions || a->rewriter != NULL)) {
        bool done = (a->instructions ? print_request : ask)(a, sora_engine_words(engine), arguments[0], err);
        sora_engine_close(engine);
        return done;
    }
    bool ok = engine != NULL && sora_rewrite(engine, arguments[0], a->seed, &r, err);
    if (ok && a->json)
        puts(r.json);
    else if (ok)
        rewriting_print(&r, stdout);
    sora_rewriting_deinit(&r);
    sora_engine_close(engine);
    return ok;
}

const Command CMD_REWRITE = {
    .name = "rewrite",
    .summary = "a prompt in the words that the model knows",
    .arguments = "PROMPT",
    .description = "Shows how a prompt becomes one as the model's captions have it, step by step: its form; unknown words to the nearest "
                   "known ones; a clause as captions say it; what was left open. Words for which nothing known is near are named. "
                   "sora generate --rewrite auto does the same before it makes the video.\n\n"
                   "With --rewriter a chat model does it instead, by instructions for models that know few words and for those that want "
                   "detail, such as Wan's; --instructions shows them.",
    .examples = "  sora rewrite \"PLEASE show me a corgi that dashs past!!\"\n"
                "  sora rewrite \"柴犬 走る 左\" --json\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
