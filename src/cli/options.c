#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Edit distance with swaps of neighbours (optimal string alignment); names are short, so are the rows. */
static int distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    int rows[3][LONGEST + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return INT_MAX;
    for (size_t j = 0; j <= m; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        int *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

/* Two slips, fewer in short words; or a beginning of three letters and more. */
static bool is_near(const char *given, const char *name, int *best)
{
    size_t n = strlen(given);
    int d = n >= 3 && strncmp(given, name, n) == 0 ? 1 : distance(given, name);
    int limit = n <= 3 ? 1 : 2;
    if (d > limit || d >= *best)
        return false;
    *best = d;
    return true;
}

static const char *nearest_option(const Option *options, const char *name)
{
    const char *found = NULL;
    int best = INT_MAX;
    for (const Option *o = options; o != NULL && o->name != NULL; o++) {
        if (is_near(name, o->name, &best))
            found = o->name;
    }
    return is_near(name, "help", &best) ? "help" : found;
}

const char *command_nearest(const Command *const *commands, const char *name)
{
    const char *found = NULL;
    int best = INT_MAX;
    for (; *commands != NULL; commands++) {
        if (is_near(name, (*commands)->name, &best))
            found = (*commands)->name;
    }
    return found;
}

const Command *command_find(const Command *const *commands, const char *name)
{
    for (; *commands != NULL; commands++) {
        if (strcmp((*commands)->name, name) == 0)
            return *commands;
    }
    return NULL;
}

static const Option *find_long(const Option *options, const char *name, size_t length)
{
    for (const Option *o = options; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
            return o;
    }
    return NULL;
}

static const Option *find_letter(const Option *options, char letter)
{
    for (const Option *o = options; o != NULL && o->name != NULL; o++) {
        if (letter != 0 && o->letter == letter)
            return o;
    }
    return NULL;
}

static bool has_limits(const Option *o)
{
    return o->min != 0 || o->max != 0;
}

static bool check_range(const Option *o, double value, const char *text, SoraError *err)
{
    if (!has_limits(o) || (value >= o->min && value <= o->max))
        return true;
    return error_set(err, SORA_ERROR_INPUT, "--%s: %s is out of range: %.10g to %.10g", o->name, text, o->min,
                     o->max);
}

static bool parse_int(const char *text, const char *end, int *value)
{
    char *stop;
    errno = 0;
    long v = strtol(text, &stop, 10);
    if (stop == text || stop != end || v > INT_MAX || v < INT_MIN || errno == ERANGE)
        return false;
    *value = (int)v;
    return true;
}

static bool set_int(const Option *o, int *value, const char *text, SoraError *err)
{
    if (!parse_int(text, text + strlen(text), value))
        return error_set(err, SORA_ERROR_INPUT, "--%s: \"%s\" is not a whole number", o->name, text);
    return check_range(o, *value, text, err);
}

static bool set_u64(const Option *o, uint64_t *value, const char *text, SoraError *err)
{
    char *stop;
    errno = 0;
    *value = strtoumax(text, &stop, 10);
    if (*text < '0' || *text > '9' || *stop != 0 || errno == ERANGE)
        return error_set(err, SORA_ERROR_INPUT, "--%s: \"%s\" is not a whole number from 0 to %" PRIu64,
                         o->name, text, UINT64_MAX);
    return true;
}

static bool set_seed(const Option *o, uint64_t *value, const char *text, SoraError *err)
{
    uint32_t drawn;
    if (strcmp(text, "random") != 0)
        return set_u64(o, value, text, err);
    if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn)
        return error_set(err, SORA_ERROR_INTERNAL, "--%s: this system gives no random numbers", o->name);
    *value = drawn;
    return true;
}

static bool set_double(const Option *o, double *value, const char *text, SoraError *err)
{
    char *stop;
    *value = strtod(text, &stop);
    if (stop == text || *stop != 0 || !isfinite(*value))
        return error_set(err, SORA_ERROR_INPUT, "--%s: \"%s\" is not a number", o->name, text);
    return check_range(o, *value, text, err);
}

static bool set_size(const Option *o, OptionSize *value, const char *text, SoraError *err)
{
    const char *x = strpbrk(text, "xX");
    if (x == NULL || !parse_int(text, x, &value->width) || !parse_int(x + 1, x + strlen(x), &value->height))
        return error_set(err, SORA_ERROR_INPUT, "--%s: \"%s\" is not WIDTHxHEIGHT, such as 128x128", o->name,
                         text);
    return check_range(o, value->width, text, err) && check_range(o, value->height, text, err);
}

static bool set_choice(const Option *o, int *value, const char *text, SoraError *err)
{
    const char *word = o->choices;
    for (int i = 0;; i++) {
        size_t n = strcspn(word, "|");
        if (strlen(text) == n && memcmp(word, text, n) == 0) {
            *value = i;
            return true;
        }
        if (word[n] == 0)
            return error_set(err, SORA_ERROR_INPUT, "--%s: \"%s\" is none of %s", o->name, text, o->choices);
        word += n + 1;
    }
}

static bool add_to_list(const Option *o, OptionList *list, const char *text, SoraError *err)
{
    int n = 0, most = o->max > 0 ? (int)o->max : OPTION_LIST_MAX;
    while (list->items[n] != NULL)
        n++;
    if (n == most)
        return error_set(err, SORA_ERROR_INPUT, "--%s: at most %d of them", o->name, most);
    list->items[n] = text;
    return true;
}

static bool set_value(const Option *o, void *values, const char *text, SoraError *err)
{
    void *at = (char *)values + o->offset;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return true;
    case OPTION_STRING:
        *(const char **)at = text;
        return true;
    case OPTION_INT:
        return set_int(o, at, text, err);
    case OPTION_U64:
        return set_u64(o, at, text, err);
    case OPTION_SEED:
        return set_seed(o, at, text, err);
    case OPTION_DOUBLE:
        return set_double(o, at, text, err);
    case OPTION_SIZE:
        return set_size(o, at, text, err);
    case OPTION_CHOICE:
        return set_choice(o, at, text, err);
    case OPTION_LIST:
        return add_to_list(o, at, text, err);
    }
    return false;
}

