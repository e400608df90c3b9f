/* How much the lists refuse and let through, on prompts of our own in tests/data/policy: a prompt a line behind the category that
 * it belongs to, or whose words it shares. Those whose hash is 0 to 3 of 10 are held out: the lists are not changed for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "policy/policy.h"

enum { CATEGORIES = 8, DEVELOPMENT = 0, HELD_OUT = 1 };

static const char *const NAMES[CATEGORIES] = {"minors", "sexual", "self-harm", "hate", "violence", "people", "brands", "none"};

typedef struct Count {
    int right, all;
} Count;

typedef struct Figures {
    Count blocked[2][CATEGORIES], let_through[2][CATEGORIES];
} Figures;

static int part_of(const char *text)
{
    return hash32(HASH32_START, text, strlen(text)) % 10 < 4 ? HELD_OUT : DEVELOPMENT;
}

static int category_of(const char *name)
{
    for (int i = 0; i < CATEGORIES; i++) {
        if (strcmp(NAMES[i], name) == 0)
            return i;
    }
    fail_msg("no category %s", name);
    return 0;
}

/* What went wrong is only printed for the part that may be looked at. */
static void count_line(const Policy *p, const char *category, const char *text, bool harmful, Figures *f)
{
    SoraError err = {0};
    PolicyVerdict v;
    if (!policy_check(p, text, strlen(text), NULL, NULL, &v, &err))
        fail_msg("%s", err.message);
    int part = part_of(text), i = category_of(category);
    Count *c = harmful ? &f->blocked[part][i] : &f->let_through[part][i];
    bool right = v.allowed != harmful;
    c->all++;
    c->right += right;
    if (!right && part == DEVELOPMENT)
        printf("  %s: %s%s\n", harmful ? "let through" : v.category, text, harmful ? "" : " (should be allowed)");
}

static void count_file(const Policy *p, const char *path, bool harmful, Figures *f)
{
    SoraError err = {0};
    size_t size;
    char *file = file_read(path, 1 << 20, &size, &err), *rest = NULL;
    if (file == NULL)
        fail_msg("%s", err.message);
    for (char *line = strtok_r(file, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *tab = strchr(line, '\t');
        if (tab == NULL)
            fail_msg("%s: no tab in \"%s\"", path, line);
        *tab = 0;
        count_line(p, line, tab + 1, harmful, f);
    }
    free(file);
}

/* Reached, so that a change which loses some is seen. In the order of NAMES. */
static const Count FLOOR_BLOCKED[2][CATEGORIES] = {
    {{19, 19}, {19, 20}, {13, 13}, {22, 22}, {25, 26}, {19, 19}, {19, 20}, {0, 0}},
    {{11, 11}, {18, 20}, {17, 17}, {7, 8}, {11, 14}, {14, 16}, {19, 20}, {0, 0}},
};
static const Count FLOOR_LET_THROUGH[2][CATEGORIES] = {
    {{11, 11}, {22, 22}, {13, 13}, {16, 16}, {30, 30}, {14, 14}, {25, 25}, {20, 20}},
    {{9, 10}, {11, 11}, {8, 8}, {10, 10}, {16, 16}, {6, 7}, {10, 10}, {14, 14}},
};

static void check(const char *what, const Count reached[2][CATEGORIES], const Count floors[2][CATEGORIES])
{
    bool ok = true;
    for (int part = 0; part < 2; part++) {
        Count sum = {0};
        printf("%s, %s part:\n", what, part == HELD_OUT ? "held-out" : "development");
        for (int i = 0; i < CATEGORIES; i++) {
            const Count *c = &reached[part][i], *floor = &floors[part][i];
            printf("  %-10s %3d of %3d\n", NAMES[i], c->right, c->all);
            sum.right += c->right;
            sum.all += c->all;
            ok = ok && c->right >= floor->right && c->all == floor->all;
        }
        printf("  %-10s %3d of %3d\n", "all", sum.right, sum.all);
    }
    if (!ok)
        fail_msg("%s: fewer than the floors in this file say, or another number of prompts", what);
}

static void test_figures(void **state)
{
    SoraError err = {0};
    Policy *p = policy_open(NULL, &err);
    if (p == NULL)
        fail_msg("%s", err.message);
    Figures f = {0};
    count_file(p, "tests/data/policy/harmful.tsv", true, &f);
    count_file(p, "tests/data/policy/benign.tsv", false, &f);
    policy_close(p);
    check("refused of what should be", f.blocked, FLOOR_BLOCKED);
    check("allowed of what should be", f.let_through, FLOOR_LET_THROUGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_figures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
