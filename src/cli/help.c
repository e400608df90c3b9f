#include <string.h>
#include "cli/options.h"

/* How wide a help is, and where its right column begins. */
typedef struct Page {
    FILE *out;
    size_t columns, indent;
} Page;

/* The words of text[0 .. size) from column indent on, broken before the page's end; ends the line. */
static void print_wrapped(const char *text, size_t size, size_t indent, const Page *page)
{
    FILE *out = page->out;
    const char *end = text + size;
    for (size_t column = indent; text < end;) {
        size_t n = strcspn(text, " \n");
        n = n < (size_t)(end - text) ? n : (size_t)(end - text);
        if (column > indent && column + 1 + n > page->columns) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, n, out);
        column += n;
        text += n + strspn(text + n, " \n");
    }
    fputc('\n', out);
}

/* Paragraphs are filled; lines that begin with a space, and empty ones, stay as they are. */
static void print_description(const char *text, const Page *page)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (*text == ' ' || n == 0) {
            fprintf(page->out, "%.*s\n", (int)n, text);
        } else {
            while (text[n] == '\n' && text[n + 1] != 0 && text[n + 1] != '\n' && text[n + 1] != ' ')
                n += 1 + strcspn(text + n + 1, "\n");
            print_wrapped(text, n, 0, page);
        }
        text += n + (text[n] == '\n');
    }
}

static void print_entry(const char *left, const char *help, const Page *page)
{
    int n = fprintf(page->out, "%s", left), indent = (int)page->indent;
    if (n > indent - 2)
        fprintf(page->out, "\n%*s", indent, "");
    else
        fprintf(page->out, "%*s", indent - n, "");
    print_wrapped(help, strlen(help), page->indent, page);
}

/* Choices that would not fit beside the option's name go below it, one space after each comma. */
static void print_choices(const char *choices, const Page *page)
{
    char text[1024];
    size_t n = (size_t)snprintf(text, sizeof text, "one of ");
    for (const char *s = choices; *s && n + 3 < sizeof text; s++) {
        text[n++] = *s == '|' ? ',' : *s;
        if (*s == '|')
            text[n++] = ' ';
    }
    text[n] = 0;
    fprintf(page->out, "%*s", (int)page->indent, "");
    print_wrapped(text, n, page->indent, page);
}

static void print_option(const Option *o, const Page *page)
{
    char left[256], letter[8] = "    ";
    bool below = o->choices != NULL && strlen(o->choices) + strlen(o->name) > page->columns - page->indent;
    const char *argument = o->argument              ? o->argument
                           : below                  ? "WORD"
                           : o->choices             ? o->choices
                           : o->type == OPTION_SIZE ? "WxH"
                           : o->type == OPTION_FLAG ? ""
                                                    : "VALUE";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, *argument ? " " : "", argument);
    print_entry(left, o->help, page);
    if (below)
        print_choices(o->choices, page);
}

void command_print_help(const Command *command, const char *path, int columns, FILE *out)
{
    size_t wide = columns < 40 ? 40 : (size_t)columns;
    Page page = {out, wide, wide < 70 ? 8 : 27};
    fprintf(out, "%s: %s\n\nUsage: %s", path, command->summary, path);
    if (command->subcommands != NULL)
        fputs(" COMMAND", out);
    else if (command->options != NULL)
        fputs(" [OPTIONS]", out);
    fprintf(out, "%s%s\n", command->arguments ? " " : "", command->arguments ? command->arguments : "");
    if (command->description != NULL) {
        fputc('\n', out);
        print_description(command->description, &page);
    }
    if (command->subcommands != NULL) {
        fputs("\nCommands:\n", out);
        for (const Command *const *c = command->subcommands; *c != NULL; c++) {
            char left[64];
            snprintf(left, sizeof left, "  %s", (*c)->name);
            print_entry(left, (*c)->summary, &page);
        }
        fprintf(out, "\n\"%s COMMAND --help\" tells more.\n", path);
    } else {
        fputs("\nOptions:\n", out);
        for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
            print_option(o, &page);
        print_entry("  -h, --help", "show this help", &page);
    }
    if (command->examples != NULL) {
        size_t n = strlen(command->examples);
        fprintf(out, "\nExamples:\n%s%s", command->examples,
                n > 0 && command->examples[n - 1] == '\n' ? "" : "\n");
    }
}
