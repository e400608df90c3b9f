#include "cli/making.h"

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
#include "cli/rewriting_print.h"
#include "cli/styles.h"
#include "cpu/backend.h"
#include "deliver/deliver.h"
#include "trace/trace_index.h"

enum { TELL_METADATA, TELL_SIGNED, TELL_NOWHERE }; /* of --tell-prompt */
static const char *const cpu_levels[] = {NULL, "reference", "avx2", "avx512"}; /* in the order of --cpu */
enum { MAX_FILES = 66 };

/* One call of making_run(), and what the callbacks see. */
typedef struct Run {
    Making *making;
    SoraEngine *engine;
    Signing signing;
    SoraInputs *inputs;
    const char *index, *output; /* output: of this variation */
    bool keep;                  /* nobody named the output, so what has its name stays */
    char operation[160];
    /* Of one video: */
    Progress progress;
    json_t *notes; /* for --json */
    Delivery delivery;
    Delivery preview; /* signs those of --preview */
    bool inputs_read;
    SoraError changed; /* an input is not the file any more that will be named */
    SoraError unseen;  /* why a preview could not be written */
} Run;

/* --- callbacks --- */

/* When the steps begin all inputs have been read; those of a long video are read while it is made. */
static bool check_inputs(Run *n)
{
    n->inputs_read = true;
    return n->inputs == NULL || sora_inputs_unchanged(n->inputs, &n->changed);
}

static bool on_progress(const SoraProgress *progress, void *user)
{
    static const char *const labels[] = {"text", "denoise", "decode", "frames"};
    static const char *const units[] = {"prompts", "steps", "frames", "frames"};
    Run *n = user;
    if (progress->phase == SORA_PHASE_DENOISE && !n->inputs_read && !check_inputs(n))
        return false;
    progress_show(&n->progress, &(ProgressStep){labels[progress->phase], units[progress->phase], progress->done, progress->total});
    return n->unseen.code == SORA_OK && !interrupt_requested();
}

/* Nobody who asked for one should believe that an old one is of this video: a failure ends the work. */
static void on_preview(const SoraPreview *preview, void *user)
{
    Run *n = user;
    preview_file_write(n->preview.plan.path, preview, &n->preview.finish, &n->unseen);
}

/* Printed at once: who has forgotten a word may want to stop. */
static void on_note(const SoraNote *note, void *user)
{
    Run *n = user;
    progress_end(&n->progress);
    fprintf(stderr, "sora: note: %s\n", note->text);
    progress_begin(&n->progress);
    json_array_append_new(n->notes, json_pack("{s:s, s:s}", "about", note->about, "text", note->text));
}

static bool on_frame(const SoraVideo *video, int i, void *user, SoraError *err)
{
    Run *n = user;
    bool ok = gate_frame(&n->making->gate, video, i, err) && delivery_frame(&n->delivery, video, i, err);
    if (ok && i == 0 && n->delivery.silent.code != SORA_OK) {
        char text[sizeof n->delivery.silent.message + 32];
        snprintf(text, sizeof text, "the sound is left out: %s", n->delivery.silent.message);
        on_note(&(SoraNote){"sound", text}, n);
    }
    return ok;
}

/* --- what was given for nothing --- */

/* Do the plain kernels compute, because they were asked for or because this processor has no AVX2? SORA_CPU goes first. */
static bool is_reference(const MakingArgs *a)
{
    const char *level = getenv("SORA_CPU");
    if (level == NULL || *level == 0)
        level = cpu_levels[a->cpu];
    return (level != NULL && strcmp(level, "reference") == 0) || !cpu_level_supported("avx2");
}

static void note_options(Run *n)
{
    const MakingArgs *a = n->making->args;
    bool unsigned_file = n->signing.credentials == NULL;
    if (unsigned_file && a->tell_prompt == TELL_SIGNED)
        on_note(&(SoraNote){"credentials", "--tell-prompt signed has no effect on a file without content credentials; its "
                                           "metadata tell the prompt"},
                n);
    if (unsigned_file && a->signing.time_authority != NULL)
        on_note(&(SoraNote){"credentials", "--time-authority has no effect on a file without content credentials"}, n);
    if (is_reference(a))
        on_note(&(SoraNote){"cpu", "the plain reference kernels compute, which are there to be compared with: 10 to 100 times as long "
                                   "as avx2"},
                n);
    if (a->no_trace && a->trace_index != NULL)
        on_note(&(SoraNote){"trace_index", "--trace-index has no effect with --no-trace"}, n);
}

