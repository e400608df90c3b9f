/* What manifests say, for people. */
#ifndef SORA_CREDENTIALS_DESCRIBE_H
#define SORA_CREDENTIALS_DESCRIBE_H

#include <jansson.h>
#include "credentials/store.h"

/* All manifests of the store, by label: title, generator, actions, ingredients, signature. */
json_t *describe_store(const Store *s);

#endif
