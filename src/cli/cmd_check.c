#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "policy/policy.h"

typedef struct CheckArgs {
    const char *policy;
    bool json, explain;
} CheckArgs;

static const CheckArgs defaults;

static const Option options[] = {
    {0, "policy", OPTION_STRING, offsetof(CheckArgs, policy), "FILE", .help = "rules that add to the lists or switch parts off"},
    {0, "explain", OPTION_FLAG, offsetof(CheckArgs, explain), .help = "all phrases that were found, innocent ones too"},
    {0, "json", OPTION_FLAG, offsetof(CheckArgs, json), .help = "print one JSON object"},
    {0},
};

/* What was found, each thing once. */
static void collect(void *user, const PolicyFinding *f)
{
    json_t *list = user, *other;
    size_t i;
    json_t *found = json_pack("{ss ss ss}", "category", f->category, "part", f->part, "form", f->form);
    if (found != NULL && f->phrase == NULL) {
        json_object_set_new(found, "score", json_real(f->score));
        json_object_set_new(found, "threshold", json_real(f->threshold));
    } else if (found != NULL) {
        json_object_set_new(found, "phrase", json_string(f->phrase));
        json_object_set_new(found, "place", json_string(f->place));
    }
    if (found != NULL && f->second_phrase != NULL) {
        json_object_set_new(found, "second_phrase", json_string(f->second_phrase));
        json_object_set_new(found, "second_place", json_string(f->second_place));
    }
    json_array_foreach(list, i, other)
    {
        if (json_equal(found, other)) {
            json_decref(found);
            return;
        }
    }
    json_array_append_new(list, found);
}

static const char *get(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void print_findings(const json_t *list)
{
    size_t i;
    json_t *f;
    json_array_foreach(list, i, f)
    {
        if (get(f, "phrase") != NULL)
            printf("  %s: \"%s\" (%s)", get(f, "category"), get(f, "phrase"), get(f, "place"));
        else
            printf("  %s: the classifier, %.3f of %.3f", get(f, "category"), json_real_value(json_object_get(f, "score")),
                   json_real_value(json_object_get(f, "threshold")));
        if (get(f, "second_phrase") != NULL)
            printf(" near \"%s\" (%s)", get(f, "second_phrase"), get(f, "second_place"));
        printf(", %s\n", get(f, "form"));
    }
}

static bool print_json(const Policy *policy, const PolicyVerdict *v, json_t *found, SoraError *err)
{
    shortage_begin();
    json_t *root = json_pack("{sb ss}", "allowed", v->allowed, "policy", policy_version(policy));
    bool ok = root != NULL;
    if (ok && !v->allowed) {
        json_object_set_new(root, "category", json_string(v->category));
        json_object_set_new(root, "sentence", json_string(v->sentence));
        json_object_set_new(root, "part", json_string(v->part));
        json_object_set_new(root, "form", json_string(v->form));
        if (v->phrase != NULL) {
            json_object_set_new(root, "phrase", json_string(v->phrase));
            json_object_set_new(root, "place", json_string(v->place));
        }
        if (v->second_phrase != NULL) {
            json_object_set_new(root, "second_phrase", json_string(v->second_phrase));
            json_object_set_new(root, "second_place", json_string(v->second_place));
        }
    }
    json_t *scores = ok ? json_object() : NULL;
    for (size_t i = 0; scores != NULL && i < POLICY_SCORES && policy_category(policy, i) != NULL; i++)
        json_object_set_new(scores, policy_category(policy, i), json_real(v->scores[i]));
    if (ok)
        json_object_set_new(root, "scores", scores);
    if (ok && found != NULL)
        json_object_set(root, "found", found);
    return json_print(root, JSON_INDENT(2), err);
}

static bool check(const CheckArgs *a, const Policy *policy, const char *text, size_t n, SoraError *err)
{
    PolicyVerdict v;
    json_t *found = a->explain ? json_array() : NULL;
    bool ok = policy_check(policy, text, n, found != NULL ? collect : NULL, found, &v, err);
    if (ok && a->json) {
        ok = print_json(policy, &v, found, err);
    } else if (ok) {
        if (v.allowed)
            puts("allowed");
        else
            printf("refused (%s): %s\n", v.category, v.sentence);
        if (found != NULL)
            print_findings(found);
        if (a->explain)
            printf("  policy %s\n", policy_version(policy));
    }
    json_decref(found);
    if (ok && !v.allowed)
        command_exit_code(EXIT_ANSWER_NO);
    return ok;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const CheckArgs *a = values;
    char *file = NULL;
    const char *text = arguments[0];
    size_t n = strlen(text);
    Policy *policy = policy_open(a->policy, err);
    bool ok = policy != NULL;
    if (ok && n > 0 && file_exists(text)) {
        file = file_read(text, POLICY_MAX_TEXT, &n, err);
        ok = file != NULL;
        ok = ok && (check(a, policy, file, n, err) || error_wrap(err, "%s", text));
    } else {
        ok = ok && check(a, policy, text, n, err);
    }
    free(file);
    policy_close(policy);
    return ok;
}

const Command CMD_CHECK = {
    .name = "check",
    .summary = "may this text be asked?",
    .arguments = "TEXT|FILE",
    .description =
        "Judges a prompt, or the text in a file of that name, by the lists of src/policy: sex, children, self-harm, hate, "
        "violence, real people, characters and brands of others. What the lists know and what they miss is in docs/safety.md.\n\n"
        "Exit codes: 0 allowed, 1 refused; others as in sora --help.",
    .examples = "  sora check \"a killer whale jumps out of the sea\"\n"
                "  sora check prompt.txt --explain\n"
                "  sora check \"a superhero flies\" --policy rules.txt --json\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
