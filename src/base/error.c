#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The beginning and the end of a text that is too long, with "..." between; no character of UTF-8 is cut. */
static void fit(SoraError *err, const char *text)
{
    enum { SIZE = sizeof err->message, HEAD = SIZE / 3, TAIL = SIZE - HEAD - 4 };
    size_t n = strlen(text), head = HEAD, tail = n - TAIL;
    if (n < SIZE) {
        memcpy(err->message, text, n + 1);
        return;
    }
    while (head > 0 && ((unsigned char)text[head] & 0xc0) == 0x80)
        head--;
    while (tail < n && ((unsigned char)text[tail] & 0xc0) == 0x80)
        tail++;
    snprintf(err->message, SIZE, "%.*s...%s", (int)head, text, text + tail);
}

static void fill(SoraError *err, const char *fmt, va_list args)
{
    char *text = NULL;
    va_list again;
    va_copy(again, args);
    if (vasprintf(&text, fmt, args) >= 0) {
        fit(err, text);
        free(text);
    } else {
        vsnprintf(err->message, sizeof err->message, fmt, again);
    }
    va_end(again);
}

bool error_set(SoraError *err, SoraErrorCode code, const char *fmt, ...)
{
    if (err == NULL)
        return false;
    va_list args;
    va_start(args, fmt);
    err->code = code;
    fill(err, fmt, args);
    va_end(args);
    return false;
}

bool error_system(SoraError *err, const char *path, const char *what)
{
    SoraErrorCode code = errno == ENOENT ? SORA_ERROR_NOT_FOUND : errno == ENOMEM ? SORA_ERROR_MEMORY : SORA_ERROR_IO;
    return error_set(err, code, "%s: %s: %s", path, what, strerror(errno));
}

bool error_wrap(SoraError *err, const char *fmt, ...)
{
    if (err == NULL)
        return false;
    SoraError context, old = *err;
    va_list args;
    va_start(args, fmt);
    fill(&context, fmt, args);
    va_end(args);
    return error_set(err, old.code, "%s: %s", context.message, old.message);
}

bool error_no_memory(SoraError *err)
{
    return error_set(err, SORA_ERROR_MEMORY, "out of memory");
}
