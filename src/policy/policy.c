#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "policy/classifier.h"
#include "policy/fold.h"
#include "policy/hits.h"
#include "policy/lattice.h"
#include "policy/lexicon.h"
#include "policy/matcher.h"
#include "policy/rules.h"
#include "text/buffer.h"
#include "text/utf8.h"

enum {
    NEAR = 60,           /* bytes between the two phrases of a pair, at most */
    JOINED_LENGTH = 4,   /* letters of a phrase that is looked for inside spaced letters */
    MENDED_ONE = FOLD_FORMS, /* forms behind those of fold.h */
    MENDED_TWO,
    FORMS,
};

struct Policy {
    Rules rules;
    Matcher matcher;
    Lexicon lexicon;
    Classifier classifier;
    int classified[CLASSIFIER_CATEGORIES]; /* the rules' list of each of its categories, or -1 */
    char version[64];
};

/* One check: where its findings go. */
typedef struct Check {
    const Policy *policy;
    PolicyListener *listener;
    void *user;
    PolicyVerdict *verdict;
    int category; /* of the verdict; RULES_MAX_LISTS: allowed */
    const char *form;
} Check;

static int compare_phrases(const void *a, const void *b)
{
    const RulePhrase *x = a, *y = b;
    size_t n = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->bytes, y->bytes, n);
    if (order != 0)
        return order;
    return x->size != y->size ? (x->size < y->size ? -1 : 1) : x->list - y->list;
}

/* Phrases with the same bytes become one key, with the others behind it. */
static bool build_matcher(Policy *p)
{
    Rules *r = &p->rules;
    size_t kept = 0, count = 0;
    for (size_t i = 0; i < r->phrase_count; i++) {
        if (!r->phrases[i].removed)
            r->phrases[kept++] = r->phrases[i];
    }
    r->phrase_count = kept;
    if (kept == 0)
        return true;
    qsort(r->phrases, kept, sizeof *r->phrases, compare_phrases);
    TrieKey *keys = malloc(kept * sizeof *keys);
    if (keys == NULL)
        return false;
    for (size_t i = 0; i < kept; i++) {
        RulePhrase *phrase = &r->phrases[i];
        bool same = count > 0 && keys[count - 1].size == phrase->size && memcmp(keys[count - 1].bytes, phrase->bytes, phrase->size) == 0;
        if (same)
            r->phrases[i - 1].next = (int32_t)i;
        else
            keys[count++] = (TrieKey){phrase->bytes, phrase->size, (int32_t)i};
    }
    bool ok = matcher_init(&p->matcher, keys, count);
    free(keys);
    return ok;
}

static bool open_classifier(Policy *p, SoraError *err)
{
    if (!classifier_init(&p->classifier, POLICY_CLASSIFIER.text, POLICY_CLASSIFIER.size, err))
        return false;
    for (int i = 0; i < p->classifier.count; i++) {
        p->classified[i] = -1;
        for (int k = 0; k < p->rules.list_count; k++) {
            const RuleGroup *list = &p->rules.lists[k];
            if (list->sentence != NULL && strcmp(list->name, p->classifier.heads[i].name) == 0)
                p->classified[i] = k;
        }
    }
    return true;
}

Policy *policy_open_memory(const char *rules, size_t size, const char *name, SoraError *err)
{
    Policy *p = calloc(1, sizeof *p);
    if (p == NULL) {
        error_no_memory(err);
        return NULL;
    }
    rules_init(&p->rules);
    uint64_t hash = HASH64_START;
    bool ok = true;
    for (const RuleList *list = RULE_LISTS; ok && list->name != NULL; list++) {
        ok = rules_add(&p->rules, list, err);
        hash = hash64(hash, list->text, list->size);
    }
    RuleList own = {name, rules, size};
    if (ok && rules != NULL) {
        ok = rules_add(&p->rules, &own, err);
        hash = hash64(hash, rules, size);
    }
    hash = hash64(hash, POLICY_VOCABULARY.text, POLICY_VOCABULARY.size);
    hash = hash64(hash, POLICY_CLASSIFIER.text, POLICY_CLASSIFIER.size);
    ok = ok && open_classifier(p, err);
    if (ok && !(build_matcher(p) && lexicon_init(&p->lexicon, &p->rules, POLICY_VOCABULARY.text, POLICY_VOCABULARY.size)))
        ok = error_no_memory(err);
    if (!ok) {
        policy_close(p);
        return NULL;
    }
    snprintf(p->version, sizeof p->version, "%s-%08x", p->rules.version, (unsigned)(hash ^ (hash >> 32)));
    return p;
}

