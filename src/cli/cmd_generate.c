#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/preview_file.h"
#include "cli/progress.h"
#include "cli/signing.h"
#include "cpu/backend.h"
#include "deliver/deliver.h"
#include "trace/trace_index.h"

typedef struct GenerateArgs {
    const char *model, *prompt, *negative, *image, *last_image, *output, *preview;
    OptionSize size;
    int frames, steps, threads, precision, solver, cpu, tell_prompt, scale;
    double fps, guidance, low_guidance, shift, cache;
    uint64_t seed;
    const char *transformer, *transformer_2, *text_encoder, *vae, *image_encoder, *tokenizer;
    OptionList loras;
    const char *trace_index, *memory;
    bool watermark, no_trace, json, keep; /* keep: nobody named the output, so what has its name stays */
    SigningArgs signing;
} GenerateArgs;

/* 0 and -1 stand for the model's own, as in sora.h. */
static const GenerateArgs defaults = {.scale = 1, .guidance = -1, .low_guidance = -1};

/* In the order of SoraSolver, SoraPrecision and of the names below. */
enum { TELL_METADATA, TELL_SIGNED, TELL_NOWHERE }; /* of --tell-prompt */
static const char *const cpu_levels[] = {NULL, "reference", "avx2", "avx512"};

static const Option options[] = {
    {'m', "model", OPTION_STRING, offsetof(GenerateArgs, model), "DIR",
     .help = "the model's folder or file, or the name of an installed one (default: $SORA_MODEL, else nano)"},
    {0, "transformer", OPTION_STRING, offsetof(GenerateArgs, transformer), "FILE",
     .help = "this one instead of the model's: Wan's, diffusers' or ComfyUI's names, safetensors, GGUF, .pth"},
    {0, "transformer-2", OPTION_STRING, offsetof(GenerateArgs, transformer_2), "FILE",
     .help = "the expert of little noise, of models with two"},
    {0, "text-encoder", OPTION_STRING, offsetof(GenerateArgs, text_encoder), "FILE", .help = "likewise"},
    {0, "vae", OPTION_STRING, offsetof(GenerateArgs, vae), "FILE", .help = "likewise"},
    {0, "image-encoder", OPTION_STRING, offsetof(GenerateArgs, image_encoder), "FILE", .help = "likewise"},
    {0, "tokenizer", OPTION_STRING, offsetof(GenerateArgs, tokenizer), "FILE",
     .help = "a SentencePiece model or tokenizer.json"},
    {0, "lora", OPTION_LIST, offsetof(GenerateArgs, loras), "FILE[:N]",
     .help = "changes to the transformer with a strength (default 1), up to 8 times; FILE:N:high, FILE:N:low for "
             "one of two experts"},
    {'p', "prompt", OPTION_STRING, offsetof(GenerateArgs, prompt), "TEXT",
     .help = "what happens in the video"},
    {'n', "negative", OPTION_STRING, offsetof(GenerateArgs, negative), "TEXT",
     .help = "what the video should keep away from; \"\" for nothing (default: the model's own)"},
    {0, "image", OPTION_STRING, offsetof(GenerateArgs, image), "FILE",
     .help = "a picture that becomes the first frame: PNG, JPEG, WebP ..."},
    {0, "last-image", OPTION_STRING, offsetof(GenerateArgs, last_image), "FILE",
     .help = "a picture that it ends with"},
    {0, "size", OPTION_SIZE, offsetof(GenerateArgs, size), "WxH", .help = "pixels, such as 128x128", .min = 1,
     .max = 16384},
    {0, "frames", OPTION_INT, offsetof(GenerateArgs, frames), "N",
     .help = "number of frames: 1, 5, 9, 13, 17 ...", .min = 1, .max = 100000},
    {0, "fps", OPTION_DOUBLE, offsetof(GenerateArgs, fps), "N", .help = "frames a second, 1 to 120", .min = 1,
     .max = 120},
    {0, "steps", OPTION_INT, offsetof(GenerateArgs, steps), "N", .help = "sampling steps, 1 to 1000",
     .min = 1, .max = 1000},
    {0, "guidance", OPTION_DOUBLE, offsetof(GenerateArgs, guidance), "N",
     .help = "how closely the prompt is followed, 0 to 100; 1 takes half the time", .min = 0, .max = 100},
    {0, "low-guidance", OPTION_DOUBLE, offsetof(GenerateArgs, low_guidance), "N",
     .help = "the same for the low-noise expert of a model with two", .min = 0, .max = 100},
    {0, "shift", OPTION_DOUBLE, offsetof(GenerateArgs, shift), "N",
     .help = "of the noise schedule, 0.1 to 100", .min = 0.1, .max = 100},
    {0, "cache", OPTION_DOUBLE, offsetof(GenerateArgs, cache), "N",
     .help = "let a step's result serve again while it would change by less than N, such as 0.1; 0: never (default)",
     .min = 0, .max = 1},
    {0, "seed", OPTION_SEED, offsetof(GenerateArgs, seed), "N|random",
     .help = "another number, another video (default 0); random draws one and says it"},
    {0, "solver", OPTION_CHOICE, offsetof(GenerateArgs, solver), .help = "how noise becomes a video",
     .choices = "auto|unipc|dpmpp|euler"},
    {0, "precision", OPTION_CHOICE, offsetof(GenerateArgs, precision),
     .help = "bf16 is faster where the processor has it, int8 more so and coarser",
     .choices = "auto|f32|bf16|int8"},
    {0, "memory", OPTION_STRING, offsetof(GenerateArgs, memory), "SIZE",
     .help = "use at most so much memory, such as 6G or 800M: weights are read again as needed"},
    {0, "threads", OPTION_INT, offsetof(GenerateArgs, threads), "N", .help = "0: all cores (default)",
     .min = 0, .max = 4096},
    {0, "cpu", OPTION_CHOICE, offsetof(GenerateArgs, cpu), .help = "at most these instructions",
     .choices = "auto|reference|avx2|avx512"},
    {'o', "output", OPTION_STRING, offsetof(GenerateArgs, output), "FILE",
     .help = "where to: .mp4, .webm, .gif, or a picture: .png, .jpg, .webp (default out.mp4; if that is there, out-2.mp4 and so on)"},
    {0, "preview", OPTION_STRING, offsetof(GenerateArgs, preview), "FILE.png",
     .help = "while the video is made, show here roughly what is emerging: a small PNG that is replaced after the first step and as "
             "often as it takes less than 2 % of the time"},
    {0, "scale", OPTION_INT, offsetof(GenerateArgs, scale), "N",
     .help = "write the file N times as wide and high, 1 to 8, by Lanczos' filter; there is no more in it to see", .min = 1,
     .max = VIDEO_MAX_SCALE},
    {0, "tell-prompt", OPTION_CHOICE, offsetof(GenerateArgs, tell_prompt),
     .help = "where everybody can read the prompt: in the file's metadata (default), there and in the signed manifest, or "
             "nowhere in the file",
     .choices = "metadata|signed|nowhere"},
    SIGNING_OPTIONS(GenerateArgs, signing),
    {0, "watermark", OPTION_FLAG, offsetof(GenerateArgs, watermark),
     .help = "draw a small mark that moves to another place every few seconds"},
    {0, "trace-index", OPTION_STRING, offsetof(GenerateArgs, trace_index), "FILE",
     .help = "where a fingerprint is kept for `sora trace` (default: $SORA_TRACE_INDEX, else trace.sqlite in "
             "the user's data folder)"},
    {0, "no-trace", OPTION_FLAG, offsetof(GenerateArgs, no_trace), .help = "keep no fingerprint"},
    {0, "json", OPTION_FLAG, offsetof(GenerateArgs, json), .help = "print the result as one JSON object"},
    {0},
};

