#include "store/s3.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TRIES = 3, CONNECT_SECONDS = 10, SILENT_SECONDS = 30, MOST_IDLE = 8, MOST_ANSWER = 16 << 10, TAG_SIZE = 80, UPLOAD_SIZE = 512 };

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./"

struct S3 {
    char *base;   /* of all addresses, with bucket and prefix, and "/" at the end */
    char *scheme; /* "aws:amz:REGION:s3" */
    char *login;  /* "KEY:SECRET" */
    char *token;  /* header; NULL: none */
    pthread_mutex_t lock;
    CURL *idle[MOST_IDLE]; /* connections that stay */
    int idle_count;
};

/* --- connections --- */

static CURL *borrow(S3 *s)
{
    pthread_mutex_lock(&s->lock);
    CURL *c = s->idle_count > 0 ? s->idle[--s->idle_count] : NULL;
    pthread_mutex_unlock(&s->lock);
    if (c == NULL)
        return curl_easy_init();
    curl_easy_reset(c); /* connections stay */
    return c;
}

static void give_back(S3 *s, CURL *c)
{
    pthread_mutex_lock(&s->lock);
    bool room = s->idle_count < MOST_IDLE;
    if (room)
        s->idle[s->idle_count++] = c;
    pthread_mutex_unlock(&s->lock);
    if (!room)
        curl_easy_cleanup(c);
}

static const char *setting(const char *name, const char *other)
{
    const char *value = getenv(name);
    if (value == NULL || *value == 0)
        value = other != NULL ? getenv(other) : NULL;
    return value != NULL && *value != 0 ? value : NULL;
}

static bool make_base(S3 *s, const char *url, const char *region, SoraError *err)
{
    const char *endpoint = setting("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), *bucket = url + 5, *prefix = strchr(bucket, '/');
    int n = prefix != NULL ? (int)(prefix - bucket) : (int)strlen(bucket);
    prefix = prefix != NULL ? prefix + 1 : "";
    int length = (int)strlen(prefix), end;
    while (length > 0 && prefix[length - 1] == '/')
        length--;
    if (n < 3 || bucket[strspn(bucket, LETTERS)] != 0 || strstr(bucket, "..") != NULL || strstr(bucket, "//") != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%.100s: s3://BUCKET/PREFIX is expected, of letters, digits, \"-\", \"_\" and \".\"", url);
    if (endpoint != NULL && strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
        return error_set(err, SORA_ERROR_INPUT, "AWS_ENDPOINT_URL: \"%.100s\" does not begin with https:// or http://", endpoint);
    const char *slash = length > 0 ? "/" : "";
    if (endpoint != NULL) {
        int host = (int)strlen(endpoint);
        while (host > 0 && endpoint[host - 1] == '/')
            host--;
        end = asprintf(&s->base, "%.*s/%.*s/%.*s%s", host, endpoint, n, bucket, length, prefix, slash);
    } else {
        end = asprintf(&s->base, "https://%.*s.s3.%s.amazonaws.com/%.*s%s", n, bucket, region, length, prefix, slash);
    }
    return end >= 0 || (s->base = NULL, error_no_memory(err));
}

S3 *s3_open(const char *url, SoraError *err)
{
    const char *key = setting("AWS_ACCESS_KEY_ID", NULL), *secret = setting("AWS_SECRET_ACCESS_KEY", NULL),
               *token = setting("AWS_SESSION_TOKEN", NULL), *region = setting("AWS_REGION", "AWS_DEFAULT_REGION");
    if (key == NULL || secret == NULL) {
        error_set(err, SORA_ERROR_INPUT, "%.100s: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set", url);
        return NULL;
    }
    S3 *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    region = region != NULL ? region : "us-east-1";
    if (asprintf(&s->scheme, "aws:amz:%s:s3", region) < 0)
        s->scheme = NULL;
    if (asprintf(&s->login, "%s:%s", key, secret) < 0)
        s->login = NULL;
    if (token != NULL && asprintf(&s->token, "x-amz-security-token: %s", token) < 0)
        s->token = NULL;
    if (((s->scheme != NULL && s->login != NULL && (token == NULL || s->token != NULL)) || error_no_memory(err)) &&
        make_base(s, url, region, err))
        return s;
    s3_close(s);
    return NULL;
}

void s3_close(S3 *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < s->idle_count; i++)
        curl_easy_cleanup(s->idle[i]);
    pthread_mutex_destroy(&s->lock);
    free(s->base);
    free(s->scheme);
    free(s->login);
    free(s->token);
    free(s);
}

/* --- a request --- */

typedef struct Request {
    const char *method, *name, *query; /* query: "" or from "?" on, its members in the order of their names */
    const void *body;                  /* NULL: none */
    size_t size;
    const char *range; /* "0-99"; NULL: all */
    int fd;            /* where the answer goes; -1: into text */
    CURL *curl;
    long status;
    int64_t got; /* bytes for fd */
    int64_t length; /* of the object, as a HEAD says */
    int write_error;
    char text[MOST_ANSWER]; /* what is no content, as much as fits */
    size_t text_size;
    char tag[TAG_SIZE]; /* ETag */
} Request;

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    Request *r = user;
    size_t n = size * count, done = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &r->status);
    if (r->fd < 0 || r->status >= 300) {
        size_t room = sizeof r->text - 1 - r->text_size, part = n < room ? n : room;
        memcpy(r->text + r->text_size, data, part);
        r->text_size += part;
        return n;
    }
    while (done < n) {
        ssize_t w = write(r->fd, data + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            r->write_error = w < 0 ? errno : ENOSPC;
            return 0;
        }
        done += (size_t)w;
    }
    r->got += (int64_t)n;
    return n;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
    Request *r = user;
    size_t n = size * count;
    if (n > 5 && strncasecmp(data, "etag:", 5) == 0) {
        size_t from = 5, to = n;
        while (from < to && (data[from] == ' ' || data[from] == '"'))
            from++;
        while (to > from && strchr("\r\n \"", data[to - 1]) != NULL)
            to--;
        snprintf(r->tag, sizeof r->tag, "%.*s", (int)(to - from), data + from);
    }
    return n;
}

