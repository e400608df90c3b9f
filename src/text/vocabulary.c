#include "text/vocabulary.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json_file.h"
#include "base/nearest.h"
#include "text/meanings.h"
#include "text/utf8.h"

enum { MAX_FILE = 4 << 20, MAX_WORD = 64 };

/* A term that others can be near to, and the plainest for the same thing: "puppy" of "dog". */
typedef struct Near {
    const char *en, *ja; /* "": there is none */
} Near;

struct Vocabulary {
    Arena memory;
    char *json;         /* heap */
    const char **words; /* of letters, in lower case, sorted */
    int count, capacity;
    const char **terms; /* Japanese */
    int term_count, term_capacity;
    const char **nouns; /* English, the plainest of each */
    int noun_count, noun_capacity;
    Near *near;
    MeaningTerm *meant; /* [near_count]: their words */
    int near_count, near_capacity;
    bool failed; /* no memory */
};

/* Words that say nothing by themselves; captions need not have them. */
static const char FUNCTION_WORDS[] =
    " a an the this that these those some any each every all both no not of in on at to from by with without and or but "
    "as than then so if while when where which who whose what how is are was were be been being am it its itself he him "
    "his himself she her hers they them their there here i me my you your we us our one's into onto upon out off up down "
    "over under front above across along through for about very too also just only do does did done has have had can could "
    "will would should may might must let's its ";

/* --- reading --- */

static bool push(Vocabulary *v, const char ***list, int *count, int *capacity, const char *text)
{
    if (*count == *capacity) {
        int more = *capacity ? 2 * *capacity : 256;
        const char **grown = realloc(*list, (size_t)more * sizeof **list);
        if (grown == NULL)
            return !(v->failed = true);
        *list = grown;
        *capacity = more;
    }
    const char *copy = arena_strdup(&v->memory, text);
    if (copy == NULL)
        return !(v->failed = true);
    (*list)[(*count)++] = copy;
    return true;
}

static bool is_hiragana(int32_t c)
{
    return c >= 0x3041 && c <= 0x309f;
}

static bool is_katakana(int32_t c)
{
    return (c >= 0x30a1 && c <= 0x30fa) || c == 0x30fc;
}

static bool is_kanji(int32_t c)
{
    return (c >= 0x3400 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) || c == 0x3005;
}

static bool is_letter(int32_t c)
{
    utf8proc_category_t k = c >= 0 ? utf8proc_category(c) : UTF8PROC_CATEGORY_CN;
    bool letter = (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) || k == UTF8PROC_CATEGORY_MN ||
                  k == UTF8PROC_CATEGORY_ND;
    return letter && !is_hiragana(c) && !is_katakana(c) && !is_kanji(c);
}

static int32_t rune_at(const char *s, int *length)
{
    *length = 1;
    return *s != 0 ? utf8_decode(s, strlen(s) < 4 ? strlen(s) : 4, length) : 0;
}

/* The next word of letters from *at on, in lower case, and cut to its room; false: there is none. An apostrophe or a hyphen
 * between letters belongs to it; "'s" at its end does not. */
static bool next_word(const char **at, char word[MAX_WORD])
{
    int length;
    size_t n = 0;
    while (**at != 0 && !is_letter(rune_at(*at, &length)))
        *at += length;
    for (int32_t c; **at != 0; *at += length) {
        c = rune_at(*at, &length);
        int after = length, next_length;
        bool inside = (c == '\'' || c == '-' || c == 0x2019) && is_letter(rune_at(*at + after, &next_length));
        if (!inside && !is_letter(c))
            break;
        char low[4];
        int size = utf8_encode(c == 0x2019 ? '\'' : utf8proc_tolower(c), low);
        if (n + (size_t)size < MAX_WORD) {
            memcpy(word + n, low, (size_t)size);
            n += (size_t)size;
        }
    }
    word[n] = 0;
    if (n > 2 && strcmp(word + n - 2, "'s") == 0)
        word[n - 2] = 0;
    return n > 0;
}

