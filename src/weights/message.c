#include "weights/message.h"

#include <stdio.h>
#include <string.h>

const char *message_shown_bytes(const char *bytes, size_t size, char buf[SHOWN_SIZE])
{
    size_t n = strnlen(bytes, size < SHOWN + 1 ? size : SHOWN + 1);
    bool cut = n > SHOWN;
    if (cut)
        for (n = SHOWN; n > 0 && ((unsigned char)bytes[n] & 0xc0) == 0x80;)
            n--;
    for (size_t i = 0; i < n; i++)
        buf[i] = (unsigned char)bytes[i] < 32 || bytes[i] == 127 ? '?' : bytes[i];
    strcpy(buf + n, cut ? "..." : "");
    return buf;
}

const char *message_shown(const char *text, char buf[SHOWN_SIZE])
{
    return message_shown_bytes(text, strlen(text), buf);
}

const char *message_path_end(const char *path)
{
    size_t n = strlen(path);
    if (n <= SHOWN)
        return path;
    const char *p = path + n - SHOWN;
    while (((unsigned char)*p & 0xc0) == 0x80)
        p++;
    return p;
}

bool message_bad(const char *path, SoraError *err, const char *fmt, ...)
{
    char text[sizeof err->message], buf[SHOWN_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(err, SORA_ERROR_INPUT, "%s: %s", message_shown(message_path_end(path), buf), text);
}

bool message_no_memory(const char *path, SoraError *err)
{
    char buf[SHOWN_SIZE];
    return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", message_shown(message_path_end(path), buf));
}
