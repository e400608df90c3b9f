#include <stdlib.h>
#include <string.h>

#include "cli/board.h"
#include "cli/cli.h"
#include "cli/making.h"

typedef struct StoryboardArgs {
    MakingArgs making;
    OptionList cards;
    double seconds;
} StoryboardArgs;

static const StoryboardArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    {0, "card", OPTION_LIST, offsetof(StoryboardArgs, cards), "S:TEXT",
     .help = "from second S on these words; or, where TEXT is the name of a picture or a video, what is shown then; up to 64 times"},
    MAKING_SECONDS(StoryboardArgs, seconds, "of the whole (default: 2 more than where the last card begins)"),
    MAKING_OPTIONS(StoryboardArgs, making),
    {0},
};

/* Words for all that is said, with a style's added; heap, as many as passages. */
static bool style_words(const StoryboardArgs *a, Board *b, Styled *styled, SoraError *err)
{
    for (int i = 0; i < b->passage_count && a->making.style != NULL; i++) {
        SoraRequest r = {.prompt = b->passages[i].prompt};
        if (!style_apply(a->making.style, &styled[i], &r, err))
            return false;
        b->passages[i].prompt = r.prompt;
    }
    return true;
}

/* Words from the first second on: the first card's, else those of -p, which are for all that has none. */
static bool choose_words(const StoryboardArgs *a, Board *b, Making *m, SoraError *err)
{
    if (b->passage_count > 0 && b->passages[0].from > 0) {
        if (a->making.prompt == NULL || b->passage_count == BOARD_MAX_CARDS)
            return error_set(err, SORA_ERROR_INPUT, "nothing is said before %g s: give words with -p, or a first card that has some",
                             b->passages[0].from);
        memmove(b->passages + 1, b->passages, (size_t)b->passage_count * sizeof *b->passages);
        b->passages[0] = (SoraPassage){a->making.prompt, 0};
        b->passage_count++;
    } else if (b->passage_count > 0 && a->making.prompt != NULL) {
        return error_set(err, SORA_ERROR_INPUT, "--prompt: the first card has words of its own");
    } else if (b->passage_count == 0 && a->making.prompt == NULL) {
        return error_set(err, SORA_ERROR_INPUT, "no card has words: give some with -p");
    }
    if (b->passage_count > 0)
        m->request.prompt = NULL;
    m->request.passages = b->passages;
    m->request.passage_count = b->passage_count;
    return true;
}

static void fill(const StoryboardArgs *a, const Board *b, Making *m, SoraEdit *edit)
{
    SoraRequest *r = &m->request;
    edit->seconds = a->seconds > 0 ? a->seconds : b->seconds > 0 ? b->seconds : b->last + 2;
    edit->keep_partial = a->making.keep_partial;
    r->fps = r->fps > 0 ? r->fps : b->fps;
    if (r->width == 0) {
        r->width = b->width;
        r->height = b->height;
    }
    r->given = b->given;
    r->given_count = b->given_count;
    for (int i = 0; i < b->given_count; i++)
        m->inputs[i] = b->given[i].path;
    m->edit = edit;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const StoryboardArgs *a = values;
    Making m = {0};
    Board *b = calloc(1, sizeof *b);
    Styled *styled = calloc(BOARD_MAX_CARDS + 1, sizeof *styled);
    SoraEdit edit;
    sora_edit_init(&edit);
    bool ok = b != NULL && styled != NULL;
    if (!ok)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    if (ok && (count > 0) == (a->cards.items[0] != NULL))
        ok = error_set(err, SORA_ERROR_INPUT, count > 0 ? "both a board and --card: leave one out"
                                                        : "a board is missing, or --card 0:\"a fox runs\" --card 2:\"it stops\"");
    ok = ok && (count == 0 || board_read(b, arguments[0], err));
    for (int i = 0; ok && a->cards.items[i] != NULL; i++)
        ok = board_add(b, a->cards.items[i], err);
    ok = ok && making_begin(&m, &a->making, NULL, false, err) && choose_words(a, b, &m, err) && style_words(a, b, styled, err);
    if (ok)
        fill(a, b, &m, &edit);
    ok = ok && making_run(&m, err);
    making_end(&m);
    for (int i = 0; styled != NULL && i <= BOARD_MAX_CARDS; i++)
        style_deinit(&styled[i]);
    if (b != NULL)
        board_deinit(b);
    free(styled);
    free(b);
    return ok;
}

const Command CMD_STORYBOARD = {
    .name = "storyboard",
    .summary = "a video by cards, each with its time",
    .arguments = "[BOARD.json]",
    .description = "Each card says what happens from its second on, or shows a picture or a video there, which stays as it is. A board is a "
                   "file with \"cards\": [{\"at\": 0, \"prompt\": \"...\"}, {\"at\": 4, \"file\": \"fox.png\"}], and \"seconds\", \"fps\" and "
                   "\"size\" if they are to be said; a clip has \"from\" and \"to\" as well.",
    .examples = "  sora storyboard board.json -o fox.mp4\n"
                "  sora storyboard --card 0:\"a fox runs in the snow\" --card 2.5:\"a fox sits in the snow\" --card 4:fox.png --seconds 6",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
};
