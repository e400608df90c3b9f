#include "studio/run.h"

#include <stdlib.h>
#include <string.h>

#include "studio/context.h"
#include "studio/seam.h"
#include "studio/window.h"

enum { MAX_GROUPS = 64 };
#define ANCHOR_PART 0.15 /* by which each window comes back to the colours of the first frame: too little to be seen */

/* A group of frames that is known. */
typedef struct Group {
    float *latent;   /* [C, H, W]; heap */
    uint8_t *before; /* the frame before it, [height, width, 3]; heap */
} Group;

typedef struct Run {
    Studio *s;
    RunPlace place;
    Decoder *decoder;
    int pushed;     /* frames that came out of it before this push */
    SoraVideo part; /* the frames of this push */
    Group tail[MAX_GROUPS]; /* the last groups, up to a window of them */
    int tail_count;
    uint8_t *last;  /* the frame before the next group; heap; NULL: nothing is there yet */
    int64_t next;   /* frame of the timeline with which the next group begins */
    float *right;   /* groups that come after it, [C, right_groups, H, W] */
    int right_groups;
    uint8_t *following; /* the first frame after it; heap; NULL: none is kept */
    Tone anchor;    /* of the frame where the words began */
    bool anchored;
    size_t cell;    /* numbers of a latent frame */
    CanvasShape shape; /* of a window's latent */
} Run;

static size_t frame_bytes(const Studio *s)
{
    return 3 * (size_t)s->line.width * (size_t)s->line.height;
}

/* --- where --- */

static int64_t wrap(const Studio *s, int64_t t)
{
    return s->line.closed && t >= s->line.frames ? t - s->line.frames : t;
}

static bool is_kept(Studio *s, int64_t t)
{
    t = wrap(s, t);
    return t >= 0 && t < s->line.frames && timeline_kept(&s->line, t) != NULL;
}

RunPlace run_place(Studio *s, int64_t t)
{
    RunPlace p = {.begin = t, .end = s->line.frames, .before = is_kept(s, t - 1)};
    for (int i = 0; i < s->line.layer_count; i++) {
        const Layer *l = &s->line.layers[i];
        if (l->kept && l->first > t && l->first < p.end)
            p.end = l->first;
    }
    p.after = is_kept(s, p.end);
    return p;
}

bool run_check(const Studio *s, const RunPlace *p, SoraError *err)
{
    const LatentGrid *g = &s->engine->grid;
    int64_t count = p->end - p->begin;
    if (!s->condition)
        return true;
    if (g->first_frame == NEED_REQUIRED && !p->before)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s needs a picture before what it makes; nano, T2V and TI2V models can do "
                                                      "without", s->engine->manifest.name);
    if (g->last_frame == NEED_REQUIRED && (!p->after || count + 1 > (int64_t)s->window * s->stride))
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s makes what lies between two pictures, at most %d frames; nano, T2V and "
                                                      "TI2V models can do more", s->engine->manifest.name, s->window * s->stride - 1);
    return !p->after || g->last_frame != NEED_NONE ||
           error_set(err, SORA_ERROR_UNSUPPORTED, "%s cannot reach a frame that is given; nano, T2V, TI2V and FLF2V models can",
                     s->engine->manifest.name);
}

/* Kept frames from t on, count of them; where there are no more, the last one before again. heap. */
static uint8_t *kept_frames(Studio *s, int64_t t, int count, SoraError *err)
{
    size_t size = frame_bytes(s);
    uint8_t *frames = malloc((size_t)count * size);
    if (frames == NULL) {
        error_no_memory(err);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        const uint8_t *rgb;
        int64_t at = t + i;
        while (!is_kept(s, at)) /* at the end of the run there is one */
            at--;
        at = wrap(s, at);
        if (!layer_frame(timeline_kept(&s->line, at), at, &rgb, err)) {
            free(frames);
            return NULL;
        }
        memcpy(frames + (size_t)i * size, rgb, size);
    }
    return frames;
}

