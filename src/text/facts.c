#include "text/facts.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind {
    KIND_NOUNS, KIND_SCENERY, KIND_COLOURS, KIND_COUNTS, KIND_ACTIONS, KIND_DIRECTIONS, KIND_PLACES, KIND_TIMES, KIND_WEATHERS,
    KIND_CAMERAS, KIND_OTHERS, KINDS
} Kind;

static const char *const KEYS[KINDS] = {"nouns",  "scenery", "colours",  "counts",  "actions", "directions",
                                        "places", "times",   "weathers", "cameras", "others"};

enum { MAX_TEXT = 4096, MAX_TOKENS = 512 };

/* A word form. English in tokens with single spaces, lower case. */
typedef struct Term {
    const char *text; /* the JSON's */
    size_t length;
    Kind kind;
    int value;
    bool japanese;
} Term;

struct FactReader {
    json_t *root;
    Term *terms;
    int count;
};

/* Words that captions use of more than what happens: they alone say nothing. */
static bool is_weak(Kind kind, const char *text)
{
    return kind == KIND_ACTIONS && (strcmp(text, "into") == 0 || strcmp(text, "away") == 0);
}

static bool add_terms(FactReader *r, Kind kind, int value, const json_t *forms, bool japanese)
{
    size_t i;
    json_t *form;
    json_array_foreach(forms, i, form) {
        const char *text = json_string_value(form);
        if (text == NULL || *text == 0 || is_weak(kind, text))
            continue;
        Term *terms = realloc(r->terms, (size_t)(r->count + 1) * sizeof *terms);
        if (terms == NULL)
            return false;
        r->terms = terms;
        terms[r->count++] = (Term){text, strlen(text), kind, value, japanese};
    }
    return true;
}

FactReader *fact_reader_new(const char *words, SoraError *err)
{
    FactReader *r = calloc(1, sizeof *r);
    json_error_t e;
    bool ok = r != NULL || error_no_memory(err);
    if (ok && ((r->root = json_loads(words, JSON_REJECT_DUPLICATES, &e)) == NULL || !json_is_object(r->root)))
        ok = error_set(err, SORA_ERROR_INPUT, "words: no JSON object");
    for (int k = 0; ok && k < KINDS; k++) {
        const json_t *list = json_object_get(r->root, KEYS[k]);
        for (size_t i = 0; ok && i < json_array_size(list); i++) {
            const json_t *entry = json_array_get(list, i);
            ok = (add_terms(r, (Kind)k, (int)i, json_object_get(entry, "en"), false) &&
                  add_terms(r, (Kind)k, (int)i, json_object_get(entry, "ja"), true)) || error_no_memory(err);
        }
    }
    if (ok)
        return r;
    fact_reader_free(r);
    return NULL;
}

void fact_reader_free(FactReader *r)
{
    if (r == NULL)
        return;
    json_decref(r->root);
    free(r->terms);
    free(r);
}

const char *fact_word(const FactReader *r, const char *list, int i, bool japanese)
{
    const json_t *entry = json_array_get(json_object_get(r->root, list), i >= 0 ? (size_t)i : SIZE_MAX);
    return json_string_value(json_array_get(json_object_get(entry, japanese ? "ja" : "en"), 0));
}

const char *fact_form(const FactReader *r, const char *list, int i, int form)
{
    const json_t *entry = json_array_get(json_object_get(r->root, list), i >= 0 ? (size_t)i : SIZE_MAX);
    return json_string_value(json_array_get(json_object_get(entry, "en"), form >= 0 ? (size_t)form : SIZE_MAX));
}

int fact_find(const FactReader *r, const char *list, const char *word)
{
    for (int i = 0; i < r->count; i++)
        if (strcmp(KEYS[r->terms[i].kind], list) == 0 && strcmp(r->terms[i].text, word) == 0)
            return r->terms[i].value;
    return FACT_NONE;
}

/* --- reading --- */

