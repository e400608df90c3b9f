/* Keys, plans, usage, reviews: for those who keep the server; and a key's own page. */
#ifndef SORA_SERVE_ADMIN_H
#define SORA_SERVE_ADMIN_H

#include "serve/call.h"

void admin_keys_list(Call *call);
void admin_keys_create(Call *call);
void admin_keys_show(Call *call);
void admin_keys_change(Call *call);
void admin_keys_revoke(Call *call);
void admin_plans(Call *call);
void admin_audit(Call *call);
void admin_reports(Call *call);
void admin_report_decide(Call *call);
void admin_feature(Call *call);

void own_key(Call *call);       /* who am I, what may I do, what did I use? */
void session_begin(Call *call); /* a cookie for a page, in place of the header */
void session_end(Call *call);

json_t *key_json(const ApiKey *key);
/* "videos", "admin", or both: is each a scope? */
bool scopes_check(const char *scopes, SoraError *err);

#endif
