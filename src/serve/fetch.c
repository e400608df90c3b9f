#include "serve/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* --- addresses --- */

typedef struct Block {
    uint32_t address;
    int bits;
} Block;

/* RFC 6890, what is not global there; multicast and what is reserved above it. */
static const Block NOT_PUBLIC[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24},
    {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3},
};

static bool is_public4(uint32_t a)
{
    for (size_t i = 0; i < sizeof NOT_PUBLIC / sizeof *NOT_PUBLIC; i++)
        if ((a ^ NOT_PUBLIC[i].address) >> (32 - NOT_PUBLIC[i].bits) == 0)
            return false;
    return true;
}

static uint32_t word(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool is_public6(const uint8_t *b)
{
    static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff}, TRANSLATED[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(b, MAPPED, 12) == 0 || memcmp(b, TRANSLATED, 12) == 0)
        return is_public4(word(b + 12));
    if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
        return is_public4(word(b + 2));
    if ((b[0] & 0xe0) != 0x20) /* all that is global begins with 001 */
        return false;
    bool documentation = b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8;
    bool special = b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02; /* 2001::/23: Teredo, ORCHID, benchmarks */
    return !documentation && !special;
}

bool address_is_public(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return is_public4(ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr));
    return a->sa_family == AF_INET6 && is_public6(((const struct sockaddr_in6 *)a)->sin6_addr.s6_addr);
}

/* --- requests --- */

typedef struct Fetch {
    bool private, refused;
    FILE *out;
    size_t size;
} Fetch;

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    Fetch *f = user;
    if (!f->private && !address_is_public(&a->addr)) {
        f->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t take(char *data, size_t size, size_t count, void *user)
{
    Fetch *f = user;
    size_t n = size * count;
    f->size += n;
    if (f->size > FETCH_MOST)
        return 0;
    return f->out == NULL || fwrite(data, 1, n, f->out) == n ? n : 0;
}

bool fetch_check(const char *url, SoraError *err)
{
    char *scheme = NULL, *host = NULL;
    CURLU *u = curl_url();
    bool ok = u != NULL && strlen(url) < 2048 && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return ok || error_set(err, SORA_ERROR_INPUT, "not an address that begins with https:// or http://");
}

static CURL *prepare(Fetch *f, const char *url)
{
    CURL *c = curl_easy_init();
    if (c == NULL)
        return NULL;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* one from the environment would be reached instead of what was checked */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)FETCH_SECONDS);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sora.c");
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    return c;
}

static bool explain(const Fetch *f, CURLcode code, SoraError *err)
{
    if (f->refused)
        return error_set(err, SORA_ERROR_INPUT, "the address is not a public one");
    if (f->size > FETCH_MOST)
        return error_set(err, SORA_ERROR_INPUT, "more than %d MiB", FETCH_MOST >> 20);
    return error_set(err, SORA_ERROR_INPUT, "%s", curl_easy_strerror(code));
}

bool fetch_file(const char *url, const char *path, bool private, SoraError *err)
{
    Fetch f = {.private = private};
    long status = 0;
    if (!fetch_check(url, err))
        return false;
    CURL *c = prepare(&f, url);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f.out = fd >= 0 ? fdopen(fd, "wb") : NULL;
    CURLcode code = CURLE_WRITE_ERROR;
    if (c != NULL && f.out != NULL) {
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS);
        code = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    }
    bool ok = code == CURLE_OK || explain(&f, code, err);
    if (f.out != NULL && fclose(f.out) != 0 && ok)
        ok = error_set(err, SORA_ERROR_IO, "the file cannot be stored");
    curl_easy_cleanup(c);
    return ok &&
           ((status >= 200 && status < 300) || error_set(err, SORA_ERROR_INPUT, "the address answered with status %ld", status));
}

bool fetch_post(const char *url, const char *body, const char *const *headers, bool private, long *status, SoraError *err)
{
    Fetch f = {.private = private};
    struct curl_slist *list = NULL;
    if (!fetch_check(url, err))
        return false;
    CURL *c = prepare(&f, url);
    for (; *headers != NULL; headers++)
        list = curl_slist_append(list, *headers);
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (c != NULL && list != NULL) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
        code = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
    }
    curl_slist_free_all(list);
    curl_easy_cleanup(c);
    return code == CURLE_OK || explain(&f, code, err);
}
