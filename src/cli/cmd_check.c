#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "media/image.h"
#include "policy/policy.h"
#include "screen/screen.h"

typedef struct CheckArgs {
    const char *policy;
    bool json, explain;
} CheckArgs;

static const CheckArgs defaults;

static const Option options[] = {
    {0, "policy", OPTION_STRING, offsetof(CheckArgs, policy), "FILE", .help = "rules that add to the lists or switch parts off"},
    {0, "explain", OPTION_FLAG, offsetof(CheckArgs, explain), .help = "all that was found: phrases, innocent ones too; probabilities"},
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

/* --- pictures and videos --- */

/* Rather than a text: a picture, or bytes that no text has. */
static bool is_media(const char *path, bool *media, SoraError *err)
{
    uint8_t head[4096];
    size_t n;
    if (!file_read_head(path, head, sizeof head, &n, err))
        return false;
    *media = image_recognised(head, n) || (n > 0 && memchr(head, 0, n) != NULL);
    return true;
}

static json_t *scores_json(const PictureScores *scores)
{
    json_t *o = json_object();
    for (int i = 0; i < PICTURE_CLASSES; i++)
        json_object_set_new(o, PICTURE_CLASS_NAMES[i], json_real((double)scores->p[i]));
    return o;
}

static bool print_file_json(const Policy *policy, const ScreenVerdict *v, SoraError *err)
{
    shortage_begin();
    char origin[400];
    screen_origin_text(&v->origin, origin, sizeof origin);
    json_t *root = json_pack("{sb ss ss? ss? si so sf so ss? }", "allowed", v->allowed, "policy", policy_version(policy), "category",
                             v->category, "sentence", v->allowed ? NULL : v->sentence, "looked", v->looked, "scores",
                             v->looked > 0 ? scores_json(&v->worst) : json_null(), "worst_at", v->worst_at, "faces",
                             v->faces < 0 ? json_null() : json_integer(v->faces), "credentials", *origin != 0 ? origin : NULL);
    return json_print(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6), err);
}

static void explain_file(const Policy *policy, const ScreenVerdict *v)
{
    const PictureRules *rules = policy_picture_rules(policy);
    char origin[400];
    screen_origin_text(&v->origin, origin, sizeof origin);
    printf("  content credentials: %s\n", *origin != 0 ? origin : "none");
    if (v->looked > 0) {
        printf("  %d frame%s, the worst at %.1f s:", v->looked, v->looked == 1 ? "" : "s", v->worst_at);
        for (int i = 0; i < PICTURE_CLASSES; i++)
            printf(" %s %.3f%s", PICTURE_CLASS_NAMES[i], (double)v->worst.p[i], i + 1 < PICTURE_CLASSES ? "," : "");
        printf("; explicit %.3f of %.3f\n", (double)picture_explicit(&v->worst), (double)rules->uploads);
    }
    if (v->faces >= 0)
        printf("  faces: %d\n", v->faces);
    else
        printf("  faces: not looked for\n");
    printf("  policy %s\n", policy_version(policy));
}

static bool check_file(const CheckArgs *a, const Policy *policy, const char *path, SoraError *err)
{
    ScreenVerdict v;
    Screen *screen = screen_open(policy_picture_rules(policy), 0, err);
    bool ok = screen != NULL && screen_file(screen, path, NULL, &v, err);
    screen_close(screen);
    if (!ok)
        return false;
    if (a->json)
        ok = print_file_json(policy, &v, err);
    else if (v.allowed)
        puts("allowed");
    else
        printf("refused (%s): %s\n", v.category, v.sentence);
    if (ok && !a->json && a->explain)
        explain_file(policy, &v);
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
    bool media = false;
    if (ok && n > 0 && file_exists(text) && !is_media(text, &media, err)) {
        ok = false;
    } else if (ok && media) {
        ok = check_file(a, policy, text, err);
    } else if (ok && n > 0 && file_exists(text)) {
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
    .summary = "may this text be asked, this picture or video be taken?",
    .arguments = "TEXT|FILE",
    .description =
        "Judges a prompt, or the text in a file of that name, by the lists of src/policy: sex, children, self-harm, hate, "
        "violence, real people, characters and brands of others. What the lists know and what they miss is in docs/safety.md.\n\n"
        "A picture or a video is judged as the server judges what is uploaded: is it sexually explicit (two frames a second), are there "
        "faces of people (by the program facedetect, which must be installed unless the policy allows faces), what do its content "
        "credentials say, and do they hold?\n\n"
        "Exit codes: 0 allowed, 1 refused; others as in sora --help.",
    .examples = "  sora check \"a killer whale jumps out of the sea\"\n"
                "  sora check prompt.txt --explain\n"
                "  sora check holiday.mp4 --explain\n"
                "  sora check \"a superhero flies\" --policy rules.txt --json\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
