#include "cli/chat.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "serve/fetch.h"

enum { MOST_ANSWER = 1 << 20, MOST_URL = 2048 };

extern const char chat_wan_txt[], chat_nano_txt[]; /* embedded: chat_wan.txt, chat_nano.txt */

#define PATH "/chat/completions"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* The whole address; false when it is too long. */
static bool complete_url(const char *url, char whole[MOST_URL])
{
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/')
        n--;
    const char *rest = ends_with(url, PATH) ? "" : n >= 3 && strncmp(url + n - 3, "/v1", 3) == 0 ? PATH : "/v1" PATH;
    return snprintf(whole, MOST_URL, "%.*s%s", (int)(n < MOST_URL ? n : MOST_URL), url, rest) < MOST_URL;
}

bool chat_check(const Chat *chat, SoraError *err)
{
    char whole[MOST_URL];
    return (complete_url(chat->url, whole) && fetch_check(whole, NULL)) ||
           error_set(err, SORA_ERROR_INPUT,
                     "--rewriter: \"%.100s\" is no address that begins with http:// or https://, such as "
                     "http://127.0.0.1:8080/v1",
                     chat->url);
}

/* A line of words of one kind, of which the list has the names of each in both languages: "nouns: dog 犬, car 車". */
static void put_words(FILE *f, const char *kind, const json_t *list)
{
    static const char *const LANGUAGES[] = {"en", "ja"};
    size_t i, k;
    const json_t *one, *name;
    fprintf(f, "%s:", kind);
    json_array_foreach(list, i, one)
    {
        for (int j = 0; j < 2; j++) {
            json_array_foreach(json_object_get(one, LANGUAGES[j]), k, name)
            {
                if (!json_is_string(name) || (k > 0 && json_array_size(list) > 1))
                    break; /* the others mean the same, but in a list of one */
                fprintf(f, "%s%s", k > 0 ? ", " : " ", json_string_value(name));
            }
        }
        fputs(i + 1 < json_array_size(list) ? "," : "", f);
    }
    fputc('\n', f);
}