/* --- decoding --- */

static bool take_part(void *user, const DecodedPart *part, SoraError *err)
{
    Run *r = user;
    DecodedPart own = *part;
    own.first -= r->pushed;
    return video_put(&r->part, &own, err);
}

static bool open_decoder(Run *r, SoraError *err)
{
    DecoderJob job = {r->shape, pager_left(&r->s->engine->pager), take_part, r};
    return (r->decoder = decoder_open(&r->s->engine->pipeline, &job, err)) != NULL;
}

/* The frames of these latent frames lie in r->part afterwards. */
static bool decode(Run *r, const DecoderPush *push, SoraError *err)
{
    int frames = (int)push->frames * r->s->stride - (r->pushed == 0 ? r->s->stride - 1 : 0);
    file_memory_deinit(&r->part.rgb);
    r->part = (SoraVideo){.width = r->s->line.width, .height = r->s->line.height, .frames = frames};
    if ((r->decoder == NULL && !open_decoder(r, err)) || !video_init_frames(&r->part, err) || !decoder_push(r->decoder, push, err))
        return error_wrap(err, "decode");
    r->pushed += frames;
    return true;
}

/* Frames first to first + count of [C, frames, H, W] as one of their own; heap. */
static float *cut_latent(const Run *r, const float *latent, int64_t frames, int64_t first, int64_t count, SoraError *err)
{
    int64_t plane = r->shape.height * r->shape.width;
    float *part = malloc((size_t)count * r->cell * sizeof *part);
    for (int64_t c = 0; part != NULL && c < r->shape.channels; c++)
        memcpy(part + c * count * plane, latent + (c * frames + first) * plane, (size_t)(count * plane) * sizeof *part);
    if (part == NULL)
        error_no_memory(err);
    return part;
}

/* Puts one latent frame [C, H, W] to its place in [C, frames, H, W]. */
static void put_latent(const Run *r, const float *frame, float *latent, int64_t frames, int64_t at)
{
    int64_t plane = r->shape.height * r->shape.width;
    for (int64_t c = 0; c < r->shape.channels; c++)
        memcpy(latent + (c * frames + at) * plane, frame + c * plane, (size_t)plane * sizeof *latent);
}

/* --- handing on --- */

/* Black pixels of the mask come from own. The others are made, and lose what the codec adds to the black ones in the mean. */
static void lay_pixels(uint8_t *rgb, const uint8_t *own, const uint8_t *mask, size_t pixels)
{
    double sum[3] = {0};
    size_t black = 0;
    for (size_t k = 0; k < pixels; k++)
        for (int c = 0; c < 3 && mask[k] == 0; c++, black += c == 3)
            sum[c] += own[3 * k + (size_t)c] - rgb[3 * k + (size_t)c];
    for (size_t k = 0; k < pixels; k++)
        for (size_t c = 0; c < 3; c++) {
            double x = rgb[3 * k + c] + (black > pixels / 20 ? sum[c] / (double)black : 0);
            rgb[3 * k + c] = mask[k] == 0 ? own[3 * k + c] : x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5);
        }
}

/* What layers that are no whole frames leave of themselves: all that their masks have black. */
static bool lay_over(Studio *s, int64_t t, uint8_t *rgb, SoraError *err)
{
    size_t pixels = frame_bytes(s) / 3;
    uint8_t *mask = NULL;
    bool ok = true;
    for (int i = 0; i < s->line.layer_count && ok; i++) {
        Layer *l = &s->line.layers[i];
        const uint8_t *own;
        if (l->kept || !(l->masked || l->outside) || t < l->first || t >= l->first + l->frames || l->level > 0)
            continue;
        mask = mask != NULL ? mask : malloc(pixels);
        ok = (mask != NULL || error_no_memory(err)) && layer_frame(l, t, &own, err) && layer_mask(l, t, mask, err);
        if (ok)
            lay_pixels(rgb, own, mask, pixels);
    }
    free(mask);
    return ok;
}