static const char *choose_prompt(const GenerateArgs *a, char **arguments, int count, SoraError *err)
{
    if (a->prompt != NULL && count > 0) {
        error_set(err, SORA_ERROR_INPUT, "two prompts: --prompt and \"%.60s\"", arguments[0]);
        return NULL;
    }
    const char *prompt = a->prompt ? a->prompt : count > 0 ? arguments[0] : NULL;
    if (prompt == NULL)
        error_set(err, SORA_ERROR_INPUT, "a prompt is missing, such as: sora \"" EXAMPLE_PROMPT "\"");
    else if (prompt[strspn(prompt, " \t\r\n")] == 0)
        error_set(err, SORA_ERROR_INPUT, "the prompt is empty");
    else
        return prompt;
    return NULL;
}

/* What the callbacks see. */
typedef struct Making {
    Progress progress;
    json_t *notes; /* for --json */
    Delivery delivery;
    Delivery preview; /* signs those of --preview */
    bool inputs_read;
    SoraError changed; /* an input is not the file any more that will be named */
    SoraError unseen;  /* why a preview could not be written */
} Making;

/* When the steps begin all inputs have been read. */
static bool check_inputs(Making *m)
{
    const SoraInputs *inputs = m->delivery.plan.signing.inputs;
    m->inputs_read = true;
    return inputs == NULL || sora_inputs_unchanged(inputs, &m->changed);
}

