#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "credentials/keys.h"

typedef struct CredentialsArgs {
    const char *folder, *organization, *name, *key, *output;
    int algorithm;
    bool json;
} CredentialsArgs;

static const CredentialsArgs defaults = {0};
static const char *const algorithms[] = {"es256", "ps256", "ed25519"};

#define FOLDER                                                                                               \
    {                                                                                                        \
        0, "folder", OPTION_STRING, offsetof(CredentialsArgs, folder), "DIR",                                \
            .help = "where keys are kept (default: $SORA_CREDENTIALS, else ~/.config/sora/credentials)"      \
    }
#define ALGORITHM                                                                                            \
    {                                                                                                        \
        0, "algorithm", OPTION_CHOICE, offsetof(CredentialsArgs, algorithm),                                 \
            .help = "of the signatures (default es256)", .choices = "es256|ps256|ed25519"                    \
    }
#define ORGANIZATION                                                                                         \
    {                                                                                                        \
        0, "organization", OPTION_STRING, offsetof(CredentialsArgs, organization), "TEXT",                   \
            .help = "in the certificate; everybody sees it"                                                  \
    }
#define NAME                                                                                                 \
    {                                                                                                        \
        0, "name", OPTION_STRING, offsetof(CredentialsArgs, name), "TEXT",                                   \
            .help = "of the signer, in the certificate (default: a number)"                                  \
    }

static const Option init_options[] = {FOLDER, ALGORITHM, ORGANIZATION, NAME, {0}};
static const Option show_options[] = {
    FOLDER,
    {0, "json", OPTION_FLAG, offsetof(CredentialsArgs, json), .help = "print one JSON object"},
    {0},
};
static const Option request_options[] = {
    FOLDER,
    ALGORITHM,
    ORGANIZATION,
    NAME,
    {'o', "output", OPTION_STRING, offsetof(CredentialsArgs, output), "FILE",
     .help = "where the request goes (default: standard output)"},
    {0},
};
static const Option import_options[] = {
    FOLDER,
    {0, "key", OPTION_STRING, offsetof(CredentialsArgs, key), "FILE",
     .help = "the certificate's private key, PEM without a password (default: the one that request made)"},
    {0},
};

static KeysPlan make_plan(const CredentialsArgs *a)
{
    return (KeysPlan){.algorithm = algorithms[a->algorithm], .organization = a->organization, .name = a->name};
}

static bool init(const void *values, char **arguments, int count, SoraError *err)
{
    const CredentialsArgs *a = values;
    KeysPlan plan = make_plan(a);
    KeysMade made;
    char *folder = keys_folder(a->folder, err);
    bool ok = folder != NULL && keys_init(a->folder, &plan, &made, err);
    if (ok && made == KEYS_KEPT)
        printf("%s: there is a signer already; nothing was changed\n", folder);
    else if (ok && made == KEYS_RENEWED)
        printf("%s: the signer was out of date; made a new private root (root.pem) and a signer with the same names\n", folder);
    else if (ok)
        printf("%s: made a private root (root.pem) and a signer\n"
               "Files that it signs are valid everywhere, and trusted by those who are given root.pem.\n",
               folder);
    free(folder);
    return ok;
}

static void time_text(const ASN1_TIME *t, char *out, size_t size)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1 || strftime(out, size, "%Y-%m-%d", &tm) == 0)
        snprintf(out, size, "?");
}

/* The certificate's facts, each once, for both ways of showing them. */
typedef struct Facts {
    char subject[512], issuer[512], from[16], to[16], fingerprint[3 * 32];
    const char *algorithm;
    SignerTime time;
} Facts;

/* In the order of SignerTime. */
static const char *const times[] = {"valid", "expired", "not yet valid"};
static const char *const time_words[] = {"", " (EXPIRED)", " (NOT YET VALID)"};

static bool find_facts(const Signer *s, Facts *f, SoraError *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509 *x = sk_X509_value(s->chain, 0);
    X509_NAME_oneline(X509_get_subject_name(x), f->subject, sizeof f->subject);
    X509_NAME_oneline(X509_get_issuer_name(x), f->issuer, sizeof f->issuer);
    time_text(X509_get0_notBefore(x), f->from, sizeof f->from);
    time_text(X509_get0_notAfter(x), f->to, sizeof f->to);
    f->algorithm = cose_alg_name(s->alg);
    f->time = signer_time(s, time(NULL));
    if (X509_digest(x, EVP_sha256(), digest, &size) != 1 || size != 32)
        return error_set(err, SORA_ERROR_INTERNAL, "openssl: cannot hash");
    for (unsigned i = 0; i < size; i++)
        snprintf(f->fingerprint + 3 * i, sizeof f->fingerprint - 3 * i, i + 1 < size ? "%02x:" : "%02x",
                 digest[i]);
    return true;
}

static bool show_json(const Facts *f, const char *folder, const char *root, bool required, SoraError *err)
{
    shortage_begin();
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:b}", "folder", folder, "algorithm", f->algorithm,
                          "subject", f->subject, "issuer", f->issuer, "valid_from", f->from, "valid_to", f->to, "state",
                          times[f->time], "sha256", f->fingerprint, "root", root, "required", required);
    return json_print(o, JSON_INDENT(2), err);
}

static void show_lines(const Facts *f, const char *folder, const char *root, bool required)
{
    printf("folder     %s\nsigner     %s\nissuer     %s\nalgorithm  %s\nvalid      %s to %s%s\nsha256     %s\n", folder,
           f->subject, f->issuer, f->algorithm, f->from, f->to, time_words[f->time], f->fingerprint);
    if (root != NULL)
        printf("root       %s\n", root);
    if (required)
        printf("policy     sora writes no file without credentials\n");
}