static void add_words(Vocabulary *v, const char *text)
{
    char word[MAX_WORD];
    while (!v->failed && next_word(&text, word))
        push(v, &v->words, &v->count, &v->capacity, word);
}

static const char *plainest(Vocabulary *v, const json_t *list)
{
    const char *text = json_string_value(json_array_get(list, 0));
    char *copy = arena_strdup(&v->memory, text != NULL ? text : "");
    v->failed = v->failed || copy == NULL;
    return copy;
}

static void push_near(Vocabulary *v, const char *text, MeaningKind kind, Near near)
{
    if (v->near_count == v->near_capacity) {
        int more = v->near_capacity ? 2 * v->near_capacity : 128;
        Near *list = realloc(v->near, (size_t)more * sizeof *list);
        v->near = list != NULL ? list : v->near;
        MeaningTerm *terms = list != NULL ? realloc(v->meant, (size_t)more * sizeof *terms) : NULL;
        v->meant = terms != NULL ? terms : v->meant;
        v->failed = v->failed || terms == NULL;
        if (terms == NULL)
            return;
        v->near_capacity = more;
    }
    char *copy = arena_strdup(&v->memory, text);
    v->failed = v->failed || copy == NULL;
    for (char *c = copy; c != NULL && *c != 0; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    v->meant[v->near_count] = (MeaningTerm){copy != NULL ? copy : "", kind};
    v->near[v->near_count++] = near;
}

/* Classes whose words are things and deeds; what comes first is the nearer one. */
static void add_near(Vocabulary *v, const char *key, const json_t *entry)
{
    static const char CLASSES[] = "nouns scenery colours places weathers";
    bool verb = strcmp(key, "actions") == 0;
    const json_t *en = json_object_get(entry, "en");
    Near near = {plainest(v, en), plainest(v, json_object_get(entry, "ja"))};
    for (size_t i = 0; !v->failed && (verb || word_listed(key, CLASSES)) && i < json_array_size(en); i++)
        if (json_is_string(json_array_get(en, i)))
            push_near(v, json_string_value(json_array_get(en, i)), verb ? MEANING_VERB : MEANING_NOUN, near);
}

/* {"en": [...], "ja": [...]} */
static void add_entry(Vocabulary *v, const json_t *entry, bool noun)
{
    const json_t *en = json_object_get(entry, "en"), *ja = json_object_get(entry, "ja");
    for (size_t i = 0; i < json_array_size(en); i++) {
        const char *text = json_string_value(json_array_get(en, i));
        if (text != NULL && i == 0 && noun)
            push(v, &v->nouns, &v->noun_count, &v->noun_capacity, text);
        if (text != NULL)
            add_words(v, text);
    }
    for (size_t i = 0; i < json_array_size(ja); i++) {
        const char *text = json_string_value(json_array_get(ja, i));
        if (text != NULL && *text != 0)
            push(v, &v->terms, &v->term_count, &v->term_capacity, text);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool fill(Vocabulary *v, const json_t *root, const char *name, SoraError *err)
{
    if (!json_is_object(root))
        return error_set(err, SORA_ERROR_INPUT, "%s: no JSON object", name);
    if (json_integer_value(json_object_get(root, "format")) != 1)
        return error_set(err, SORA_ERROR_INPUT, "%s: \"format\" is not 1", name);
    const char *key;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)root, key, list)
        for (size_t i = 0; i < json_array_size(list); i++) {
            add_entry(v, json_array_get(list, i), strcmp(key, "nouns") == 0);
            add_near(v, key, json_array_get(list, i));
        }
    v->json = json_text(root, JSON_COMPACT);
    if (v->failed || v->json == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    if (v->count > 0)
        qsort(v->words, (size_t)v->count, sizeof *v->words, compare);
    return true;
}

Vocabulary *vocabulary_open_memory(const char *text, size_t size, const char *name, SoraError *err)
{
    json_error_t e;
    json_t *root = json_load_bytes(text, size, JSON_REJECT_DUPLICATES, &e);
    Vocabulary *v = calloc(1, sizeof *v);
    bool ok = v != NULL || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    if (ok && root == NULL && json_short_of_memory(&e))
        ok = error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    else if (ok && root == NULL)
        ok = error_set(err, SORA_ERROR_INPUT, "%s:%d: bad JSON", name, e.line);
    if (v != NULL)
        arena_init(&v->memory, 1 << 16);
    ok = ok && fill(v, root, name, err);
    json_decref(root);
    if (ok)
        return v;
    vocabulary_close(v);
    return NULL;
}

Vocabulary *vocabulary_open(const char *path, SoraError *err)
{
    size_t size;
    char *text = file_read(path, MAX_FILE, &size, err);
    Vocabulary *v = text != NULL ? vocabulary_open_memory(text, size, path, err) : NULL;
    free(text);
    return v;
}

void vocabulary_close(Vocabulary *v)
{
    if (v == NULL)
        return;
    arena_deinit(&v->memory);
    free(v->json);
    free(v->words);
    free(v->terms);
    free(v->nouns);
    free(v->near);
    free(v->meant);
    free(v);
}

const char *vocabulary_json(const Vocabulary *v)
{
    return v->json;
}

int vocabulary_noun_count(const Vocabulary *v)
{
    return v->noun_count;
}

const char *vocabulary_noun(const Vocabulary *v, int i)
{
    return i >= 0 && i < v->noun_count ? v->nouns[i] : NULL;
}

/* --- looking up --- */

static bool is_function_word(const char *word)
{
    char padded[MAX_WORD + 2];
    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(FUNCTION_WORDS, padded) != NULL;
}

static bool knows_word(const Vocabulary *v, const char *word)
{
    return is_function_word(word) ||
           (v->count > 0 && bsearch(&word, v->words, (size_t)v->count, sizeof *v->words, compare) != NULL);
}

/* How many letters must be put in, taken out, exchanged or swapped with their neighbour to make b of a. */
static int distance(const char *a, const char *b)
{
    int rows[3][MAX_WORD + 1], n = (int)strlen(a), m = (int)strlen(b);
    int *before = rows[0], *last = rows[1], *now = rows[2];
    if (n > MAX_WORD || m > MAX_WORD)
        return MAX_WORD;
    for (int j = 0; j <= m; j++)
        last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[m];
}

/* The same stem with other endings: "walked" and "walks", "puppies" and "puppy". */
static bool same_stem(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] != 0 && a[n] == b[n])
        n++;
    return n >= 4 && strlen(a) - n <= 3 && strlen(b) - n <= 3;
}

