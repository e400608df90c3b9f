#include <string.h>
#include "cli/cli.h"

/* --- bash --- */

/* All words of a command: what completes its name, and then its options. */
static void print_words(const Command *c)
{
    for (const Command *const *s = c->subcommands; s != NULL && *s != NULL; s++)
        printf("%s ", (*s)->name);
    for (const Option *o = c->options; o != NULL && o->name != NULL; o++)
        printf("--%s ", o->name);
    printf("--help");
}

static void print_choices(const Option *o)
{
    for (const char *s = o->choices; *s; s++)
        putchar(*s == '|' ? ' ' : *s);
}

static bool is_file(const Option *o)
{
    return o->argument != NULL && strncmp(o->argument, "FILE", 4) == 0;
}

static bool is_folder(const Option *o)
{
    return o->argument != NULL && strcmp(o->argument, "DIR") == 0;
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
            print_choices(o);
            printf("' -- \"$cur\"))");
        } else if (is_file(o)) {
            printf("COMPREPLY=($(compgen -f -- \"$cur\"))");
        } else if (is_folder(o)) {
            printf("COMPREPLY=($(compgen -d -- \"$cur\"))");
        } else {
            printf("COMPREPLY=()");
        }
        printf("; return ;;\n");
    }
}

static void print_bash(void)
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

/* --- fish --- */

/* text between single quotes. */
static void print_quoted(const char *text, const char *quote)
{
    putchar('\'');
    for (const char *s = text; *s; s++) {
        if (*s == '\'')
            fputs(quote, stdout);
        else if (*s == '\\')
            fputs("\\\\", stdout);
        else
            putchar(*s);
    }
    putchar('\'');
}

/* when: the condition, fish code, under which the command's options are offered. */
static void print_fish_options(const char *when, const Command *c)
{
    for (const Option *o = c->options; o != NULL && o->name != NULL; o++) {
        printf("complete -c sora -n '%s' -l %s", when, o->name);
        if (o->letter)
            printf(" -s %c", o->letter);
        if (o->type == OPTION_CHOICE) {
            printf(" -x -a '");
            print_choices(o);
            putchar('\'');
        } else if (is_folder(o)) {
            printf(" -x -a '(__fish_complete_directories)'");
        } else if (o->type != OPTION_FLAG) {
            fputs(is_file(o) ? " -r -F" : " -x", stdout);
        }
        printf(" -d ");
        print_quoted(o->help, "\\'");
        putchar('\n');
    }
    if (c->arguments != NULL)
        printf("complete -c sora -n '%s' -F\n", when);
}

static void print_fish(void)
{
    char when[512];
    printf("# fish completion of sora; made by \"sora completion fish\"\ncomplete -c sora -f\n"
           "complete -c sora -s h -l help -d 'show help'\n"
           "complete -c sora -n __fish_use_subcommand -l version -d 'show the version'\n"
           "complete -c sora -n __fish_use_subcommand -a help -d 'show help of a command'\n");
    for (const Command *const *c = COMMANDS; *c != NULL; c++) {
        printf("complete -c sora -n __fish_use_subcommand -a %s -d ", (*c)->name);
        print_quoted((*c)->summary, "\\'");
        putchar('\n');
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %s", (*c)->name);
        if ((*c)->subcommands == NULL) {
            print_fish_options(when, *c);
            continue;
        }
        for (const Command *const *s = (*c)->subcommands; *s != NULL; s++) {
            printf("complete -c sora -n '%s; and not __fish_seen_subcommand_from", when);
            for (const Command *const *other = (*c)->subcommands; *other != NULL; other++)
                printf(" %s", (*other)->name);
            printf("' -a %s -d ", (*s)->name);
            print_quoted((*s)->summary, "\\'");
            putchar('\n');
        }
        for (const Command *const *s = (*c)->subcommands; *s != NULL; s++) {
            snprintf(when, sizeof when, "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s", (*c)->name,
                     (*s)->name);
            print_fish_options(when, *s);
        }
    }
}

/* --- zsh --- */

