/* The process of an engine: takes operations from descriptor 3, makes them with sora.h, and says what becomes of them. The
 * protocol is in engine_child.h. It sees no network, no database and no keys but those that sign. */
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <sora.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "media/picture.h"
#include "screen/screen.h"
#include "serve/engine_child.h"
#include "serve/operation.h"
#include "serve/stills.h"

enum { PIPE = 3, MOST_LINE = 1 << 20 };

typedef struct Process {
    SoraEngine *engine;
    SoraCredentials *credentials;
    Screen *screen;
    int tell_prompt;
    char *line;
    size_t size;
    json_t *words; /* message with the newest of a live video; NULL: none since they were asked for */
    bool stop; /* the operation at hand is to end */
    bool gone; /* so is the process */
} Process;

/* --- talking --- */

static void say(Process *p, json_t *message)
{
    char *text = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;
    size_t size = text != NULL ? strlen(text) : 0, at = 0;
    json_decref(message);
    if (text == NULL) {
        p->gone = true;
        return;
    }
    text[size++] = '\n';
    while (at < size && !p->gone) {
        ssize_t n = send(PIPE, text + at, size - at, MSG_NOSIGNAL);
        if (n > 0)
            at += (size_t)n;
        else if (errno != EINTR)
            p->gone = true;
    }
    free(text);
}

/* refused: the category, or NULL. */
static void say_failed(Process *p, const SoraError *err, const char *refused)
{
    say(p, json_pack("{ss si ss ss*}", "is", "failed", "code", (int)err->code, "message", err->message, "refused", refused));
}

/* The next message; NULL: none within that time (-1: ever), or the server is gone. */
static json_t *hear(Process *p, int milliseconds)
{
    for (;;) {
        char *end = p->size > 0 ? memchr(p->line, '\n', p->size) : NULL;
        if (end != NULL) {
            json_t *m = json_loadb(p->line, (size_t)(end - p->line), 0, NULL);
            size_t used = (size_t)(end - p->line) + 1;
            memmove(p->line, p->line + used, p->size - used);
            p->size -= used;
            p->gone = p->gone || m == NULL;
            return m;
        }
        struct pollfd poll_in = {PIPE, POLLIN, 0};
        int ready = poll(&poll_in, 1, milliseconds);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return NULL;
        ssize_t n = p->size < MOST_LINE ? recv(PIPE, p->line + p->size, MOST_LINE - p->size, 0) : 0;
        if (n <= 0) {
            p->gone = true;
            return NULL;
        }
        p->size += (size_t)n;
    }
}

/* While something is made the server can only say that it is to stop, and of a live video what is to happen. */
static bool goes_on(Process *p)
{
    for (json_t *m; !p->gone && (m = hear(p, 0)) != NULL;) {
        const char *what = json_string_value(json_object_get(m, "do"));
        if (what != NULL && strcmp(what, "words") == 0) {
            json_decref(p->words);
            p->words = json_incref(m);
        } else {
            p->stop = true;
        }
        json_decref(m);
    }
    return !p->stop && !p->gone;
}

/* --- making --- */

#define PREVIEW_SECONDS 0.7 /* between two of them at least */

typedef struct Making {
    Process *process;
    const char *folder;
    int previews;
    double previewed; /* when, by clock_seconds() */
    ScreenVerdict seen;
    double fps; /* of a live video */
    json_t *notes, *words; /* words: message with those of a live video that the engine has */
} Making;

static bool on_progress(const SoraProgress *progress, void *user)
{
    static const char *const PHASES[] = {"text", "denoise", "decode", "frames"};
    Making *m = user;
    size_t phase = (size_t)progress->phase;
    say(m->process, json_pack("{ss ss si si}", "is", "progress", "phase", phase < 4 ? PHASES[phase] : "other", "done",
                              progress->done, "total", progress->total));
    return goes_on(m->process);
}

static void on_note(const SoraNote *note, void *user)
{
    Making *m = user;
    json_array_append_new(m->notes, json_pack("{ss ss}", "about", note->about, "text", note->text));
}

/* For those who wait. One that cannot be written, or may not be shown, is not missed. */
static void show(Making *m, const Image *picture)
{
    char name[32], path[4096];
    ScreenVerdict seen;
    if (!screen_picture(m->process->screen, picture, &seen, NULL) || !seen.allowed)
        return;
    m->previewed = clock_seconds();
    snprintf(name, sizeof name, "preview-%d.jpg", ++m->previews);
    snprintf(path, sizeof path, "%s/%s", m->folder, name);
    if (still_preview(picture, path, NULL))
        say(m->process, json_pack("{ss ss}", "is", "preview", "file", name));
}