/* A term, or several of one length, in a text. */
typedef struct Mention {
    size_t at, length; /* bytes */
    int values[KINDS]; /* the first of each kind; FACT_NONE */
    uint32_t actions;
} Mention;

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '\'';
}

static bool stands_at(const Term *t, const char *text, size_t at)
{
    if (strncmp(text + at, t->text, t->length) != 0)
        return false;
    return t->japanese || ((at == 0 || !is_word(text[at - 1])) && !is_word(text[at + t->length]));
}

static bool find_mention(const FactReader *r, const char *text, size_t at, Mention *m)
{
    *m = (Mention){.at = at};
    for (int i = 0; i < r->count; i++) {
        const Term *t = &r->terms[i];
        if (t->length < m->length || !stands_at(t, text, at))
            continue;
        if (t->length > m->length) {
            *m = (Mention){.at = at, .length = t->length};
            for (int k = 0; k < KINDS; k++)
                m->values[k] = FACT_NONE;
        }
        if (m->values[t->kind] == FACT_NONE)
            m->values[t->kind] = t->value;
        else if (t->kind == KIND_COUNTS)
            m->values[t->kind] = FACT_NONE - 1; /* a counter, which goes with every number */
        if (t->kind == KIND_ACTIONS && t->value < 32)
            m->actions |= 1u << t->value;
    }
    return m->length > 0;
}

typedef struct Reading {
    const FactReader *reader;
    const char *text;
    Facts facts;
    size_t colour_end, count_end; /* where the last colour and the last number end */
    int colour, count;
    bool japanese;
} Reading;

static bool before(const Reading *r, size_t at, const char *words)
{
    size_t n = strlen(words);
    return at >= n && strncmp(r->text + at - n, words, n) == 0;
}

static bool after(const Reading *r, size_t at, const char *words)
{
    return strncmp(r->text + at, words, strlen(words)) == 0;
}

/* Only what touches it, or has a space or a の between, belongs to it. */
static bool adjoins(const Reading *r, size_t end, size_t at)
{
    return end > 0 && (end == at || (end + 1 == at && r->text[end] == ' ') || (end + 3 == at && after(r, end, "の")));
}

static void take_noun(Reading *r, const Mention *m)
{
    Facts *f = &r->facts;
    int noun = m->values[KIND_NOUNS] >= 0 ? m->values[KIND_NOUNS] : FACT_SCENERY + m->values[KIND_SCENERY];
    int colour = adjoins(r, r->colour_end, m->at) ? r->colour : FACT_NONE;
    size_t begin = colour >= 0 ? r->colour_end : m->at;
    if (f->noun == FACT_NONE) {
        f->noun = noun;
        f->colour = colour;
        f->count = r->count_end > 0 && r->count_end + 24 >= begin ? r->count : !r->japanese ? 1 : FACT_NONE;
    } else if (f->other == FACT_NONE && noun != f->noun) {
        f->other = noun;
        f->other_colour = colour;
    }
}

/* Where it goes; not where something stands, comes out, or what the camera does. */
static void take_direction(Reading *r, const Mention *m)
{
    size_t end = m->at + m->length;
    bool place = before(r, m->at, "on the ") || after(r, end, " of ") || after(r, end, "には") || (after(r, end, "の") && !after(r, end, "の方")) ||
                 before(r, m->at, "奥の");
    bool origin = before(r, m->at, "from ") || after(r, end, "から");
    if (!place && !origin && r->facts.direction == FACT_NONE)
        r->facts.direction = m->values[KIND_DIRECTIONS] == 0 ? FACT_LEFT : FACT_RIGHT;
}