/* Within a specification of _arguments or _describe: colons and brackets mean something there. */
static void print_zsh_text(const char *text)
{
    for (const char *s = text; *s; s++) {
        if (strchr(":[]\\", *s) != NULL)
            putchar('\\');
        fputs(*s == '\'' ? "'\\''" : (char[]){*s, 0}, stdout);
    }
}

static void print_zsh_option(const Option *o)
{
    if (o->letter && o->type == OPTION_FLAG)
        printf(" \\\n        '(-%c --%s)'{-%c,--%s}'[", o->letter, o->name, o->letter, o->name);
    else if (o->letter)
        printf(" \\\n        '(-%c --%s)'{-%c+,--%s=}'[", o->letter, o->name, o->letter, o->name);
    else
        printf(" \\\n        '%s--%s%s[", o->type == OPTION_LIST ? "*" : "", o->name, o->type == OPTION_FLAG ? "" : "=");
    print_zsh_text(o->help);
    putchar(']');
    if (o->type != OPTION_FLAG)
        printf(":%s:", o->argument ? o->argument : "value");
    if (o->type == OPTION_CHOICE) {
        putchar('(');
        print_choices(o);
        putchar(')');
    } else if (is_file(o) || is_folder(o)) {
        fputs(is_file(o) ? "_files" : "_files -/", stdout);
    }
    putchar('\'');
}

static void print_zsh_arguments(const Command *c)
{
    printf("    _arguments '(- *)'{-h,--help}'[show help]'");
    for (const Option *o = c->options; o != NULL && o->name != NULL; o++)
        print_zsh_option(o);
    printf(" \\\n        '*:%s:_files'\n", c->arguments ? "argument" : "file");
}

/* A function that completes one of several commands and then what belongs to it; prefix: that of their functions. */
static void print_zsh_commands(const char *function, const char *prefix, const Command *const *commands)
{
    printf("%s() {\n    local state\n    local -a commands=(", function);
    for (const Command *const *c = commands; *c != NULL; c++) {
        printf("\n        '%s:", (*c)->name);
        print_zsh_text((*c)->summary);
        putchar('\'');
    }
    printf(")\n    _arguments -C '(- *)'{-h,--help}'[show help]' '1: :->command' '*:: :->rest'\n"
           "    case $state in\n    command) _describe command commands ;;\n    rest)\n        case $words[1] in\n");
    for (const Command *const *c = commands; *c != NULL; c++)
        printf("        %s) %s_%s ;;\n", (*c)->name, prefix, (*c)->name);
    printf("        esac ;;\n    esac\n}\n");
}

static void print_zsh(void)
{
    char function[64];
    printf("#compdef sora\n# zsh completion of sora; made by \"sora completion zsh\"\n");
    for (const Command *const *c = COMMANDS; *c != NULL; c++) {
        snprintf(function, sizeof function, "_sora_%s", (*c)->name);
        if ((*c)->subcommands == NULL) {
            printf("%s() {\n", function);
            print_zsh_arguments(*c);
            printf("}\n");
            continue;
        }
        for (const Command *const *s = (*c)->subcommands; *s != NULL; s++) {
            printf("%s_%s() {\n", function, (*s)->name);
            print_zsh_arguments(*s);
            printf("}\n");
        }
        print_zsh_commands(function, function, (*c)->subcommands);
    }
    print_zsh_commands("_sora", "_sora", COMMANDS);
    printf("if [ \"$funcstack[1]\" = _sora ]; then _sora \"$@\"; else compdef _sora sora; fi\n");
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const char *shell = count > 0 ? arguments[0] : "bash";
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else
        return error_set(err, SORA_ERROR_INPUT, "no completion for \"%.60s\"; there is one for bash, zsh and fish", shell);
    return true;
}

const Command CMD_COMPLETION = {
    .name = "completion",
    .summary = "print the completion script for bash, zsh or fish",
    .arguments = "[bash|zsh|fish]",
    .examples = "  . <(sora completion)\n"
                "  sora completion bash > ~/.local/share/bash-completion/completions/sora\n"
                "  sora completion fish > ~/.config/fish/completions/sora.fish\n"
                "  sora completion zsh > ~/.zfunc/_sora",
    .max_arguments = 1,
    .run = run,
};
