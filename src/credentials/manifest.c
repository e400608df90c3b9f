#include "credentials/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/uuid.h"
#include "credentials/jumbf.h"

#define SOURCE "http://cv.iptc.org/newscodes/digitalsourcetype/"

enum { MAX_REFERENCES = 70 };

/* A hashed URI to an assertion of the manifest that is being written. */
typedef struct Reference {
    char url[80];
    Hash hash;
} Reference;

typedef struct Build {
    const ManifestPlan *plan;
    Bytes *out;
    Reference references[MAX_REFERENCES]; /* of all assertions, in their order */
    size_t count;
    size_t inputs; /* ingredients: references[inputs .. inputs + ingredient_count) */
    bool failed;   /* a hash could not be made */
} Build;

bool manifest_plan_init(ManifestPlan *plan, AssetKind kind, SoraError *err)
{
    char label[UUID_SIZE], instance[UUID_SIZE];
    *plan = (ManifestPlan){.kind = kind, .hash.size = HASH_SHA256};
    if (!uuid_make_v4(label, err) || !uuid_make_v4(instance, err))
        return false;
    snprintf(plan->label, sizeof plan->label, "urn:c2pa:%s", label);
    snprintf(plan->instance, sizeof plan->instance, "xmp:iid:%s", instance);
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(plan->when, sizeof plan->when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return true;
}

static void put_pair(Bytes *b, const char *key, const char *value)
{
    cbor_put_text(b, key);
    cbor_put_text(b, value);
}

static void put_reference(Bytes *b, const char *url, const Hash *hash)
{
    cbor_put_map(b, 2);
    put_pair(b, "url", url);
    cbor_put_text(b, "hash");
    cbor_put_bytes(b, hash->bytes, hash->size);
}

/* After an assertion's box that begins at `at` is complete: its hash, for the claim. */
static void refer(Build *b, const char *label, size_t at)
{
    Reference *r = &b->references[b->count++];
    snprintf(r->url, sizeof r->url, "self#jumbf=c2pa.assertions/%s", label);
    Bytes *o = b->out;
    if (o->failed || !hash_span(HASH_DEFAULT, (Span){o->data + at + 8, o->size - at - 8}, &r->hash, NULL))
        b->failed = true;
}

/* "c2pa.ingredient.v3", then "c2pa.ingredient.v3__1" ... */
static void number_label(char *label, size_t size, const char *base, size_t number)
{
    if (number == 0)
        snprintf(label, size, "%s", base);
    else
        snprintf(label, size, "%s__%zu", base, number);
}

static size_t begin_cbor(Build *b, const char *label, size_t *content)
{
    size_t at = jumbf_begin_super(b->out, "cbor", label);
    *content = jumbf_begin(b->out, "cbor");
    return at;
}

static void end_cbor(Build *b, const char *label, size_t at, size_t content)
{
    jumbf_end(b->out, content);
    jumbf_end(b->out, at);
    refer(b, label, at);
}

static void put_prompt(Build *b)
{
    static const char label[] = "c2pa.embedded-data";
    size_t at = jumbf_begin_super(b->out, JUMBF_EMBEDDED_FILE, label);
    size_t box = jumbf_begin(b->out, "bfdb");
    bytes_put_u8(b->out, 0); /* no file name follows the media type */
    bytes_put(b->out, "text/plain", 11);
    jumbf_end(b->out, box);
    box = jumbf_begin(b->out, "bidb");
    bytes_put_text(b->out, b->plan->prompt);
    jumbf_end(b->out, box);
    jumbf_end(b->out, at);
    refer(b, label, at);
}

static void put_prompt_ingredient(Build *b, const char *label)
{
    size_t content, at = begin_cbor(b, label, &content);
    Bytes *o = b->out;
    cbor_put_map(o, 5);
    put_pair(o, "dc:title", "prompt");
    put_pair(o, "dc:format", "text/plain");
    put_pair(o, "relationship", "inputTo");
    cbor_put_text(o, "dataTypes");
    cbor_put_array(o, 1);
    cbor_put_map(o, 1);
    put_pair(o, "type", "c2pa.types.generator.prompt");
    cbor_put_text(o, "data");
    const Reference *data = &b->references[b->count - 1];
    put_reference(o, data->url, &data->hash);
    end_cbor(b, label, at, content);
}

/* In the order of SoraInputRole. */
static const char *const relationships[] = {"parentOf", "inputTo", "componentOf"};

static void put_ingredient(Build *b, const Ingredient *g, const char *label)
{
    size_t content, at = begin_cbor(b, label, &content);
    Bytes *o = b->out;
    char url[160];
    cbor_put_map(o, 2 + (g->media_type != NULL) + (g->label != NULL ? 3u : 0u));
    put_pair(o, "dc:title", g->title);
    if (g->media_type != NULL)
        put_pair(o, "dc:format", g->media_type);
    put_pair(o, "relationship", relationships[g->role]);
    if (g->label != NULL) {
        cbor_put_text(o, "validationResults");
        bytes_put(o, g->results.data, g->results.size);
        cbor_put_text(o, "activeManifest");
        snprintf(url, sizeof url, "self#jumbf=/c2pa/%.100s", g->label);
        put_reference(o, url, &g->manifest);
        cbor_put_text(o, "claimSignature");
        snprintf(url, sizeof url, "self#jumbf=/c2pa/%.100s/c2pa.signature", g->label);
        put_reference(o, url, &g->claim_signature);
    }
    end_cbor(b, label, at, content);
}

/* parameters of an action: the ingredients of one role, and the prompt, which is an input. */
static size_t count_role(const Build *b, SoraInputRole role)
{
    size_t n = role == SORA_INPUT_SOURCE && b->plan->prompt != NULL;
    for (size_t i = 0; i < b->plan->ingredient_count; i++)
        n += b->plan->ingredients[i].role == role;
    return n;
}

static void put_parameters(Build *b, SoraInputRole role)
{
    Bytes *o = b->out;
    cbor_put_text(o, "parameters");
    cbor_put_map(o, 1);
    cbor_put_text(o, "ingredients");
    cbor_put_array(o, count_role(b, role));
    for (size_t i = 0; i < b->plan->ingredient_count; i++) {
        const Reference *r = &b->references[b->inputs + i];
        if (b->plan->ingredients[i].role == role)
            put_reference(o, r->url, &r->hash);
    }
    if (role == SORA_INPUT_SOURCE && b->plan->prompt != NULL) { /* the last ingredient */
        const Reference *r = &b->references[b->inputs + b->plan->ingredient_count + 1];
        put_reference(o, r->url, &r->hash);
    }
}

/* What made the file: this program with its version; the model and its LoRAs are named in the software agent too. */
static void put_agent(Build *b)
{
    Bytes *o = b->out;
    size_t loras = 0;
    while (b->plan->loras != NULL && b->plan->loras[loras] != NULL)
        loras++;
    cbor_put_text(o, "softwareAgent");
    cbor_put_map(o, 2 + (b->plan->model != NULL) + (size_t)(loras > 0));
    put_pair(o, "name", "sora.c");
    put_pair(o, "version", SORA_VERSION);
    if (b->plan->model != NULL)
        put_pair(o, "org.sora-c.model", b->plan->model);
    if (loras == 0)
        return;
    cbor_put_text(o, "org.sora-c.loras");
    cbor_put_array(o, loras);
    for (size_t i = 0; i < loras; i++)
        cbor_put_text(o, b->plan->loras[i]);
}

typedef struct Action {
    const char *name;        /* "c2pa.edited" */
    const char *source;      /* digitalSourceType; NULL: none */
    const char *description; /* NULL: none */
    SoraInputRole role;      /* of the ingredients that it is about */
} Action;

static void put_action(Build *b, const Action *a)
{
    Bytes *o = b->out;
    bool has_inputs = count_role(b, a->role) > 0;
    cbor_put_map(o, 3 + (a->source != NULL) + (a->description != NULL) + (size_t)has_inputs);
    put_pair(o, "action", a->name);
    cbor_put_text(o, "when");
    cbor_put_tag(o, 0);
    cbor_put_text(o, b->plan->when);
    put_agent(b);
    if (a->source != NULL)
        put_pair(o, "digitalSourceType", a->source);
    if (a->description != NULL)
        put_pair(o, "description", a->description);
    if (has_inputs)
        put_parameters(b, a->role);
}

/* Made from nothing but words and what was looked at: created. Made from a file: opened, then edited. In both cases other
 * files may have been placed in it. */
static void put_actions(Build *b)
{
    static const char label[] = "c2pa.actions.v2";
    bool opens = count_role(b, SORA_INPUT_PARENT) > 0, places = count_role(b, SORA_INPUT_COMPONENT) > 0;
    const char *source =
        opens || places ? SOURCE "compositeWithTrainedAlgorithmicMedia" : SOURCE "trainedAlgorithmicMedia";
    size_t content, at = begin_cbor(b, label, &content);
    Bytes *o = b->out;
    cbor_put_map(o, 2);
    cbor_put_text(o, "actions");
    cbor_put_array(o, 1 + (size_t)opens + (size_t)places);
    if (opens)
        put_action(b, &(Action){.name = "c2pa.opened", .role = SORA_INPUT_PARENT});
    put_action(b, &(Action){opens ? "c2pa.edited" : "c2pa.created", source, b->plan->operation, SORA_INPUT_SOURCE});
    if (places)
        put_action(b, &(Action){.name = "c2pa.placed", .role = SORA_INPUT_COMPONENT});
    cbor_put_text(o, "allActionsIncluded");
    cbor_put_bool(o, true);
    end_cbor(b, label, at, content);
}

static void put_binding(Build *b)
{
    const ManifestPlan *p = b->plan;
    const char *label = p->kind == ASSET_MP4 ? "c2pa.hash.bmff.v3" : "c2pa.hash.data";
    size_t content, at = begin_cbor(b, label, &content);
    Bytes *o = b->out;
    cbor_put_map(o, p->kind == ASSET_MP4 ? 4 : 5);
    cbor_put_text(o, "exclusions");
    if (p->kind == ASSET_MP4) {
        hash_put_exclusions(o);
    } else {
        cbor_put_array(o, 1);
        cbor_put_map(o, 2);
        cbor_put_text(o, "start");
        cbor_put_uint_wide(o, (uint32_t)p->excluded.start);
        cbor_put_text(o, "length");
        cbor_put_uint_wide(o, (uint32_t)p->excluded.length);
        cbor_put_text(o, "pad");
        cbor_put_bytes(o, "", 0);
    }
    put_pair(o, "alg", "sha256");
    cbor_put_text(o, "hash");
    cbor_put_bytes(o, p->hash.bytes, p->hash.size);
    put_pair(o, "name", "jumbf manifest");
    end_cbor(b, label, at, content);
}

static void put_assertions(Build *b)
{
    const ManifestPlan *p = b->plan;
    char label[48];
    size_t at = jumbf_begin_super(b->out, "c2as", "c2pa.assertions");
    b->inputs = b->count;
    for (size_t i = 0; i < p->ingredient_count; i++) {
        number_label(label, sizeof label, "c2pa.ingredient.v3", i);
        put_ingredient(b, &p->ingredients[i], label);
    }
    if (p->prompt != NULL) {
        number_label(label, sizeof label, "c2pa.ingredient.v3", p->ingredient_count);
        put_prompt(b);
        put_prompt_ingredient(b, label);
    }
    put_actions(b);
    put_binding(b);
    jumbf_end(b->out, at);
}

static void put_claim(Build *b)
{
    const ManifestPlan *p = b->plan;
    Bytes *o = b->out;
    char url[96];
    cbor_put_map(o, 5 + (p->title != NULL));
    put_pair(o, "instanceID", p->instance);
    cbor_put_text(o, "claim_generator_info");
    cbor_put_map(o, 2);
    put_pair(o, "name", "sora.c");
    put_pair(o, "version", SORA_VERSION);
    snprintf(url, sizeof url, "self#jumbf=/c2pa/%s/c2pa.signature", p->label);
    put_pair(o, "signature", url);
    cbor_put_text(o, "created_assertions");
    cbor_put_array(o, b->count);
    for (size_t i = 0; i < b->count; i++)
        put_reference(o, b->references[i].url, &b->references[i].hash);
    if (p->title != NULL)
        put_pair(o, "dc:title", p->title);
    put_pair(o, "alg", "sha256");
}

/* The COSE structure over the claim. */
static bool put_signature(const ManifestWriter *w, Span claim, Bytes *out, SoraError *err)
{
    const Signer *s = w->plan->signer;
    Bytes header = {0}, to_sign = {0}, signature = {0};
    Span token = {NULL, 0};
    bool ok = true;
    cose_put_protected(s, &header);
    if (w->placeholder) {
        bytes_put_zeros(&signature, s->signature_size);
    } else {
        cose_put_signed("Signature1", bytes_span(&header), claim, &to_sign);
        ok = (!to_sign.failed || error_set(err, SORA_ERROR_MEMORY, "signature: out of memory")) &&
             signer_sign(s, bytes_span(&to_sign), &signature, err);
        if (ok && w->stamp != NULL)
            token = w->stamp(bytes_span(&header), bytes_span(&signature), w->user);
    }
    ok = ok &&
         cose_put_sign1(bytes_span(&header), token, bytes_span(&signature), w->plan->signature_box, out, err);
    bytes_deinit(&header);
    bytes_deinit(&to_sign);
    bytes_deinit(&signature);
    return ok;
}

bool manifest_write(const ManifestWriter *w, Bytes *store, SoraError *err)
{
    const ManifestPlan *p = w->plan;
    if (p->ingredient_count > MAX_REFERENCES - 4)
        return error_set(err, SORA_ERROR_INPUT, "more than %d inputs", MAX_REFERENCES - 4);
    Build b = {.plan = p, .out = store};
    size_t root = jumbf_begin_super(store, "c2pa", "c2pa");
    for (size_t i = 0; i < p->manifest_count; i++)
        bytes_put(store, p->manifests[i].data, p->manifests[i].size);
    size_t manifest = jumbf_begin_super(store, "c2ma", p->label);
    put_assertions(&b);

    size_t super = jumbf_begin_super(store, "c2cl", "c2pa.claim.v2");
    size_t content = jumbf_begin(store, "cbor"), claim = store->size;
    put_claim(&b);
    Bytes copy = {0}; /* of the claim: the buffer may move while the signature is appended */
    bytes_put(&copy, store->failed ? NULL : store->data + claim, store->failed ? 0 : store->size - claim);
    jumbf_end(store, content);
    jumbf_end(store, super);

    super = jumbf_begin_super(store, "c2cs", "c2pa.signature");
    content = jumbf_begin(store, "cbor");
    bool ok = put_signature(w, bytes_span(&copy), store, err);
    bytes_deinit(&copy);
    jumbf_end(store, content);
    jumbf_end(store, super);
    jumbf_end(store, manifest);
    jumbf_end(store, root);
    if (ok && (store->failed || b.failed))
        ok = error_set(err, SORA_ERROR_MEMORY, "manifest: out of memory");
    return ok;
}
