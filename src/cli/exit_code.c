#include "cli/cli.h"

static int given;

void command_exit_code(int code)
{
    given = code;
}

int command_exit_code_given(void)
{
    return given;
}