/* Another form of the word. */
static const char *other_form(const Vocabulary *v, const char *word)
{
    const char *found = NULL;
    int best = MAX_WORD;
    for (int i = 0; i < v->count; i++) {
        int d = same_stem(word, v->words[i]) ? distance(word, v->words[i]) : MAX_WORD;
        if (d < best) {
            best = d;
            found = v->words[i];
        }
    }
    return found;
}

/* What was probably meant by a word that is misspelt. */
static const char *nearly_written(const Vocabulary *v, const char *word)
{
    const char *found = NULL;
    int length = (int)strlen(word), best = 1 + length / 7;
    best = length < 4 ? 0 : best; /* of short words everything is near */
    for (int i = 0; i < v->count; i++) {
        const char *known = v->words[i];
        int d = known[0] == word[0] ? distance(word, known) : MAX_WORD;
        if (d <= best) {
            best = d;
            found = known;
        }
    }
    return found;
}

/* Words that were found to be unknown. */
typedef struct Found {
    UnknownWord *words;
    int count, max;
} Found;

static void report(Found *f, const char *word, size_t size)
{
    char copy[MAX_WORD];
    size_t n = size < MAX_WORD - 1 ? size : MAX_WORD - 1;
    while (n < size && n > 0 && ((unsigned char)word[n] & 0xc0) == 0x80)
        n--;
    memcpy(copy, word, n);
    copy[n] = 0;
    for (int i = 0; i < f->count && i < f->max; i++)
        if (strcmp(f->words[i].word, copy) == 0)
            return;
    if (f->count < f->max) {
        memcpy(f->words[f->count].word, copy, sizeof copy);
        f->words[f->count].near = NULL;
    }
    f->count++;
}

