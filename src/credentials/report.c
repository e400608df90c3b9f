#include "credentials/report.h"

#include <stdlib.h>
#include <string.h>
#include "base/shortage.h"
#include "credentials/cbor_data.h"

enum { MAX_STATUSES = 1 << 16 };

static const char *const kind_names[] = {"success", "informational", "failure"};

void report_init(Report *r)
{
    *r = (Report){0};
    arena_init(&r->arena, 16 << 10);
}

void report_deinit(Report *r)
{
    free(r->list);
    json_decref(r->manifests);
    arena_deinit(&r->arena);
    *r = (Report){0};
}

static const char *copy(Report *r, const char *text)
{
    char *s = arena_strdup(&r->arena, text ? text : "");
    r->failed = r->failed || s == NULL;
    /* a long name may have been cut within a letter, and JSON takes whole ones */
    for (char *p = s; p != NULL && *p && !span_is_utf8((Span){(const uint8_t *)s, strlen(s)}); p++)
        *p = (unsigned char)*p < 0x80 ? *p : '?';
    return s ? s : "";
}

void report_add(Report *r, const Status *status)
{
    r->failed = r->failed || shortage_seen(); /* then what is said here may be wrong */
    if (r->count == r->room) {
        int room = r->room ? 2 * r->room : 32;
        Status *more = room <= MAX_STATUSES ? realloc(r->list, (size_t)room * sizeof *more) : NULL;
        if (more == NULL) {
            r->failed = true;
            return;
        }
        r->list = more;
        r->room = room;
    }
    Status *s = &r->list[r->count++];
    *s = *status;
    s->url = copy(r, status->url);
    s->explanation = copy(r, status->explanation);
    s->ingredient = status->ingredient ? copy(r, status->ingredient) : NULL;
}

static bool has(const Report *r, const char *code)
{
    for (int i = 0; i < r->count; i++)
        if (r->list[i].ingredient == NULL && r->list[i].kind == STATUS_SUCCESS &&
            strcmp(r->list[i].code, code) == 0)
            return true;
    return false;
}

/* An unknown signer alone makes nothing invalid, nor does what is wrong with an identity that was added. */
static bool is_tolerated(const char *code)
{
    return strcmp(code, "signingCredential.untrusted") == 0 || strncmp(code, "cawg.x509.", 10) == 0;
}

static bool fails(const Report *r, bool tolerant)
{
    for (int i = 0; i < r->count; i++)
        if (r->list[i].kind == STATUS_FAILURE && (!tolerant || !is_tolerated(r->list[i].code)))
            return true;
    return false;
}

bool report_is_valid(const Report *r)
{
    return !r->failed && has(r, "claimSignature.validated") && has(r, "claimSignature.insideValidity") &&
           !fails(r, true);
}

bool report_is_trusted(const Report *r)
{
    return report_is_valid(r) && has(r, "signingCredential.trusted") && !fails(r, false);
}

static bool same_place(const Status *s, const char *ingredient)
{
    return ingredient == NULL ? s->ingredient == NULL
                              : s->ingredient != NULL && strcmp(s->ingredient, ingredient) == 0;
}

/* The first status of its ingredient? Each ingredient is listed once. */
static bool is_first(const Report *r, int i)
{
    for (int k = 0; k < i; k++)
        if (same_place(&r->list[k], r->list[i].ingredient))
            return false;
    return true;
}

static json_t *json_codes(const Report *r, const char *ingredient)
{
    json_t *o = json_pack("{s:[], s:[], s:[]}", kind_names[0], kind_names[1], kind_names[2]);
    for (int i = 0; o != NULL && i < r->count; i++) {
        const Status *s = &r->list[i];
        if (same_place(s, ingredient))
            json_array_append_new(
                json_object_get(o, kind_names[s->kind]),
                json_pack("{s:s, s:s, s:s}", "code", s->code, "url", s->url, "explanation", s->explanation));
    }
    return o;
}

json_t *report_json(const Report *r, const char *path)
{
    json_t *file = json_string(path);
    if (!r->present)
        return json_pack("{s:o, s:b}", "file", file ? file : json_null(), "credentials", false);
    json_t *results = json_pack("{s:o}", "activeManifest", json_codes(r, NULL));
    json_t *deltas = json_array();
    for (int i = 0; i < r->count; i++)
        if (r->list[i].ingredient != NULL && is_first(r, i))
            json_array_append_new(deltas,
                                  json_pack("{s:s, s:o}", "ingredientAssertionURI", r->list[i].ingredient,
                                            "validationDeltas", json_codes(r, r->list[i].ingredient)));
    if (results != NULL && json_array_size(deltas) > 0)
        json_object_set(results, "ingredientDeltas", deltas);
    json_decref(deltas);
    const char *state = report_is_trusted(r) ? "Trusted" : report_is_valid(r) ? "Valid" : "Invalid";
    return json_pack("{s:o, s:b, s:s, s:b, s:s?, s:O?, s:o}", "file", file ? file : json_null(),
                     "credentials", true, "validation_state", state, "valid", report_is_valid(r),
                     "active_manifest", r->active, "manifests", r->manifests, "validation_results", results);
}

static void put_codes(const Report *r, const char *ingredient, Bytes *out)
{
    cbor_put_map(out, 3);
    for (int kind = 0; kind < 3; kind++) {
        size_t count = 0;
        for (int i = 0; i < r->count; i++)
            count += (int)r->list[i].kind == kind && same_place(&r->list[i], ingredient);
        cbor_put_text(out, kind_names[kind]);
        cbor_put_array(out, count);
        for (int i = 0; i < r->count; i++) {
            const Status *s = &r->list[i];
            if ((int)s->kind != kind || !same_place(s, ingredient))
                continue;
            cbor_put_map(out, 1 + (*s->url != 0) + (*s->explanation != 0));
            cbor_put_text(out, "code");
            cbor_put_text(out, s->code);
            if (*s->url != 0) {
                cbor_put_text(out, "url");
                cbor_put_text(out, s->url);
            }
            if (*s->explanation != 0) {
                cbor_put_text(out, "explanation");
                cbor_put_text(out, s->explanation);
            }
        }
    }
}

void report_put_results(const Report *r, Bytes *out)
{
    size_t deltas = 0;
    for (int i = 0; i < r->count; i++)
        deltas += r->list[i].ingredient != NULL && is_first(r, i);
    cbor_put_map(out, 1 + (deltas > 0));
    cbor_put_text(out, "activeManifest");
    put_codes(r, NULL, out);
    if (deltas == 0)
        return;
    cbor_put_text(out, "ingredientDeltas");
    cbor_put_array(out, deltas);
    for (int i = 0; i < r->count; i++) {
        if (r->list[i].ingredient == NULL || !is_first(r, i))
            continue;
        cbor_put_map(out, 2);
        cbor_put_text(out, "ingredientAssertionURI");
        cbor_put_text(out, r->list[i].ingredient);
        cbor_put_text(out, "validationDeltas");
        put_codes(r, r->list[i].ingredient, out);
    }
}
