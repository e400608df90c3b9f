#include "golden/golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void golden_report(Golden *g, const char *name, double max_abs_error, double tolerance)
{
    bool pass = max_abs_error <= tolerance; /* false for NaN */
    printf("%-52s  error %-10.3g  tolerance %-8.3g  %s\n", name, max_abs_error, tolerance, pass ? "pass" : "FAIL");
    if (pass)
        g->passed++;
    else
        g->failed++;
}

void golden_skip(Golden *g, const char *name, const char *why)
{
    printf("%-52s  skipped: %s\n", name, why);
    g->skipped++;
}

void golden_claim(Golden *g, const char *file)
{
    if (g->claim_count == GOLDEN_MAX_CLAIMS) {
        fprintf(stderr, "golden: more than %d claims\n", GOLDEN_MAX_CLAIMS);
        exit(2);
    }
    g->claims[g->claim_count++] = file;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Cases are in every safetensors, pth and json file, but for those that hold weights. */
static int has_cases(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return !ends_with(name, ".weights.safetensors") &&
           (ends_with(name, ".safetensors") || ends_with(name, ".pth") || ends_with(name, ".json"));
}

static bool is_claimed(const Golden *g, const char *name)
{
    for (int i = 0; i < g->claim_count; i++) {
        if (strcmp(g->claims[i], name) == 0)
            return true;
    }
    return false;
}

bool golden_finish(Golden *g, const char *dir)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, has_cases, alphasort);
    for (int i = 0; i < count; i++) {
        if (!is_claimed(g, entries[i]->d_name))
            golden_skip(g, entries[i]->d_name, "no network or function here runs it");
        free(entries[i]);
    }
    free(entries);
    printf("%d passed, %d failed, %d skipped\n", g->passed, g->failed, g->skipped);
    return g->failed == 0;
}
