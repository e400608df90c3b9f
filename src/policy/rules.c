#include "policy/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/fold.h"
#include "text/utf8.h"

enum { MAX_LINE = 1000, MAX_NAME = 32 };

/* A line while it is read. */
typedef struct Line {
    char text[MAX_LINE + 1];
    char *rest; /* what has not been taken */
    const char *file;
    int number;
} Line;

void rules_init(Rules *rules)
{
    *rules = (Rules){.list_count = 1, .lists = {{.name = "innocent"}}, .version = "0"};
    arena_init(&rules->arena, 1 << 16);
}

void rules_deinit(Rules *rules)
{
    arena_deinit(&rules->arena);
    free(rules->phrases);
    *rules = (Rules){0};
}

#define WRONG(line, err, fmt, ...) error_set(err, SORA_ERROR_INPUT, "%s:%d: " fmt, (line)->file, (line)->number, __VA_ARGS__)

/* The next word of the line, cut off; "" at its end. */
static const char *take_word(Line *line)
{
    char *word = line->rest + strspn(line->rest, " \t");
    size_t n = strcspn(word, " \t");
    line->rest = word + n;
    if (*line->rest != 0)
        *line->rest++ = 0;
    line->rest += strspn(line->rest, " \t");
    return word;
}

static int find_list(const Rules *rules, const char *name)
{
    for (int i = 0; i < rules->list_count; i++) {
        if (strcmp(rules->lists[i].name, name) == 0)
            return i;
    }
    return -1;
}

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    static const char *const taken[] = {"version", "category", "group", "pair", "off", "remove", "names", "threshold"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcmp(taken[i], name) == 0)
            return false;
    }
    return n > 0 && n <= MAX_NAME && name[n] == 0;
}

static bool add_list(Rules *rules, Line *line, bool category, SoraError *err)
{
    const char *name = take_word(line);
    if (!is_name(name))
        return WRONG(line, err, "\"%.40s\" cannot be a name; small letters, digits and - can", name);
    if (find_list(rules, name) >= 0)
        return WRONG(line, err, "there is a list \"%s\" already", name);
    if (rules->list_count == RULES_MAX_LISTS)
        return WRONG(line, err, "more than %d categories and groups", RULES_MAX_LISTS - 1);
    if (category && *line->rest == 0)
        return WRONG(line, err, "category %s needs a sentence for the user", name);
    RuleGroup *list = &rules->lists[rules->list_count++];
    *list = (RuleGroup){.threshold = -1, .name = arena_strdup(&rules->arena, name),
                        .sentence = category ? arena_strdup(&rules->arena, line->rest) : NULL};
    if (list->name == NULL || (category && list->sentence == NULL)) {
        rules->list_count--;
        return error_no_memory(err);
    }
    return true;
}

/* The index of the list, which must be a category or must be a group; -1 with *err filled. */
static int expect_list(const Rules *rules, Line *line, bool category, SoraError *err)
{
    const char *name = take_word(line);
    int i = find_list(rules, name);
    bool right = i > LIST_INNOCENT && (rules->lists[i].sentence != NULL) == category;
    if (!right)
        WRONG(line, err, "there is no %s \"%.40s\"", category ? "category" : "group", name);
    return right ? i : -1;
}

static bool add_pair(Rules *rules, Line *line, SoraError *err)
{
    int category = expect_list(rules, line, true, err);
    int first = category >= 0 ? expect_list(rules, line, false, err) : -1;
    int second = first >= 0 ? expect_list(rules, line, false, err) : -1;
    if (second < 0)
        return false;
    if (rules->pair_count == RULES_MAX_PAIRS)
        return WRONG(line, err, "more than %d pairs", RULES_MAX_PAIRS);
    const char *place = arena_printf(&rules->arena, "%s:%d", line->file, line->number);
    if (place == NULL)
        return error_no_memory(err);
    rules->pairs[rules->pair_count++] = (RulePair){(uint8_t)category, (uint8_t)first, (uint8_t)second, place};
    return true;
}

/* The phrase folded, in the arena; NULL with *err filled. */
static const char *fold_phrase(Rules *rules, Line *line, uint32_t *size, SoraError *err)
{
    Folded f;
    size_t n = strlen(line->rest);
    if (n > RULES_MAX_PHRASE) {
        WRONG(line, err, "the phrase has %zu bytes, at most %d are accepted", n, RULES_MAX_PHRASE);
        return NULL;
    }
    if (!fold_text(line->rest, n, &f, 1)) {
        error_no_memory(err);
        return NULL;
    }
    char *bytes = f.size > 0 ? arena_alloc(&rules->arena, f.size) : NULL;
    if (bytes != NULL)
        memcpy(bytes, f.bytes, f.size);
    else if (f.size > 0)
        error_no_memory(err);
    else
        WRONG(line, err, "the phrase \"%.40s\" has no letters", line->rest);
    *size = (uint32_t)f.size;
    folded_deinit(&f);
    return bytes;
}

static bool remove_phrase(Rules *rules, Line *line, SoraError *err)
{
    uint32_t size;
    bool found = false;
    const char *bytes = fold_phrase(rules, line, &size, err);
    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < rules->phrase_count; i++) {
        RulePhrase *p = &rules->phrases[i];
        bool same = p->size == size && memcmp(p->bytes, bytes, size) == 0;
        p->removed = p->removed || same;
        found = found || same;
    }
    return found || WRONG(line, err, "there is no phrase \"%s\" to remove", line->rest);
}

static bool grow(Rules *rules)
{
    if (rules->phrase_count < rules->phrase_capacity)
        return true;
    size_t capacity = 2 * rules->phrase_capacity + 512;
    RulePhrase *more = realloc(rules->phrases, capacity * sizeof *more);
    if (more == NULL)
        return false;
    rules->phrases = more;
    rules->phrase_capacity = capacity;
    return true;
}