/* --- before the work --- */

bool making_check_file(const char *path, const char *what, SoraError *err)
{
    if (path != NULL && dir_exists(path))
        return error_set(err, SORA_ERROR_INPUT, "%s: not a %s: it is a folder", path, what);
    return path == NULL || file_exists(path) || error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such %s", path, what);
}

static bool check_rewriter(const MakingArgs *a, SoraError *err)
{
    Chat chat = {a->rewriter, a->rewriter_model, a->rewriter_seconds};
    if (a->rewriter == NULL)
        return (a->rewriter_model == NULL && a->rewriter_seconds == 0) ||
               error_set(err, SORA_ERROR_INPUT, "--rewriter-model and --rewriter-timeout need --rewriter URL");
    if (a->style != NULL)
        return error_set(err, SORA_ERROR_INPUT, "--rewriter and --style both change the words: leave one out");
    return chat_check(&chat, err);
}

/* Sets the prompt, with the words of the style. */
static bool choose_words(Making *m, const char *prompt, bool needed, SoraError *err)
{
    const MakingArgs *a = m->args;
    if (a->prompt != NULL && prompt != NULL)
        return error_set(err, SORA_ERROR_INPUT, "two prompts: --prompt and \"%.60s\"", prompt);
    prompt = prompt != NULL ? prompt : a->prompt;
    if (prompt == NULL && needed)
        return error_set(err, SORA_ERROR_INPUT, "a prompt is missing, such as: sora \"" EXAMPLE_PROMPT "\"");
    if (prompt != NULL && prompt[strspn(prompt, " \t\r\n")] == 0)
        return error_set(err, SORA_ERROR_INPUT, "the prompt is empty");
    m->request.prompt = prompt;
    m->request.negative_prompt = a->negative;
    if (a->rewrite != 0 && a->style != NULL)
        return error_set(err, SORA_ERROR_INPUT, "--rewrite and --style both change the words: leave one out");
    if (!check_rewriter(a, err))
        return false;
    return a->style == NULL || style_apply(a->style, &m->styled, &m->request, err);
}

bool making_begin(Making *m, const MakingArgs *a, const char *prompt, bool needed, SoraError *err)
{
    *m = (Making){.args = a};
    SoraRequest *request = &m->request;
    sora_request_init(request);
    request->width = a->size.width;
    request->height = a->size.height;
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
    return choose_words(m, prompt, needed, err);
}

void making_end(Making *m)
{
    gate_close(&m->gate);
    sora_rewriting_deinit(&m->rewriting);
    earlier_deinit(&m->earlier);
    free(m->chatted);
    style_deinit(&m->styled);
}

