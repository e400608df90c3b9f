#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

typedef struct VerifyArgs {
    const char *trust;
    bool json;
} VerifyArgs;

static const VerifyArgs defaults = {NULL, false};

static const Option options[] = {
    {0, "trust", OPTION_STRING, offsetof(VerifyArgs, trust), "FILE",
     .help = "PEM file of the root certificates whose signers are trusted"},
    {0, "json", OPTION_FLAG, offsetof(VerifyArgs, json),
     .help = "print the whole report, with C2PA's status codes, as one JSON object"},
    {0},
};

/* What a manifest says is text from outside: it cannot move the cursor. */
static void print_text(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
}

static void print_field(const char *label, const char *text)
{
    if (text == NULL || *text == 0)
        return;
    printf("  %-12s", label);
    print_text(text);
    putchar('\n');
}

static const char *get(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void print_action(const json_t *action)
{
    const char *name = get(action, "action"), *source = get(action, "digitalSourceType");
    const char *slash = source ? strrchr(source, '/') : NULL;
    printf("  %-12s", "action");
    print_text(name ? name : "?");
    if (source != NULL) {
        printf(", ");
        print_text(slash ? slash + 1 : source);
    }
    static const char *const keys[] = {"description", "softwareAgent", "model", "when"};
    static const char *const words[] = {": ", ", by ", ", model ", ", "};
    for (size_t i = 0; i < 4; i++)
        if (get(action, keys[i]) != NULL) {
            fputs(words[i], stdout);
            print_text(get(action, keys[i]));
        }
    size_t k;
    json_t *lora;
    json_array_foreach(json_object_get(action, "loras"), k, lora)
    {
        fputs(k == 0 ? ", LoRA " : " ", stdout);
        print_text(json_string_value(lora));
    }
    putchar('\n');
}

static void print_manifest(const json_t *m)
{
    size_t i;
    json_t *item;
    const json_t *signature = json_object_get(m, "signature");
    print_field("title", get(m, "title"));
    print_field("made with", get(m, "claim_generator"));
    json_array_foreach(json_object_get(m, "actions"), i, item) print_action(item);
    json_array_foreach(json_object_get(m, "ingredients"), i, item)
    {
        printf("  %-12s", "made from");
        print_text(get(item, "title") ? get(item, "title") : "?");
        printf(" (%s%s)", get(item, "relationship") ? get(item, "relationship") : "?",
               get(item, "active_manifest") ? ", with credentials" : "");
        if (get(item, "data") != NULL) {
            printf(": ");
            print_text(get(item, "data"));
        }
        putchar('\n');
    }
    if (get(signature, "issuer") != NULL || get(signature, "common_name") != NULL) {
        printf("  %-12s", "signed by");
        print_text(get(signature, "common_name") ? get(signature, "common_name") : "");
        printf(", ");
        print_text(get(signature, "issuer") ? get(signature, "issuer") : "");
        printf(" (%s%s)\n", get(signature, "alg") ? get(signature, "alg") : "?",
               json_is_true(json_object_get(signature, "time_stamp")) ? ", time-stamped" : "");
    }
}

/* Failures, with those of ingredients after the file's own. */
static void print_failures(const json_t *codes, const char *where)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(codes, "failure"), i, s)
    {
        /* that is in the verdict */
        if (strcmp(get(s, "code"), "signingCredential.untrusted") == 0)
            continue;
        printf("  %-12s%s%s: ", "failed", where, get(s, "code"));
        print_text(get(s, "explanation") ? get(s, "explanation") : "");
        putchar('\n');
    }
}

static void print_report(const json_t *report, const SoraVerification *v, const char *path)
{
    static const char *const words[] = {"valid", "invalid: it was changed, or not signed as it should be",
                                        "no content credentials"};
    SoraVerdict verdict = sora_verification_verdict(v);
    print_text(path);
    printf(": %s", words[verdict]);
    if (verdict == SORA_VERDICT_VALID)
        printf(sora_verification_trusted(v) ? ", and the signer is trusted"
                                            : ", but the signer is not known (--trust names roots)");
    putchar('\n');
    const char *active = get(report, "active_manifest");
    const json_t *m = active ? json_object_get(json_object_get(report, "manifests"), active) : NULL;
    if (m != NULL)
        print_manifest(m);
    const json_t *results = json_object_get(report, "validation_results");
    print_failures(json_object_get(results, "activeManifest"), "");
    size_t i;
    json_t *delta;
    json_array_foreach(json_object_get(results, "ingredientDeltas"), i, delta)
        print_failures(json_object_get(delta, "validationDeltas"), "of what it was made from: ");
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const VerifyArgs *a = values;
    SoraVerification *v = sora_verify(arguments[0], a->trust, err);
    if (v == NULL)
        return false;
    bool ok = true;
    if (a->json) {
        puts(sora_verification_json(v));
    } else {
        json_t *report = json_loads(sora_verification_json(v), 0, NULL);
        if (report != NULL)
            print_report(report, v, arguments[0]);
        else
            ok = error_set(err, SORA_ERROR_MEMORY, "out of memory");
        json_decref(report);
    }
    if (ok)
        command_exit_code((int)sora_verification_verdict(v));
    sora_verification_free(v);
    return ok;
}

const Command CMD_VERIFY = {
    .name = "verify",
    .summary = "read and check a file's content credentials",
    .arguments = "FILE",
    .description =
        "Reads the C2PA manifest of an MP4, PNG, JPEG or WebP and checks it, offline: that the media and the "
        "manifest are what was signed, the signature, its certificate, the time-stamp, and the files it was "
        "made "
        "from. A valid file whose signer is not known here proves that it was not changed, and not who made "
        "it.\n\nExit codes: 0 valid, 1 invalid, 2 no credentials (or a kind of file that has none); others "
        "as in "
        "sora --help.",
    .examples = "  sora verify fox.mp4\n"
                "  sora verify fox.mp4 --trust ~/.config/sora/credentials/root.pem\n"
                "  sora verify photo.jpg --json | jq .validation_results\n"
                "  sora verify upload.png >/dev/null || echo \"not to be relied on\"",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