static bool on_progress(const SoraProgress *progress, void *user)
{
    static const char *const labels[] = {"text", "denoise", "decode"};
    static const char *const units[] = {"prompts", "steps", "frames"};
    Making *m = user;
    if (progress->phase == SORA_PHASE_DENOISE && !m->inputs_read && !check_inputs(m))
        return false;
    progress_show(&m->progress, &(ProgressStep){labels[progress->phase], units[progress->phase], progress->done,
                                                progress->total});
    return m->unseen.code == SORA_OK && !interrupt_requested();
}

/* Nobody who asked for one should believe that an old one is of this video: a failure ends the work. */
static void on_preview(const SoraPreview *preview, void *user)
{
    Making *m = user;
    preview_file_write(m->preview.plan.path, preview, &m->preview.finish, &m->unseen);
}

/* Printed at once: who has forgotten a word may want to stop. */
static void on_note(const SoraNote *note, void *user)
{
    Making *m = user;
    progress_end(&m->progress);
    fprintf(stderr, "sora: note: %s\n", note->text);
    progress_begin(&m->progress);
    json_array_append_new(m->notes, json_pack("{s:s, s:s}", "about", note->about, "text", note->text));
}

/* Do the plain kernels compute, because they were asked for or because this processor has no AVX2? SORA_CPU goes first. */
static bool is_reference(const GenerateArgs *a)
{
    const char *level = getenv("SORA_CPU");
    if (level == NULL || *level == 0)
        level = cpu_levels[a->cpu];
    return (level != NULL && strcmp(level, "reference") == 0) || !cpu_level_supported("avx2");
}

/* What was given for nothing. */
static void note_options(Making *m, const GenerateArgs *a)
{
    bool unsigned_file = m->delivery.plan.credentials == NULL;
    if (unsigned_file && a->tell_prompt == TELL_SIGNED)
        on_note(&(SoraNote){"credentials", "--tell-prompt signed has no effect on a file without content credentials; its "
                                           "metadata tell the prompt"},
                m);
    if (unsigned_file && a->signing.time_authority != NULL)
        on_note(&(SoraNote){"credentials", "--time-authority has no effect on a file without content credentials"}, m);
    if (is_reference(a))
        on_note(&(SoraNote){"cpu", "the plain reference kernels compute, which are there to be compared with: 10 to 100 times as long "
                                   "as avx2"},
                m);
    if (a->no_trace && a->trace_index != NULL)
        on_note(&(SoraNote){"trace_index", "--trace-index has no effect with --no-trace"}, m);
}

static bool on_frame(const SoraVideo *video, int i, void *user, SoraError *err)
{
    Making *m = user;
    return delivery_frame(&m->delivery, video, i, err);
}