/* Do layers that are no whole frames lie here, which say what the colours are? */
static bool is_led(const Studio *s, int64_t t, bool masks)
{
    for (int i = 0; i < s->line.layer_count; i++) {
        const Layer *l = &s->line.layers[i];
        if (!l->kept && t >= l->first && t < l->first + l->frames && (!masks || l->masked || l->outside))
            return true;
    }
    return false;
}

/* Frames of the part and of the run around it, while the part gets what is beside it. */
typedef struct Join {
    int64_t t;     /* frame of the timeline with which the part begins */
    int last;      /* the run's last frame in the part; the part's own where the run goes on */
    bool follows;  /* a frame comes before it, and its words are those before */
    bool reaches;  /* a kept frame comes right after `last` */
} Join;

/* The part's frames get the colours of what is beside them. */
static void match_tones(Run *r, const Join *j)
{
    const Studio *s = r->s;
    int width = s->line.width, height = s->line.height, frames = r->part.frames;
    ToneMatch left = {{1, 1, 1}, {0}}, right = left;
    if (j->follows) {
        Tone from = tone_of(video_frame(&r->part, 0), width, height), to = tone_of(r->last, width, height);
        if (!r->anchored)
            r->anchor = to;
        r->anchored = true;
        tone_pull(&to, &r->anchor, ANCHOR_PART);
        left = tone_match(&from, &to);
        tone_settle(&left, &to, video_frame(&r->part, 0), width, height);
    }
    if (j->reaches) {
        Tone from = tone_of(video_frame(&r->part, j->last), width, height), to = tone_of(r->following, width, height);
        right = tone_match(&from, &to);
        tone_settle(&right, &to, video_frame(&r->part, j->last), width, height);
    }
    bool fades = j->reaches || is_led(s, j->t, false);
    for (int i = 0; i < frames; i++) {
        double u = !fades ? 0 : (double)i / (j->reaches && j->last > 0 ? j->last : frames);
        u = u > 1 ? 1 : u;
        if (j->follows)
            tone_apply(&left, 1 - u, video_frame(&r->part, i), width, height);
        if (j->reaches)
            tone_apply(&right, u, video_frame(&r->part, i), width, height);
    }
}

/* Takes the step off between a frame that stays and the part's frame `first`; the frames from there on in direction `way` change. */
static bool close_seam(Run *r, const uint8_t *given, int first, int way, SoraError *err)
{
    Seam seam;
    int count = way > 0 ? r->part.frames - first : first + 1;
    count = count < SEAM_FRAMES ? count : SEAM_FRAMES;
    SeamSides sides = {given, video_frame(&r->part, first), r->s->line.width, r->s->line.height};
    if (!seam_measure(&seam, &sides, err))
        return false;
    for (int i = 0; i < count; i++)
        seam_close(&seam, i, count, video_frame(&r->part, first + way * i));
    seam_deinit(&seam);
    return true;
}

/* The part's frames are made to go with what is beside them. t: of the first one. */
static bool correct(Run *r, int64_t t, SoraError *err)
{
    int64_t last = r->place.end - 1 - t;
    bool ends = last >= 0 && last < r->part.frames;
    Join j = {t, ends ? (int)last : r->part.frames - 1, r->last != NULL && !r->s->new_words, ends && r->place.after};
    r->anchored = r->anchored && j.follows; /* other words may ask for other colours */
    if (!is_led(r->s, t, true) && (j.follows || j.reaches))
        match_tones(r, &j);
    return (r->last == NULL || close_seam(r, r->last, 0, 1, err)) &&
           (!j.reaches || close_seam(r, r->following, j.last, -1, err));
}

