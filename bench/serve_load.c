/* Many clients of sora serve at once, with libcurl.
 *
 *     serve_load poll URL CLIENTS SECONDS      each gets URL once a second, on a connection of its own
 *     serve_load upload URL CLIENTS FILE       each sends FILE as input_reference at the same time
 *     serve_load create URL CLIENTS JOBS       makes so many videos, CLIENTS requests at a time
 *
 * Prints how many answers of which status there were, and the times of the middle one and of 99 in a hundred. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MOST = 200000 };

typedef struct Client {
    CURL *curl;
    curl_mime *mime;
    double next; /* when it may begin */
    bool busy;
} Client;

static double times[MOST];
static int answered, by_status[6];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t ignore(char *data, size_t size, size_t count, void *user)
{
    return size * count;
}

static void note(CURL *c, CURLcode code)
{
    long status = 0;
    double seconds = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c, CURLINFO_TOTAL_TIME, &seconds);
    by_status[code == CURLE_OK && status >= 100 && status < 600 ? status / 100 : 0]++;
    if (answered < MOST)
        times[answered++] = seconds;
}

static int smaller(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void make(Client *c, const char *mode, const char *url, const char *file)
{
    c->curl = curl_easy_init();
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
    if (strcmp(mode, "poll") == 0)
        return;
    c->mime = curl_mime_init(c->curl);
    curl_mimepart *part = curl_mime_addpart(c->mime);
    curl_mime_name(part, "prompt");
    curl_mime_data(part, "a fox runs", CURL_ZERO_TERMINATED);
    part = curl_mime_addpart(c->mime);
    curl_mime_name(part, "seconds");
    curl_mime_data(part, "1", CURL_ZERO_TERMINATED);
    if (strcmp(mode, "upload") == 0) {
        part = curl_mime_addpart(c->mime);
        curl_mime_name(part, "input_reference");
        curl_mime_filedata(part, file);
    }
    curl_easy_setopt(c->curl, CURLOPT_MIMEPOST, c->mime);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: serve_load poll|upload|create URL CLIENTS SECONDS|FILE|JOBS\n");
        return 2;
    }
    bool poll = strcmp(argv[1], "poll") == 0, create = strcmp(argv[1], "create") == 0;
    int count = atoi(argv[3]), left = create ? atoi(argv[4]) : poll ? MOST : count;
    struct rlimit limit = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &limit);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)count);
    Client *clients = calloc((size_t)count, sizeof *clients);
    double began = now(), end = began + (poll ? atof(argv[4]) : 1e9);
    int busy = 0;
    for (int i = 0; i < count; i++) {
        make(&clients[i], argv[1], argv[2], argv[4]);
        clients[i].next = began + (poll ? (double)i / count : 0);
    }
    while ((now() < end && left > 0) || busy > 0) {
        double t = now();
        for (int i = 0; i < count && left > 0 && t < end; i++) {
            if (clients[i].busy || clients[i].next > t)
                continue;
            curl_multi_add_handle(multi, clients[i].curl);
            clients[i].busy = true;
            clients[i].next = t + (poll ? 1 : 0);
            busy++;
            left--;
        }
        int running, queued;
        curl_multi_perform(multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(multi, &queued)) != NULL;) {
            Client *c;
            CURL *curl = m->easy_handle;
            curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&c);
            note(curl, m->data.result);
            curl_multi_remove_handle(multi, curl);
            c->busy = false;
            busy--;
        }
        curl_multi_poll(multi, NULL, 0, 2, NULL);
    }
    double seconds = now() - began;
    qsort(times, (size_t)answered, sizeof *times, smaller);
    printf("%d answers in %.2f s (%.0f a second): %d of 2xx, %d of 4xx, %d of 5xx, %d none; the middle one took %.1f ms, 99 in "
           "100 less than %.1f\n",
           answered, seconds, answered / seconds, by_status[2], by_status[4], by_status[5], by_status[0],
           answered > 0 ? 1000 * times[answered / 2] : 0, answered > 0 ? 1000 * times[(int)(0.99 * (answered - 1))] : 0);
    return 0;
}