SoraOptions making_options(const MakingArgs *a)
{
    size_t memory = 0;
    parse_bytes("--memory", a->memory, &memory, NULL);
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

static bool check_preview(const char *preview, const char *output, SoraError *err)
{
    const char *dot = preview != NULL ? strrchr(preview, '.') : NULL;
    if (preview != NULL && (dot == NULL || strcasecmp(dot, ".png") != 0))
        return error_set(err, SORA_ERROR_INPUT, "--preview %s: it is a PNG, call it NAME.png", preview);
    return preview == NULL || (strcmp(preview, output) != 0 && !file_same(preview, output)) ||
           error_set(err, SORA_ERROR_INPUT, "--preview %s: that is the output", preview);
}

bool making_check(const MakingArgs *a, SoraError *err)
{
    size_t memory;
    if (!parse_bytes("--memory", a->memory, &memory, err))
        return false;
    return memory == 0 || a->scale == 1 ||
           error_set(err, SORA_ERROR_INPUT, "--memory does not count what --scale %d takes: leave one out", a->scale);
}

/* Will the files take this frame rate, and may they be written? Asked before the work. The size is the model's to judge, and
 * even. */
static bool check_output(Run *n, SoraError *err)
{
    const MakingArgs *a = n->making->args;
    const SoraRequest *r = &n->making->request;
    SoraRequest own;
    sora_engine_defaults(n->engine, &own);
    SoraFormat made = {r->width > 0 ? r->width : own.width, r->height > 0 ? r->height : own.height,
                       r->frames > 0 ? r->frames : own.frames, r->fps > 0 ? r->fps : own.fps};
    if (n->making->edit != NULL && !sora_edit_check(n->engine, n->making->edit, r, &made, err))
        return false;
    Place place = {n->output, made.frames};
    VideoFormat format = {2, 2, made.fps, NULL, NULL};
    if (a->scale > 1) {
        format.width = a->scale * made.width;
        format.height = a->scale * made.height;
    }
    const char *inputs[80] = {a->model, a->transformer, a->transformer_2, a->text_encoder, a->vae, a->image_encoder, a->tokenizer,
                              a->trace_index};
    int count = 8;
    for (int i = 0; n->making->inputs[i] != NULL; i++)
        inputs[count++] = n->making->inputs[i];
    if (!video_writer_check(n->output, &format, err) || !video_writer_check_frames(n->output, place.frames, err) ||
        !place_check(&place, inputs, count, err))
        return false;
    Place preview = {a->preview, 1};
    if (a->preview != NULL && (!video_writer_check(a->preview, NULL, err) || !place_check(&preview, inputs, count, err)))
        return false;
    place_announce("sora", &place);
    if (a->preview != NULL)
        place_announce("sora", &preview);
    return true;
}

/* --- what was made, and where it is --- */

/* A sequence of pictures is named by its pattern; large seeds are strings, as in the parameters. */
static bool print_json(const Run *n, const SoraVideo *video, double seconds, SoraError *err)
{
    const Delivery *d = &n->delivery;
    uint64_t number = n->making->request.seed;
    shortage_begin();
    const char *dot = video_is_series(d->path, sora_video_frames(video)) ? strrchr(d->path, '.') : NULL;
    json_t *output = dot != NULL ? json_sprintf("%.*s-%%04d%s", (int)(dot - d->path), d->path, dot) : json_string(d->path);
    if (output == NULL) /* a file name need not be UTF-8, JSON must */
        output = json_null();
    json_t *seed = number >> 53 == 0 ? json_integer((json_int_t)number) : json_sprintf("%" PRIu64, number);
    json_t *o = json_pack("{s:s, s:o, s:f, s:o, s:i, s:i, s:i, s:i, s:f, s:o, s:s?, s:O}", "id", sora_video_id(video), "output", output,
                          "seconds", seconds, "seed", seed, "width", sora_video_width(video), "height", sora_video_height(video),
                          "scale", n->making->args->scale, "frames", sora_video_frames(video), "fps", sora_video_fps(video),
                          "parameters", json_loads(sora_video_parameters(video), 0, NULL), "credentials",
                          d->plan.credentials ? d->result.manifest : NULL, "notes", n->notes);
    return json_print(o, JSON_REAL_PRECISION(6), err);
}

static void print_line(const Run *n, const SoraVideo *video, const char *name, double seconds)
{
    int frames = sora_video_frames(video), scale = n->making->args->scale;
    const Signing *s = &n->signing;
    char scaled[64] = "";
    if (scale > 1)
        snprintf(scaled, sizeof scaled, " made of %dx%d", sora_video_width(video), sora_video_height(video));
    printf("%s: %d frame%s of %dx%d%s, %g a second, seed %" PRIu64 ", made in %.1f s%s%s\n", name, frames,
           frames == 1 ? "" : "s", scale * sora_video_width(video), scale * sora_video_height(video), scaled,
           sora_video_fps(video), n->making->request.seed, seconds, s->without ? "; no content credentials: " : "",
           s->without ? s->without : "");
}

static bool report(const Run *n, const SoraVideo *video, double seconds, SoraError *err)
{
    const Delivery *d = &n->delivery;
    Place place = {d->path, sora_video_frames(video)};
    char name[2 * PATH_MAX];
    place_name(name, sizeof name, &place);
    signing_report(&d->result, name);
    place_warn_of_others(&place);
    if (n->making->args->json)
        return print_json(n, video, seconds, err);
    print_line(n, video, name, seconds);
    return true;
}

/* --- the work --- */

static DeliveryPlan plan_delivery(const Run *n)
{
    const MakingArgs *a = n->making->args;
    return (DeliveryPlan){.path = n->output,
                          .scale = a->scale,
                          .credentials = n->signing.credentials,
                          .signing = {.model = sora_engine_name(n->engine),
                                      .loras = sora_engine_loras(n->engine),
                                      .prompt = a->tell_prompt == TELL_SIGNED ? n->making->request.prompt : NULL,
                                      .operation = n->making->edit != NULL ? n->operation : NULL,
                                      .inputs = n->inputs,
                                      .time_authority = a->signing.time_authority},
                          .index = a->no_trace ? NULL : n->index,
                          .keep = n->keep};
}

static SoraVideo *make_video(Run *n, SoraError *err)
{
    const Making *m = n->making;
    SoraVideo *video = m->edit != NULL ? sora_edit(n->engine, m->edit, &m->request, err) : sora_generate(n->engine, &m->request, err);
    if (video != NULL && m->edit != NULL && !check_inputs(n)) {
        sora_video_free(video);
        video = NULL;
    }
    if (n->changed.code != SORA_OK || n->unseen.code != SORA_OK)
        *err = n->changed.code != SORA_OK ? n->changed : n->unseen;
    return video;
}

/* One video to n->output. */
static bool make_one(Run *n, double began, SoraError *err)
{
    DeliveryPlan plan = plan_delivery(n);
    delivery_init(&n->delivery, &plan);
    plan.path = n->making->args->preview;
    plan.signing.time_authority = NULL;
    delivery_init(&n->preview, &plan);
    n->preview.finish.passing = true;
    if (plan.credentials == NULL)
        n->preview.finish.run = NULL;
    n->making->request.user = n;
    SoraVideo *video = check_output(n, err) ? make_video(n, err) : NULL;
    progress_end(&n->progress);
    bool ok = video != NULL && delivery_commit(&n->delivery, video, err);
    ok = ok && report(n, video, clock_seconds() - began, err);
    delivery_deinit(&n->preview);
    delivery_deinit(&n->delivery);
    sora_video_free(video);
    return ok;
}

/* "out-3.mp4" of "out.mp4"; heap. */
static char *variation_name(const char *path, int i)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    char *name = NULL;
    int stem = dot != NULL && (slash == NULL || dot > slash) ? (int)(dot - path) : (int)strlen(path);
    return asprintf(&name, "%.*s-%d%s", stem, path, i, path + stem) < 0 ? NULL : name;
}

