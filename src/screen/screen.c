#include "screen/screen.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "screen/faces.h"

struct Screen {
    PictureRules rules;
    PictureJudge *judge;
};

Screen *screen_open(const PictureRules *rules, int threads, SoraError *err)
{
    Screen *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    s->rules = *rules;
    s->judge = picture_judge_open(NULL, threads, err);
    if (s->judge != NULL)
        return s;
    error_wrap(err, "pictures cannot be looked at");
    screen_close(s);
    return NULL;
}

void screen_close(Screen *s)
{
    if (s == NULL)
        return;
    picture_judge_close(s->judge);
    free(s);
}

/* --- frames --- */

static void refuse(ScreenVerdict *v, const char *category, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void refuse(ScreenVerdict *v, const char *category, const char *fmt, ...)
{
    va_list args;
    v->allowed = false;
    v->category = category;
    va_start(args, fmt);
    vsnprintf(v->sentence, sizeof v->sentence, fmt, args);
    va_end(args);
}

void screen_begin(ScreenVerdict *verdict)
{
    *verdict = (ScreenVerdict){.allowed = true, .faces = -1};
}

static bool look(Screen *s, const Image *picture, double seconds, ScreenVerdict *v, SoraError *err)
{
    PictureScores scores;
    if (!picture_judge_look(s->judge, picture, 1, &scores, err))
        return false;
    if (v->looked++ == 0 || picture_explicit(&scores) > picture_explicit(&v->worst)) {
        v->worst = scores;
        v->worst_at = seconds;
    }
    return true;
}

/* Does a new half second begin with frame i? */
static bool is_due(int i, double fps)
{
    return i == 0 || !(fps > 0) || floor(i * SCREEN_RATE / fps) > floor((i - 1) * SCREEN_RATE / fps);
}

bool screen_frame(Screen *s, const Image *frame, int i, double fps, ScreenVerdict *v, SoraError *err)
{
    if (!v->allowed || s->rules.generated >= 1 || !is_due(i, fps))
        return true;
    if (!look(s, frame, fps > 0 ? i / fps : 0, v, err))
        return false;
    if (picture_explicit(&v->worst) >= s->rules.generated)
        refuse(v, "explicit",
               "What was made looks sexually explicit; it is not kept. Other words or another seed may help.");
    return true;
}

bool screen_picture(Screen *s, const Image *picture, ScreenVerdict *v, SoraError *err)
{
    screen_begin(v);
    return screen_frame(s, picture, 0, 0, v, err);
}

/* --- files --- */

/* Returns whether it is not settled yet. */
static bool judge_origin(const Screen *s, const char *path, ScreenVerdict *v)
{
    SoraError ignored = {0}; /* what cannot be read as credentials has none */
    if (!credentials_origin(path, NULL, &v->origin, &ignored))
        v->origin = (CredentialsOrigin){.verdict = SORA_VERDICT_NONE};
    if (v->origin.verdict == SORA_VERDICT_INVALID && !s->rules.invalid_credentials)
        refuse(v, "credentials", "The file's content credentials are invalid: %s", v->origin.reason);
    return v->allowed;
}

static bool judge_faces(FaceSheet *sheet, ScreenVerdict *v, SoraError *err)
{
    int faces;
    if (!face_sheet_look(sheet, &faces, err))
        return false;
    v->faces = (v->faces > 0 ? v->faces : 0) + faces;
    if (faces > 0)
        refuse(v, "faces",
               "The upload seems to show the face of a person; this server takes no pictures of real people.");
    return true;
}

/* A frame of an upload. */
static bool judge_frame(Screen *s, const Image *frame, double seconds, FaceSheet *sheet, ScreenVerdict *v,
                        SoraError *err)
{
    if (!look(s, frame, seconds, v, err))
        return false;
    if (s->rules.uploads < 1 && picture_explicit(&v->worst) >= s->rules.uploads) {
        refuse(v, "explicit", "The upload looks sexually explicit; it is not taken.");
        return true;
    }
    if (s->rules.faces || v->looked % SCREEN_RATE != 1) /* faces: once a second */
        return true;
    return face_sheet_add(sheet, frame, err) && (sheet->count < FACE_SHEET_MOST || judge_faces(sheet, v, err));
}

static bool judge_picture(Screen *s, const char *path, const ForeignLimits *limits, FaceSheet *sheet, ScreenVerdict *v,
                          SoraError *err)
{
    Image image = {0};
    bool ok = foreign_picture(&image, path, limits, err) && judge_frame(s, &image, 0, sheet, v, err);
    image_deinit(&image);
    return ok;
}

static bool judge_video(Screen *s, const char *path, const ForeignLimits *limits, FaceSheet *sheet, ScreenVerdict *v,
                        SoraError *err)
{
    const uint8_t *rgb = NULL;
    ForeignVideo *video = foreign_video_open(path, &(VideoReaderOptions){.fps = SCREEN_RATE}, limits, err);
    bool ok = video != NULL;
    for (int i = 0; ok && v->allowed; i++) {
        ok = foreign_video_read(video, &rgb, err);
        if (!ok || rgb == NULL)
            break;
        Image frame = {foreign_video_width(video), foreign_video_height(video), (uint8_t *)rgb}; /* read only */
        ok = judge_frame(s, &frame, (double)i / SCREEN_RATE, sheet, v, err);
    }
    foreign_video_close(video);
    return ok && (v->looked > 0 || error_set(err, SORA_ERROR_INPUT, "%s: it has no frames", path));
}

/* A GIF may move. */
static bool is_picture(const char *path, bool *picture, SoraError *err)
{
    uint8_t head[64];
    size_t n;
    if (!file_read_head(path, head, sizeof head, &n, err))
        return false;
    *picture = image_recognised(head, n) && !(n > 3 && memcmp(head, "GIF", 3) == 0);
    return true;
}

bool screen_file(Screen *s, const char *path, const ForeignLimits *limits, ScreenVerdict *v, SoraError *err)
{
    FaceSheet sheet = {.count = 0};
    bool picture;
    screen_begin(v);
    if (!is_picture(path, &picture, err))
        return false;
    bool ok = !judge_origin(s, path, v) || (picture ? judge_picture : judge_video)(s, path, limits, &sheet, v, err);
    ok = ok && (!v->allowed || s->rules.faces || judge_faces(&sheet, v, err));
    face_sheet_deinit(&sheet);
    return ok;
}

void screen_origin_text(const CredentialsOrigin *o, char *text, size_t size)
{
    if (o->verdict == SORA_VERDICT_NONE)
        snprintf(text, size, "%s", "");
    else if (o->verdict == SORA_VERDICT_INVALID)
        snprintf(text, size, "invalid content credentials: %s", o->reason);
    else
        snprintf(text, size, "%s%s by %s; signed by %s%s", o->ai_made ? "made by AI" : "made",
                 o->edited ? " and edited" : "", *o->generator != 0 ? o->generator : "an unnamed program",
                 *o->signer != 0 ? o->signer : "nobody named", o->trusted ? "" : ", whom no anchor vouches for");
}
