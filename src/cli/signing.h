/* Credentials for the files that a command writes. */
#ifndef SORA_CLI_SIGNING_H
#define SORA_CLI_SIGNING_H

#include <sora.h>

/* What the command line says about them. */
typedef struct SigningArgs {
    bool none;                  /* --no-credentials */
    const char *time_authority; /* --time-authority */
} SigningArgs;

#define SIGNING_OPTIONS(type, member)                                                                        \
    {0, "no-credentials", OPTION_FLAG, offsetof(type, member.none),                                          \
     .help = "write no C2PA manifest: nothing signed says that AI made the file"},                           \
    {                                                                                                        \
        0, "time-authority", OPTION_STRING, offsetof(type, member.time_authority), "URL",                    \
            .help = "have the signature time-stamped there (RFC 3161), so that it outlives the certificate"  \
    }

typedef struct Signing {
    SoraCredentials *credentials; /* NULL: the file carries none */
    const char *without;          /* then why, for people */
} Signing;

/* Opens the user's credentials for a file of that name. Makes them the first time and makes them anew when they are out of
 * date, which it says on stderr. False when there must be some and cannot be. */
bool signing_open(Signing *s, const SigningArgs *args, const char *output, SoraError *err);
void signing_close(Signing *s);

/* Says on stderr what came of it, where that is less than was asked for. */
void signing_report(const SoraSigned *result, const char *output);

#endif
