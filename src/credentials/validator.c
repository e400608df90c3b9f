#include "credentials/validator.h"

void validator_say(Validator *v, StatusKind kind, const char *code, const char *url, const char *explanation)
{
    report_add(v->report, &(Status){kind, code, url, explanation, v->ingredient});
}

void manifest_url(const C2paManifest *m, const char *part, char *out, size_t size)
{
    snprintf(out, size, "self#jumbf=/c2pa/%.200s%s%.200s", m->label, *part ? "/" : "", part);
}

void assertion_url(const C2paManifest *m, const char *label, char *out, size_t size)
{
    snprintf(out, size, "self#jumbf=/c2pa/%.200s/c2pa.assertions/%.200s", m->label, label);
}
