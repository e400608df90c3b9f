#include "serve/body.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/fields.h"

struct Body {
    Call *call;
    const char *folder;
    struct MHD_PostProcessor *form; /* NULL: JSON */
    char *text;                     /* of JSON, or of the field that is coming */
    size_t size, room;
    int64_t all_text, all_files;
    char field[FIELD_NAME_SIZE]; /* that is coming */
    int fd;                      /* of the file that is coming; -1: none */
    int fields;
    int *status; /* where body_add() wants it */
    SoraError *err;
    bool failed;
};

static atomic_llong memory_used, disk_used;

static bool refuse(Body *b, int status, const char *why)
{
    b->failed = true;
    *b->status = status;
    return error_set(b->err, SORA_ERROR_INPUT, "%s", why);
}

/* Room for `more` bytes of text. */
static bool grow(Body *b, size_t more)
{
    if (b->all_text + (int64_t)more > BODY_MOST_TEXT)
        return refuse(b, 413, "the request is too large: at most 32 MiB besides files");
    b->all_text += (int64_t)more;
    if (b->size + more + 1 > b->room) {
        size_t room = 2 * b->room + more + 1;
        if (memory_used + (long long)(room - b->room) > BODY_MEMORY)
            return refuse(b, 503, "too many large requests at once; try again");
        char *text = realloc(b->text, room);
        if (text == NULL)
            return refuse(b, 503, "the server is out of memory; try again");
        memory_used += (long long)(room - b->room);
        b->text = text;
        b->room = room;
    }
    return true;
}

static bool add_text(Body *b, const char *data, size_t size)
{
    if (!grow(b, size))
        return false;
    memcpy(b->text + b->size, data, size);
    b->size += size;
    b->text[b->size] = 0;
    return true;
}

/* --- forms --- */

/* The field that came so far is complete. */
static bool finish_field(Body *b)
{
    SoraError why = {0};
    if (b->fd >= 0) {
        bool ok = close(b->fd) == 0;
        b->fd = -1;
        if (!ok)
            return refuse(b, 503, "the server cannot store the file; try again");
    } else if (*b->field != 0 && !fields_add(b->call->fields, b->field, b->text != NULL ? b->text : "", b->size, &why)) {
        return refuse(b, 400, why.message);
    }
    *b->field = 0;
    b->size = 0;
    return true;
}

static bool begin_file(Body *b, const char *field)
{
    Call *c = b->call;
    if (c->file_count == CALL_MOST_FILES)
        return refuse(b, 413, "too many files");
    CallFile *f = &c->files[c->file_count];
    snprintf(f->field, sizeof f->field, "%s", field);
    if (asprintf(&f->path, "%s/%s-%d", b->folder, c->id, c->file_count) < 0) {
        f->path = NULL;
        return refuse(b, 503, "the server is out of memory; try again");
    }
    c->file_count++;
    b->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return b->fd >= 0 || refuse(b, 503, "the server cannot store the file; try again");
}