/* given: room for two. */
static void fill_request(SoraRequest *request, SoraGiven *given, const GenerateArgs *a)
{
    sora_request_init(request);
    request->given = given;
    if (a->image != NULL)
        given[request->given_count++] = (SoraGiven){.path = a->image, .still = true};
    if (a->last_image != NULL)
        given[request->given_count++] = (SoraGiven){.path = a->last_image, .still = true, .at_end = true};
    request->negative_prompt = a->negative;
    request->width = a->size.width;
    request->height = a->size.height;
    request->frames = a->frames;
    request->fps = a->fps;
    request->steps = a->steps;
    request->guidance_scale = a->guidance;
    request->low_guidance_scale = a->low_guidance;
    request->shift = a->shift;
    request->cache_threshold = a->cache;
    request->seed = a->seed;
    request->solver = (SoraSolver)a->solver;
    request->watermark = a->watermark;
    request->private_prompt = a->tell_prompt == TELL_NOWHERE;
    request->progress = on_progress;
    request->note = on_note;
    request->frame = on_frame;
    request->preview = a->preview != NULL ? on_preview : NULL;
}

/* Will the files take this frame rate, and may they be written? Asked before the work. The size is the model's to judge, and
 * even. */
static bool check_output(const SoraEngine *engine, const SoraRequest *r, const GenerateArgs *a, SoraError *err)
{
    SoraRequest own;
    sora_engine_defaults(engine, &own);
    Place place = {a->output, r->frames > 0 ? r->frames : own.frames};
    VideoFormat format = {2, 2, r->fps > 0 ? r->fps : own.fps, NULL, NULL};
    if (a->scale > 1) {
        format.width = a->scale * (r->width > 0 ? r->width : own.width);
        format.height = a->scale * (r->height > 0 ? r->height : own.height);
    }
    const char *const inputs[] = {a->image, a->last_image, a->model, a->transformer, a->transformer_2, a->text_encoder, a->vae,
                                  a->image_encoder, a->tokenizer, a->trace_index};
    enum { COUNT = sizeof inputs / sizeof *inputs };
    if (!video_writer_check(a->output, &format, err) || !video_writer_check_frames(a->output, place.frames, err) ||
        !place_check(&place, inputs, COUNT, err))
        return false;
    Place preview = {a->preview, 1};
    if (a->preview != NULL && (!video_writer_check(a->preview, NULL, err) || !place_check(&preview, inputs, COUNT, err)))
        return false;
    place_announce("sora", &place);
    if (a->preview != NULL)
        place_announce("sora", &preview);
    return true;
}

/* A sequence of pictures is named by its pattern; large seeds are strings, as in the parameters. */
static bool print_json(const SoraVideo *video, const GenerateArgs *a, const Making *m, double seconds, SoraError *err)
{
    const Delivery *d = &m->delivery;
    const char *dot = video_is_series(d->path, sora_video_frames(video)) ? strrchr(d->path, '.') : NULL;
    shortage_begin();
    json_t *output = dot != NULL ? json_sprintf("%.*s-%%04d%s", (int)(dot - d->path), d->path, dot) : json_string(d->path);
    if (output == NULL) /* a file name need not be UTF-8, JSON must */
        output = json_null();
    json_t *seed = a->seed >> 53 == 0 ? json_integer((json_int_t)a->seed) : json_sprintf("%" PRIu64, a->seed);
    json_t *o = json_pack("{s:s, s:o, s:f, s:o, s:i, s:i, s:i, s:i, s:f, s:o, s:s?, s:O}", "id", sora_video_id(video), "output", output,
                          "seconds", seconds, "seed", seed, "width", sora_video_width(video), "height", sora_video_height(video),
                          "scale", a->scale, "frames", sora_video_frames(video), "fps", sora_video_fps(video), "parameters",
                          json_loads(sora_video_parameters(video), 0, NULL), "credentials",
                          d->plan.credentials ? d->result.manifest : NULL, "notes", m->notes);
    return json_print(o, JSON_REAL_PRECISION(6), err);
}

