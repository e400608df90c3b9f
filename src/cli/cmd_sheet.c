#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "cli/prompt_sheet.h"
#include "cli/signing.h"
#include "deliver/deliver.h"

typedef struct SheetArgs {
    const char *model, *prompts;
    int seeds, columns, steps, threads;
    double guidance;
    SigningArgs signing;
} SheetArgs;

static const SheetArgs defaults = {.seeds = 1, .columns = 7, .guidance = -1};

static const Option options[] = {
    {'m', "model", OPTION_STRING, offsetof(SheetArgs, model), "DIR", .help = "the model's folder (default: nano)"},
    {0, "prompts", OPTION_STRING, offsetof(SheetArgs, prompts), "FILE",
     .help = "a prompt a line, or TSV with a column \"prompt\""},
    {0, "seeds", OPTION_INT, offsetof(SheetArgs, seeds), "N", .help = "rows for each prompt (default 1)", .min = 1, .max = 100},
    {0, "columns", OPTION_INT, offsetof(SheetArgs, columns), "N", .help = "frames shown of each video (default 7)", .min = 1,
     .max = 100},
    {0, "steps", OPTION_INT, offsetof(SheetArgs, steps), "N", .help = "sampling steps", .min = 1, .max = 1000},
    {0, "guidance", OPTION_DOUBLE, offsetof(SheetArgs, guidance), "N", .help = "how closely the prompt is followed", .min = 0,
     .max = 100},
    {0, "threads", OPTION_INT, offsetof(SheetArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    SIGNING_OPTIONS(SheetArgs, signing),
    {0},
};

typedef struct Showing {
    Progress bar;
    int videos;
} Showing;

static bool show(const SoraProgress *p, void *user)
{
    Showing *s = user;
    s->videos = p->total;
    progress_show(&s->bar, &(ProgressStep){"videos", "videos", p->done, p->total});
    return !interrupt_requested();
}

static void print_result(const Showing *s, const char *path, const SoraSigned *result)
{
    signing_report(result, path);
    printf("%s: %d video%s\n", path, s->videos, s->videos == 1 ? "" : "s");
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const SheetArgs *a = values;
    if (a->prompts == NULL)
        return error_set(err, SORA_ERROR_INPUT, "--prompts FILE is missing");
    Place place = {arguments[0], 1};
    if (!place_check(&place, (const char *const[]){a->prompts, a->model}, 2, err))
        return false;
    Signing signing;
    interrupt_catch();
    if (!signing_open(&signing, &a->signing, arguments[0], err))
        return false;
    SoraEngine *engine = sora_engine_open(a->model, &(SoraOptions){.threads = a->threads}, err);
    if (engine == NULL) {
        signing_close(&signing);
        return false;
    }
    Delivery delivery; /* of one picture; frames go nowhere */
    delivery_init(&delivery, &(DeliveryPlan){.path = arguments[0], .credentials = signing.credentials,
                                             .signing = {.model = sora_engine_name(engine), .time_authority = a->signing.time_authority}});
    Showing s = {.videos = 0};
    place_announce("sora sheet", &place);
    progress_begin(&s.bar);
    PromptSheet sheet = {.prompts = a->prompts, .output = arguments[0],
                         .finish = signing.credentials ? &delivery.finish : NULL, .seeds = a->seeds, .columns = a->columns,
                         .steps = a->steps, .guidance_scale = a->guidance, .progress = show, .user = &s};
    bool ok = prompt_sheet_make(engine, &sheet, err);
    progress_end(&s.bar);
    if (ok)
        print_result(&s, arguments[0], &delivery.result);
    delivery_deinit(&delivery);
    signing_close(&signing);
    sora_engine_close(engine);
    return ok;
}

const Command CMD_SHEET = {
    .name = "sheet", .summary = "a contact sheet of what a model makes of a list of prompts", .arguments = "SHEET.png",
    .options = options, .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run,
    .examples = "  sora sheet --prompts models/nano/prompts.tsv --seeds 3 sheet.png\n"};
