#include <string.h>
#include "cli/cli.h"

/* All words of a command: what completes its name, and then its options. */
static void print_words(const Command *c)
{
    for (const Command *const *s = c->subcommands; s != NULL && *s != NULL; s++)
        printf("%s ", (*s)->name);
    for (const Option *o = c->options; o != NULL && o->name != NULL; o++)
        printf("--%s ", o->name);
    printf("--help");
}

/* Lines of the case over "command option": what the option's value can be. */
static void print_values(const char *path, const Command *c)
{
    for (const Option *o = c->options; o != NULL && o->name != NULL; o++) {
        if (o->type == OPTION_FLAG)
            continue;
        printf("    '%s --%s'%s%s%s%c%s) ", path, o->name, o->letter ? "|'" : "", o->letter ? path : "",
               o->letter ? " -" : "", o->letter ? o->letter : ' ', o->letter ? "'" : "");
        if (o->type == OPTION_CHOICE) {
            printf("COMPREPLY=($(compgen -W '");
            for (const char *s = o->choices; *s; s++)
                putchar(*s == '|' ? ' ' : *s);
            printf("' -- \"$cur\"))");
        } else if (o->argument != NULL && strcmp(o->argument, "FILE") == 0) {
            printf("COMPREPLY=($(compgen -f -- \"$cur\"))");
        } else if (o->argument != NULL && strcmp(o->argument, "DIR") == 0) {
            printf("COMPREPLY=($(compgen -d -- \"$cur\"))");
        } else {
            printf("COMPREPLY=()");
        }
        printf("; return ;;\n");
    }
}

static void print_script(void)
{
    printf("# bash completion of sora; made by \"sora completion\"\n"
           "_sora()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=${COMP_WORDS[1]}\n"
           "    case $path in");
    for (const Command *const *c = COMMANDS; *c != NULL; c++) {
        if ((*c)->subcommands != NULL)
            printf(" %s)\n        [ \"$COMP_CWORD\" -gt 2 ] && path=\"$path ${COMP_WORDS[2]}\" ;;",
                   (*c)->name);
    }
    printf("\n    esac\n    case \"$path $prev\" in\n");
    for (const Command *const *c = COMMANDS; *c != NULL; c++) {
        print_values((*c)->name, *c);
        for (const Command *const *s = (*c)->subcommands; s != NULL && *s != NULL; s++) {
            char path[64];
            snprintf(path, sizeof path, "%s %s", (*c)->name, (*s)->name);
            print_values(path, *s);
        }
    }
    printf("    esac\n    local words=\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        words='");
    for (const Command *const *c = COMMANDS; *c != NULL; c++)
        printf("%s ", (*c)->name);
    printf("help --help --version'\n    else\n        case $path in\n");
    for (const Command *const *c = COMMANDS; *c != NULL; c++) {
        printf("        %s) words='", (*c)->name);
        print_words(*c);
        printf("' ;;\n");
        for (const Command *const *s = (*c)->subcommands; s != NULL && *s != NULL; s++) {
            printf("        '%s %s') words='", (*c)->name, (*s)->name);
            print_words(*s);
            printf("' ;;\n");
        }
    }
    printf("        esac\n    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
           "}\ncomplete -o filenames -F _sora sora\n");
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    if (count > 0 && strcmp(arguments[0], "bash") != 0)
        return error_set(err, SORA_ERROR_INPUT, "no completion for \"%.60s\"; there is one for bash",
                         arguments[0]);
    print_script();
    return true;
}

const Command CMD_COMPLETION = {
    .name = "completion",
    .summary = "print the completion script for bash",
    .arguments = "[bash]",
    .examples = "  . <(sora completion)\n"
                "  sora completion > ~/.local/share/bash-completion/completions/sora",
    .max_arguments = 1,
    .run = run,
};