Policy *policy_open(const char *path, SoraError *err)
{
    if (path == NULL)
        return policy_open_memory(NULL, 0, NULL, err);
    size_t size = 0;
    char *rules = file_read(path, POLICY_MAX_TEXT, &size, err);
    Policy *p = rules != NULL ? policy_open_memory(rules, size, path, err) : NULL;
    free(rules);
    return p;
}

void policy_close(Policy *policy)
{
    if (policy == NULL)
        return;
    matcher_deinit(&policy->matcher);
    lexicon_deinit(&policy->lexicon);
    rules_deinit(&policy->rules);
    free(policy);
}

const PictureRules *policy_picture_rules(const Policy *policy)
{
    return &policy->rules.pictures;
}

const char *policy_version(const Policy *policy)
{
    return policy->version;
}

const char *policy_category(const Policy *policy, size_t i)
{
    for (int k = 0; k < policy->rules.list_count; k++) {
        if (policy->rules.lists[k].sentence != NULL && i-- == 0)
            return policy->rules.lists[k].name;
    }
    return NULL;
}

/* May a phrase of that many bytes begin or end before byte p? */
static bool is_edge(const Folded *f, size_t p, size_t size)
{
    if (p == 0 || p >= f->size)
        return true;
    int before = f->marks[p - 1] & CLASS_MASK, after = f->marks[p] & CLASS_MASK;
    return before != after || before == CLASS_FREE || (before == CLASS_JOINED && size >= JOINED_LENGTH);
}

/* Does the word end at p, or after the s of a plural? */
static bool ends_word(const Folded *f, size_t p, size_t size, bool plural)
{
    if (is_edge(f, p, size))
        return true;
    if (!plural || size < HITS_PLURAL || (unsigned char)f->bytes[p - 1] >= 0x80)
        return false;
    return (f->bytes[p] == 's' && is_edge(f, p + 1, size)) ||
           (p + 1 < f->size && memcmp(f->bytes + p, "es", 2) == 0 && is_edge(f, p + 2, size));
}

static bool has_capitals(const Folded *f, size_t begin, size_t end)
{
    bool several = memchr(f->bytes + begin, ' ', end - begin) != NULL;
    if (f->shouted || (!several && (f->marks[begin] & FOLD_FIRST) != 0))
        return false;
    for (size_t i = begin; i < end; i++) {
        bool starts = i == begin || f->bytes[i - 1] == ' ';
        if (starts && (f->marks[i] & FOLD_CAPITAL) == 0)
            return false;
    }
    return true;
}

static bool applies(const RulePhrase *phrase, const Folded *f, size_t begin, size_t end)
{
    size_t size = end - begin;
    switch ((RuleKind)phrase->kind) {
    case RULE_PART:
        return true;
    case RULE_STEM:
        return is_edge(f, begin, size);
    case RULE_EXACT:
        return is_edge(f, begin, size) && is_edge(f, end, size);
    case RULE_CAPITAL:
        return is_edge(f, begin, size) && is_edge(f, end, size) && has_capitals(f, begin, end);
    default:
        return is_edge(f, begin, size) && ends_word(f, end, size, true);
    }
}

