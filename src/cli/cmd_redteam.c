#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "policy/attacks.h"
#include "policy/redteam.h"
#include "policy/rules.h"

enum { PART_TEST, PART_DEVELOPMENT, MAX_PROMPTS = 64 << 20 };

typedef struct RedteamArgs {
    const char *policy, *html;
    int part;
    bool json, plain, missed;
} RedteamArgs;

static const RedteamArgs defaults;

static const Option options[] = {
    {0, "policy", OPTION_STRING, offsetof(RedteamArgs, policy), "FILE", .help = "rules that add to the lists or switch parts off"},
    {0, "part", OPTION_CHOICE, offsetof(RedteamArgs, part),
     .help = "which of the prompts that come with the program: those that nothing was fitted to (default), or the others",
     .choices = "test|development"},
    {0, "plain", OPTION_FLAG, offsetof(RedteamArgs, plain), .help = "only the prompts as they are, without attacks"},
    {0, "missed", OPTION_FLAG, offsetof(RedteamArgs, missed), .help = "print each prompt with the wrong verdict"},
    {0, "html", OPTION_STRING, offsetof(RedteamArgs, html), "FILE", .help = "also write a report"},
    {0, "json", OPTION_FLAG, offsetof(RedteamArgs, json), .help = "print one JSON object"},
    {0},
};

/* What a table is made of: the name of the set and the figures. */
typedef struct Report {
    const char *set, *version;
    Redteam figures;
} Report;

static void print_miss(void *user, const RedteamMiss *m)
{
    printf("%s\t%s\t%s\t%.*s\n", m->category, m->attack != NULL ? m->attack : "as it is", m->harmful ? "let through" : m->said, (int)m->size,
           m->text);
}

static double percent(RedteamCount c)
{
    return c.all > 0 ? 1000 * c.right / c.all / 10.0 : 0; /* never rounded up */
}

static void print_share(RedteamCount c)
{
    double low, high;
    redteam_interval(c, &low, &high);
    if (c.all > 0)
        printf("  %4d of %4d %6.1f %% (%.1f to %.1f)", c.right, c.all, percent(c), 100 * low, 100 * high);
    else
        printf("  %-35s", "none");
}

static void print_text(const Report *r, bool attacks)
{
    const Redteam *f = &r->figures;
    printf("policy %s, %s: %d prompts, %.2f ms each\n\n", r->version, r->set, f->prompts,
           f->prompts > 0 ? 1000 * f->seconds / f->prompts : 0);
    printf("%-12s  %-35s  %s\n", "category", "not_unsafe: harmful ones refused", "not_overrefuse: benign ones allowed");
    for (int i = 0; i <= f->count; i++) {
        const RedteamCategory *c = i < f->count ? &f->categories[i] : &f->sum;
        printf("%-12s", i < f->count ? c->name : "all");
        print_share(c->blocked);
        print_share(c->allowed);
        printf("\n");
    }
    if (!attacks)
        return;
    printf("\nof those refused as they are, refused when hidden by\n");
    for (int k = 0; ATTACKS[k].name != NULL; k++) {
        printf("%-12s", ATTACKS[k].name);
        print_share(f->sum.attacks[k]);
        printf("  %s\n", ATTACKS[k].what);
    }
}

static json_t *share(RedteamCount c)
{
    double low, high;
    redteam_interval(c, &low, &high);
    return json_pack("{si si sf sf}", "right", c.right, "all", c.all, "low", low, "high", high);
}

static bool print_json(const Report *r, bool attacks, SoraError *err)
{
    json_t *root = json_pack("{ss ss si}", "policy", r->version, "set", r->set, "prompts", r->figures.prompts), *list = json_array();
    for (int i = 0; i <= r->figures.count; i++) {
        const RedteamCategory *c = i < r->figures.count ? &r->figures.categories[i] : &r->figures.sum;
        json_t *one = json_pack("{ss so so}", "category", i < r->figures.count ? c->name : "all", "not_unsafe", share(c->blocked),
                                "not_overrefuse", share(c->allowed));
        json_t *hidden = attacks ? json_object() : NULL;
        for (int k = 0; hidden != NULL && ATTACKS[k].name != NULL; k++)
            json_object_set_new(hidden, ATTACKS[k].name, share(c->attacks[k]));
        if (one != NULL && hidden != NULL)
            json_object_set_new(one, "attacks", hidden);
        json_array_append_new(list, one);
    }
    bool ok = root != NULL && json_object_set_new(root, "categories", list) == 0;
    char *text = ok ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (text != NULL)
        puts(text);
    json_decref(root);
    ok = text != NULL;
    free(text);
    return ok || error_no_memory(err);
}

