#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/making.h"
#include "deliver/deliver.h"
#include "media/stream_writer.h"

typedef struct LiveArgs {
    MakingArgs making;
    const char *begin;
    int format;
    double seconds;
} LiveArgs;

static const LiveArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    {0, "begin", OPTION_STRING, offsetof(LiveArgs, begin), "FILE", .help = "a picture or a video that it goes on from"},
    MAKING_SECONDS(LiveArgs, seconds, "end after so long (default: never)"),
    {'o', "output", OPTION_STRING, offsetof(LiveArgs, making.output), "FILE",
     .help = "write a file that gets its name at the end: .mp4, .webm, .gif; - (default): standard output, for a player"},
    {0, "format", OPTION_CHOICE, offsetof(LiveArgs, format), .help = "of standard output: fragmented MP4 (default), YUV4MPEG2, packed RGB",
     .choices = "mp4|y4m|rgb"}, /* in the order of StreamKind */
    MAKING_SOURCE_OPTIONS(LiveArgs, making),
    MAKING_POLICY_OPTION(LiveArgs, making),
    SIGNING_OPTIONS(LiveArgs, making.signing),
    {0},
};

enum { LINE = 32001 };

typedef struct Live {
    const LiveArgs *args;
    double fps;
    VideoWriter *file;
    StreamWriter *stream;
    Delivery delivery; /* signs the file */
    int64_t frames, most;
    double began, first;
    bool listens, shows; /* to standard input; on the terminal */
    char line[LINE + 1], said[LINE + 1];
    const char *prompt; /* with which it began; NULL: none */
    size_t filled;
    bool too_long;
    SoraError why;
} Live;

static bool is_stream(const LiveArgs *a)
{
    return a->making.output == NULL || strcmp(a->making.output, "-") == 0;
}

static bool open_output(Live *l, int width, int height, SoraError *err)
{
    VideoFormat format = {width, height, l->fps, l->args->making.prompt, NULL};
    if (is_stream(l->args))
        return (l->stream = stream_writer_open(STDOUT_FILENO, "standard output", (StreamKind)l->args->format, &format, err)) != NULL;
    l->file = video_writer_open(l->args->making.output, &format, err);
    if (l->file != NULL && l->delivery.plan.credentials != NULL)
        video_writer_on_finish(l->file, &l->delivery.finish);
    return l->file != NULL;
}

static bool on_frame(const uint8_t *rgb, int width, int height, int64_t i, void *user, SoraError *err)
{
    Live *l = user;
    if (i == 0) {
        l->first = clock_seconds() - l->began;
        if (!open_output(l, width, height, err))
            return false;
    }
    SoraError why = {0};
    bool ok = l->stream != NULL ? stream_writer_write(l->stream, rgb, &why) : video_writer_write(l->file, rgb, &why);
    if (!ok) { /* a reader that is gone has had enough */
        if (why.code != SORA_ERROR_CANCELLED)
            *err = why;
        return false;
    }
    l->frames = i + 1;
    double seconds = clock_seconds() - l->began;
    if (l->shows && i % 12 == 0)
        fprintf(stderr, "\r%lld frames, %.1f a second \033[K", (long long)l->frames, (double)l->frames / seconds);
    return l->most == 0 || l->frames < l->most;
}

/* May the line be asked, after the words that are heard now? */
static bool is_allowed(const Live *l)
{
    SoraError err = {0};
    SoraRequest r;
    const char *before = l->said[0] != 0 ? l->said : l->prompt;
    Gate gate = {0};
    sora_request_init(&r);
    r.prompt = l->line;
    r.earlier = &before;
    r.earlier_count = before != NULL;
    bool ok = gate_check(l->args->making.policy, &r, NULL, &gate, &err);
    gate_close(&gate);
    if (!ok)
        fprintf(stderr, "%ssora: note: %s; it is not heard\n", l->shows ? "\r\033[K" : "", err.message);
    return ok;
}

/* A whole line was read. */
static bool take_line(Live *l)
{
    size_t n = l->filled;
    l->line[n] = 0;
    l->filled = 0;
    bool fits = !l->too_long;
    l->too_long = false;
    if (!fits)
        fprintf(stderr, "sora: note: a line is longer than 32000 bytes: it is not heard\n");
    if (!fits || l->line[strspn(l->line, " \t\r")] == 0)
        return false;
    if (!is_allowed(l))
        return false;
    memcpy(l->said, l->line, n + 1);
    fprintf(stderr, "%ssora: from now on: %.200s\n", l->shows ? "\r\033[K" : "", l->said);
    return true;
}

/* Whatever has been typed by now; the last line counts. */
static const char *on_words(void *user)
{
    Live *l = user;
    bool heard = false;
    char bytes[4096];
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    while (l->listens && poll(&in, 1, 0) > 0) {
        ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
        l->listens = n > 0;
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] == '\n')
                heard = take_line(l) || heard;
            else if (l->filled < LINE - 1)
                l->line[l->filled++] = bytes[i];
            else
                l->too_long = true;
        }
    }
    return heard ? l->said : NULL;
}

static bool on_progress(const SoraProgress *progress, void *user)
{
    return !interrupt_requested();
}