static bool hash_header(const Request *r, char text[128], SoraError *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    if (EVP_Digest(r->body != NULL ? r->body : "", r->size, hash, NULL, EVP_sha256(), NULL) != 1)
        return error_set(err, SORA_ERROR_INTERNAL, "s3: SHA-256 failed");
    int n = snprintf(text, 128, "x-amz-content-sha256: ");
    for (int i = 0; i < 32; i++)
        n += snprintf(text + n, 3, "%02x", hash[i]);
    return true;
}

static struct curl_slist *headers_of(const S3 *s, const char *hash)
{
    const char *const all[] = {hash, "Content-Type: application/octet-stream", s->token};
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < sizeof all / sizeof *all && all[i] != NULL; i++) {
        struct curl_slist *more = curl_slist_append(list, all[i]);
        if (more == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

static CURLcode perform(S3 *s, Request *r, const char *url, struct curl_slist *headers)
{
    CURL *c = r->curl;
    curl_off_t length = -1;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECONDS);
    curl_easy_setopt(c, CURLOPT_AWS_SIGV4, s->scheme);
    curl_easy_setopt(c, CURLOPT_USERPWD, s->login);
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sora.c");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    if (r->range != NULL)
        curl_easy_setopt(c, CURLOPT_RANGE, r->range);
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (strcmp(r->method, "GET") != 0) {
        if (r->body != NULL || strcmp(r->method, "DELETE") != 0) {
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->size);
            curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : "");
        }
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
    }
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r->status);
    curl_easy_getinfo(c, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->length = length;
    return code;
}

/* What is between <Name> and </Name>. */
static bool element(const Request *r, const char *name, char *value, size_t size)
{
    char tag[32];
    snprintf(tag, sizeof tag, "<%s>", name);
    const char *at = strstr(r->text, tag), *end = at != NULL ? strchr(at + strlen(tag), '<') : NULL;
    if (end == NULL || (size_t)(end - at) - strlen(tag) >= size)
        return false;
    snprintf(value, size, "%.*s", (int)(end - at - (int)strlen(tag)), at + strlen(tag));
    return true;
}