static bool unknown(const Command *c, const char *arg, SoraError *err)
{
    if (arg[1] == '-') {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
        const char *near = nearest_option(c->options, name);
        if (near != NULL)
            return error_set(err, SORA_ERROR_INPUT, "unknown option --%s; did you mean --%s?", name, near);
        return error_set(err, SORA_ERROR_INPUT, "unknown option --%s; see --help", name);
    }
    return error_set(err, SORA_ERROR_INPUT, "unknown option -%c; see --help", arg[1]);
}

/* Is arg exactly one of the options? Then it is not meant as the value of the one before. */
static bool is_option(const Command *c, const char *arg)
{
    if (arg[0] != '-' || arg[1] == 0)
        return false;
    if (arg[1] == '-')
        return find_long(c->options, arg + 2, strcspn(arg + 2, "=")) != NULL;
    return arg[2] == 0 && find_letter(c->options, arg[1]) != NULL;
}

/* Flags say the same again, and a list keeps all. */
static void note_seen(CommandLine *line, const Option *o)
{
    if (o->type == OPTION_FLAG || o->type == OPTION_LIST)
        return;
    for (int i = 0; i < line->seen_count; i++)
        if (line->seen[i] == o && line->twice == NULL)
            line->twice = o;
    line->seen[line->seen_count++] = o;
}

/* The option at argv[*i]; moves *i on to its value when that is the next word. */
static bool parse_option(CommandLine *line, const Command *c, int argc, char **argv, int *i, SoraError *err)
{
    const char *arg = argv[*i], *value = NULL;
    if (strcmp(arg, "--help") == 0 || (strcmp(arg, "-h") == 0 && find_letter(c->options, 'h') == NULL)) {
        line->help = true;
        return true;
    }
    const Option *o;
    if (arg[1] == '-') {
        size_t n = strcspn(arg + 2, "=");
        o = find_long(c->options, arg + 2, n);
        value = arg[2 + n] == '=' ? arg + 3 + n : NULL;
    } else {
        o = find_letter(c->options, arg[1]);
        value = arg[2] != 0 ? arg + 2 : NULL;
    }
    if (o == NULL)
        return unknown(c, arg, err);
    if (o->type == OPTION_FLAG) {
        if (value != NULL)
            return error_set(err, SORA_ERROR_INPUT, "--%s takes no value", o->name);
    } else if (value == NULL) {
        if (*i + 1 >= argc || is_option(c, argv[*i + 1]))
            return error_set(err, SORA_ERROR_INPUT, "--%s needs a value", o->name);
        value = argv[++*i];
    }
    note_seen(line, o);
    return set_value(o, line->values, value, err);
}

static bool check_count(const CommandLine *line, const Command *c, SoraError *err)
{
    if (line->count < c->min_arguments)
        return error_set(err, SORA_ERROR_INPUT, "%s is missing; see --help", c->arguments);
    if (line->count > c->max_arguments)
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is one argument too many%s",
                         line->arguments[c->max_arguments],
                         c->max_arguments > 0 ? "; quote what belongs together" : "");
    return true;
}

bool command_line_parse(CommandLine *line, const Command *command, int argc, char **argv, SoraError *err)
{
    *line = (CommandLine){0};
    line->values = malloc(command->size + 1);
    line->arguments = malloc(((size_t)argc + 1) * sizeof *line->arguments);
    line->seen = malloc(((size_t)argc + 1) * sizeof *line->seen);
    if (line->values == NULL || line->arguments == NULL || line->seen == NULL) {
        command_line_deinit(line);
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    }
    if (command->size > 0)
        memcpy(line->values, command->defaults, command->size);
    bool ok = true, options = true;
    for (int i = 1; ok && i < argc && !line->help; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1] != 0)
            ok = parse_option(line, command, argc, argv, &i, err);
        else
            line->arguments[line->count++] = argv[i];
    }
    if (ok && !line->help)
        ok = check_count(line, command, err);
    if (!ok)
        command_line_deinit(line);
    return ok;
}

void command_line_deinit(CommandLine *line)
{
    free(line->values);
    free(line->arguments);
    free(line->seen);
    *line = (CommandLine){0};
}

bool parse_bytes(const char *option, const char *text, size_t *bytes, SoraError *err)
{
    char *end = NULL;
    double n = text != NULL ? strtod(text, &end) : 0;
    double unit = end == NULL ? 1 : *end == 'G' || *end == 'g' ? 1e9 : *end == 'M' || *end == 'm' ? 1e6 : 0;
    bool whole = end == NULL || (unit > 0 && (end[1] == 0 || ((end[1] == 'B' || end[1] == 'b') && end[2] == 0)));
    *bytes = 0;
    if (!whole || (text != NULL && !(n * unit >= 1e6 && n * unit <= 1e15)))
        return error_set(err, SORA_ERROR_INPUT, "%s %.40s: a size such as 6G or 800M is expected", option, text);
    *bytes = (size_t)(n * unit);
    return true;
}