static void on_note(const SoraNote *note, void *user)
{
    fprintf(stderr, "sora: note: %s\n", note->text);
}

static bool check(const LiveArgs *a, SoraError *err)
{
    if (is_stream(a) && isatty(STDOUT_FILENO))
        return error_set(err, SORA_ERROR_INPUT, "standard output is a terminal: pipe it to a player, such as sora live -p \"" EXAMPLE_PROMPT
                                                "\" | ffplay -, or name a file with -o");
    if (!is_stream(a) && a->format != STREAM_MP4)
        return error_set(err, SORA_ERROR_INPUT, "--format is of standard output; a file's is told by its name");
    return making_check(&a->making, err) && making_check_file(a->begin, "picture or video", err) &&
           (is_stream(a) || video_writer_check(a->making.output, NULL, err));
}

static bool finish(Live *l, bool ok, SoraError *err)
{
    VideoWriter *file = l->file;
    l->file = NULL;
    stream_writer_close(l->stream);
    if (ok && file != NULL)
        return video_writer_commit(file, err);
    video_writer_abort(file);
    return ok;
}

static bool play(Live *l, const Making *m, const Signing *signing, const SoraInputs *inputs, SoraError *err)
{
    const LiveArgs *a = l->args;
    SoraOptions options_ = making_options(&a->making);
    SoraEngine *engine = sora_engine_open(a->making.model, &options_, err);
    if (engine == NULL)
        return false;
    for (int i = 0; sora_engine_note(engine, i) != NULL; i++)
        on_note(sora_engine_note(engine, i), l);
    SoraRequest own;
    sora_engine_defaults(engine, &own);
    l->fps = m->request.fps > 0 ? m->request.fps : own.fps;
    l->most = a->seconds > 0 ? (int64_t)(a->seconds * l->fps + 0.5) : 0;
    delivery_init(&l->delivery, &(DeliveryPlan){.path = a->making.output,
                                                .credentials = signing->credentials,
                                                .signing = {.model = sora_engine_name(engine),
                                                            .loras = sora_engine_loras(engine),
                                                            .operation = "made live",
                                                            .inputs = inputs,
                                                            .time_authority = a->making.signing.time_authority}});
    l->began = clock_seconds();
    bool ok = sora_live(engine, &m->request, &(SoraLive){on_frame, on_words, l, a->begin}, err);
    double seconds = clock_seconds() - l->began;
    ok = finish(l, ok, err);
    if (ok)
        fprintf(stderr, "%ssora: %lld frames in %.1f s, %.1f a second; the first one after %.2f s\n", l->shows ? "\r\033[K" : "",
                (long long)l->frames, seconds, seconds > 0 ? (double)l->frames / seconds : 0, l->first);
    if (ok && !is_stream(a))
        signing_report(&l->delivery.result, a->making.output);
    delivery_deinit(&l->delivery);
    sora_engine_close(engine);
    return ok;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    Making m = {0};
    Signing signing = {0};
    SoraInputs *inputs = NULL;
    Live *l = calloc(1, sizeof *l);
    if (l == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    l->args = values;
    l->listens = true;
    l->shows = isatty(STDERR_FILENO);
    interrupt_catch();
    const LiveArgs *a = l->args;
    const char *name = is_stream(a) ? "-" : a->making.output;
    bool ok = making_begin(&m, &a->making, count > 0 ? arguments[0] : NULL, a->begin == NULL, err) && check(a, err) &&
              signing_open(&signing, &a->making.signing, name, err);
    SoraInput begin = {.path = a->begin, .role = SORA_INPUT_PARENT};
    ok = ok && (a->begin == NULL || earlier_read(&m.earlier, &begin, 1, err));
    m.request.earlier = (const char *const *)m.earlier.texts;
    m.request.earlier_count = m.earlier.count;
    ok = ok && gate_check(a->making.policy, &m.request, is_stream(a) ? NULL : name, &m.gate, err);
    l->prompt = m.request.prompt;
    if (ok && a->begin != NULL && signing.credentials != NULL)
        ok = (inputs = sora_inputs_open(&begin, 1, err)) != NULL;
    m.request.progress = on_progress;
    m.request.note = on_note;
    m.request.frame = NULL;
    m.request.preview = NULL;
    ok = ok && play(l, &m, &signing, inputs, err);
    sora_inputs_close(inputs);
    signing_close(&signing);
    making_end(&m);
    free(l);
    return ok;
}

const Command CMD_LIVE = {
    .name = "live",
    .summary = "a video that never ends, shown while it is made",
    .arguments = "[PROMPT]",
    .description = "Frames go to standard output as they are made. A line on standard input says what happens from then on; it is heard by the "
                   "next window, about a second later. Ctrl-C, or a player that is closed, ends it. A stream carries no content credentials; "
                   "a file named with -o does.",
    .examples = "  sora live \"a dog runs on a beach\" | ffplay -\n"
                "  sora live \"a dog runs on a beach\" --format y4m | mpv -\n"
                "  sora live \"a fish swims in the sea\" --seconds 300 -o fish.mp4",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
};