static bool make_all(Run *n, SoraError *err)
{
    int count = n->making->args->variations;
    const char *output = n->output;
    bool ok = true;
    for (int i = 0; i < count && ok; i++, n->making->request.seed++) {
        char *name = count > 1 ? variation_name(output, i + 1) : NULL;
        if (count > 1 && name == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "out of memory");
        n->output = name != NULL ? name : output;
        n->inputs_read = false;
        if (i > 0) {
            json_decref(n->notes);
            n->notes = json_array();
        }
        ok = make_one(n, clock_seconds(), err);
        free(name);
    }
    return ok;
}

static int list_inputs(const Making *m, SoraInput list[MAX_FILES])
{
    return m->edit != NULL ? sora_edit_inputs(m->edit, &m->request, list, MAX_FILES) : sora_request_inputs(&m->request, list, MAX_FILES);
}

/* Judges the words, those that led to the inputs too, and notes the latter in the request. */
static bool check_words(Run *n, SoraError *err)
{
    Making *m = n->making;
    SoraInput list[MAX_FILES];
    if (!earlier_read(&m->earlier, list, list_inputs(m, list), err))
        return false;
    m->request.earlier = (const char *const *)m->earlier.texts;
    m->request.earlier_count = m->earlier.count;
    return gate_check(m->args->policy, &m->request, n->keep ? NULL : n->output, &m->gate, err);
}

static bool open_inputs(Run *n, SoraError *err)
{
    const Making *m = n->making;
    SoraInput list[MAX_FILES];
    int count = list_inputs(m, list);
    if (count > 64)
        return error_set(err, SORA_ERROR_INPUT, "inputs: at most 64 files are accepted");
    return count == 0 || n->signing.credentials == NULL || (n->inputs = sora_inputs_open(list, count, err)) != NULL;
}