static bool show(const void *values, char **arguments, int count, SoraError *err)
{
    const CredentialsArgs *a = values;
    Signer signer = {0};
    Facts f = {0};
    bool required = false;
    char *folder = keys_folder(a->folder, err), *root = NULL, exposed[256];
    bool ok = folder != NULL && keys_open(a->folder, &signer, err) && find_facts(&signer, &f, err) &&
              keys_required(a->folder, &required, err) && (root = keys_path(a->folder, "root.pem", err)) != NULL;
    const char *own = ok && file_exists(root) ? root : NULL;
    if (ok && a->json)
        ok = show_json(&f, folder, own, required, err);
    else if (ok)
        show_lines(&f, folder, own, required);
    if (ok && keys_are_exposed(a->folder, exposed, sizeof exposed))
        fprintf(stderr, "sora: warning: %s\n", exposed);
    signer_close(&signer);
    free(folder);
    free(root);
    return ok;
}

/* The request may not replace a key. */
static bool check_output(const CredentialsArgs *a, SoraError *err)
{
    static const char *const NAMES[] = {"signer.pem", "root.key", "root.pem", "request.key", "policy.json"};
    enum { COUNT = sizeof NAMES / sizeof *NAMES };
    char *paths[COUNT] = {NULL};
    Place place = {a->output, 1};
    bool ok = true;
    for (int i = 0; ok && i < COUNT; i++)
        ok = (paths[i] = keys_path(a->folder, NAMES[i], err)) != NULL;
    ok = ok && place_check(&place, (const char *const *)paths, COUNT, err);
    for (int i = 0; i < COUNT; i++)
        free(paths[i]);
    if (ok)
        place_announce("sora credentials", &place);
    return ok;
}

static bool request(const void *values, char **arguments, int count, SoraError *err)
{
    const CredentialsArgs *a = values;
    KeysPlan plan = make_plan(a);
    Bytes csr = {0};
    FileWriter w = {0};
    if (a->output != NULL && (!check_output(a, err) || !file_writer_open(&w, a->output, err)))
        return false; /* before a key is made that nobody would get a certificate for */
    bool ok = keys_request(a->folder, &plan, &csr, err);
    if (ok)
        fwrite(csr.data, 1, csr.size, a->output != NULL ? w.stream : stdout); /* commit finds its errors */
    if (ok && a->output != NULL)
        ok = file_writer_commit(&w, err);
    file_writer_abort(&w);
    if (ok && a->output != NULL)
        printf("%s: a request for a certificate; its key stays in the credentials folder\n", a->output);
    bytes_deinit(&csr);
    return ok;
}

static bool import(const void *values, char **arguments, int count, SoraError *err)
{
    const CredentialsArgs *a = values;
    if (!keys_import(a->folder, arguments[0], a->key, err))
        return false;
    printf("%s: taken; files are signed with it from now on\n", arguments[0]);
    return true;
}

static const Command COMMAND_INIT = {
    .name = "init",
    .summary = "make a private root and a signer below it",
    .description =
        "Makes keys with OpenSSL, or new ones when those that it made are out of date. sora generate does the same by itself. "
        "Keys are readable by "
        "their owner alone and are never printed. A private root makes files valid: anybody can see "
        "that they were not changed. It makes them trusted only for those who were given root.pem.",
    .examples = "  sora credentials init\n"
                "  sora credentials init --organization \"Fox Films\" --name \"Studio 1\"\n"
                "  sora credentials init --algorithm ed25519 --folder /srv/sora/credentials",
    .options = init_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = init,
};

static const Command COMMAND_SHOW = {
    .name = "show",
    .summary = "show who signs, until when, and where the keys are",
    .description = "Shows the signer's certificate. Private keys are never shown.",
    .examples = "  sora credentials show\n"
                "  sora credentials show --json",
    .options = show_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = show,
};

static const Command COMMAND_REQUEST = {
    .name = "request",
    .summary = "make a key and a request for a certificate (CSR)",
    .description =
        "A certificate authority on the C2PA Trust List answers the request with a certificate, which "
        "sora credentials import takes. Until then the signer stays as it is.",
    .examples =
        "  sora credentials request --organization \"Fox Films\" --name \"Fox Films Studio\" -o fox.csr\n"
        "  sora credentials request --algorithm ps256 | openssl req -text -noout",
    .options = request_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = request,
};

static const Command COMMAND_IMPORT = {
    .name = "import",
    .summary = "sign with a certificate that was bought",
    .arguments = "CHAIN.pem",
    .description =
        "Takes a chain of certificates in PEM: the signer's first, then the intermediates. It must keep "
        "C2PA's rules and suit the key. It replaces the signer.",
    .examples = "  sora credentials import fox-chain.pem\n"
                "  sora credentials import fox-chain.pem --key fox-key.pem",
    .options = import_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = import,
};

static const Command *const subcommands[] = {&COMMAND_INIT, &COMMAND_SHOW, &COMMAND_IMPORT, &COMMAND_REQUEST,
                                             NULL};

const Command CMD_CREDENTIALS = {
    .name = "credentials",
    .summary = "keys and certificates that sign the files",
    .description =
        "Every MP4, PNG, JPEG and WebP that sora writes says in a signed C2PA manifest that it was made by AI. In a policy.json "
        "in the folder, {\"required\": true} binds the sora command: it then writes no file without credentials. It does not "
        "bind programs that use the library.",
    .examples = "  sora credentials init\n"
                "  sora credentials show\n"
                "  sora credentials request -o fox.csr\n"
                "  sora credentials import fox-chain.pem",
    .subcommands = subcommands,
};