static bool add_phrase(Rules *rules, int list, Line *line, SoraError *err)
{
    static const char *const kinds[] = {"word", "exact", "stem", "part", "capital"};
    const char *word = take_word(line);
    int kind = 0, count = sizeof kinds / sizeof *kinds;
    while (kind < count && strcmp(kinds[kind], word) != 0)
        kind++;
    if (kind == count)
        return WRONG(line, err, "\"%.40s\" is no rule; word, exact, stem, part and capital are", word);
    if (rules->phrase_count == RULES_MAX_PHRASES)
        return WRONG(line, err, "more than %d phrases", RULES_MAX_PHRASES);
    RulePhrase p = {.list = (uint8_t)list, .kind = (uint8_t)kind, .next = -1};
    p.bytes = fold_phrase(rules, line, &p.size, err);
    if (p.bytes == NULL)
        return false;
    p.phrase = arena_strdup(&rules->arena, line->rest);
    p.place = arena_printf(&rules->arena, "%s:%d", line->file, line->number);
    if (p.phrase == NULL || p.place == NULL || !grow(rules))
        return error_no_memory(err);
    rules->phrases[rules->phrase_count++] = p;
    return true;
}

static bool set_threshold(Rules *rules, Line *line, SoraError *err)
{
    int i = expect_list(rules, line, true, err);
    char *end;
    double value = strtod(line->rest, &end);
    bool number = end != line->rest && *end == 0 && value >= 0 && value <= 1;
    if (i >= 0 && number)
        rules->lists[i].threshold = (float)value;
    return i >= 0 && (number || WRONG(line, err, "a threshold is a number from 0 to 1, \"%.40s\" is none", line->rest));
}

static bool set_picture_rule(Rules *rules, Line *line, SoraError *err)
{
    const char *name = take_word(line);
    bool generated = strcmp(name, "generated") == 0, uploads = strcmp(name, "uploads") == 0, faces = strcmp(name, "faces") == 0;
    if (!generated && !uploads && !faces && strcmp(name, "credentials") != 0)
        return WRONG(line, err, "\"%.40s\" cannot be set; generated, uploads, faces and credentials can", name);
    if (generated || uploads) {
        char *end;
        double value = strtod(line->rest, &end);
        if (end == line->rest || *end != 0 || !(value >= 0 && value <= 1))
            return WRONG(line, err, "a probability from 0 to 1 is expected, \"%.40s\" is none", line->rest);
        *(generated ? &rules->pictures.generated : &rules->pictures.uploads) = (float)value;
        return true;
    }
    bool allow = strcmp(line->rest, "allow") == 0;
    if (!allow && strcmp(line->rest, "refuse") != 0)
        return WRONG(line, err, "allow or refuse is expected, not \"%.40s\"", line->rest);
    *(faces ? &rules->pictures.faces : &rules->pictures.invalid_credentials) = allow;
    return true;
}

static bool add_line(Rules *rules, Line *line, SoraError *err)
{
    const char *name = take_word(line);
    if (*name == 0 || *name == '#')
        return true;
    if (strcmp(name, "category") == 0 || strcmp(name, "group") == 0)
        return add_list(rules, line, name[0] == 'c', err);
    if (strcmp(name, "pair") == 0)
        return add_pair(rules, line, err);
    if (strcmp(name, "remove") == 0)
        return remove_phrase(rules, line, err);
    if (strcmp(name, "off") == 0) {
        int i = expect_list(rules, line, true, err);
        if (i >= 0)
            rules->lists[i].off = true;
        return i >= 0;
    }
    if (strcmp(name, "names") == 0) {
        int i = expect_list(rules, line, true, err);
        if (i >= 0)
            rules->lists[i].names = true;
        return i >= 0;
    }
    if (strcmp(name, "set") == 0)
        return set_picture_rule(rules, line, err);
    if (strcmp(name, "threshold") == 0)
        return set_threshold(rules, line, err);
    if (strcmp(name, "version") == 0) {
        const char *version = take_word(line);
        if (*version == 0 || strlen(version) > MAX_NAME)
            return WRONG(line, err, "a version is a word of 1 to %d bytes", MAX_NAME);
        rules->version = arena_strdup(&rules->arena, version);
        return rules->version != NULL || error_no_memory(err);
    }
    int list = find_list(rules, name);
    if (list < 0)
        return WRONG(line, err, "there is no category or group \"%.40s\"; \"category\" and \"group\" make one", name);
    return add_phrase(rules, list, line, err);
}

bool rules_add(Rules *rules, const RuleList *list, SoraError *err)
{
    Line line = {.file = list->name};
    for (size_t begin = 0; begin < list->size;) {
        const char *s = list->text + begin, *end = memchr(s, '\n', list->size - begin);
        size_t n = end != NULL ? (size_t)(end - s) : list->size - begin;
        begin += n + 1;
        line.number++;
        n -= n > 0 && s[n - 1] == '\r';
        char what[32];
        snprintf(what, sizeof what, "line %d", line.number);
        if (n > MAX_LINE)
            return WRONG(&line, err, "the line has %zu bytes, at most %d are accepted", n, MAX_LINE);
        if (memchr(s, 0, n) != NULL)
            return WRONG(&line, err, "the line has a %s; rules are plain text", "0 byte");
        if (!utf8_check(s, n, what, err))
            return error_wrap(err, "%s:%d", line.file, line.number);
        memcpy(line.text, s, n);
        line.text[n] = 0;
        while (n > 0 && (line.text[n - 1] == ' ' || line.text[n - 1] == '\t'))
            line.text[--n] = 0;
        line.rest = line.text;
        if (!add_line(rules, &line, err))
            return false;
    }
    return true;
}
