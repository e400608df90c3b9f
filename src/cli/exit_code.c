#include "cli/cli.h"

#include <stdlib.h>

const ExitCode EXIT_CODES[] = {
    {EXIT_SUCCESS, "done"},
    {EXIT_ANSWER_NO, "the answer is no (verify, trace, check)"},
    {EXIT_INPUT, "a wrong option, prompt, size or file"},
    {EXIT_NOT_FOUND, "a file or model is not there"},
    {EXIT_IO, "reading or writing failed"},
    {EXIT_MEMORY, "not enough memory"},
    {EXIT_UNSUPPORTED, "this build or machine cannot do it"},
    {EXIT_INTERNAL, "a library below failed"},
    {EXIT_CANCELLED, "cancelled by Ctrl-C or another signal"},
    {0, NULL},
};

static int given;
static bool silenced;

void command_exit_code(int code)
{
    given = code;
}

void command_silence(void)
{
    silenced = true;
}

bool command_silenced(void)
{
    return silenced;
}

int command_exit_code_given(void)
{
    return given;
}
