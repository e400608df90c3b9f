/* Validation of a manifest's actions and of its binding to the media. */
#ifndef SORA_CREDENTIALS_VERIFY_CONTENT_H
#define SORA_CREDENTIALS_VERIFY_CONTENT_H

#include "credentials/validator.h"

void verify_actions(Validator *v, const C2paManifest *m);
void verify_binding(Validator *v, const C2paManifest *m);

/* Does the ingredient's record of its validation hold the same code for the same place? */
bool results_have(const IngredientView *view, const Status *status);

#endif