bool hits_add(Hits *hits, Hit hit)
{
    if (hits->count == hits->capacity) {
        size_t capacity = 2 * hits->capacity + 64;
        Hit *more = realloc(hits->at, capacity * sizeof *more);
        if (more == NULL)
            return false;
        hits->at = more;
        hits->capacity = capacity;
    }
    hits->at[hits->count++] = hit;
    return true;
}

/* All phrases whose rules hold, in the order of their ends. */
static bool find_hits(const Policy *p, const Folded *f, Hits *hits)
{
    const Matcher *m = &p->matcher;
    uint32_t state = 0;
    for (size_t i = 0; m->trie.nodes != NULL && i < f->size; i++) {
        state = matcher_next(m, state, (uint8_t)f->bytes[i]);
        for (uint32_t node = state; node != 0; node = matcher_output(m, node)) {
            for (int32_t k = m->trie.nodes[node].value; k >= 0; k = p->rules.phrases[k].next) {
                Hit hit = {&p->rules.phrases[k], i + 1 - m->length[node], i + 1};
                if (applies(hit.phrase, f, hit.begin, hit.end) && !hits_add(hits, hit))
                    return false;
            }
        }
    }
    return true;
}

static void report(Check *c, int category, PolicyFinding found)
{
    const RuleGroup *list = &c->policy->rules.lists[category];
    if (list->off)
        return;
    found.category = list->name;
    found.form = c->form;
    if (c->listener != NULL)
        c->listener(c->user, &found);
    if (category == LIST_INNOCENT || category >= c->category)
        return;
    c->category = category;
    PolicyVerdict *v = c->verdict;
    v->allowed = false;
    v->category = list->name;
    v->sentence = list->sentence;
    v->part = found.part;
    v->form = c->form;
    v->phrase = found.phrase;
    v->place = found.place;
    v->second_phrase = found.second_phrase;
    v->second_place = found.second_place;
}

/* Hits that lie within an innocent phrase go, and so do the innocent phrases. cover: [size], gets 1 inside an innocent phrase. */
static void drop_innocent(Check *c, Hits *hits, uint8_t *cover)
{
    size_t kept = 0;
    for (size_t i = hits->count; i-- > 0;) {
        const Hit *h = &hits->at[i];
        if (h->phrase->list != LIST_INNOCENT)
            continue;
        report(c, LIST_INNOCENT, (PolicyFinding){.part = "phrase", .phrase = h->phrase->phrase, .place = h->phrase->place});
        for (size_t k = h->begin; k < h->end; k++)
            cover[k] = 1;
    }
    for (size_t i = 0; i < hits->count; i++) {
        const Hit *h = &hits->at[i];
        if (h->phrase->list != LIST_INNOCENT && memchr(cover + h->begin, 0, h->end - h->begin) != NULL)
            hits->at[kept++] = *h;
    }
    hits->count = kept;
}

static void report_pair(Check *c, const RulePair *pair, const Hit *a, const Hit *b)
{
    report(c, pair->category,
           (PolicyFinding){.part = "pair",
                           .phrase = a->phrase->phrase,
                           .place = a->phrase->place,
                           .second_phrase = b->phrase->phrase,
                           .second_place = b->phrase->place});
}

/* Two hits that are near and do not overlap. Hits are in the order of their ends and no longer than a phrase can be, so the
 * search back ends soon. */
static void report_pairs(Check *c, const Hits *hits)
{
    const Rules *r = &c->policy->rules;
    for (size_t i = 0; i < hits->count; i++) {
        const Hit *b = &hits->at[i];
        for (size_t k = i; k-- > 0 && hits->at[k].end + NEAR >= b->begin;) {
            const Hit *a = &hits->at[k];
            for (int j = 0; a->end <= b->begin && j < r->pair_count; j++) {
                const RulePair *pair = &r->pairs[j];
                if (a->phrase->list == pair->first && b->phrase->list == pair->second)
                    report_pair(c, pair, a, b);
                else if (a->phrase->list == pair->second && b->phrase->list == pair->first)
                    report_pair(c, pair, b, a);
            }
        }
    }
}