/* The part's frames, of which the first is frame t of the timeline. */
static bool hand_on(Run *r, int64_t t, SoraError *err)
{
    Studio *s = r->s;
    bool ok = true;
    for (int i = 0; i < r->part.frames && ok; i++, t++) {
        uint8_t *rgb = video_frame(&r->part, i);
        if (t < r->place.begin || t >= r->place.end)
            continue;
        ok = lay_over(s, t, rgb, err) && studio_hand_on(s, rgb, err);
    }
    return ok;
}

/* --- the groups that were last --- */

static void drop_groups(Run *r, int keep)
{
    int drop = r->tail_count - keep;
    if (drop <= 0)
        return;
    for (int i = 0; i < drop; i++) {
        free(r->tail[i].latent);
        free(r->tail[i].before);
    }
    memmove(r->tail, r->tail + drop, (size_t)keep * sizeof *r->tail);
    r->tail_count = keep;
}

/* heap */
static uint8_t *copy_frame(const Studio *s, const uint8_t *frame, SoraError *err)
{
    uint8_t *copy = malloc(frame_bytes(s));
    if (copy == NULL)
        error_no_memory(err);
    else
        memcpy(copy, frame, frame_bytes(s));
    return copy;
}

static bool set_last(Run *r, const uint8_t *frame, SoraError *err)
{
    free(r->last);
    return (r->last = copy_frame(r->s, frame, err)) != NULL;
}

/* The next group: its latent is frame `at` of [C, frames, H, W], its last frame is `frame`. */
static bool add_group(Run *r, const float *latent, int64_t frames, int64_t at, const uint8_t *frame, SoraError *err)
{
    drop_groups(r, r->s->window - 1);
    Group *g = &r->tail[r->tail_count];
    *g = (Group){cut_latent(r, latent, frames, at, 1, err), r->last};
    r->last = NULL;
    if (g->latent == NULL) {
        free(g->before);
        return false;
    }
    r->tail_count++;
    r->next += r->s->stride;
    return set_last(r, frame, err);
}

/* --- what is known around it --- */

static bool know_before(Run *r, SoraError *err)
{
    Studio *s = r->s;
    int count = 1, most = s->condition ? 1 : 1 + s->overlap * s->stride;
    while (count < most && is_kept(s, r->place.begin - count - 1))
        count++;
    int groups = (count - 1) / s->stride;
    count = 1 + groups * s->stride;
    uint8_t *frames = kept_frames(s, r->place.begin - count, count, err);
    float *latent = frames == NULL ? NULL : context_encode(s, (Frames){frames, count}, err);
    size_t size = frame_bytes(s);
    bool ok = latent != NULL && decode(r, &(DecoderPush){latent, 1 + groups, false}, err) &&
              set_last(r, frames, err);
    r->next = r->place.begin - groups * s->stride;
    for (int i = 1; i <= groups && ok; i++)
        ok = add_group(r, latent, 1 + groups, i, frames + (size_t)(i * s->stride) * size, err);
    free(latent);
    free(frames);
    return ok;
}

/* The groups from frame t on. */
static bool know_after(Run *r, int64_t t, SoraError *err)
{
    Studio *s = r->s;
    r->following = kept_frames(s, r->place.end, 1, err);
    if (r->following == NULL || s->condition)
        return r->following != NULL;
    r->right_groups = s->overlap > 0 ? s->overlap : 1;
    Frames frames = {kept_frames(s, t, r->right_groups * s->stride, err), r->right_groups * s->stride};
    r->right = frames.rgb == NULL ? NULL : context_encode_groups(s, frames, err);
    free((void *)frames.rgb);
    return r->right != NULL;
}

/* --- forward --- */

/* How the next window is made, with `left` groups still to be made (the first frame not counted). */
typedef struct Step {
    int overlap, made, more; /* groups that are known, that are made, and that are made for nothing: the model's own length */
    bool reaches;            /* what comes after is given to it */
} Step;

