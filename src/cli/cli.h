/* The commands of the sora program, one file each, and what they share. */
#ifndef SORA_CLI_CLI_H
#define SORA_CLI_CLI_H

#include "cli/options.h"

extern const Command CMD_CHECK, CMD_REDTEAM, CMD_SCORE, CMD_MEASURE, CMD_CAPTION, CMD_REWRITE, CMD_SCORE_CAPTIONER;
extern const Command CMD_EXTEND, CMD_LOOP, CMD_BLEND, CMD_REMIX, CMD_FILL, CMD_INTERPOLATE, CMD_RECUT, CMD_STORYBOARD,
    CMD_LIVE, CMD_STYLES;
extern const Command CMD_SERVE, CMD_WORKER, CMD_KEYS;
extern const Command CMD_GENERATE, CMD_WORDS, CMD_INSPECT, CMD_CONVERT, CMD_SHEET, CMD_STAGE, CMD_TRAIN, CMD_BENCH, CMD_VERIFY,
    CMD_CREDENTIALS, CMD_TRACE, CMD_COMPLETION, CMD_MANUAL;

/* What help and ./demo show: nano can do it whatever the seed. tests/e2e/cli.sh looks for it in all other places. */
#define EXAMPLE_PROMPT "a rocket flies up past a ringed planet in space"

/* All commands, in the order of the help; ends with NULL. */
extern const Command *const COMMANDS[];

enum {
    EXIT_ANSWER_NO = 1, /* nothing failed (verify, trace, check) */
    EXIT_INPUT = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_IO = 4,
    EXIT_MEMORY = 5,
    EXIT_UNSUPPORTED = 6,
    EXIT_INTERNAL = 7, /* a library below us failed */
    EXIT_CANCELLED = 130,
};

/* What each means, for `sora --help` and the manual page; ends with NULL. */
typedef struct ExitCode {
    int code;
    const char *meaning;
} ExitCode;

extern const ExitCode EXIT_CODES[];

/* What a command that succeeds exits with, where 0 is not the only answer (sora verify). */
void command_exit_code(int code);
int command_exit_code_given(void); /* 0 when none was */

/* Another process of the same command says why it failed. */
void command_silence(void);
bool command_silenced(void);

/* Makes Ctrl-C, SIGTERM, a closed terminal (SIGHUP, unless it is ignored, as nohup does), SIGQUIT and SIGXCPU ask for an end
 * instead of killing; the second one kills. */
void interrupt_catch(void);
bool interrupt_requested(void); /* or a file that is being read has lost its end, which ends everything as well */

#endif