static bool add_file(Body *b, const char *data, size_t size)
{
    CallFile *f = &b->call->files[b->call->file_count - 1];
    b->all_files += (int64_t)size;
    if (b->all_files > BODY_MOST_FILES)
        return refuse(b, 413, "the files are too large: at most 512 MiB");
    if (disk_used + (long long)size > BODY_DISK)
        return refuse(b, 503, "too many uploads at once; try again");
    disk_used += (long long)size;
    f->size += (int64_t)size;
    while (size > 0) {
        ssize_t n = write(b->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return refuse(b, 503,
                          errno == ENOSPC ? "the server's disk is full; try again later"
                                          : "the server cannot store the file; try again");
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static enum MHD_Result on_part(void *user, enum MHD_ValueKind kind, const char *key, const char *filename, const char *type,
                               const char *encoding, const char *data, uint64_t offset, size_t size)
{
    Body *b = user;
    bool ok = !b->failed;
    if (ok && offset == 0) {
        ok = finish_field(b);
        if (ok && (key == NULL || *key == 0 || strlen(key) >= sizeof b->field))
            ok = refuse(b, 400, "a field of the form has no name, or a very long one");
        if (ok && ++b->fields > FIELDS_MOST)
            ok = refuse(b, 400, "too many fields");
        if (ok)
            memcpy(b->field, key, strlen(key) + 1);
        if (ok && filename != NULL)
            ok = begin_file(b, key);
    }
    if (ok && size > 0)
        ok = b->fd >= 0 ? add_file(b, data, size) : add_text(b, data, size);
    return ok ? MHD_YES : MHD_NO;
}

/* --- both --- */

static bool is_type(const char *header, const char *type)
{
    size_t n = strlen(type);
    return header != NULL && strncasecmp(header, type, n) == 0 && (header[n] == 0 || header[n] == ';' || header[n] == ' ');
}

Body *body_begin(Call *call, const char *folder, int *status, SoraError *err)
{
    const char *type = call_header(call, "Content-Type");
    bool form = is_type(type, "multipart/form-data") || is_type(type, "application/x-www-form-urlencoded");
    *status = 0;
    if (!form && type != NULL && !is_type(type, "application/json")) {
        *status = 415;
        error_set(err, SORA_ERROR_INPUT, "the content type must be application/json or multipart/form-data");
        return NULL;
    }
    Body *b = calloc(1, sizeof *b);
    if (b != NULL) {
        b->call = call;
        b->folder = folder;
        b->fd = -1;
        b->form = form ? MHD_create_post_processor(call->connection, 64 << 10, on_part, b) : NULL;
    }
    if (b != NULL && (!form || b->form != NULL))
        return b;
    free(b);
    *status = 400;
    error_set(err, SORA_ERROR_INPUT, "the form has no boundary");
    return NULL;
}

bool body_add(Body *b, const char *data, size_t size, int *status, SoraError *err)
{
    b->status = status;
    b->err = err;
    if (b->failed)
        return false;
    if (b->form == NULL)
        return add_text(b, data, size);
    if (MHD_post_process(b->form, data, size) == MHD_YES)
        return true;
    return b->failed ? false : refuse(b, 400, "the form is damaged");
}

static bool end_json(Body *b)
{
    json_error_t why;
    if (b->size == 0)
        return true;
    json_t *root = json_loadb(b->text, b->size, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(root)) {
        char message[200];
        snprintf(message, sizeof message, root == NULL ? "the body is not JSON: %.100s, line %d" : "the body is no JSON object",
                 why.text, why.line);
        json_decref(root);
        return refuse(b, 400, message);
    }
    json_decref(b->call->fields);
    b->call->fields = root;
    return true;
}

bool body_end(Body *b, int *status, SoraError *err)
{
    b->status = status;
    b->err = err;
    if (b->failed)
        return false;
    if (b->form == NULL)
        return end_json(b);
    bool whole = MHD_destroy_post_processor(b->form) == MHD_YES;
    b->form = NULL;
    if (b->failed)
        return false;
    return whole ? finish_field(b) : refuse(b, 400, "the form is damaged");
}

void body_free(Body *b)
{
    if (b == NULL)
        return;
    b->failed = true; /* what is left in the form is not looked at */
    if (b->form != NULL)
        MHD_destroy_post_processor(b->form);
    if (b->fd >= 0)
        close(b->fd);
    memory_used -= (long long)b->room;
    free(b->text);
    free(b);
}

void call_drop_files(Call *call)
{
    for (int i = 0; i < call->file_count; i++) {
        CallFile *f = &call->files[i];
        if (f->path != NULL)
            unlink(f->path);
        free(f->path);
        disk_used -= f->size;
    }
    call->file_count = 0;
}

static bool hash_file(EVP_MD_CTX *md, const CallFile *f, SoraError *err)
{
    char buffer[16384];
    FILE *in = fopen(f->path, "rbe");
    if (in == NULL)
        return error_system(err, "upload", "cannot read");
    bool ok = EVP_DigestUpdate(md, f->field, strlen(f->field) + 1) == 1;
    for (size_t n; ok && (n = fread(buffer, 1, sizeof buffer, in)) > 0;)
        ok = EVP_DigestUpdate(md, buffer, n) == 1;
    ok = ok && ferror(in) == 0;
    fclose(in);
    return ok || error_set(err, SORA_ERROR_IO, "upload: cannot read");
}

bool body_hash(Call *call, SoraError *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char *text = json_dumps(call->fields, JSON_SORT_KEYS | JSON_COMPACT);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = (text != NULL && md != NULL) || error_no_memory(err);
    ok = ok && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(md, call->path, strlen(call->path) + 1) == 1 &&
         EVP_DigestUpdate(md, text, strlen(text) + 1) == 1;
    for (int i = 0; ok && i < call->file_count; i++)
        ok = hash_file(md, &call->files[i], err);
    ok = ok && EVP_DigestFinal_ex(md, bytes, NULL) == 1;
    for (int i = 0; ok && i < 32; i++)
        snprintf(call->hash + 2 * i, 3, "%02x", bytes[i]);
    EVP_MD_CTX_free(md);
    free(text);
    return ok;
}