static Step choose_step(const Run *r, int64_t left)
{
    const Studio *s = r->s;
    bool hurry = r->last == NULL && r->place.end == STUDIO_ENDLESS; /* somebody waits for the first frame */
    int most = hurry ? s->window / 2 : s->window, overlap = r->tail_count < s->overlap ? r->tail_count : s->overlap;
    int right = r->following != NULL ? r->right_groups : -1;
    Step step = {.overlap = overlap};
    if (overlap + left + (right > 0 ? right : 0) <= most) {
        int room = most - (int)left - (right > 0 ? right : 0);
        step.made = (int)left;
        step.overlap = r->tail_count < room ? r->tail_count : room;
        step.reaches = right >= 0;
        if (right < 0 && r->last != NULL)
            step.more = room - step.overlap;
        return step;
    }
    step.made = most - overlap;
    if (right >= 0 && step.made >= left) /* something is left for the window that reaches what comes after */
        step.made = (int)left - 1;
    if (step.made < 1) {
        step.made = (int)left;
        step.overlap = most - right - (int)left > 0 ? most - right - (int)left : 0;
        step.reaches = true;
    }
    return step;
}

/* The latents of the last groups, side by side: [C, count, H, W]; heap. */
static float *join_tail(const Run *r, int count, SoraError *err)
{
    float *joined = malloc((size_t)(count > 0 ? count : 1) * r->cell * sizeof *joined);
    for (int i = 0; joined != NULL && i < count; i++)
        put_latent(r, r->tail[r->tail_count - count + i].latent, joined, count, i);
    if (joined == NULL)
        error_no_memory(err);
    return joined;
}

static bool make_step(Run *r, const Step *step, float **latent, int64_t *frames, SoraError *err)
{
    Studio *s = r->s;
    bool begins = r->last == NULL;
    float *left = join_tail(r, step->overlap, err);
    Window w = {.begin = begins ? r->place.begin : r->next - 1 - (int64_t)step->overlap * s->stride,
                .groups = step->overlap + step->made + step->more,
                .left = left,
                .left_groups = step->overlap};
    if (!begins)
        w.first = step->overlap > 0 ? r->tail[r->tail_count - step->overlap].before : r->last;
    if (step->reaches) {
        w.right = r->right;
        w.right_groups = r->right_groups;
        w.last = s->condition ? r->following : NULL;
        w.groups += r->right_groups;
    }
    s->making = (int64_t)step->made * s->stride + begins;
    CanvasShape shape;
    bool ok = left != NULL && window_make(s, &w, latent, &shape, err);
    *frames = 1 + w.groups;
    free(left);
    return ok;
}

/* Decodes what is new, hands it on and remembers it. */
static bool finish_step(Run *r, const Step *step, const float *latent, int64_t frames, bool last, SoraError *err)
{
    Studio *s = r->s;
    bool begins = r->last == NULL;
    int first = begins ? 0 : 1 + step->overlap, count = step->made + begins;
    float *fresh = cut_latent(r, latent, frames, first, count, err);
    bool ok = fresh != NULL && (count == 0 || decode(r, &(DecoderPush){fresh, count, last}, err));
    ok = ok && correct(r, begins ? r->place.begin : r->next, err);
    if (ok && begins) {
        r->next = r->place.begin + 1;
        ok = set_last(r, video_frame(&r->part, 0), err);
    }
    int64_t t = begins ? r->place.begin : r->next;
    for (int i = 0; i < step->made && ok; i++)
        ok = add_group(r, fresh, count, begins + i, video_frame(&r->part, begins + (i + 1) * s->stride - 1), err);
    s->making = 0;
    ok = ok && hand_on(r, t, err);
    free(fresh);
    return ok;
}

