#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/lost.h"
#include "cli/cli.h"
#include "serve/serve.h"

const Command *const COMMANDS[] = {
    &CMD_GENERATE, &CMD_EXTEND, &CMD_LOOP, &CMD_BLEND, &CMD_REMIX, &CMD_FILL, &CMD_INTERPOLATE, &CMD_RECUT, &CMD_STORYBOARD,
    &CMD_LIVE, &CMD_STYLES,
    &CMD_CAPTION, &CMD_CHECK, &CMD_REDTEAM, &CMD_WORDS, &CMD_REWRITE, &CMD_INSPECT, &CMD_CONVERT, &CMD_SCORE, &CMD_MEASURE, &CMD_SHEET,
    &CMD_STAGE, &CMD_TRAIN, &CMD_BENCH,
    &CMD_VERIFY,   &CMD_CREDENTIALS, &CMD_TRACE,   &CMD_SERVE, &CMD_KEYS, &CMD_WORKER, &CMD_COMPLETION, &CMD_MANUAL, NULL,
};

static const Command SORA = {
    .name = "sora",
    .summary = "a sentence becomes a video",
    .subcommands = COMMANDS,
    .description = "       sora \"a prompt\"            is short for: sora generate --prompt \"a prompt\"\n"
                   "       sora help COMMAND          the same as: sora COMMAND --help\n"
                   "       sora --version",
    .examples = "  sora \"" EXAMPLE_PROMPT "\"\n"
                "  sora \"a red balloon floats up into the sky\" --seed 7 -o balloon.webm",
};

/* 80, or what a narrower terminal has. */
static int columns_of(FILE *out)
{
    struct winsize size;
    bool narrow = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_col < 80;
    return narrow ? size.ws_col : 80;
}

static void print_help(const Command *command, const char *path, FILE *out)
{
    command_print_help(command, path, columns_of(out), out);
    if (command != &SORA)
        return;
    fputs("\nExit codes:\n", out);
    for (const ExitCode *e = EXIT_CODES; e->meaning != NULL; e++)
        fprintf(out, "  %3d  %s\n", e->code, e->meaning);
}

static int exit_code(SoraErrorCode code)
{
    switch (code) {
    case SORA_ERROR_INPUT:
        return EXIT_INPUT;
    case SORA_ERROR_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case SORA_ERROR_IO:
        return EXIT_IO;
    case SORA_ERROR_MEMORY:
        return EXIT_MEMORY;
    case SORA_ERROR_UNSUPPORTED:
        return EXIT_UNSUPPORTED;
    case SORA_ERROR_CANCELLED:
        return EXIT_CANCELLED;
    default:
        return EXIT_INTERNAL;
    }
}

/* One line on stderr; what came from outside cannot move the cursor. */
static int fail(const char *path, const SoraError *err)
{
    char text[sizeof err->message];
    snprintf(text, sizeof text, "%s", *err->message ? err->message : "failed");
    for (char *s = text; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 127)
            *s = '?';
    }
    if (!command_silenced())
        fprintf(stderr, "%s: %s\n", path, text);
    return exit_code(err->code);
}

/* Everything that was printed has arrived, or that is the failure. */
static int finish(const char *path, SoraError *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    error_set(err, SORA_ERROR_IO, "cannot write to standard output");
    return fail(path, err);
}

static int help(const Command *command, const char *path)
{
    SoraError err = {0};
    print_help(command, path, stdout);
    return finish(path, &err);
}

/* If a file lost its end meanwhile, that is why the rest went wrong, or it did without anybody noticing. */
static bool run_on_whole_files(const Command *command, const CommandLine *line, SoraError *err)
{
    bool ok = command->run(line->values, line->arguments, line->count, err);
    return lost_check(err) && ok;
}