char *chat_instructions(const char *words)
{
    char *text = NULL;
    const char *kind;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    json_t *root = words != NULL ? json_loads(words, 0, NULL) : NULL, *list;
    if (f != NULL)
        fputs(words != NULL ? chat_nano_txt : chat_wan_txt, f);
    json_object_foreach(root, kind, list)
    {
        if (f != NULL && json_is_array(list))
            put_words(f, kind, list);
    }
    json_decref(root);
    if (f != NULL && fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

json_t *chat_body(const Chat *chat, const char *instructions, const char *prompt, uint64_t seed)
{
    return json_pack("{ss s[{ssss}{ssss}] si sI si sb}", "model", chat->model != NULL ? chat->model : "default",
                     "messages", "role", "system", "content", instructions, "role", "user", "content", prompt,
                     "temperature", 0, "seed", (json_int_t)(seed & 0x7fffffff), "max_tokens", 1024, "stream", false);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Takes away space, and a pair of quotes or of code fences. */
static void strip(const char **s, size_t *n)
{
    static const char *const PAIRS[][2] = {
        {"```", "```"}, {"\"", "\""}, {"'", "'"}, {"\u201c", "\u201d"}, {"\u300c", "\u300d"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        while (*n > 0 && is_space(**s))
            (*s)++, (*n)--;
        while (*n > 0 && is_space((*s)[*n - 1]))
            (*n)--;
        size_t a = strlen(PAIRS[i][0]), b = strlen(PAIRS[i][1]);
        if (*n > a + b && memcmp(*s, PAIRS[i][0], a) == 0 && memcmp(*s + *n - b, PAIRS[i][1], b) == 0) {
            *s += a;
            *n -= a + b;
        }
    }
}

char *chat_prompt(const char *answer, SoraError *err)
{
    static const char thought[] = "</think>";
    const char *end = strstr(answer, thought);
    if (end == NULL && strncmp(answer, "<think>", 7) == 0) {
        error_set(err, SORA_ERROR_INPUT, "the answer ends within its thoughts");
        return NULL;
    }
    const char *s = end != NULL ? end + sizeof thought - 1 : answer;
    size_t n = strlen(s);
    strip(&s, &n);
    bool ok = n > 0 && n <= CHAT_MOST_PROMPT;
    if (n == 0)
        error_set(err, SORA_ERROR_INPUT, "the answer is empty");
    else if (!ok)
        error_set(err, SORA_ERROR_INPUT, "the answer has %zu bytes, and a prompt of at most %d was asked for", n,
                  CHAT_MOST_PROMPT);
    char *prompt = ok ? malloc(n + 1) : NULL;
    if (ok && prompt == NULL)
        error_no_memory(err);
    size_t size = 0;
    for (size_t i = 0; prompt != NULL && i < n; i++) {
        bool control = (unsigned char)s[i] < 0x20 || s[i] == 0x7f;
        if (!control || (size > 0 && prompt[size - 1] != ' '))
            prompt[size++] = control ? ' ' : s[i];
    }
    if (prompt != NULL)
        prompt[size] = 0;
    return prompt;
}

/* What has come so far of an answer. */
typedef struct Answer {
    char *bytes; /* heap */
    size_t size;
} Answer;

static size_t take(char *data, size_t size, size_t count, void *user)
{
    Answer *a = user;
    size_t n = size * count;
    char *more = n > 0 && a->size + n <= MOST_ANSWER ? realloc(a->bytes, a->size + n) : NULL;
    if (more == NULL)
        return 0;
    memcpy(more + a->size, data, n);
    a->bytes = more;
    a->size += n;
    return n;
}

/* Sends the body; the answer goes into *answer. */
static bool post(const Chat *chat, const char *body, Answer *answer, SoraError *err)
{
    char whole[MOST_URL], token[1024] = "";
    const char *key = getenv("SORA_REWRITER_KEY");
    long status = 0;
    complete_url(chat->url, whole);
    CURL *c = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (key != NULL && *key != 0 && snprintf(token, sizeof token, "Authorization: Bearer %s", key) < (int)sizeof token)
        headers = curl_slist_append(headers, token);
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (c != NULL && headers != NULL) {
        curl_easy_setopt(c, CURLOPT_URL, whole);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
        curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)(chat->seconds > 0 ? chat->seconds : CHAT_SECONDS));
        curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        curl_easy_setopt(c, CURLOPT_USERAGENT, "sora.c");
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
        code = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    if (code == CURLE_WRITE_ERROR)
        return error_set(err, SORA_ERROR_INPUT, "the answer has more than %d bytes", MOST_ANSWER);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(err, SORA_ERROR_IO, "no answer within %d s", chat->seconds > 0 ? chat->seconds : CHAT_SECONDS);
    if (code != CURLE_OK)
        return error_set(err, SORA_ERROR_IO, "%s", curl_easy_strerror(code));
    if (status >= 300 && status < 400)
        return error_set(err, SORA_ERROR_INPUT, "it answers that it is elsewhere (status %ld), which is not followed",
                         status);
    return status == 200 || error_set(err, SORA_ERROR_INPUT, "it answers with status %ld", status);
}

/* The text of the first choice; the document's. */
static const char *find_text(const json_t *root, SoraError *err)
{
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const char *text = json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
    const char *why = json_string_value(json_object_get(choice, "finish_reason"));
    if (text == NULL)
        error_set(err, SORA_ERROR_INPUT, "the answer is no chat completion");
    else if (why != NULL && strcmp(why, "length") == 0)
        error_set(err, SORA_ERROR_INPUT, "the answer is cut off");
    else
        return text;
    return NULL;
}

char *chat_rewrite(const Chat *chat, const char *words, const char *prompt, uint64_t seed, SoraError *err)
{
    Answer answer = {0};
    char *instructions = chat_instructions(words), *result = NULL;
    json_t *body = instructions != NULL ? chat_body(chat, instructions, prompt, seed) : NULL, *root = NULL;
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    const char *said = NULL;
    if (text == NULL)
        error_no_memory(err);
    else if (chat_check(chat, err) && post(chat, text, &answer, err)) {
        root = json_loadb(answer.size > 0 ? answer.bytes : "", answer.size, 0, NULL);
        said = find_text(root, err);
    }
    if (said != NULL)
        result = chat_prompt(said, err);
    json_decref(root);
    json_decref(body);
    free(text);
    free(instructions);
    free(answer.bytes);
    if (result == NULL)
        error_wrap(err, "--rewriter %.100s", chat->url);
    return result;
}
