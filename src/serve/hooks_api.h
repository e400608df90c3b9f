/* /v1/webhook_endpoints, and who delivers. */
#ifndef SORA_SERVE_HOOKS_API_H
#define SORA_SERVE_HOOKS_API_H

#include "serve/call.h"

void hooks_create(Call *call);
void hooks_list(Call *call);
void hooks_retrieve(Call *call);
void hooks_change(Call *call);
void hooks_delete(Call *call);
void hooks_rotate(Call *call);
void hooks_test(Call *call);

/* One round: everything that is due is tried once. Blocks for as long as that takes. */
void hooks_deliver(Server *server);

/* "v1,<base64>" of "{id}.{timestamp}.{body}" (standard-webhooks). secret: "whsec_<base64>", or bytes. NULL on failure;
 * free() it. */
char *hook_signature(const char *secret, const char *id, int64_t timestamp, const char *body);

#endif
