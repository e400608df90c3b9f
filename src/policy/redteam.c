#include "policy/redteam.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/attacks.h"
#include "text/buffer.h"

typedef struct Run {
    const Policy *policy;
    RedteamListener *listener;
    void *user;
    Redteam *result;
} Run;

static RedteamCategory *category(Redteam *r, const char *name)
{
    for (int i = 0; i < r->count; i++) {
        if (strcmp(r->categories[i].name, name) == 0)
            return &r->categories[i];
    }
    if (r->count == REDTEAM_CATEGORIES)
        return NULL;
    RedteamCategory *c = &r->categories[r->count++];
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

static void count(RedteamCount *c, RedteamCount *sum, bool right)
{
    c->all++;
    c->right += right;
    sum->all++;
    sum->right += right;
}

static bool attack_line(Run *run, const PromptLine *line, RedteamCategory *c, SoraError *err)
{
    bool ok = true;
    for (int i = 0; ok && ATTACKS[i].name != NULL; i++) {
        Buffer out = {0};
        PolicyVerdict v;
        ATTACKS[i].change(line->text, line->size, &out);
        if (out.failed) {
            buffer_deinit(&out);
            return error_no_memory(err);
        }
        bool changed = out.size != line->size || memcmp(out.bytes, line->text, out.size) != 0;
        const char *second = ATTACKS[i].cards ? memchr(out.bytes, 0, out.size) : NULL;
        if (second != NULL) {
            size_t first = (size_t)(second - out.bytes);
            PolicyText parts[2] = {{out.bytes, first}, {second + 1, out.size - first - 1}};
            ok = policy_check_parts(run->policy, parts, 2, &v, err);
        } else if (changed) {
            ok = policy_check(run->policy, out.bytes, out.size, NULL, NULL, &v, err);
        }
        if (ok && changed) {
            count(&c->attacks[i], &run->result->sum.attacks[i], !v.allowed);
            if (v.allowed && run->listener != NULL)
                run->listener(run->user, &(RedteamMiss){c->name, ATTACKS[i].name, NULL, true, out.bytes, out.size});
        }
        buffer_deinit(&out);
    }
    return ok;
}

static bool check_line(Run *run, const PromptLine *line, bool attack, SoraError *err)
{
    PolicyVerdict v;
    RedteamCategory *c = category(run->result, line->category);
    if (c == NULL)
        return error_set(err, SORA_ERROR_INPUT, "more than %d categories", REDTEAM_CATEGORIES);
    double start = clock_seconds();
    if (!policy_check(run->policy, line->text, line->size, NULL, NULL, &v, err))
        return false;
    run->result->seconds += clock_seconds() - start;
    run->result->prompts++;
    if (line->harmful)
        count(&c->blocked, &run->result->sum.blocked, !v.allowed);
    else
        count(&c->allowed, &run->result->sum.allowed, v.allowed);
    if (v.allowed == line->harmful && run->listener != NULL)
        run->listener(run->user, &(RedteamMiss){c->name, NULL, v.category, line->harmful, line->text, line->size});
    return !attack || !line->harmful || v.allowed || attack_line(run, line, c, err);
}

bool redteam_run(const Policy *policy, PromptList *list, bool attack, RedteamListener *listener, void *user, Redteam *result,
                 SoraError *err)
{
    Run run = {policy, listener, user, result};
    PromptLine line;
    bool ok = true;
    while (ok && prompt_list_next(list, &line, &ok, err))
        ok = check_line(&run, &line, attack, err);
    return ok || error_wrap(err, "line %d", list->line);
}

void redteam_interval(RedteamCount c, double *low, double *high)
{
    const double z = 1.959964;
    *low = 0;
    *high = 1;
    if (c.all == 0)
        return;
    double n = c.all, p = c.right / n, d = 1 + z * z / n, mid = (p + z * z / (2 * n)) / d;
    double half = z / d * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = mid - half < 0 ? 0 : mid - half;
    *high = mid + half > 1 ? 1 : mid + half;
}
