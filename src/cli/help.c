#include <string.h>
#include "cli/options.h"

enum { COLUMNS = 80, INDENT = 27 };

/* Words of text from column INDENT on, broken before COLUMNS. */
static void print_wrapped(const char *text, FILE *out)
{
    for (size_t column = INDENT; *text;) {
        size_t n = strcspn(text, " ");
        if (column > INDENT && column + 1 + n > COLUMNS) {
            fprintf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, n, out);
        column += n;
        text += n + strspn(text + n, " ");
    }
    fputc('\n', out);
}

static void print_entry(const char *left, const char *help, FILE *out)
{
    int n = fprintf(out, "%s", left);
    if (n > INDENT - 2)
        fprintf(out, "\n%*s", INDENT, "");
    else
        fprintf(out, "%*s", INDENT - n, "");
    print_wrapped(help, out);
}

static void print_option(const Option *o, FILE *out)
{
    char left[256], letter[8] = "    ";
    const char *argument = o->argument ? o->argument : o->choices ? o->choices : "";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, *argument ? " " : "", argument);
    print_entry(left, o->help, out);
}

void command_print_help(const Command *command, const char *path, FILE *out)
{
    fprintf(out, "%s: %s\n\nUsage: %s", path, command->summary, path);
    if (command->subcommands != NULL)
        fputs(" COMMAND", out);
    else if (command->options != NULL)
        fputs(" [OPTIONS]", out);
    fprintf(out, "%s%s\n", command->arguments ? " " : "", command->arguments ? command->arguments : "");
    if (command->description != NULL)
        fprintf(out, "\n%s\n", command->description);
    if (command->subcommands != NULL) {
        fputs("\nCommands:\n", out);
        for (const Command *const *c = command->subcommands; *c != NULL; c++) {
            char left[64];
            snprintf(left, sizeof left, "  %s", (*c)->name);
            print_entry(left, (*c)->summary, out);
        }
        fprintf(out, "\n\"%s COMMAND --help\" tells more.\n", path);
    } else {
        fputs("\nOptions:\n", out);
        for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
            print_option(o, out);
        print_entry("  -h, --help", "show this help", out);
    }
    if (command->examples != NULL)
        fprintf(out, "\nExamples:\n%s\n", command->examples);
}