/* Fills *err as what came, or did not come, says. */
static bool judge(const Request *r, CURLcode code, SoraError *err)
{
    char why[64] = "";
    if (r->write_error != 0) {
        errno = r->write_error;
        return error_system(err, "a temporary file", "cannot write");
    }
    if (code != CURLE_OK && r->status < 300)
        return error_set(err, SORA_ERROR_IO, "s3: %s %s: %s", r->method, r->name, curl_easy_strerror(code));
    if (r->status == 404 && !element(r, "Code", why, sizeof why))
        snprintf(why, sizeof why, "NoSuchKey"); /* a HEAD has no text */
    if (r->status == 404 && strcmp(why, "NoSuchKey") == 0)
        return error_set(err, SORA_ERROR_NOT_FOUND, "s3: %s: there is no such object", r->name);
    if (r->status < 200 || r->status >= 300) {
        element(r, "Code", why, sizeof why);
        return error_set(err, SORA_ERROR_IO, "s3: %s %s: status %ld%s%s", r->method, r->name, r->status, *why != 0 ? ", " : "", why);
    }
    return true;
}

static bool is_passing(const Request *r, CURLcode code)
{
    return r->write_error == 0 && (r->status >= 500 || r->status == 429 || (code != CURLE_OK && r->status < 300));
}

static bool ask(S3 *s, Request *r, SoraError *err)
{
    char *url = NULL, hash[128];
    if (asprintf(&url, "%s%s%s", s->base, r->name, r->query) < 0)
        return error_no_memory(err);
    bool ok = hash_header(r, hash, err);
    struct curl_slist *headers = ok ? headers_of(s, hash) : NULL;
    r->curl = headers != NULL ? borrow(s) : NULL;
    ok = ok && (r->curl != NULL || error_no_memory(err));
    for (int i = 0; ok; i++) {
        off_t start = r->fd >= 0 ? lseek(r->fd, 0, SEEK_CUR) : 0;
        CURLcode code = perform(s, r, url, headers);
        ok = judge(r, code, err);
        if (ok || i + 1 == TRIES || !is_passing(r, code))
            break;
        usleep(200000u << i);
        ok = r->fd < 0 || (ftruncate(r->fd, start) == 0 && lseek(r->fd, start, SEEK_SET) == start) ||
             error_system(err, "a temporary file", "cannot write");
        r->text_size = 0;
        r->got = 0;
        memset(r->text, 0, sizeof r->text);
        curl_easy_reset(r->curl);
    }
    if (r->curl != NULL)
        give_back(s, r->curl);
    curl_slist_free_all(headers);
    free(url);
    return ok;
}

/* --- objects --- */

/* Exactly `size` bytes from `at` on. */
static bool read_part(int fd, void *data, size_t size, int64_t at, SoraError *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)data + done, size - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? error_system(err, "s3: a file", "cannot read") : error_set(err, SORA_ERROR_IO, "s3: a file has lost its end");
        done += (size_t)n;
    }
    return true;
}

typedef struct Upload {
    S3 *s3;
    const char *name;
    char id[UPLOAD_SIZE]; /* as it stands in an address */
    char *list;           /* XML of the parts so far */
    size_t list_size;
    FILE *stream; /* into it */
} Upload;

static bool begin_upload(Upload *u, Request *r, SoraError *err)
{
    char id[UPLOAD_SIZE];
    *r = (Request){.method = "POST", .name = u->name, .query = "?uploads=", .fd = -1};
    if (!ask(u->s3, r, err))
        return false;
    char *escaped = element(r, "UploadId", id, sizeof id) ? curl_easy_escape(NULL, id, 0) : NULL;
    bool ok = escaped != NULL && strlen(escaped) < sizeof u->id;
    if (ok)
        snprintf(u->id, sizeof u->id, "%s", escaped);
    curl_free(escaped);
    return ok || error_set(err, SORA_ERROR_IO, "s3: %s: the answer names no upload", u->name);
}

static bool put_part(Upload *u, Request *r, int number, const void *data, size_t size, SoraError *err)
{
    char query[UPLOAD_SIZE + 64];
    snprintf(query, sizeof query, "?partNumber=%d&uploadId=%s", number, u->id);
    *r = (Request){.method = "PUT", .name = u->name, .query = query, .body = data, .size = size, .fd = -1};
    if (!ask(u->s3, r, err))
        return false;
    if (*r->tag == 0 || strpbrk(r->tag, "<>&") != NULL)
        return error_set(err, SORA_ERROR_IO, "s3: %s: a part has no ETag", u->name);
    fprintf(u->stream, "<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag></Part>", number, r->tag);
    return true;
}

