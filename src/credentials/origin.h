/* Where a file comes from, as its own content credentials say: for who takes uploads. */
#ifndef SORA_CREDENTIALS_ORIGIN_H
#define SORA_CREDENTIALS_ORIGIN_H

#include <sora.h>

typedef struct CredentialsOrigin {
    SoraVerdict verdict; /* NONE: nothing is known, and the rest is empty */
    bool trusted;        /* by the anchors that were given */
    bool ai_made;        /* a manifest of it, or of what it was made from, says that it is or has media made by a trained model */
    bool edited;         /* the active manifest has an action besides those of making and taking in */
    char generator[96];  /* what wrote the active manifest, such as "sora.c"; cut to fit */
    char signer[96];     /* the common name in the signer's certificate; cut to fit */
    char reason[160];    /* why it is invalid, in one line; cut to fit */
} CredentialsOrigin;

/* anchors as in sora_verify(). False when the file cannot be read or memory ran out; a forged file is no failure. */
bool credentials_origin(const char *path, const char *anchors, CredentialsOrigin *origin, SoraError *err);

#endif