/* The bytes of kanji that a term begins with: the stem of a verb. */
static size_t stem_of(const char *term)
{
    size_t n = 0;
    for (int length; is_kanji(rune_at(term + n, &length)); n += (size_t)length)
        ;
    return n;
}

/* The bytes at s that a term covers, the most that any does; 0: none. */
static size_t covered(const Vocabulary *v, const char *s)
{
    size_t longest = 0;
    for (int i = 0; i < v->term_count; i++) {
        size_t n = strlen(v->terms[i]), stem = stem_of(v->terms[i]);
        int length;
        if (strncmp(s, v->terms[i], n) == 0)
            longest = n > longest ? n : longest;
        else if (stem > 0 && stem < n && stem > longest && strncmp(s, v->terms[i], stem) == 0 &&
                 is_hiragana(rune_at(v->terms[i] + stem, &length)) && is_hiragana(rune_at(s + stem, &length)))
            longest = stem;
    }
    return longest;
}

/* A run of kanji or of katakana at *at of which no term covers the beginning; ends where one begins. */
static void look_at_run(const Vocabulary *v, const char **at, Found *f)
{
    int length;
    const char *begin = *at;
    bool kanji = is_kanji(rune_at(begin, &length));
    do
        *at += length;
    while ((kanji ? is_kanji(rune_at(*at, &length)) : is_katakana(rune_at(*at, &length))) && covered(v, *at) == 0);
    report(f, begin, (size_t)(*at - begin));
}

/* Fills near of the words that were found. */
static bool find_near(const Vocabulary *v, const Found *f)
{
    int count = f->count < f->max ? f->count : f->max;
    MeaningQuery *queries = calloc((size_t)count + 1, sizeof *queries);
    char(*english)[MEANINGS_TERM] = calloc((size_t)count + 1, sizeof *english);
    bool ok = queries != NULL && english != NULL;
    for (int i = 0; ok && i < count; i++)
        queries[i].word = meanings_english(f->words[i].word, strlen(f->words[i].word), english[i]) ? english[i] : f->words[i].word;
    ok = ok && (count == 0 || meanings_find(queries, count, v->meant, v->near_count));
    for (int i = 0; ok && i < count; i++) {
        UnknownWord *w = &f->words[i];
        const Near *near = queries[i].near >= 0 ? &v->near[queries[i].near] : NULL;
        bool japanese = *english[i] != 0;
        w->near = japanese ? NULL : other_form(v, w->word);
        if (w->near == NULL && near != NULL)
            w->near = japanese ? near->ja : near->en;
        if (w->near == NULL && !queries[i].real)
            w->near = nearly_written(v, w->word);
        if (w->near != NULL && *w->near == 0)
            w->near = NULL;
    }
    free(queries);
    free(english);
    return ok;
}

int vocabulary_unknown(const Vocabulary *v, const char *text, UnknownWord *words, int max)
{
    Found f = {words, 0, max};
    char word[MAX_WORD];
    for (int length; *text != 0;) {
        int32_t c = rune_at(text, &length);
        size_t term = covered(v, text);
        int after;
        if (term > 0 && !(is_letter(c) && is_letter(rune_at(text + term, &after)))) { /* "Tシャツ" begins with a letter */
            text += term;
        } else if (is_letter(c)) {
            next_word(&text, word);
            if (!knows_word(v, word))
                report(&f, word, strlen(word));
        } else if (is_kanji(c) || is_katakana(c)) {
            look_at_run(v, &text, &f);
        } else {
            text += length;
        }
    }
    return find_near(v, &f) ? f.count : -1;
}
