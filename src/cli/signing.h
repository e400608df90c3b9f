/* Credentials for the files that a command writes. */
#ifndef SORA_CLI_SIGNING_H
#define SORA_CLI_SIGNING_H

#include "base/file.h"

/* What the command line says about them. */
typedef struct SigningArgs {
    bool none;                  /* --no-credentials */
    bool tell_prompt;           /* --tell-prompt */
    const char *time_authority; /* --time-authority */
} SigningArgs;

#define SIGNING_OPTIONS(type, member)                                                                        \
    {0, "no-credentials", OPTION_FLAG, offsetof(type, member.none),                                          \
     .help = "write no C2PA manifest: nothing signed says that AI made the file"},                           \
        {0, "tell-prompt", OPTION_FLAG, offsetof(type, member.tell_prompt),                                  \
         .help = "put the prompt into the manifest, for everybody to read"},                                 \
    {                                                                                                        \
        0, "time-authority", OPTION_STRING, offsetof(type, member.time_authority), "URL",                    \
            .help = "have the signature time-stamped there (RFC 3161), so that it outlives the certificate"  \
    }

typedef struct Signing {
    SoraCredentials *credentials; /* NULL: the file carries none */
    const char *without;          /* then why, for people */
    SoraSigning what;
    SoraInput inputs[2]; /* room for what `what` names */
    SoraSigned result;
    FileFinish finish; /* signs a file before it gets its name; `what` is filled by the caller but for what args say */
} Signing;

/* Opens the user's credentials for a file of that name, and makes them the first time, which it says on
 * stderr. False when there must be some and cannot be. */
bool signing_open(Signing *s, const SigningArgs *args, const char *output, SoraError *err);
void signing_close(Signing *s);

#endif