/* Two frames a second are looked at. */
static bool may_go_on(Making *m, const Image *frame, int i, double fps, SoraError *err)
{
    if (i == 0)
        screen_begin(&m->seen);
    return screen_frame(m->process->screen, frame, i, fps, &m->seen, err) &&
           (m->seen.allowed || error_set(err, SORA_ERROR_INPUT, "%s", m->seen.sentence));
}

/* And now and then one is shown. */
static bool on_frame(const SoraVideo *video, int i, void *user, SoraError *err)
{
    Making *m = user;
    const Image frame = {sora_video_width(video), sora_video_height(video), (uint8_t *)sora_video_frame(video, i)}; /* read only */
    if (!may_go_on(m, &frame, i, sora_video_fps(video), err))
        return false;
    if (clock_seconds() - m->previewed >= PREVIEW_SECONDS)
        show(m, &frame);
    return true;
}

/* What is emerging: the middle of the video. */
static void on_preview(const SoraPreview *p, void *user)
{
    Making *m = user;
    size_t frame = 3 * (size_t)p->width * (size_t)p->height;
    if (clock_seconds() - m->previewed >= PREVIEW_SECONDS)
        show(m, &(Image){p->width, p->height, (uint8_t *)p->pixels + (size_t)(p->frames / 2) * frame}); /* read only */
}

static void fill_request(SoraRequest *r, SoraGiven given[2], SoraPassage *passages, const Operation *o, Making *m)
{
    sora_request_init(r);
    r->prompt = o->prompt;
    r->negative_prompt = o->negative;
    r->width = o->width;
    r->height = o->height;
    r->frames = o->picture ? 1 : o->frames;
    r->fps = o->fps;
    r->steps = o->steps;
    r->guidance_scale = o->guidance;
    r->seed = o->seed;
    r->watermark = o->watermark;
    r->policy = o->policy;
    r->private_prompt = m->process->tell_prompt == TELL_NOWHERE;
    r->given = given;
    for (int i = 0; i < o->input_count && r->given_count < 2; i++)
        if (o->inputs[i].use == INPUT_FIRST || o->inputs[i].use == INPUT_LAST)
            given[r->given_count++] =
                (SoraGiven){.path = o->inputs[i].file, .still = true, .at_end = o->inputs[i].use == INPUT_LAST};
    for (int i = 0; i < o->passage_count; i++)
        passages[i] = (SoraPassage){o->passages[i].prompt, o->passages[i].from};
    r->passages = passages;
    r->passage_count = o->passage_count;
    r->progress = on_progress;
    r->note = on_note;
    r->frame = on_frame;
    r->preview = on_preview;
    r->user = m;
}

/* The studio's view of it. files: room for the inputs. */
static void fill_edit(SoraEdit *e, const char *files[OPERATION_MOST_INPUTS], const Operation *o)
{
    static const SoraEditKind KINDS[OPERATION_KINDS] = {SORA_EDIT_NEW,         SORA_EDIT_EXTEND, SORA_EDIT_LOOP,
                                                        SORA_EDIT_BLEND,       SORA_EDIT_REMIX,  SORA_EDIT_FILL,
                                                        SORA_EDIT_INTERPOLATE, SORA_EDIT_RECUT};
    static const char *const CURVES[] = {"bridge", "linear", "smooth", "early", "late"};
    sora_edit_init(e);
    e->kind = KINDS[o->kind];
    e->inputs = files;
    for (int i = 0; o->kind != OPERATION_GENERATE && i < o->input_count; i++) {
        if (o->inputs[i].use == INPUT_MASK)
            e->mask_path = o->inputs[i].file;
        else
            files[e->input_count++] = o->inputs[i].file;
    }
    e->seconds = o->seconds;
    e->at_start = o->at_start;
    e->from = o->from;
    e->to = o->to;
    e->before = o->before;
    e->after = o->after;
    e->strength = o->strength;
    for (int i = 0; o->curve != NULL && i < 5; i++)
        if (strcmp(o->curve, CURVES[i]) == 0)
            e->curve = (SoraCurve)i;
}