static void classify(Check *c, const Folded *f)
{
    float scores[CLASSIFIER_CATEGORIES];
    const Policy *p = c->policy;
    classifier_score(&p->classifier, f, scores);
    for (int i = 0; i < p->classifier.count; i++) {
        int list = p->classified[i];
        if (list < 0)
            continue;
        int place = 0; /* among the categories */
        for (int k = 0; k < list; k++)
            place += p->rules.lists[k].sentence != NULL;
        if (place < POLICY_SCORES && scores[i] > c->verdict->scores[place])
            c->verdict->scores[place] = scores[i];
        float own = p->rules.lists[list].threshold, threshold = own >= 0 ? own : p->classifier.heads[i].threshold;
        if (threshold < 1 && scores[i] >= threshold)
            report(c, list, (PolicyFinding){.part = "classifier", .score = scores[i], .threshold = threshold});
    }
}

/* What the hits come to, without those in innocent phrases. */
static bool weigh(Check *c, const Folded *f, Hits *hits)
{
    uint8_t *cover = calloc(f->size + 1, 1);
    if (cover == NULL)
        return false;
    drop_innocent(c, hits, cover);
    for (size_t i = 0; i < hits->count; i++) {
        const RulePhrase *p = hits->at[i].phrase;
        if (c->policy->rules.lists[p->list].sentence != NULL)
            report(c, p->list, (PolicyFinding){.part = "phrase", .phrase = p->phrase, .place = p->place});
    }
    report_pairs(c, hits);
    free(cover);
    return true;
}

static bool judge(Check *c, const Folded *f)
{
    Hits hits = {0};
    bool ok = find_hits(c->policy, f, &hits) && weigh(c, f, &hits);
    if (ok)
        classify(c, f);
    free(hits.at);
    return ok;
}

/* By all that the words may have been. */
static bool judge_guesses(Check *c, const Folded *f)
{
    Hits hits = {0};
    const Policy *p = c->policy;
    bool ok = lattice_find(&p->lexicon, &p->rules, &p->matcher, f, &hits) && weigh(c, f, &hits);
    free(hits.at);
    return ok;
}

/* Is one of the forms before it the same? */
static bool is_repeated(const Folded *forms, int i)
{
    for (int k = 0; k < i; k++) {
        if (forms[k].size == forms[i].size && memcmp(forms[k].bytes, forms[i].bytes, forms[i].size) == 0 &&
            memcmp(forms[k].marks, forms[i].marks, forms[i].size) == 0)
            return true;
    }
    return false;
}

bool policy_check(const Policy *policy, const char *text, size_t n, PolicyListener *listener, void *user, PolicyVerdict *verdict,
                  SoraError *err)
{
    Folded forms[FORMS] = {0};
    *verdict = (PolicyVerdict){.allowed = true};
    if (n > POLICY_MAX_TEXT)
        return error_set(err, SORA_ERROR_INPUT, "the text has %zu bytes, at most %d are accepted", n, POLICY_MAX_TEXT);
    if (!utf8_check(text, n, "the text", err))
        return false;
    if (!fold_text(text, n, forms, FOLD_FORMS))
        return error_no_memory(err);
    Check c = {policy, listener, user, verdict, RULES_MAX_LISTS, NULL};
    bool ok = lexicon_mend(&policy->lexicon, &forms[FOLD_ONE], &forms[MENDED_ONE]) &&
              lexicon_mend(&policy->lexicon, &forms[FOLD_TWO], &forms[MENDED_TWO]);
    for (int i = 0; i < FORMS; i++) {
        c.form = i == FOLD_WRITTEN ? "as written" : i < FOLD_FORMS ? "normalised" : "mended";
        if (ok && !is_repeated(forms, i))
            ok = judge(&c, &forms[i]);
    }
    c.form = "mended";
    for (int i = FOLD_WRITTEN; i <= FOLD_ONE; i++)
        ok = ok && (is_repeated(forms, i) || judge_guesses(&c, &forms[i]));
    for (int i = 0; i < FORMS; i++)
        folded_deinit(&forms[i]);
    return ok || error_no_memory(err);
}

