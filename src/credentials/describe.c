#include "credentials/describe.h"

#include <openssl/err.h>
#include "credentials/sign1.h"

static json_t *json_text(const CborValue *v)
{
    /* "softwareAgent" and "when" come as text, or as a map with a name, or tagged */
    if (v != NULL && v->kind == CBOR_TAGGED)
        v = v->items;
    if (v != NULL && v->kind == CBOR_MAP)
        v = cbor_find(v, "name");
    Span text = cbor_text(v);
    return text.size > 0 ? json_stringn((const char *)text.data, text.size) : NULL;
}

/* What changed the model: a list of texts, or NULL. */
static json_t *describe_loras(const CborValue *agent)
{
    const CborValue *list = cbor_find_kind(agent, "org.sora-c.loras", CBOR_ARRAY);
    json_t *out = list != NULL ? json_array() : NULL;
    for (size_t i = 0; list != NULL && i < list->count && i < 64; i++)
        json_array_append_new(out, json_text(&list->items[i])); /* NULL, for what is no text, adds nothing */
    return out;
}

static void describe_actions(const Assertion *a, json_t *out)
{
    static const char *const keys[] = {"action", "digitalSourceType", "description", "softwareAgent", "when"};
    const CborValue *list = cbor_find_kind(a->value, "actions", CBOR_ARRAY);
    for (size_t i = 0; list != NULL && i < list->count && i < 1000; i++) {
        json_t *o = json_object();
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            json_t *text = json_text(cbor_find(&list->items[i], keys[k]));
            if (text != NULL)
                json_object_set_new(o, keys[k], text);
        }
        const CborValue *agent = cbor_find(&list->items[i], "softwareAgent");
        json_t *model = json_text(cbor_find(agent, "org.sora-c.model")), *loras = describe_loras(agent);
        if (model != NULL)
            json_object_set_new(o, "model", model);
        if (loras != NULL)
            json_object_set_new(o, "loras", loras);
        json_array_append_new(out, o);
    }
}

static void describe_ingredient(const C2paManifest *m, const Assertion *a, json_t *out)
{
    IngredientView view;
    if (!ingredient_view(a, &view))
        return;
    json_t *o = json_object();
    json_object_set_new(o, "title", json_stringn((const char *)view.title.data, view.title.size));
    json_object_set_new(o, "relationship",
                        json_stringn((const char *)view.relationship.data, view.relationship.size));
    Span label = view.has_manifest ? url_manifest(view.manifest.url) : (Span){NULL, 0};
    if (label.size > 0)
        json_object_set_new(o, "active_manifest", json_stringn((const char *)label.data, label.size));
    /* text that was kept with it, such as a prompt */
    HashedUri data;
    const Assertion *kept =
        hashed_uri(cbor_find(a->value, "data"), &data) ? manifest_assertion(m, data.url) : NULL;
    const JumbfBox *bytes = kept ? jumbf_content(kept->box, "bidb") : NULL;
    if (bytes != NULL && bytes->payload.size < 64 << 10) {
        json_t *text = json_stringn((const char *)bytes->payload.data, bytes->payload.size);
        if (text != NULL)
            json_object_set_new(o, "data", text);
    }
    json_array_append_new(out, o);
}

static void set_name(json_t *out, const char *key, X509_NAME *name, int nid)
{
    char text[256];
    if (X509_NAME_get_text_by_NID(name, nid, text, sizeof text) > 0)
        json_object_set_new(out, key, json_string(text)); /* not set when it is no UTF-8 */
}

/* Who signed, with which algorithm and when. */
static void describe_signature(const C2paManifest *m, json_t *out)
{
    Arena arena;
    Sign1 s;
    arena_init(&arena, 16 << 10);
    if (sign1_parse(&s, &arena, m->signature)) {
        const char *alg = cose_alg_name(s.alg);
        if (alg != NULL)
            json_object_set_new(out, "alg", json_string(alg));
        if (s.chain != NULL) {
            X509_NAME *name = X509_get_subject_name(sk_X509_value(s.chain, 0));
            set_name(out, "issuer", name, NID_organizationName);
            set_name(out, "common_name", name, NID_commonName);
        }
        json_object_set_new(
            out, "time_stamp",
            json_boolean(cbor_find(s.unprotected, "sigTst2") || cbor_find(s.unprotected, "sigTst")));
    }
    sign1_deinit(&s);
    ERR_clear_error();
    arena_deinit(&arena);
}

static json_t *describe_manifest(const C2paManifest *m)
{
    json_t *o = json_object(), *actions = json_array(), *ingredients = json_array(),
           *signature = json_object();
    json_t *generator = json_text(cbor_find(m->claim, "claim_generator_info"));
    if (generator == NULL)
        generator = json_text(cbor_find(m->claim, "claim_generator"));
    json_t *title = json_text(cbor_find(m->claim, "dc:title"));
    json_object_set_new(o, "claim_version", json_integer(m->version));
    if (generator != NULL)
        json_object_set_new(o, "claim_generator", generator);
    if (title != NULL)
        json_object_set_new(o, "title", title);
    for (int i = 0; i < m->assertion_count; i++) {
        if (assertion_is(&m->assertions[i], "c2pa.actions"))
            describe_actions(&m->assertions[i], actions);
        if (assertion_is(&m->assertions[i], "c2pa.ingredient"))
            describe_ingredient(m, &m->assertions[i], ingredients);
    }
    describe_signature(m, signature);
    json_object_set_new(o, "actions", actions);
    json_object_set_new(o, "ingredients", ingredients);
    json_object_set_new(o, "signature", signature);
    return o;
}

json_t *describe_store(const Store *s)
{
    json_t *o = json_object();
    for (int i = 0; i < s->count; i++)
        json_object_set_new(o, s->manifests[i].label, describe_manifest(&s->manifests[i]));
    return o;
}
