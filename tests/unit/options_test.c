#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/options.h"
#include "cli/progress.h"

typedef struct Args {
    const char *text;
    int number, choice, color;
    uint64_t seed;
    double ratio;
    OptionSize size;
    bool flag;
} Args;

static const Args defaults = {"default", 3, 1, 0, 5, 0.5, {64, 32}, false};

static const Option options[] = {
    {'t', "text", OPTION_STRING, offsetof(Args, text), "TEXT", .help = "a string"},
    {'n', "number", OPTION_INT, offsetof(Args, number), "N", .help = "a number", .min = 1, .max = 100},
    {0, "choice", OPTION_CHOICE, offsetof(Args, choice), .help = "a word", .choices = "auto|f32|bf16"},
    {0, "seed", OPTION_SEED, offsetof(Args, seed), "N", .help = "a large number"},
    {0, "ratio", OPTION_DOUBLE, offsetof(Args, ratio), "N", .help = "a real number", .min = 0, .max = 1},
    {0, "size", OPTION_SIZE, offsetof(Args, size), "WxH", .help = "a size", .min = 1, .max = 1000},
    {0, "color", OPTION_CHOICE, offsetof(Args, color), .help = "a word",
     .choices = "any|native|red|orange|yellow|green|blue|purple|pink|brown|black|white"},
    {'f', "flag", OPTION_FLAG, offsetof(Args, flag),
     .help = "a flag with a long help text that does not fit on one "
             "line and so has to be wrapped below itself"},
    {0},
};

static const Command command = {
    .name = "try",
    .summary = "tries",
    .arguments = "[WORD]",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .description = "A first line that is followed by\nanother one, and by so many words that "
                   "the paragraph has to be broken.\n  as is\n\nEnd.",
    .examples = "  sora try -f"};

/* Splits at spaces; "_" stands for an empty argument. */
static bool parse(CommandLine *line, const char *words, SoraError *err)
{
    static char text[256];
    static char *argv[16];
    int argc = 0;
    argv[argc++] = text;
    snprintf(text, sizeof text, "%s", words);
    for (char *s = strtok(text, " "); s != NULL; s = strtok(NULL, " "))
        argv[argc++] = strcmp(s, "_") == 0 ? "" : s;
    return command_line_parse(line, &command, argc, argv, err);
}

static Args expect(const char *words, int count)
{
    SoraError err = {0};
    CommandLine line;
    if (!parse(&line, words, &err))
        fail_msg("%s: %s", words, err.message);
    assert_int_equal(line.count, count);
    Args a = *(Args *)line.values;
    command_line_deinit(&line);
    return a;
}

static void values_are_set(void **state)
{
    Args a = expect("", 0);
    assert_string_equal(a.text, "default");
    assert_true(a.number == 3 && a.choice == 1 && a.seed == 5 && a.ratio == 0.5 && !a.flag);
    a = expect(
        "--text hello --number=7 --choice bf16 --seed 18446744073709551615 --ratio 1e-1 --size 160x96 -f", 0);
    assert_string_equal(a.text, "hello");
    assert_true(a.number == 7 && a.choice == 2 && a.seed == UINT64_MAX && a.ratio == 0.1 && a.flag);
    assert_true(a.size.width == 160 && a.size.height == 96);
    a = expect("-n 1 -n100 -tword --size=1X1000 word", 1);
    assert_true(a.number == 100 && a.size.width == 1 && a.size.height == 1000);
    assert_string_equal(a.text, "word");
    a = expect("--text= --ratio 0", 0);
    assert_string_equal(a.text, "");
    assert_true(a.ratio == 0);
    a = expect("-t _ -- --flag", 1);
    assert_string_equal(a.text, "");
    assert_false(a.flag);
    a = expect("--text -5 -", 1); /* a value may begin with a dash; "-" alone is an argument */
    assert_string_equal(a.text, "-5");
}