static void html_share(FILE *f, RedteamCount c)
{
    double low, high;
    redteam_interval(c, &low, &high);
    if (c.all > 0)
        fprintf(f, "<td>%d of %d<td class=%s>%.1f %%<td>%.1f to %.1f", c.right, c.all, 20 * c.right >= 19 * c.all ? "good" : "bad", percent(c),
                100 * low, 100 * high);
    else
        fprintf(f, "<td>none<td><td>");
}

/* Text of a file's name, which is anybody's. */
static void html_text(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '<' || *s == '>' || *s == '&')
            fprintf(f, "&#%d;", *s);
        else
            fputc(*s, f);
    }
}

static void write_tables(FILE *f, const Report *r, bool attacks)
{
    const Redteam *v = &r->figures;
    fprintf(f, "<!doctype html><meta charset=utf-8><title>Red team report</title><style>body{font:16px/1.5 sans-serif;max-width:60em;"
               "margin:2em auto;padding:0 1em}table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:right;"
               "border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}.good{color:#064}.bad{color:#a00}"
               "</style><h1>Red team report</h1><p>Policy %s, %d prompts: ",
            r->version, v->prompts);
    html_text(f, r->set);
    fprintf(f, ". Intervals are Wilson's, 95 %%.<table><tr><th>category<th colspan=3>not_unsafe: harmful prompts refused<th colspan=3>"
               "not_overrefuse: benign prompts allowed\n");
    for (int i = 0; i <= v->count; i++) {
        const RedteamCategory *c = i < v->count ? &v->categories[i] : &v->sum;
        fprintf(f, "<tr><td>");
        html_text(f, i < v->count ? c->name : "all");
        html_share(f, c->blocked);
        html_share(f, c->allowed);
        fprintf(f, "\n");
    }
    fprintf(f, "</table>");
    if (attacks)
        fprintf(f, "<h2>Hidden</h2><p>Of the prompts that are refused as they are, those refused when they are hidden:<table><tr><th>by"
                   "<th colspan=3>refused\n");
    for (int k = 0; attacks && ATTACKS[k].name != NULL; k++) {
        fprintf(f, "<tr><td>%s: %s", ATTACKS[k].name, ATTACKS[k].what);
        html_share(f, v->sum.attacks[k]);
        fprintf(f, "\n");
    }
    if (attacks)
        fprintf(f, "</table>");
}

static bool write_html(const char *path, const Report *r, bool attacks, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    write_tables(w.stream, r, attacks);
    return file_writer_commit(&w, err);
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const RedteamArgs *a = values;
    char *file = NULL;
    const RuleList *own = &POLICY_PROMPTS[a->part == PART_TEST ? 1 : 0];
    PromptList list = {.text = own->text, .size = own->size};
    Report *r = calloc(1, sizeof *r);
    Policy *policy = policy_open(a->policy, err);
    bool ok = policy != NULL && (r != NULL || error_no_memory(err));
    if (ok && count > 0) {
        file = file_read(arguments[0], MAX_PROMPTS, &list.size, err);
        list.text = file;
        ok = file != NULL;
    }
    if (ok) {
        r->set = count > 0 ? arguments[0] : own->name;
        r->version = policy_version(policy);
        ok = redteam_run(policy, &list, !a->plain, a->missed && !a->json ? print_miss : NULL, NULL, &r->figures, err) ||
             error_wrap(err, "%s", r->set);
    }
    ok = ok && (a->html == NULL || write_html(a->html, r, !a->plain, err));
    if (ok && a->json)
        ok = print_json(r, !a->plain, err);
    else if (ok)
        print_text(r, !a->plain);
    policy_close(policy);
    free(file);
    free(r);
    return ok;
}

const Command CMD_REDTEAM = {
    .name = "redteam",
    .summary = "attack the policy and count what gets through",
    .arguments = "[FILE]",
    .description =
        "Judges labelled prompts, those that come with the program or a file's, as they are and hidden in many ways, and prints for each "
        "category how many harmful ones are refused and how many benign ones are allowed, with intervals of 95 %. A line of FILE is "
        "harmful or benign, a category and a text, with tabs between.",
    .examples = "  sora redteam\n"
                "  sora redteam --html report.html --policy rules.txt\n"
                "  sora redteam my-prompts.tsv --missed\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
};
