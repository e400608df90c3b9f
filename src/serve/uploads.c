#include "serve/uploads.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/foreign.h"
#include "screen/screen.h"
#include "serve/fetch.h"
#include "serve/fields.h"
#include "serve/server.h"
#include "store/files.h"

/* Decoding one takes this at most, in a process of its own. */
static const ForeignLimits PICTURE_LIMITS = {.memory = (size_t)1 << 30, .seconds = 20};
static const ForeignLimits VIDEO_LIMITS = {.memory = (size_t)2 << 30, .seconds = 60};

static bool check_picture(const char *path, SoraError *err)
{
    Image image = {0};
    bool ok = foreign_picture(&image, path, &PICTURE_LIMITS, err);
    image_deinit(&image);
    return ok;
}

/* Its first frame. */
static bool check_video(const char *path, SoraError *err)
{
    const uint8_t *rgb = NULL;
    ForeignVideo *v = foreign_video_open(path, &(VideoReaderOptions){0}, &VIDEO_LIMITS, err);
    bool ok =
        v != NULL && foreign_video_read(v, &rgb, err) && (rgb != NULL || error_set(err, SORA_ERROR_INPUT, "it has no frames"));
    foreign_video_close(v);
    return ok;
}

/* A mask may be either. */
static bool check(const char *path, InputUse use, SoraError *err)
{
    return use == INPUT_VIDEO ? check_video(path, err)
                              : check_picture(path, err) || (use == INPUT_MASK && check_video(path, err));
}

/* What was found is said without the name of a file of ours. */
static void say_wrong(Call *call, const char *field, const char *path, const SoraError *err)
{
    const char *message = err->message;
    size_t n = strlen(path);
    if (strncmp(message, path, n) == 0 && message[n] == ':')
        message += n + 2;
    call_error(call, 400, "invalid_file", field, "%s: %s", field, message);
}

/* The audit knows who sent it, and what its content credentials say. */
static void note_upload(Call *call, const char *action, const ScreenVerdict *v)
{
    char origin[400];
    screen_origin_text(&v->origin, origin, sizeof origin);
    const char *detail = v->category != NULL && strcmp(v->category, "credentials") != 0 ? v->category : origin;
    if (v->category != NULL || *origin != 0)
        store_audit(call->server->store, call->key.id, action, call->id, detail, NULL);
}

/* Whether a mask, picture or video may be taken, by the server's policy. A judge of its own for each: opening one takes less than
 * decoding a picture, and nobody waits for another's video. */
static bool may_be_taken(Call *call, const char *field, const char *path, InputUse use)
{
    SoraError err = {0};
    ScreenVerdict v;
    Screen *screen = screen_open(policy_picture_rules(call->server->policy), 1, &err);
    bool judged = screen != NULL && screen_file(screen, path, use == INPUT_VIDEO ? &VIDEO_LIMITS : &PICTURE_LIMITS, &v, &err);
    screen_close(screen);
    if (!judged && err.code == SORA_ERROR_UNSUPPORTED)
        call_error(call, 503, "uploads_unchecked", field, "%s: %s", field, err.message);
    else if (!judged && err.code == SORA_ERROR_INPUT)
        say_wrong(call, field, path, &err);
    else if (!judged)
        call_fail(call, &err);
    if (!judged)
        return false;
    note_upload(call, v.allowed ? "uploaded" : "refused", &v);
    if (!v.allowed)
        call_error(call, 400, strcmp(v.category, "credentials") == 0 ? "invalid_credentials" : "moderation_blocked", field, "%s: %s",
                   field, v.sentence);
    return v.allowed;
}

static bool keep(Call *call, const char *field, const char *path, InputUse use, char name[STORE_ID_SIZE])
{
    SoraError err = {0};
    if (!check(path, use, &err)) {
        if (err.code == SORA_ERROR_IO)
            call_fail(call, &err);
        else
            say_wrong(call, field, path, &err);
        return false;
    }
    if (!may_be_taken(call, field, path, use))
        return false;
    if (store_file_add(call->server->store, path, "upload", "", name, &err))
        return true;
    call_fail(call, &err);
    return false;
}

/* The call's own file, as if it had come in a form. */
static CallFile *new_file(Call *call)
{
    if (call->file_count == CALL_MOST_FILES)
        return NULL;
    CallFile *f = &call->files[call->file_count];
    *f = (CallFile){.size = 0};
    if (asprintf(&f->path, "%s/%s-%d", call->server->uploads, call->id, call->file_count) < 0)
        return NULL;
    call->file_count++;
    return f;
}

static bool write_bytes(const char *path, const char *data, size_t size, SoraError *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (ssize_t n; ok && size > 0; data += n, size -= (size_t)n)
        if ((n = write(fd, data, size)) <= 0)
            ok = false;
    if (!ok)
        error_system(err, "upload", "cannot store");
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool take_url(Call *call, const char *field, const char *url, InputUse use, char name[STORE_ID_SIZE])
{
    SoraError err = {0};
    size_t size = 0;
    CallFile *f = new_file(call);
    bool ok = f != NULL || error_no_memory(&err);
    if (ok && strncmp(url, "data:", 5) == 0) {
        unsigned char *bytes = data_url_decode(url, &size);
        if (bytes == NULL) {
            call_error(call, 400, "invalid_image_url", field, "%s: the data URL is damaged, or not base64", field);
            return false;
        }
        ok = write_bytes(f->path, (const char *)bytes, size, &err);
        free(bytes);
    } else if (ok && !fetch_file(url, f->path, call->server->options->private_urls, &err)) {
        call_error(call, 400, "invalid_image_url", field, "%s: %s", field, err.message);
        return false;
    }
    if (ok)
        return keep(call, field, f->path, use, name);
    call_fail(call, &err);
    return false;
}

bool upload_take(Call *call, const char *field, InputUse use, char name[STORE_ID_SIZE], bool *there)
{
    const CallFile *file = call_find_file(call, field);
    const json_t *value = json_object_get(call->fields, field);
    const char *url = json_string_value(json_object_get(value, "image_url")),
               *id = json_string_value(json_object_get(value, "file_id"));
    *there = file != NULL || (value != NULL && !json_is_null(value));
    if (!*there)
        return true;
    if (file != NULL && value == NULL)
        return keep(call, field, file->path, use, name);
    if (url != NULL && id == NULL && file == NULL)
        return take_url(call, field, url, use, name);
    if (id != NULL)
        call_error(call, 400, "file_id_unsupported", field, "%s: this server stores no files by id; send the file, or image_url",
                   field);
    else
        call_error(call, 400, "invalid_value", field, "%s: a file, or an object with image_url, is expected", field);
    return false;
}

bool upload_copy(Call *call, const char *file, char name[STORE_ID_SIZE])
{
    SoraError err = {0};
    CallFile *f = new_file(call);
    if ((f != NULL || error_no_memory(&err)) && store_file_fetch(call->server->store, file, f->path, &err) &&
        store_file_add(call->server->store, f->path, "upload", "", name, &err))
        return true;
    call_fail(call, &err);
    return false;
}