/* Is the piece itself allowed, and refused behind "a person without"? Then *verdict says why. */
static bool check_absence(const Policy *policy, const char *piece, size_t n, PolicyVerdict *verdict, SoraError *err)
{
    PolicyVerdict alone;
    Buffer absent = {0};
    static const char before[] = "a person without ";
    if (!policy_check(policy, piece, n, NULL, NULL, &alone, err))
        return false;
    if (!alone.allowed)
        return true;
    buffer_append(&absent, before, sizeof before - 1);
    buffer_append(&absent, piece, n);
    bool ok = absent.failed ? error_no_memory(err) : policy_check(policy, absent.bytes, absent.size, NULL, NULL, verdict, err);
    buffer_deinit(&absent);
    return ok;
}

bool policy_check_negative(const Policy *policy, const char *text, size_t n, PolicyVerdict *verdict, SoraError *err)
{
    *verdict = (PolicyVerdict){.allowed = true};
    if (!utf8_check(text, n, "the text", err))
        return false;
    for (size_t i = 0; i < n && verdict->allowed;) {
        const char *comma = memchr(text + i, ',', n - i);
        size_t size = comma != NULL ? (size_t)(comma - text) - i : n - i;
        if (!check_absence(policy, text + i, size, verdict, err))
            return false;
        i += size + 1;
    }
    return true;
}

static bool is_wide(char c)
{
    return ((unsigned char)c & 0x80) != 0;
}

/* All parts as one text, with a space between two of them; none where both are of a script without spaces, if wide is set. */
static bool check_together(const Policy *policy, const PolicyText *parts, size_t count, bool wide, PolicyVerdict *verdict, SoraError *err)
{
    Buffer all = {0};
    for (size_t i = 0; i < count; i++) {
        bool glued = wide && all.size > 0 && is_wide(all.bytes[all.size - 1]) && parts[i].size > 0 && is_wide(parts[i].bytes[0]);
        if (i > 0 && !glued)
            buffer_append(&all, " ", 1);
        buffer_append(&all, parts[i].bytes, parts[i].size);
    }
    bool ok = all.failed ? error_no_memory(err) : policy_check(policy, all.bytes, all.size, NULL, NULL, verdict, err);
    buffer_deinit(&all);
    return ok;
}

bool policy_check_parts(const Policy *policy, const PolicyText *parts, size_t count, PolicyVerdict *verdict, SoraError *err)
{
    bool ok = true;
    *verdict = (PolicyVerdict){.allowed = true};
    for (size_t i = 0; i < count && ok && verdict->allowed; i++)
        ok = policy_check(policy, parts[i].bytes, parts[i].size, NULL, NULL, verdict, err);
    if (ok && verdict->allowed && count > 1)
        ok = check_together(policy, parts, count, false, verdict, err);
    if (ok && verdict->allowed && count > 1)
        ok = check_together(policy, parts, count, true, verdict, err);
    return ok;
}

bool policy_check_steps(const Policy *policy, const PolicyText *parts, size_t count, size_t earlier, PolicyVerdict *verdict, SoraError *err)
{
    bool ok = policy_check_parts(policy, parts, count, verdict, err);
    size_t now = count - earlier;
    PolicyText *pair = ok && verdict->allowed && earlier > 0 && now > 0 ? malloc((now + 1) * sizeof *pair) : NULL;
    if (pair == NULL)
        return ok && (!verdict->allowed || earlier == 0 || now == 0 || error_no_memory(err));
    memcpy(pair + 1, parts + earlier, now * sizeof *pair);
    for (size_t i = 0; ok && verdict->allowed && i + 1 < earlier; i++) { /* the last one stands beside them anyway */
        pair[0] = parts[i];
        ok = policy_check_parts(policy, pair, now + 1, verdict, err);
    }
    free(pair);
    return ok;
}
