#include <signal.h>
#include "base/lost.h"
#include "cli/cli.h"

static volatile sig_atomic_t requested;

static void remember(int signal)
{
    requested = 1;
}

void interrupt_catch(void)
{
    /* SA_RESETHAND: the second signal does what it always does. SA_RESTART: no read or write is cut short. */
    struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_requested(void)
{
    return requested != 0 || !lost_check(NULL);
}