static bool run_forward(Run *r, SoraError *err)
{
    const Studio *s = r->s;
    int64_t frames = r->place.end - r->place.begin;
    if (r->place.before && !know_before(r, err))
        return false;
    /* Models that see frames reach the one after the run with their last. */
    int64_t all = frames - !r->place.before + (s->condition && r->place.after);
    int64_t groups = r->place.end == STUDIO_ENDLESS ? STUDIO_ENDLESS : (all + s->stride - 1) / s->stride;
    int64_t begin = r->place.begin + !r->place.before;
    if (r->place.after && !know_after(r, begin + groups * s->stride, err))
        return false;
    bool ok = true;
    for (bool first = true; ok && (groups > 0 || (first && !r->place.before)); first = false) {
        Step step = choose_step(r, groups);
        float *latent = NULL;
        int64_t count = 0;
        groups -= step.made;
        ok = make_step(r, &step, &latent, &count, err) && finish_step(r, &step, latent, count, groups == 0, err);
        free(latent);
    }
    return ok;
}

/* --- towards a beginning --- */

/* Latent frame i of all that are made. */
static float *stored(const Run *r, const FileMemory *all, int64_t i)
{
    return (float *)(void *)all->data + (size_t)i * r->cell;
}

/* The groups after group `pos`, of `groups` that are made and then those that come after; heap. */
static float *join_right(const Run *r, const FileMemory *all, int64_t pos, int64_t groups, int count, SoraError *err)
{
    float *joined = malloc((size_t)count * r->cell * sizeof *joined);
    for (int i = 0; joined != NULL && i < count; i++) {
        int64_t g = pos + 1 + i, outside = g - groups - 1;
        int64_t plane = r->shape.height * r->shape.width;
        if (outside < 0)
            put_latent(r, stored(r, all, g), joined, count, i);
        for (int64_t c = 0; outside >= 0 && c < r->shape.channels; c++)
            memcpy(joined + (c * count + i) * plane, r->right + (c * r->right_groups + outside) * plane, (size_t)plane * sizeof *joined);
    }
    if (joined == NULL)
        error_no_memory(err);
    return joined;
}

/* The window that ends with group `pos`; *made: of its groups. */
static bool make_backwards(Run *r, FileMemory *all, int64_t groups, int64_t pos, int64_t *made, SoraError *err)
{
    Studio *s = r->s;
    int64_t known = groups - pos + r->right_groups, overlap = known < s->overlap ? known : s->overlap;
    if (overlap < 1)
        overlap = 1;
    *made = pos < s->window - overlap ? pos : s->window - overlap;
    if (*made == pos) /* the first one: the model's own length */
        overlap = known < s->window - pos ? known : s->window - pos;
    float *latent = NULL, *right = join_right(r, all, pos, groups, (int)overlap, err);
    int64_t begin = r->place.end - (1 + groups * s->stride) + (pos - *made) * s->stride, count = 1 + *made + overlap;
    Window w = {.begin = begin, .groups = (int)(*made + overlap), .right = right, .right_groups = (int)overlap};
    CanvasShape shape;
    s->making = *made * s->stride;
    bool ok = right != NULL && window_make(s, &w, &latent, &shape, err);
    for (int64_t i = *made == pos ? 0 : 1; i <= *made && ok; i++) {
        float *one = cut_latent(r, latent, count, i, 1, err);
        ok = one != NULL;
        if (ok)
            memcpy(stored(r, all, pos - *made + i), one, r->cell * sizeof *one);
        free(one);
    }
    s->ahead += s->making;
    s->making = 0;
    free(latent);
    free(right);
    return ok;
}

static bool decode_stored(Run *r, const FileMemory *all, int64_t groups, SoraError *err)
{
    Studio *s = r->s;
    int64_t t = r->place.end - (1 + groups * s->stride);
    bool ok = true;
    for (int64_t i = 0, count; i <= groups && ok; i += count, t += r->part.frames) {
        count = groups + 1 - i < 1 + s->window ? groups + 1 - i : 1 + s->window;
        float *joined = malloc((size_t)count * r->cell * sizeof *joined);
        ok = joined != NULL || error_no_memory(err);
        for (int64_t k = 0; k < count && ok; k++)
            put_latent(r, stored(r, all, i + k), joined, count, k);
        ok = ok && decode(r, &(DecoderPush){joined, count, i + count > groups}, err);
        ok = ok && correct(r, t, err) && hand_on(r, t, err);
        free(joined);
    }
    return ok;
}