static void what_is_given_twice_is_named(void **state)
{
    static const struct {
        const char *words, *twice;
    } cases[] = {
        {"-n 1 --number=100 --ratio 1", "number"},
        {"--text a --number 1 -t b -n 2", "text"},
        {"--number 1 --text a -f -f word", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SoraError err = {0};
        CommandLine line;
        assert_true(parse(&line, cases[i].words, &err));
        assert_string_equal(line.twice != NULL ? line.twice->name : "", cases[i].twice != NULL ? cases[i].twice : "");
        command_line_deinit(&line);
    }
}

static void help_stops_parsing(void **state)
{
    SoraError err = {0};
    CommandLine line;
    assert_true(parse(&line, "--number 5 --help --nonsense", &err));
    assert_true(line.help);
    command_line_deinit(&line);
    assert_true(parse(&line, "-h", &err));
    assert_true(line.help);
    command_line_deinit(&line);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *words, *message;
    } cases[] = {
        {"--nubmer 5", "unknown option --nubmer; did you mean --number?"},
        {"--num 5", "unknown option --num; did you mean --number?"},
        {"--numbr=5", "unknown option --numbr; did you mean --number?"},
        {"--hlep", "unknown option --hlep; did you mean --help?"},
        {"--wombat", "unknown option --wombat; see --help"},
        {"-x", "unknown option -x; see --help"},
        {"--number", "--number needs a value"},
        {"-n", "--number needs a value"},
        {"--text --flag", "--text needs a value"},
        {"-t -n", "--text needs a value"},
        {"--flag=1", "--flag takes no value"},
        {"--number 0", "--number: 0 is out of range: 1 to 100"},
        {"--number 101", "--number: 101 is out of range: 1 to 100"},
        {"--number 5x", "--number: \"5x\" is not a whole number"},
        {"--number _", "--number: \"\" is not a whole number"},
        {"--number 99999999999999999999", "--number: \"99999999999999999999\" is not a whole number"},
        {"--seed -1", "--seed: \"-1\" is not a whole number from 0 to 18446744073709551615"},
        {"--seed 18446744073709551616",
         "--seed: \"18446744073709551616\" is not a whole number from 0 to 18446744073709551615"},
        {"--ratio 1.5", "--ratio: 1.5 is out of range: 0 to 1"},
        {"--ratio nan", "--ratio: \"nan\" is not a number"},
        {"--ratio inf", "--ratio: \"inf\" is not a number"},
        {"--ratio _", "--ratio: \"\" is not a number"},
        {"--size 128", "--size: \"128\" is not WIDTHxHEIGHT, such as 128x128"},
        {"--size x128", "--size: \"x128\" is not WIDTHxHEIGHT, such as 128x128"},
        {"--size 128x", "--size: \"128x\" is not WIDTHxHEIGHT, such as 128x128"},
        {"--size 1x1x1", "--size: \"1x1x1\" is not WIDTHxHEIGHT, such as 128x128"},
        {"--size 0x5", "--size: 0x5 is out of range: 1 to 1000"},
        {"--size 5x1001", "--size: 5x1001 is out of range: 1 to 1000"},
        {"--choice f64", "--choice: \"f64\" is none of auto|f32|bf16"},
        {"--choice f3", "--choice: \"f3\" is none of auto|f32|bf16"},
        {"a b", "\"b\" is one argument too many; quote what belongs together"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SoraError err = {0};
        CommandLine line;
        assert_false(parse(&line, cases[i].words, &err));
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_null(line.values);
    }
}

static void too_few_arguments(void **state)
{
    Command needs = command;
    needs.arguments = "CONFIG";
    needs.min_arguments = 1;
    SoraError err = {0};
    CommandLine line;
    assert_false(command_line_parse(&line, &needs, 1, (char *[]){"try"}, &err));
    assert_string_equal(err.message, "CONFIG is missing; see --help");
}

static void long_input_is_harmless(void **state)
{
    char *word = malloc(100003);
    memset(word, 'x', 100002);
    memcpy(word, "--", 2);
    word[100002] = 0;
    SoraError err = {0};
    CommandLine line;
    assert_false(command_line_parse(&line, &command, 2, (char *[]){"try", word}, &err));
    assert_false(command_line_parse(&line, &command, 3, (char *[]){"try", "--number", word}, &err));
    assert_false(command_line_parse(&line, &command, 3, (char *[]){"try", "--size", word}, &err));
    assert_true(strlen(err.message) < sizeof err.message);
    free(word);
}

static void help_lists_every_option(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    command_print_help(&command, "sora try", 80, out);
    fclose(out);
    assert_non_null(strstr(text, "Usage: sora try [OPTIONS] [WORD]\n"));
    assert_non_null(strstr(text,
                           "\n\nA first line that is followed by another one, and by so many words that the\n"
                           "paragraph has to be broken.\n  as is\n\nEnd.\n\nOptions:"));
    assert_non_null(strstr(text, "  -n, --number N           a number\n"));
    assert_non_null(strstr(text, "      --choice auto|f32|bf16\n                           a word\n"));
    assert_non_null(strstr(
        text, "      --color WORD         a word\n                           one of any, native, red, "));
    assert_non_null(strstr(text, "-h, --help"));
    assert_non_null(strstr(text, "Examples:\n  sora try -f\n"));
    for (char *s = strtok(text, "\n"); s != NULL; s = strtok(NULL, "\n"))
        assert_true(strlen(s) <= 80);
    free(text);
}

/* No line is wider than the terminal, and every word is there in one piece. */
static void narrow_help_breaks_between_words(void **state)
{
    for (int columns = 40; columns <= 80; columns += 5) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        command_print_help(&command, "sora try", columns, out);
        fclose(out);
        assert_non_null(strstr(text, " wrapped"));
        assert_non_null(strstr(text, "paragraph"));
        for (char *s = strtok(text, "\n"); s != NULL; s = strtok(NULL, "\n"))
            assert_true((int)strlen(s) <= columns);
        free(text);
    }
}

