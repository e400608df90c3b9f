#include <string.h>
#include "cli/cli.h"
#include "sora.h"

static const struct {
    const char *name, *text;
} VARIABLES[] = {
    {"SORA_MODEL", "the model's folder, its only file, or the name of an installed one, where --model is not given"},
    {"SORA_CPU", "at most these instructions: reference, avx2, avx512 or best; goes before --cpu"},
    {"SORA_STYLES", "a file of styles of one's own (sora styles), instead of $XDG_CONFIG_HOME/sora/styles.json"},
    {"SORA_CREDENTIALS", "the folder of the keys that sign files, instead of $XDG_CONFIG_HOME/sora/credentials"},
    {"SORA_REWRITER_KEY", "the key that is sent to the chat model of --rewriter"},
    {"SORA_TRACE_INDEX", "the index of what was made, instead of $XDG_DATA_HOME/sora/trace.sqlite"},
    {"TMPDIR", "where large videos are kept while they are made, instead of /tmp"},
};

/* For troff: no line begins with a request, a backslash stays one, and a minus can be copied. */
static void print_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((i == 0 || text[i - 1] == '\n') && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", stdout);
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text[i]);
    }
    putchar('\n');
}

static void print_line(const char *text)
{
    print_text(text, strlen(text));
}

/* Lines that begin with a space stay as they are, the others are paragraphs. */
static void print_description(const char *text)
{
    puts(".PP");
    for (bool as_is = false; *text;) {
        size_t n = strcspn(text, "\n");
        if ((*text == ' ') != as_is)
            puts(*text == ' ' ? ".EX" : ".EE");
        as_is = *text == ' ';
        if (n == 0)
            puts(".PP");
        else
            print_text(text, n);
        text += n + (text[n] == '\n');
        if (*text == 0 && as_is)
            puts(".EE");
    }
}

static void print_option(const Option *o)
{
    puts(".TP");
    if (o->letter)
        printf("\\fB\\-%c\\fR, ", o->letter);
    printf("\\fB\\-\\-");
    for (const char *s = o->name; *s; s++)
        fputs(*s == '-' ? "\\-" : (char[]){*s, 0}, stdout);
    printf("\\fR");
    fputs(" \\fI", stdout);
    for (const char *s = o->argument ? o->argument : o->choices ? o->choices : ""; *s; s++)
        fputs(*s == '|' ? "|\\:" : (char[]){*s, 0}, stdout); /* a line may break there */
    puts("\\fR");
    print_line(o->help);
}

static void print_examples(const Command *c)
{
    if (c->examples == NULL)
        return;
    puts(".PP\nExamples:\n.PP\n.EX");
    print_line(c->examples);
    puts(".EE");
}

/* A command and those below it. path: "sora generate". */
static void print_command(const Command *c, const char *path)
{
    printf(".SS \"%s%s%s%s\"\n", path, c->options ? " [OPTIONS]" : c->subcommands ? " COMMAND" : "", c->arguments ? " " : "",
           c->arguments ? c->arguments : "");
    print_line(c->summary);
    if (c->description != NULL)
        print_description(c->description);
    for (const Option *o = c->options; o != NULL && o->name != NULL; o++)
        print_option(o);
    if (c->subcommands == NULL)
        print_examples(c);
    for (const Command *const *s = c->subcommands; s != NULL && *s != NULL; s++) {
        char longer[128];
        snprintf(longer, sizeof longer, "%s %s", path, (*s)->name);
        print_command(*s, longer);
    }
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    printf(".\\\" made by \"sora manual\"\n"
           ".TH SORA 1 \"\" \"sora %s\" \"User Commands\"\n"
           ".SH NAME\nsora \\- turn a sentence into a video\n"
           ".SH SYNOPSIS\n.B sora\n\\(dq\\fIprompt\\fR\\(dq [\\fIoptions of generate\\fR]\n.br\n"
           ".B sora\n\\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n.br\n"
           ".B sora help\n[\\fIcommand\\fR]\n.br\n.B sora \\-\\-version\n"
           ".SH DESCRIPTION\n"
           "Makes videos and pictures of what a sentence says, with the small model nano or with Wan 2.1 and 2.2, and\n"
           "does what belongs to it: looks at models and converts them, signs and verifies, trains.\n"
           "Results go to standard output, progress to standard error and only to a terminal.\n"
           ".SH COMMANDS\n",
           SORA_VERSION);
    for (const Command *const *c = COMMANDS; *c != NULL; c++) {
        char path[128];
        snprintf(path, sizeof path, "sora %s", (*c)->name);
        print_command(*c, path);
    }
    puts(".SH EXIT STATUS");
    for (int i = 0; EXIT_CODES[i].meaning != NULL; i++) {
        printf(".TP\n.B %d\n", EXIT_CODES[i].code);
        print_line(EXIT_CODES[i].meaning);
    }
    puts(".SH ENVIRONMENT");
    for (size_t i = 0; i < sizeof VARIABLES / sizeof *VARIABLES; i++) {
        printf(".TP\n.B %s\n", VARIABLES[i].name);
        print_line(VARIABLES[i].text);
    }
    return true;
}

const Command CMD_MANUAL = {
    .name = "manual",
    .summary = "print the manual page sora(1)",
    .examples = "  sora manual | man -l -",
    .run = run,
};