/* Verbs that leave one another open are narrowed; what is done to another one counts more than how. */
static void take_actions(Reading *r, const Mention *m)
{
    static const char *const SPECIAL[] = {"circles", "behind", "knocks", "chases"};
    uint32_t special = 0;
    for (size_t i = 0; i < sizeof SPECIAL / sizeof *SPECIAL; i++) {
        int value = fact_find(r->reader, "actions", SPECIAL[i]);
        special |= value >= 0 && value < 32 ? 1u << value : 0;
    }
    Facts *f = &r->facts;
    if (f->actions == 0)
        snprintf(f->verb, sizeof f->verb, "%.*s", (int)m->length, r->text + m->at);
    if (f->actions == 0)
        f->actions = m->actions;
    else if ((f->actions & m->actions) != 0)
        f->actions &= m->actions;
    else if ((m->actions & special) != 0 && (f->actions & special) == 0)
        f->actions = m->actions & special;
}

static void set(int *fact, int value)
{
    if (*fact == FACT_NONE && value >= 0)
        *fact = value;
}

/* "orange" is a colour where a thing follows. */
static bool colours_what_follows(const Reading *r, const Mention *m)
{
    size_t end = m->at + m->length;
    Mention next;
    return m->values[KIND_COLOURS] >= 0 && r->text[end] == ' ' && find_mention(r->reader, r->text, end + 1, &next) &&
           (next.values[KIND_NOUNS] >= 0 || next.values[KIND_SCENERY] >= 0);
}

static void take(Reading *r, const Mention *m)
{
    Facts *f = &r->facts;
    size_t end = m->at + m->length;
    bool background = before(r, m->at, "stands in the background") || (r->japanese && f->actions != 0);
    bool noun = m->values[KIND_NOUNS] >= 0 || m->values[KIND_SCENERY] >= 0;
    if (noun && !colours_what_follows(r, m)) {
        take_noun(r, m);
    } else if (m->values[KIND_COLOURS] >= 0) {
        r->colour = m->values[KIND_COLOURS];
        r->colour_end = end;
        if (m->values[KIND_OTHERS] < 0)
            return;
    } else if (m->values[KIND_COUNTS] >= 0) {
        r->count = m->values[KIND_COUNTS] + 1;
        r->count_end = end;
    }
    if (m->values[KIND_DIRECTIONS] >= 0)
        take_direction(r, m);
    if (m->actions != 0 && !(background && m->values[KIND_OTHERS] >= 0))
        take_actions(r, m);
    set(&f->place, m->values[KIND_PLACES]);
    set(&f->time, m->values[KIND_TIMES]);
    set(&f->weather, m->values[KIND_WEATHERS]);
    set(&f->camera, m->values[KIND_CAMERAS]);
    static const char *const SUNNY[] = {"sunny", "晴れ", "よく晴れ"};
    for (size_t i = 0; i < sizeof SUNNY / sizeof *SUNNY; i++)
        f->sunny = f->sunny || after(r, m->at, SUNNY[i]);
}

/* Lower case, without bytes that would not fit. */
static void lower(const char *text, char out[MAX_TEXT])
{
    size_t n = 0;
    for (; *text != 0 && n + 1 < MAX_TEXT; text++)
        out[n++] = (unsigned char)*text < 0x80 ? (char)tolower((unsigned char)*text) : *text;
    out[n] = 0;
}

Facts facts_read(const FactReader *reader, const char *text)
{
    char copy[MAX_TEXT];
    lower(text, copy);
    Reading r = {.reader = reader, .text = copy,
                 .facts = {.noun = FACT_NONE, .other = FACT_NONE, .colour = FACT_NONE, .other_colour = FACT_NONE, .count = FACT_NONE,
                           .direction = FACT_NONE, .place = FACT_NONE, .time = FACT_NONE, .weather = FACT_NONE, .camera = FACT_NONE}};
    for (const char *c = copy; *c != 0; c++)
        r.japanese = r.japanese || (unsigned char)*c >= 0xe3;
    for (size_t at = 0; copy[at] != 0;) {
        Mention m;
        bool start = ((unsigned char)copy[at] & 0xc0) != 0x80;
        if (start && find_mention(reader, copy, at, &m)) {
            take(&r, &m);
            at += m.length;
        } else {
            at++;
        }
    }
    if (r.facts.sunny && r.facts.time == FACT_NONE)
        r.facts.time = 0;
    return r.facts;
}