static void random_seeds_are_drawn(void **state)
{
    uint64_t seen[2];
    for (int i = 0; i < 2; i++) {
        CommandLine line;
        SoraError err = {0};
        assert_true(parse(&line, "--seed random", &err));
        seen[i] = ((const Args *)line.values)->seed;
        assert_true(seen[i] <= UINT32_MAX);
        command_line_deinit(&line);
    }
    assert_true(seen[0] != seen[1]); /* wrong once in four thousand million runs */
}

static void commands_are_found_and_guessed(void **state)
{
    static const Command generate = {.name = "generate"}, train = {.name = "train"};
    static const Command *const commands[] = {&generate, &train, NULL};
    assert_ptr_equal(command_find(commands, "train"), &train);
    assert_null(command_find(commands, "trai"));
    assert_string_equal(command_nearest(commands, "genreate"), "generate");
    assert_string_equal(command_nearest(commands, "gen"), "generate");
    assert_string_equal(command_nearest(commands, "trian"), "train");
    assert_null(command_nearest(commands, "dog"));
    assert_null(command_nearest(commands, ""));
}

static void progress_shows_rate_and_time_left(void **state)
{
    char text[201];
    ProgressStep step = {"denoise", "steps", 5, 20};
    progress_format(text, sizeof text, &step, 2.5, 80);
    assert_string_equal(text, "denoise    [#######-----------------------] 5/20  2.0 steps/s  ETA 0:08");
    step.done = 0;
    progress_format(text, sizeof text, &step, 0, 80);
    assert_string_equal(text, "denoise    [------------------------------] 0/20");
    step = (ProgressStep){"decode", "frames", 1, 1000};
    progress_format(text, sizeof text, &step, 20, 80);
    assert_non_null(strstr(text, " 1/1000  20.00 s each  ETA 5:33:00"));
    for (int columns = 1; columns < 200; columns++) {
        progress_format(text, sizeof text, &step, 20, columns);
        assert_true(columns == 1 || (int)strlen(text) < columns);
    }
    step = (ProgressStep){"decode", "frames", 7, 0};
    progress_format(text, sizeof text, &step, 1, 80);
    assert_non_null(strstr(text, " 1/1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_set),
        cmocka_unit_test(what_is_given_twice_is_named),
        cmocka_unit_test(help_stops_parsing),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(too_few_arguments),
        cmocka_unit_test(long_input_is_harmless),
        cmocka_unit_test(help_lists_every_option),
        cmocka_unit_test(narrow_help_breaks_between_words),
        cmocka_unit_test(random_seeds_are_drawn),
        cmocka_unit_test(commands_are_found_and_guessed),
        cmocka_unit_test(progress_shows_rate_and_time_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
