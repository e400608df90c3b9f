#include "credentials/origin.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* Sources of the IPTC's list that stand for a trained model, whole or in part. */
static bool is_ai_source(const char *source)
{
    static const char *const sources[] = {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"};
    const char *slash = source != NULL ? strrchr(source, '/') : NULL;
    for (size_t i = 0; slash != NULL && i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(slash + 1, sources[i]) == 0)
            return true;
    }
    return false;
}

/* Neither made nor taken in by it. */
static bool is_edit(const char *action)
{
    static const char *const others[] = {"c2pa.created", "c2pa.opened", "c2pa.placed", "c2pa.published", "c2pa.repackaged"};
    for (size_t i = 0; action != NULL && i < sizeof others / sizeof *others; i++) {
        if (strcmp(action, others[i]) == 0)
            return false;
    }
    return action != NULL;
}

static void copy(char *to, size_t size, const json_t *from)
{
    const char *s = json_string_value(from);
    snprintf(to, size, "%s", s != NULL ? s : "");
}

/* The first failure that makes the file invalid; who is not known is no such. */
static void find_reason(const json_t *report, CredentialsOrigin *o)
{
    const json_t *results = json_object_get(report, "validation_results"), *failure;
    const json_t *list = json_object_get(json_object_get(results, "activeManifest"), "failure");
    size_t i;
    json_array_foreach(list, i, failure)
    {
        const char *code = json_string_value(json_object_get(failure, "code"));
        if (o->reason[0] == 0 && code != NULL && strcmp(code, "signingCredential.untrusted") != 0)
            copy(o->reason, sizeof o->reason, json_object_get(failure, "explanation"));
    }
    if (o->reason[0] == 0)
        snprintf(o->reason, sizeof o->reason, "the file, or what it was made from, is not as it was signed");
}

static void read_report(const json_t *report, CredentialsOrigin *o)
{
    json_t *manifests = json_object_get(report, "manifests"), *manifest, *action;
    const json_t *active = json_object_get(manifests, json_string_value(json_object_get(report, "active_manifest")));
    const char *name;
    size_t i;
    json_object_foreach(manifests, name, manifest)
    {
        json_array_foreach(json_object_get(manifest, "actions"), i, action)
        {
            o->ai_made = o->ai_made || is_ai_source(json_string_value(json_object_get(action, "digitalSourceType")));
            o->edited = o->edited || (manifest == active && is_edit(json_string_value(json_object_get(action, "action"))));
        }
    }
    copy(o->generator, sizeof o->generator, json_object_get(active, "claim_generator"));
    copy(o->signer, sizeof o->signer, json_object_get(json_object_get(active, "signature"), "common_name"));
    if (o->verdict == SORA_VERDICT_INVALID)
        find_reason(report, o);
}

bool credentials_origin(const char *path, const char *anchors, CredentialsOrigin *origin, SoraError *err)
{
    *origin = (CredentialsOrigin){.verdict = SORA_VERDICT_NONE};
    SoraVerification *v = sora_verify(path, anchors, err);
    if (v == NULL)
        return false;
    origin->verdict = sora_verification_verdict(v);
    origin->trusted = sora_verification_trusted(v);
    json_t *report = json_loads(sora_verification_json(v), 0, NULL);
    if (report != NULL && origin->verdict != SORA_VERDICT_NONE)
        read_report(report, origin);
    sora_verification_free(v);
    bool ok = report != NULL || error_no_memory(err);
    json_decref(report);
    return ok;
}