/* operation: for the manifest; "" for a video from nothing but words. */
static SoraVideo *make_video(Making *m, const Operation *o, SoraInputs **inputs, char *operation, size_t size, SoraError *err)
{
    SoraGiven given[2];
    SoraPassage passages[OPERATION_MOST_PASSAGES];
    SoraRequest request;
    SoraEdit edit;
    const char *files[OPERATION_MOST_INPUTS];
    SoraInput list[OPERATION_MOST_INPUTS + 2];
    fill_request(&request, given, passages, o, m);
    fill_edit(&edit, files, o);
    bool one_run = o->kind == OPERATION_GENERATE && o->frames > 0;
    if (o->kind != OPERATION_GENERATE)
        request.given_count = 0;
    int count = one_run ? sora_request_inputs(&request, list, OPERATION_MOST_INPUTS)
                        : sora_edit_inputs(&edit, &request, list, OPERATION_MOST_INPUTS + 2);
    for (int i = 0; i < count; i++)
        list[i].title = "input";
    if (count > 0 && (*inputs = sora_inputs_open(list, count, err)) == NULL)
        return NULL;
    if (o->kind != OPERATION_GENERATE)
        sora_edit_operation(&edit, operation, size);
    return one_run ? sora_generate(m->process->engine, &request, err) : sora_edit(m->process->engine, &edit, &request, err);
}

static bool write_all(Making *m, const Operation *o, const SoraVideo *video, const SoraSigning *signing, SoraError *err)
{
    Process *p = m->process;
    char path[4096];
    SoraSigning what = *signing;
    what.title = o->picture ? "image.png" : "video.mp4";
    what.model = sora_engine_name(p->engine);
    what.loras = sora_engine_loras(p->engine);
    what.prompt = p->tell_prompt == TELL_SIGNED ? o->prompt : NULL;
    snprintf(path, sizeof path, "%s/%s", m->folder, what.title);
    if (!sora_video_write_signed(video, path, p->credentials, &what, NULL, err))
        return false;
    if (o->picture)
        return true;
    what.title = "thumbnail.webp";
    snprintf(path, sizeof path, "%s/%s", m->folder, what.title);
    if (!still_thumbnail(video, path, err) || !sora_sign(p->credentials, path, &what, NULL, err))
        return false;
    what.title = "spritesheet.jpg";
    snprintf(path, sizeof path, "%s/%s", m->folder, what.title);
    return still_sheet(video, path, err) && sora_sign(p->credentials, path, &what, NULL, err);
}

static void make(Process *p, const json_t *message)
{
    SoraError err = {0};
    Operation o;
    Making m = {.process = p, .folder = json_string_value(json_object_get(message, "folder")), .notes = json_array()};
    double began = clock_seconds();
    SoraInputs *inputs = NULL;
    char operation[128] = "";
    p->stop = false;
    SoraVideo *video = m.folder != NULL && m.notes != NULL && operation_read(&o, json_object_get(message, "operation"), &err)
                           ? make_video(&m, &o, &inputs, operation, sizeof operation, &err)
                           : NULL;
    if (video != NULL &&
        write_all(&m, &o, video, &(SoraSigning){.inputs = inputs, .operation = *operation != 0 ? operation : NULL}, &err)) {
        int frames = sora_video_frames(video);
        double fps = sora_video_fps(video);
        say(p,
            json_pack("{ss ss ss? ss? si si si sf sf sf ss sO ss}", "is", "made", "video", o.picture ? "image.png" : "video.mp4",
                      "thumbnail", o.picture ? NULL : "thumbnail.webp", "spritesheet", o.picture ? NULL : "spritesheet.jpg",
                      "width", sora_video_width(video), "height", sora_video_height(video), "frames", frames, "fps", fps,
                      "length", frames / fps, "took", clock_seconds() - began, "parameters", sora_video_parameters(video),
                      "notes", m.notes, "id", sora_video_id(video)));
    } else {
        say_failed(p, &err, m.seen.category);
    }
    sora_video_free(video);
    sora_inputs_close(inputs);
    json_decref(m.notes);
}

/* --- live --- */

static bool encode_jpeg(const Image *image, char **data, size_t *size, SoraError *err)
{
    FILE *f = open_memstream(data, size);
    if (f == NULL)
        return error_no_memory(err);
    bool ok = jpeg_write(f, image, &(PictureText){0}, "a frame", err);
    return (fclose(f) == 0 || error_no_memory(err)) && ok;
}

static bool on_live_frame(const uint8_t *rgb, int width, int height, int64_t i, void *user, SoraError *err)
{
    Making *m = user;
    char *jpeg = NULL, *text = NULL;
    size_t size = 0;
    const Image frame = {width, height, (uint8_t *)rgb}; /* read only */
    bool ok = may_go_on(m, &frame, (int)i, m->fps, err) && encode_jpeg(&frame, &jpeg, &size, err);
    ok = ok && ((text = malloc(size / 3 * 4 + 8)) != NULL || error_no_memory(err));
    if (ok) {
        EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)jpeg, (int)size);
        say(m->process, json_pack("{ss ss}", "is", "frame", "jpeg", text));
    }
    free(text);
    free(jpeg);
    return ok && goes_on(m->process);
}