static void print_line(const SoraVideo *video, const GenerateArgs *a, const Signing *s, const char *name, double seconds)
{
    int frames = sora_video_frames(video);
    char scaled[64] = "";
    if (a->scale > 1)
        snprintf(scaled, sizeof scaled, " made of %dx%d", sora_video_width(video), sora_video_height(video));
    printf("%s: %d frame%s of %dx%d%s, %g a second, seed %" PRIu64 ", made in %.1f s%s%s\n", name, frames,
           frames == 1 ? "" : "s", a->scale * sora_video_width(video), a->scale * sora_video_height(video), scaled,
           sora_video_fps(video), a->seed, seconds, s->without ? "; no content credentials: " : "", s->without ? s->without : "");
}

/* What was made, and where it is. */
static bool report(const Making *m, const SoraVideo *video, const GenerateArgs *a, const Signing *s, double seconds, SoraError *err)
{
    const Delivery *d = &m->delivery;
    Place place = {d->path, sora_video_frames(video)};
    char name[2 * PATH_MAX];
    place_name(name, sizeof name, &place);
    signing_report(&d->result, name);
    place_warn_of_others(&place);
    if (a->json)
        return print_json(video, a, m, seconds, err);
    print_line(video, a, s, name, seconds);
    return true;
}

static bool open_inputs(SoraInputs **inputs, const SoraRequest *request, SoraError *err)
{
    SoraInput list[4];
    int count = sora_request_inputs(request, list, 4);
    return count == 0 || (*inputs = sora_inputs_open(list, count, err)) != NULL;
}

/* "6G", "6.5G", "800M": bytes in powers of 1000. */
static bool parse_memory(const char *text, size_t *bytes, SoraError *err)
{
    char *end = NULL;
    double n = text != NULL ? strtod(text, &end) : 0;
    double unit = end == NULL ? 1 : *end == 'G' || *end == 'g' ? 1e9 : *end == 'M' || *end == 'm' ? 1e6 : 0;
    bool whole = end == NULL || (unit > 0 && (end[1] == 0 || ((end[1] == 'B' || end[1] == 'b') && end[2] == 0)));
    *bytes = 0;
    if (!whole || (text != NULL && !(n * unit >= 1e6 && n * unit <= 1e15)))
        return error_set(err, SORA_ERROR_INPUT, "--memory %.40s: a size such as 6G or 800M is expected", text);
    *bytes = (size_t)(n * unit);
    return true;
}

static SoraOptions options_of(const GenerateArgs *a, size_t memory)
{
    return (SoraOptions){.threads = a->threads,
                         .memory = memory,
                         .precision = (SoraPrecision)a->precision,
                         .cpu = cpu_levels[a->cpu],
                         .transformer = a->transformer,
                         .transformer_2 = a->transformer_2,
                         .text_encoder = a->text_encoder,
                         .vae = a->vae,
                         .image_encoder = a->image_encoder,
                         .tokenizer = a->tokenizer,
                         .loras = a->loras.items};
}

typedef struct Model {
    const char *name; /* NULL: the default, or the options name its files */
    SoraOptions options;
} Model;

