#include "serve/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/jobs.h"

static const double BOUNDS[HISTOGRAM_BUCKETS] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                 1,     2.5,   5,    10,    30,   60,  300,  1800};

void histogram_add(Histogram *h, double seconds)
{
    int i = 0;
    while (i < HISTOGRAM_BUCKETS && seconds > BOUNDS[i])
        i++;
    h->buckets[i]++;
    h->microseconds += (uint64_t)(seconds * 1e6);
}

/* labels: "" or "model=\"nano\"," */
static void print_histogram(FILE *f, const char *name, const char *labels, const char *bare, Histogram *h)
{
    uint64_t sum = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += h->buckets[i];
        fprintf(f, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels, BOUNDS[i], (unsigned long long)sum);
    }
    sum += h->buckets[HISTOGRAM_BUCKETS];
    fprintf(f, "%s_bucket{%sle=\"+Inf\"} %llu\n%s_sum%s %.6f\n%s_count%s %llu\n", name, labels, (unsigned long long)sum, name,
            bare, (double)h->microseconds / 1e6, name, bare, (unsigned long long)sum);
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_models(FILE *f, Metrics *m)
{
    static const char *const REASONS[] = {"completed", "failed", "cancelled", "handed_back"};
    char labels[96], bare[96];
    head(f, "sora_generation_seconds", "histogram", "From the claim of a job to its end.");
    for (int i = 0; i < m->model_count; i++) {
        snprintf(labels, sizeof labels, "model=\"%.60s\",", m->models[i].name);
        snprintf(bare, sizeof bare, "{model=\"%.60s\"}", m->models[i].name);
        print_histogram(f, "sora_generation_seconds", labels, bare, &m->models[i].generation_seconds);
    }
    head(f, "sora_step_seconds", "histogram", "One sampling step.");
    for (int i = 0; i < m->model_count; i++) {
        snprintf(labels, sizeof labels, "model=\"%.60s\",", m->models[i].name);
        snprintf(bare, sizeof bare, "{model=\"%.60s\"}", m->models[i].name);
        print_histogram(f, "sora_step_seconds", labels, bare, &m->models[i].step_seconds);
    }
    head(f, "sora_frames_total", "counter", "Frames that were made.");
    for (int i = 0; i < m->model_count; i++)
        fprintf(f, "sora_frames_total{model=\"%.60s\"} %llu\n", m->models[i].name, (unsigned long long)m->models[i].frames);
    head(f, "sora_request_success_total", "counter", "Jobs that this process ended, by how.");
    for (int i = 0; i < m->model_count; i++)
        for (int k = 0; k < FINISHED_KINDS; k++)
            fprintf(f, "sora_request_success_total{model=\"%.60s\",finished_reason=\"%s\"} %llu\n", m->models[i].name, REASONS[k],
                    (unsigned long long)m->models[i].finished[k]);
    head(f, "sora_model_loaded", "gauge", "Processes that hold the model.");
    for (int i = 0; i < m->model_count; i++)
        fprintf(f, "sora_model_loaded{model=\"%.60s\"} %d\n", m->models[i].name, m->models[i].loaded);
}

static void print_http(FILE *f, Metrics *m)
{
    head(f, "sora_http_requests_total", "counter", "Answers, by the first digit of their status.");
    for (int i = 1; i < 6; i++)
        fprintf(f, "sora_http_requests_total{code=\"%dxx\"} %llu\n", i, (unsigned long long)m->http[i]);
    head(f, "sora_http_request_duration_seconds", "histogram", "From a request's first byte to its answer.");
    print_histogram(f, "sora_http_request_duration_seconds", "", "", &m->http_seconds);
    head(f, "sora_webhook_deliveries_total", "counter", "Attempts to deliver, by what came of them.");
    fprintf(f,
            "sora_webhook_deliveries_total{result=\"delivered\"} %llu\nsora_webhook_deliveries_total{result=\"failed\"} %llu\n"
            "sora_webhook_deliveries_total{result=\"given_up\"} %llu\n",
            (unsigned long long)m->hooks_delivered, (unsigned long long)m->hooks_failed, (unsigned long long)m->hooks_given_up);
}

static long resident_bytes(void)
{
    long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        if (fscanf(f, "%ld %ld", &size, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

char *metrics_print(Metrics *m, const char *const *categories, Store *store, SoraError *err)
{
    char *text = NULL;
    size_t size;
    JobCounts counts = {0};
    if (!store_job_counts(store, &counts, err))
        return NULL;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL) {
        error_no_memory(err);
        return NULL;
    }
    head(f, "sora_requests_running", "gauge", "Jobs in progress, of all processes that share the store.");
    fprintf(f, "sora_requests_running %lld\n", (long long)counts.running);
    head(f, "sora_requests_waiting", "gauge", "Jobs in the queue.");
    fprintf(f, "sora_requests_waiting %lld\n", (long long)counts.queued);
    head(f, "sora_request_queue_time_seconds", "histogram", "From a job's creation to its claim.");
    print_histogram(f, "sora_request_queue_time_seconds", "", "", &m->queue_seconds);
    print_models(f, m);
    print_http(f, m);
    head(f, "sora_moderation_refusals_total", "counter", "Requests that the policy refused.");
    for (int i = 0; i < METRICS_CATEGORIES && categories[i] != NULL; i++)
        fprintf(f, "sora_moderation_refusals_total{category=\"%s\",stage=\"prompt\"} %llu\n", categories[i],
                (unsigned long long)m->refusals[i]);
    head(f, "sora_engine_crashes_total", "counter", "Engine processes that ended by themselves.");
    fprintf(f, "sora_engine_crashes_total %llu\n", (unsigned long long)m->child_crashes);
    head(f, "sora_resident_memory_bytes", "gauge", "Memory of this process, without the engines.");
    fprintf(f, "sora_resident_memory_bytes %ld\n", resident_bytes());
    head(f, "sora_uptime_seconds", "gauge", "Since it began.");
    fprintf(f, "sora_uptime_seconds %.0f\n", clock_seconds() - m->began);
    if (fclose(f) == 0)
        return text;
    free(text);
    error_no_memory(err);
    return NULL;
}
