#include "serve/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "serve/server.h"
#include "serve/system.h"

enum { MOST_FILE = 4 << 20 };

static const char *type_of(const char *path)
{
    static const char *const TYPES[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".webp", "image/webp"},
        {".json", "application/json"},
        {".woff2", "font/woff2"},
        {".webmanifest", "application/manifest+json"},
        {".ico", "image/x-icon"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(TYPES[i][0], dot) == 0)
            return TYPES[i][1];
    return "application/octet-stream";
}

static void add_headers(Call *call)
{
    call_add_header(
        call, "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
        " connect-src 'self'; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
    call_add_header(call, "referrer-policy", "no-referrer");
    call_add_header(call, "cross-origin-opener-policy", "same-origin");
    call_add_header(call, "cache-control", "no-cache");
}

/* Of a folder, so that a change is seen at the next reload. What it lacks is the program's. */
static bool from_folder(Call *call, const char *path)
{
    char name[4096];
    size_t size;
    if (strstr(path, "..") != NULL || snprintf(name, sizeof name, "%s%s", call->server->options->web, path) >= (int)sizeof name)
        return false;
    char *text = file_read(name, MOST_FILE, &size, NULL);
    if (text == NULL)
        return false;
    call_text(call, text, type_of(path));
    call->answer.text_size = size;
    return true;
}

static bool from_program(Call *call, const char *path)
{
    const WebFile *f = WEB_FILES;
    while (f->path != NULL && strcmp(f->path, path) != 0)
        f++;
    if (f->path == NULL)
        return false;
    const char *accepted = call_header(call, "Accept-Encoding"), *same = call_header(call, "If-None-Match");
    bool small = f->gzip != NULL && accepted != NULL && strstr(accepted, "gzip") != NULL;
    Answer *a = &call->answer;
    call_add_header(call, "etag", f->etag);
    call_add_header(call, "vary", "accept-encoding");
    a->type = type_of(path);
    a->status = same != NULL && strcmp(same, f->etag) == 0 ? 304 : 200;
    if (a->status == 304)
        return true;
    a->fixed = small ? f->gzip : f->data;
    a->fixed_size = small ? f->gzip_size : f->size;
    if (small)
        call_add_header(call, "content-encoding", "gzip");
    return true;
}

void web_file(Call *call)
{
    const char *path = strcmp(call->path, "/") == 0 ? "/index.html" : call->path;
    if ((call->server->options->web != NULL && from_folder(call, path)) || from_program(call, path))
        add_headers(call);
    else
        call_error(call, 404, "not_found", NULL, "there is nothing at %.200s", call->path);
}