/* Its answer may be an error with status 200, for it is made while the server is at it. */
static bool end_upload(Upload *u, Request *r, SoraError *err)
{
    char query[UPLOAD_SIZE + 16], why[64] = "";
    fprintf(u->stream, "</CompleteMultipartUpload>");
    bool whole = ferror(u->stream) == 0;
    whole = fclose(u->stream) == 0 && whole;
    u->stream = NULL;
    if (!whole)
        return error_no_memory(err);
    snprintf(query, sizeof query, "?uploadId=%s", u->id);
    *r = (Request){.method = "POST", .name = u->name, .query = query, .body = u->list, .size = u->list_size, .fd = -1};
    if (!ask(u->s3, r, err))
        return false;
    return strstr(r->text, "<Error>") == NULL ||
           error_set(err, SORA_ERROR_IO, "s3: %s: the parts are not joined: %s", u->name, element(r, "Code", why, sizeof why) ? why : "no code");
}

static void abort_upload(Upload *u, Request *r)
{
    char query[UPLOAD_SIZE + 16];
    snprintf(query, sizeof query, "?uploadId=%s", u->id);
    *r = (Request){.method = "DELETE", .name = u->name, .query = query, .fd = -1};
    ask(u->s3, r, NULL);
}

static bool put_large(S3 *s, Request *r, const char *name, int fd, int64_t size, char *block, SoraError *err)
{
    Upload u = {.s3 = s, .name = name};
    if (!begin_upload(&u, r, err))
        return false;
    u.stream = open_memstream(&u.list, &u.list_size);
    bool ok = u.stream != NULL || error_no_memory(err);
    if (ok)
        fprintf(u.stream, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (int64_t at = 0; ok && at < size; at += S3_PART) {
        size_t part = (size_t)(size - at < S3_PART ? size - at : S3_PART);
        ok = read_part(fd, block, part, at, err) && put_part(&u, r, (int)(at / S3_PART) + 1, block, part, err);
    }
    ok = ok && end_upload(&u, r, err);
    if (u.stream != NULL)
        fclose(u.stream);
    free(u.list);
    if (!ok)
        abort_upload(&u, r);
    return ok;
}

bool s3_put(S3 *s, const char *name, int fd, int64_t size, SoraError *err)
{
    size_t room = (size_t)(size < S3_PART ? size : S3_PART);
    Request *r = calloc(1, sizeof *r);
    char *block = malloc(room + 1);
    bool ok = (r != NULL && block != NULL) || error_no_memory(err);
    if (ok && size > S3_PART) {
        ok = put_large(s, r, name, fd, size, block, err);
    } else if (ok) {
        *r = (Request){.method = "PUT", .name = name, .query = "", .body = block, .size = room, .fd = -1};
        ok = read_part(fd, block, room, 0, err) && ask(s, r, err);
    }
    free(block);
    free(r);
    return ok;
}

bool s3_get(S3 *s, const char *name, int64_t first, int64_t last, int fd, SoraError *err)
{
    char range[64];
    Request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_no_memory(err);
    snprintf(range, sizeof range, "%lld-%lld", (long long)first, (long long)last);
    *r = (Request){.method = "GET", .name = name, .query = "", .range = last >= 0 ? range : NULL, .fd = fd};
    bool ok = ask(s, r, err) && (last < 0 || r->got == last - first + 1 ||
                                 error_set(err, SORA_ERROR_IO, "s3: %s: %lld bytes came, not %lld", name, (long long)r->got,
                                           (long long)(last - first + 1)));
    free(r);
    return ok;
}

bool s3_size(S3 *s, const char *name, int64_t *size, SoraError *err)
{
    Request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_no_memory(err);
    *r = (Request){.method = "HEAD", .name = name, .query = "", .fd = -1};
    bool ok = ask(s, r, err) && (r->length >= 0 || error_set(err, SORA_ERROR_IO, "s3: %s: no size is said", name));
    *size = ok ? r->length : 0;
    free(r);
    return ok;
}

bool s3_remove(S3 *s, const char *name, SoraError *err)
{
    SoraError why = {0};
    Request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_no_memory(err);
    *r = (Request){.method = "DELETE", .name = name, .query = "", .fd = -1};
    bool ok = ask(s, r, &why) || why.code == SORA_ERROR_NOT_FOUND;
    free(r);
    return ok || error_set(err, why.code, "%s", why.message);
}
