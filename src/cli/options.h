/* clang-format off */
/* Commands and their options as tables: parsing, help and shell completion come from them.
 *
 *     typedef struct BenchArgs {
 *         const char *config;
 *         int runs;
 *     } BenchArgs;
 *
 *     static const Option options[] = {
 *         {'c', "config", OPTION_STRING, offsetof(BenchArgs, config), "NAME", .help = "what to measure"},
 *         {0, "runs", OPTION_INT, offsetof(BenchArgs, runs), "N", .help = "repetitions (default 3)", .min = 1,
 *          .max = 100},
 *         {0},
 *     };
 *     static const BenchArgs defaults = {"nano", 3};
 *
 *     const Command CMD_BENCH = {.name = "bench", .summary = "measure this machine", .options = options,
 *                                .defaults = &defaults, .size = sizeof defaults, .run = run}; */
/* clang-format on */
#ifndef SORA_CLI_OPTIONS_H
#define SORA_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"

typedef enum OptionType {
    OPTION_FLAG,   /* bool; takes no value */
    OPTION_STRING, /* const char *, into argv */
    OPTION_INT,    /* int, min to max */
    OPTION_U64,    /* uint64_t */
    OPTION_SEED,   /* uint64_t; the word random draws one of 32 bits */
    OPTION_DOUBLE, /* double, min to max, finite */
    OPTION_SIZE,   /* OptionSize: WIDTHxHEIGHT, each min to max */
    OPTION_CHOICE, /* int: the place of the word in choices */
    OPTION_LIST,   /* OptionList: a string for each time that it is given, at most max times; 0: OPTION_LIST_MAX */
} OptionType;

enum { OPTION_LIST_MAX = 64 };

typedef struct OptionList {
    const char *items[OPTION_LIST_MAX + 1]; /* into argv; ends with NULL */
} OptionList;

typedef struct OptionSize {
    int width, height;
} OptionSize;

typedef struct Option {
    char letter;      /* -o; 0: none */
    const char *name; /* --output; NULL ends the table */
    OptionType type;
    size_t offset;        /* of the value in the command's struct */
    const char *argument; /* the value's name in the help: FILE; NULL: none, or the choices */
    const char *help;     /* a line or two, lower case */
    double min, max;      /* both 0: any number that the type holds */
    const char *choices;  /* "auto|f32|bf16" */
} Option;

typedef struct Command {
    const char *name;
    const char *summary;     /* one line */
    const char *arguments;   /* as in the usage line: "[PROMPT]"; NULL: none */
    const char *description; /* filled to 80 columns, but lines that begin with a space; NULL: none */
    const char *examples;    /* lines, each a command; NULL: none */
    const Option *options;   /* NULL: none but --help */
    const void *defaults;    /* the struct that the options fill; NULL when there are none */
    size_t size;             /* of it */
    int min_arguments, max_arguments;
    /* values: a copy of *defaults with the options filled in. False with *err filled: main prints it and
     * turns its code into the exit code. False without: the answer, which was printed, is no; exit code 1. */
    bool (*run)(const void *values, char **arguments, int count, SoraError *err);
    const struct Command *const *subcommands; /* ends with NULL; then run is NULL */
} Command;

typedef struct CommandLine {
    void *values;     /* size bytes, heap */
    char **arguments; /* what is no option, in order; heap, the strings are argv's */
    int count;
    bool help; /* --help was given: the rest is not looked at */
    /* Options with a value that were given before: of an earlier one only the later value is left, so twice is named. */
    const Option **seen; /* heap */
    int seen_count;
    const Option *twice; /* the first of them, or NULL */
} CommandLine;

/* argv[0] is skipped. Understands --name value, --name=value, -x value, -xvalue and "--". Errors are one
 * line and name the option. */
bool command_line_parse(CommandLine *line, const Command *command, int argc, char **argv, SoraError *err);
void command_line_deinit(CommandLine *line);

/* "6G", "6.5G", "800M": bytes in powers of 1000; NULL: 0. option: "--memory", for errors. */
bool parse_bytes(const char *option, const char *text, size_t *bytes, SoraError *err);

/* path: "sora generate". columns: how wide, at least 40; examples are as wide as they are. */
void command_print_help(const Command *command, const char *path, int columns, FILE *out);

/* The command of that name in a table that ends with NULL; NULL: none. */
const Command *command_find(const Command *const *commands, const char *name);

/* The name in the table that was probably meant; NULL: none is near. */
const char *command_nearest(const Command *const *commands, const char *name);

#endif