/* inputs: NULL, or what the file is made from; signing: whose credentials it gets. */
static bool make(const GenerateArgs *a, SoraRequest *request, const Signing *signing, const SoraInputs *inputs,
                 const Model *model, SoraError *err)
{
    char *own = a->trace_index == NULL ? trace_index_default_path() : NULL;
    const char *index = a->trace_index != NULL ? a->trace_index : own;
    Making m = {.notes = json_array()};
    delivery_init(&m.delivery, &(DeliveryPlan){.path = a->output,
                                               .scale = a->scale,
                                               .credentials = signing->credentials,
                                               .signing = {.prompt = a->tell_prompt == TELL_SIGNED ? request->prompt : NULL,
                                                           .inputs = inputs,
                                                           .time_authority = a->signing.time_authority},
                                               .index = a->no_trace ? NULL : index,
                                               .keep = a->keep});
    DeliveryPlan small = m.delivery.plan;
    small.path = a->preview;
    small.signing.time_authority = NULL;
    delivery_init(&m.preview, &small);
    m.preview.finish.passing = true;
    if (small.credentials == NULL)
        m.preview.finish.run = NULL;
    double began = clock_seconds();
    request->user = &m;
    progress_begin(&m.progress);
    SoraVideo *video = NULL;
    SoraEngine *engine = sora_engine_open(model->name, &model->options, err);
    note_options(&m, a);
    for (int i = 0; engine != NULL && sora_engine_note(engine, i) != NULL; i++)
        on_note(sora_engine_note(engine, i), &m);
    if (engine != NULL) {
        m.delivery.plan.signing.model = sora_engine_name(engine);
        m.delivery.plan.signing.loras = sora_engine_loras(engine);
        m.preview.plan.signing.model = m.delivery.plan.signing.model;
        m.preview.plan.signing.loras = m.delivery.plan.signing.loras;
    }
    if (engine != NULL && check_output(engine, request, a, err))
        video = sora_generate(engine, request, err);
    progress_end(&m.progress);
    if (m.changed.code != SORA_OK || m.unseen.code != SORA_OK)
        *err = m.changed.code != SORA_OK ? m.changed : m.unseen;
    bool ok = video != NULL && delivery_commit(&m.delivery, video, err);
    ok = ok && report(&m, video, a, signing, clock_seconds() - began, err);
    delivery_deinit(&m.preview);
    delivery_deinit(&m.delivery);
    json_decref(m.notes);
    sora_video_free(video);
    sora_engine_close(engine);
    free(own);
    return ok;
}

static bool check_image(const char *path, SoraError *err)
{
    if (path != NULL && dir_exists(path))
        return error_set(err, SORA_ERROR_INPUT, "%s: not a picture: it is a folder", path);
    return path == NULL || file_exists(path) || error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such picture", path);
}

static bool check_args(const GenerateArgs *a, SoraError *err)
{
    const char *dot = a->preview != NULL ? strrchr(a->preview, '.') : NULL;
    if (a->preview != NULL && (dot == NULL || strcasecmp(dot, ".png") != 0))
        return error_set(err, SORA_ERROR_INPUT, "--preview %s: it is a PNG, call it NAME.png", a->preview);
    if (a->preview != NULL && (strcmp(a->preview, a->output) == 0 || file_same(a->preview, a->output)))
        return error_set(err, SORA_ERROR_INPUT, "--preview %s: that is the output", a->preview);
    return check_image(a->image, err) && check_image(a->last_image, err);
}

static bool generate(const GenerateArgs *a, char **arguments, int count, SoraError *err)
{
    SoraRequest request;
    size_t memory;
    SoraGiven given[2];
    fill_request(&request, given, a);
    request.prompt = choose_prompt(a, arguments, count, err);
    if (request.prompt == NULL || !parse_memory(a->memory, &memory, err) || !video_writer_check(a->output, NULL, err) ||
        !check_args(a, err))
        return false;
    if (memory > 0 && a->scale > 1)
        return error_set(err, SORA_ERROR_INPUT, "--memory does not count what --scale %d takes: leave one out", a->scale);
    Signing signing = {0};
    SoraInputs *inputs = NULL;
    bool ok = signing_open(&signing, &a->signing, a->output, err) &&
              (signing.credentials == NULL || open_inputs(&inputs, &request, err)) &&
              make(a, &request, &signing, inputs, &(Model){a->model, options_of(a, memory)}, err);
    sora_inputs_close(inputs);
    signing_close(&signing);
    return ok;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    GenerateArgs own = *(const GenerateArgs *)values;
    const GenerateArgs *a = &own;
    char *name = own.output == NULL ? file_free_name("out.mp4") : NULL;
    if (own.output == NULL && name == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    if (name != NULL)
        own.output = name;
    own.keep = name != NULL;
    interrupt_catch(); /* before the first file is tried */
    bool ok = generate(a, arguments, count, err);
    free(name);
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