/* argv[0] is the command's name. */
static int run(const Command *command, const char *path, int argc, char **argv)
{
    SoraError err = {0};
    CommandLine line;
    if (!command_line_parse(&line, command, argc, argv, &err))
        return fail(path, &err);
    int code = EXIT_SUCCESS;
    if (line.twice != NULL && !line.help)
        fprintf(stderr, "%s: --%s was given more than once; the last one counts\n", path, line.twice->name);
    if (line.help)
        print_help(command, path, stdout);
    else if (!run_on_whole_files(command, &line, &err))
        code = fail(path, &err);
    command_line_deinit(&line);
    if (code == EXIT_SUCCESS)
        code = finish(path, &err);
    return code == EXIT_SUCCESS ? command_exit_code_given() : code;
}

/* Is it a sentence, and no mistyped command? It has a space, or is not ASCII, or options follow. */
static bool is_prompt(int argc, char **argv)
{
    const char *word = argv[1];
    if (word[0] == '-' || strpbrk(word, " \t\n") != NULL || *word == 0)
        return true;
    for (const char *s = word; *s; s++) {
        if ((unsigned char)*s >= 0x80)
            return true;
    }
    return argc > 2 && argv[2][0] == '-' && strcmp(argv[2], "--help") != 0 &&
           command_nearest(COMMANDS, word) == NULL;
}

static int unknown(const char *path, const Command *const *commands, const char *name, int more)
{
    SoraError err = {0};
    const char *near = command_nearest(commands, name);
    if (near != NULL)
        error_set(&err, SORA_ERROR_INPUT, "unknown command \"%.60s\"; did you mean %s?", name, near);
    else if (more > 0)
        error_set(&err, SORA_ERROR_INPUT, "unknown command \"%.60s\"; a prompt of several words needs quotes",
                  name);
    else
        error_set(&err, SORA_ERROR_INPUT, "unknown command \"%.60s\"; see %s --help", name, path);
    return fail(path, &err);
}

/* Goes down the tree of commands: "sora stage preview". argv[0] is command's own name. */
static int dispatch(const Command *command, const char *path, int argc, char **argv)
{
    if (command->subcommands == NULL)
        return run(command, path, argc, argv);
    if (argc < 2) {
        print_help(command, path, stderr);
        return EXIT_INPUT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(command, path);
    const Command *next = command_find(command->subcommands, argv[1]);
    if (next == NULL)
        return unknown(path, command->subcommands, argv[1], argc - 2);
    char longer[128];
    snprintf(longer, sizeof longer, "%s %s", path, next->name);
    return dispatch(next, longer, argc - 1, argv + 1);
}

/* sora help [COMMAND [SUBCOMMAND]] */
static int help_of(int argc, char **argv)
{
    const Command *command = &SORA;
    char path[128] = "sora";
    for (int i = 2; i < argc; i++) {
        const Command *next = command->subcommands ? command_find(command->subcommands, argv[i]) : NULL;
        if (next == NULL)
            return unknown(path, command->subcommands ? command->subcommands : COMMANDS, argv[i], 0);
        size_t n = strlen(path);
        snprintf(path + n, sizeof path - n, " %s", next->name);
        command = next;
    }
    return help(command, path);
}

int main(int argc, char **argv)
{
    SoraError err = {0};
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 4 << 20); /* glibc: what is large goes back to the system when it is freed */
#endif
    lost_catch();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write(), and no end without a word */
    if (argc < 2)
        return dispatch(&SORA, "sora", argc, argv);
    if (strcmp(argv[1], ENGINE_COMMAND) == 0) /* what sora serve starts for each slot */
        return engine_main(argc, argv);
    if (strcmp(argv[1], "--version") == 0) {
        printf("sora %s\n", SORA_VERSION);
        return finish("sora", &err);
    }
    if (strcmp(argv[1], "help") == 0)
        return help_of(argc, argv);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        command_find(COMMANDS, argv[1]) != NULL || !is_prompt(argc, argv))
        return dispatch(&SORA, "sora", argc, argv);
    /* The prompt and its options are generate's; argv[0] stands in for the command's name. */
    return run(&CMD_GENERATE, "sora", argc, argv);
}