/* By a chat model. When that fails it is said, and the prompt stays as it is. */
static bool chat_prompt_of(Run *n, SoraError *err)
{
    Making *m = n->making;
    const MakingArgs *a = m->args;
    Chat chat = {a->rewriter, a->rewriter_model, a->rewriter_seconds};
    SoraError why = {0};
    char note[400];
    if (m->request.prompt == NULL || *m->request.prompt == 0) {
        on_note(&(SoraNote){"rewriter", "--rewriter: there is no prompt to rewrite"}, n);
        return true;
    }
    m->chatted = chat_rewrite(&chat, sora_engine_words(n->engine), m->request.prompt, a->seed, &why);
    if (m->chatted == NULL && why.code == SORA_ERROR_MEMORY) {
        *err = why;
        return false;
    }
    if (m->chatted == NULL) {
        snprintf(note, sizeof note, "%s; the prompt is used as it is", why.message);
        on_note(&(SoraNote){"rewriter", note}, n);
        return true;
    }
    fprintf(stderr, "sora: the prompt is rewritten: \"%s\"\n", m->chatted);
    m->request.asked = m->request.prompt;
    m->request.prompt = m->chatted;
    return gate_check(a->policy, &m->request, n->keep ? NULL : n->output, &m->gate, err);
}

/* Says what it does; a model that does not say what it knows hears the prompt as it is. What was rewritten is judged again. */
static bool rewrite_prompt(Run *n, SoraError *err)
{
    Making *m = n->making;
    SoraError why = {0};
    if (m->args->rewriter != NULL)
        return chat_prompt_of(n, err);
    if (m->args->rewrite == 0 || m->request.prompt == NULL)
        return true;
    if (!sora_rewrite(n->engine, m->request.prompt, m->args->seed, &m->rewriting, &why)) {
        if (why.code != SORA_ERROR_UNSUPPORTED) {
            *err = why;
            return false;
        }
        on_note(&(SoraNote){"rewrite", why.message}, n);
        return true;
    }
    if (m->args->rewrite == 2)
        rewriting_print(&m->rewriting, stderr);
    else if (m->rewriting.changed)
        fprintf(stderr, "sora: the prompt is rewritten: \"%s\"\n", m->rewriting.text);
    m->request.asked = m->rewriting.changed ? m->request.prompt : NULL;
    m->request.prompt = m->rewriting.text;
    return !m->rewriting.changed || gate_check(m->args->policy, &m->request, n->keep ? NULL : n->output, &m->gate, err);
}

static bool make(Run *n, SoraError *err)
{
    const MakingArgs *a = n->making->args;
    SoraOptions options = making_options(a);
    if (!making_check(a, err) || !check_preview(a->preview, n->output, err) || !video_writer_check(n->output, NULL, err) ||
        !signing_open(&n->signing, &a->signing, n->output, err) || !open_inputs(n, err))
        return false;
    if (n->making->edit != NULL)
        sora_edit_operation(n->making->edit, n->operation, sizeof n->operation);
    progress_begin(&n->progress);
    n->engine = sora_engine_open(a->model, &options, err);
    note_options(n);
    for (int i = 0; n->engine != NULL && sora_engine_note(n->engine, i) != NULL; i++)
        on_note(sora_engine_note(n->engine, i), n);
    return n->engine != NULL && rewrite_prompt(n, err) && make_all(n, err);
}

bool making_run(Making *m, SoraError *err)
{
    const MakingArgs *a = m->args;
    Run n = {.making = m, .notes = json_array(), .output = a->output};
    char *own = a->trace_index == NULL ? trace_index_default_path() : NULL, *name = NULL;
    n.index = a->trace_index != NULL ? a->trace_index : own;
    n.keep = a->output == NULL;
    interrupt_catch(); /* before the first file is tried */
    if (n.keep && (n.output = name = file_free_name("out.mp4")) == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    bool ok = n.output != NULL && check_words(&n, err) && make(&n, err);
    progress_end(&n.progress);
    sora_inputs_close(n.inputs);
    signing_close(&n.signing);
    sora_engine_close(n.engine);
    json_decref(n.notes);
    free(own);
    free(name);
    return ok;
}

bool making_edit(const MakingArgs *args, SoraEdit *edit, char **files, int count, SoraError *err)
{
    Making m;
    bool ok = making_begin(&m, args, NULL, false, err) && making_check_file(edit->mask_path, "mask", err);
    for (int i = 0; i < count && ok; i++) {
        ok = i < MAX_FILES - 1 ? making_check_file(files[i], "picture or video", err)
                                : error_set(err, SORA_ERROR_INPUT, "\"%s\" is one file too many", files[i]);
        m.inputs[i] = files[i];
    }
    m.inputs[count < MAX_FILES ? count : 0] = edit->mask_path;
    edit->inputs = m.inputs;
    edit->input_count = count;
    edit->keep_partial = args->keep_partial;
    m.edit = edit;
    ok = ok && making_run(&m, err);
    making_end(&m);
    return ok;
}