/* The newest words; they are the engine's until it asks again. */
static const char *on_live_words(void *user)
{
    Making *m = user;
    goes_on(m->process);
    json_decref(m->words);
    m->words = m->process->words;
    m->process->words = NULL;
    return json_string_value(json_object_get(m->words, "prompt"));
}

static void make_live(Process *p, const json_t *message)
{
    SoraError err = {0};
    Operation o;
    SoraGiven given[2];
    SoraPassage passages[OPERATION_MOST_PASSAGES];
    SoraRequest request;
    Making m = {.process = p, .folder = "", .notes = json_array()};
    p->stop = false;
    bool ok = (m.notes != NULL || error_no_memory(&err)) && operation_read(&o, json_object_get(message, "operation"), &err);
    if (ok) {
        fill_request(&request, given, passages, &o, &m);
        request.frame = NULL;
        request.preview = NULL;
        SoraRequest own;
        sora_engine_defaults(p->engine, &own);
        m.fps = request.fps > 0 ? request.fps : own.fps;
        ok = sora_live(p->engine, &request, &(SoraLive){on_live_frame, on_live_words, &m, NULL}, &err);
    }
    if (ok)
        say(p, json_pack("{ss}", "is", "ended"));
    else
        say_failed(p, &err, m.seen.category);
    json_decref(m.words);
    json_decref(p->words);
    p->words = NULL;
    json_decref(m.notes);
}

/* --- what the model can --- */

static bool can(const SoraEngine *engine, int width, int height, int frames)
{
    SoraRequest r;
    SoraError err = {0};
    sora_request_init(&r);
    r.prompt = "x";
    r.width = width;
    r.height = height;
    r.frames = frames;
    return sora_request_check(engine, &r, &err);
}

static json_t *facts_of(const SoraEngine *engine)
{
    SoraRequest d;
    sora_engine_defaults(engine, &d);
    int multiple = 2, stride = 1, frames, side;
    while (multiple < 256 && !can(engine, d.width + multiple, d.height, d.frames) &&
           !can(engine, d.width - multiple, d.height, d.frames))
        multiple *= 2;
    while (stride < 64 && !can(engine, d.width, d.height, 1 + stride))
        stride++;
    for (frames = 1 + stride; frames < 100000 && can(engine, d.width, d.height, 2 * frames - 1); frames = 2 * frames - 1)
        ;
    while (can(engine, d.width, d.height, frames + stride))
        frames += stride;
    for (side = d.width; side < 16384 && can(engine, side + multiple, d.height, d.frames); side += multiple)
        ;
    return json_pack("{ss s{ss si si si si sf si si si si ss?}}", "is", "ready", "model", "name", sora_engine_name(engine),
                     "width", d.width, "height", d.height, "frames", d.frames, "steps", d.steps, "fps", d.fps, "multiple",
                     multiple, "stride", stride, "most_frames", frames, "most_side", side, "words", sora_engine_words(engine));
}

static void restrict_process(size_t memory)
{
    struct rlimit none = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
    if (memory > 0)
        setrlimit(RLIMIT_AS, &(struct rlimit){memory, memory});
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
}

/* sora engine-process MODEL THREADS MEMORY TELL_PROMPT CREDENTIALS EXPLICIT: from which probability a video is refused */
int engine_main(int argc, char **argv)
{
    SoraError err = {0};
    Process p = {.line = malloc(MOST_LINE)};
    if (argc != 8 || p.line == NULL)
        return 2;
    restrict_process(strtoull(argv[4], NULL, 10));
    p.tell_prompt = atoi(argv[5]);
    p.credentials = sora_credentials_open(*argv[6] != 0 ? argv[6] : NULL, &err);
    p.screen = p.credentials != NULL ? screen_open(&(PictureRules){.generated = strtof(argv[7], NULL)}, atoi(argv[3]), &err) : NULL;
    p.engine = p.screen != NULL ? sora_engine_open(argv[2], &(SoraOptions){.threads = atoi(argv[3])}, &err) : NULL;
    if (p.engine != NULL)
        say(&p, facts_of(p.engine));
    else
        say_failed(&p, &err, NULL);
    while (p.engine != NULL && !p.gone) {
        json_t *m = hear(&p, -1);
        const char *what = json_string_value(json_object_get(m, "do"));
        if (what != NULL && strcmp(what, "make") == 0)
            make(&p, m);
        else if (what != NULL && strcmp(what, "live") == 0)
            make_live(&p, m);
        json_decref(m);
    }
    sora_engine_close(p.engine);
    screen_close(p.screen);
    sora_credentials_close(p.credentials);
    free(p.line);
    return 0;
}