static bool run_backward(Run *r, SoraError *err)
{
    const Studio *s = r->s;
    int64_t groups = (r->place.end - r->place.begin - 1 + s->stride - 1) / s->stride, pos = groups, made;
    FileMemory all = {0};
    bool ok = know_after(r, r->place.end, err) && file_memory_init(&all, (size_t)(1 + groups) * r->cell * sizeof(float), err);
    if (ok)
        do {
            ok = make_backwards(r, &all, groups, pos, &made, err);
            pos -= made;
        } while (ok && pos > 0);
    ok = ok && decode_stored(r, &all, groups, err);
    file_memory_deinit(&all);
    return ok;
}

/* --- all of it --- */

static void init(Run *r, Studio *s)
{
    const LatentGrid *g = &s->engine->grid;
    *r = (Run){.s = s};
    r->shape = (CanvasShape){g->channels, 1 + s->window, s->line.height / g->stride_space, s->line.width / g->stride_space,
                             {g->patch[0], g->patch[1], g->patch[2]}};
    r->cell = (size_t)(r->shape.channels * r->shape.height * r->shape.width);
}

static void deinit(Run *r)
{
    drop_groups(r, 0);
    decoder_close(r->decoder);
    file_memory_deinit(&r->part.rgb);
    free(r->last);
    free(r->right);
    free(r->following);
}

bool run_make(Studio *s, const RunPlace *place, SoraError *err)
{
    Run r;
    init(&r, s);
    r.place = *place;
    bool ok = !place->before && place->after && !s->condition ? run_backward(&r, err) : run_forward(&r, err);
    deinit(&r);
    return ok;
}

bool run_ring(Studio *s, SoraError *err)
{
    Run r;
    CanvasShape shape;
    float *latent = NULL, *still = NULL;
    init(&r, s);
    r.place = (RunPlace){.end = s->line.frames};
    bool ok = window_make_ring(s, &latent, &shape, err);
    int64_t frames = ok ? shape.frames : 0, warm = frames < s->window ? frames : s->window;
    /* The decoder sees the end before the beginning: a still and the groups that come before the first. */
    if (ok) {
        float *end = cut_latent(&r, latent, frames, frames - warm, warm, err), *before = NULL;
        CanvasShape one = {shape.channels, 1, shape.height, shape.width, {1, 1, 1}};
        still = malloc(r.cell * sizeof *still);
        ok = end != NULL && (still != NULL || error_no_memory(err)) &&
             (before = cut_latent(&r, latent, frames, (2 * frames - warm - 1) % frames, 1, err)) != NULL &&
             pipeline_last_still(&s->engine->pipeline, &one, before, still, err) &&
             decode(&r, &(DecoderPush){still, 1, false}, err) && decode(&r, &(DecoderPush){end, warm, false}, err);
        free(end);
        free(before);
    }
    s->making = 0;
    for (int64_t i = 0, count, t = 0; i < frames && ok; i += count, t += r.part.frames) {
        count = frames - i < s->window ? frames - i : s->window;
        float *part = cut_latent(&r, latent, frames, i, count, err);
        ok = part != NULL && decode(&r, &(DecoderPush){part, count, i + count == frames}, err);
        ok = ok && (i > 0 || (r.following = copy_frame(s, video_frame(&r.part, 0), err)) != NULL) &&
             (i + count < frames || close_seam(&r, r.following, r.part.frames - 1, -1, err)) && hand_on(&r, t, err);
        free(part);
    }
    free(latent);
    free(still);
    deinit(&r);
    return ok;
}
