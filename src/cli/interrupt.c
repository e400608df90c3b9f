#include <signal.h>
#include "base/lost.h"
#include "cli/cli.h"

static volatile sig_atomic_t requested;

/* Ctrl-C, Ctrl-\, kill, a terminal that is closed, a limit of processor time. */
static const int SIGNALS[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGXCPU};
enum { COUNT = sizeof SIGNALS / sizeof *SIGNALS };

/* The second signal, of whatever kind, does what it always does. */
static void remember(int number)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int i = 0; i < COUNT; i++)
        if (SIGNALS[i] != SIGHUP) /* which nohup has ignored, and terminals send beside others */
            sigaction(SIGNALS[i], &action, NULL);
    requested = 1;
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESTART}, old; /* no read or write is cut short */
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < COUNT; i++)
        if (SIGNALS[i] != SIGHUP || (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN))
            sigaction(SIGNALS[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* who read our messages may be gone; that is an error of write() then */
}

bool interrupt_requested(void)
{
    return requested != 0 || !lost_check(NULL);
}
