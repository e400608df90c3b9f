#include "media/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lost.h"

/* Bytes of addresses that libraries reserve and do not use. */
static const size_t SLACK = (size_t)64 << 20;

struct Child {
    const ChildPlan *plan;
    pid_t pid; /* 0: it is gone */
    int pipe;
};

/* --- in the child --- */

bool outlet_append(const Outlet *out, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = write(out->pipe, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool outlet_send(const Outlet *out, const Message *message, const void *data)
{
    return outlet_append(out, message, sizeof *message) &&
           (data == NULL || outlet_append(out, data, (size_t)message->bytes));
}

static size_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        if (fscanf(f, "%llu", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void lower_limit(int resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0 && (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max)) {
        limit.rlim_cur = limit.rlim_max = value;
        (void)setrlimit(resource, &limit);
    }
}

/* A decoder that a file has taken over reaches no network, starts no program, and changes nothing in the file system: these
 * calls fail. Where the kernel has no filters, the other limits remain. */
static void forbid_calls(void)
{
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
    enum { X32 = 0x40000000 };
    static const unsigned short FORBIDDEN[] = {
        SYS_socket,  SYS_socketpair, SYS_connect, SYS_bind,    SYS_listen,  SYS_accept,  SYS_accept4,  SYS_sendto,  SYS_sendmsg,
        SYS_execve,  SYS_execveat,   SYS_ptrace,  SYS_unlink,  SYS_unlinkat, SYS_rename, SYS_renameat, SYS_renameat2, SYS_mkdir,
        SYS_mkdirat, SYS_rmdir,      SYS_link,    SYS_linkat,  SYS_symlink, SYS_symlinkat, SYS_chmod,  SYS_fchmod,  SYS_fchmodat,
        SYS_chown,   SYS_fchown,     SYS_fchownat, SYS_mknod,  SYS_mknodat, SYS_truncate, SYS_ftruncate, SYS_mount,
        SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf,  SYS_io_uring_setup,
    };
    enum { COUNT = sizeof FORBIDDEN / sizeof *FORBIDDEN, HEAD = 4 };
    struct sock_filter code[HEAD + COUNT + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, COUNT + 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, COUNT + 1, 0),
    };
    for (int i = 0; i < COUNT; i++)
        code[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORBIDDEN[i], (unsigned char)(COUNT - i), 0);
    code[HEAD + COUNT] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[HEAD + COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog program = {HEAD + COUNT + 2, code};
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
}

/* before: the bytes of addresses that this process had before it was copied; 0: not known. */
static void restrict_child(const ChildPlan *plan, size_t before, pid_t parent)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        signal(SIGNALS[i], SIG_DFL); /* Ctrl-C ends the child at once */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (getppid() != parent)
        _exit(1); /* it died before it could be heard of */
    lower_limit(RLIMIT_CORE, 0);
    lower_limit(RLIMIT_FSIZE, 0); /* a decoder writes no files */
    lower_limit(RLIMIT_CPU, (rlim_t)plan->seconds);
    if (before > 0)
        lower_limit(RLIMIT_AS, before + plan->memory + SLACK);
    forbid_calls();
}

static void run(const ChildPlan *plan, const Outlet *out)
{
    Message end = {.kind = MESSAGE_END};
    if (!plan->work(plan->user, out, &end.error) || !lost_check(&end.error))
        end.kind = MESSAGE_ERROR;
    outlet_send(out, &end, NULL);
}

/* --- in the parent --- */

Child *child_start(const ChildPlan *plan, SoraError *err)
{
    int ends[2];
    Child *c = calloc(1, sizeof *c);
    if (c == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        error_set(err, c == NULL ? SORA_ERROR_MEMORY : SORA_ERROR_IO, "%s: no pipe for a decoder: %s", plan->path,
                  strerror(errno));
        free(c);
        return NULL;
    }
    size_t before = address_space();
    pid_t parent = getpid();
    c->plan = plan;
    c->pipe = ends[0];
    c->pid = fork();
    if (c->pid == 0) {
        close(ends[0]);
        restrict_child(plan, before, parent);
        run(plan, &(Outlet){ends[1]});
        _exit(0);
    }
    close(ends[1]);
    if (c->pid > 0)
        return c;
    error_set(err, SORA_ERROR_IO, "%s: no process for a decoder: %s", plan->path, strerror(errno));
    close(c->pipe);
    free(c);
    return NULL;
}

static int reap(Child *c)
{
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    return status;
}

/* The pipe ended, and the child did not say why. */
static bool explain(Child *c, SoraError *err)
{
    const ChildPlan *p = c->plan;
    int status = c->pid > 0 ? reap(c) : 0, signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP)
        return error_set(err, SORA_ERROR_CANCELLED, "cancelled");
    if (signal == SIGXCPU || signal == SIGKILL)
        return error_set(err, SORA_ERROR_INPUT, "%s: decoding it took more than %d s of processor time, or was ended from outside",
                         p->path, p->seconds);
    return error_set(err, SORA_ERROR_INPUT, "%s: the decoder crashed on this file (%s)", p->path,
                     signal > 0 ? strsignal(signal) : "it ended without a word");
}

bool child_read(Child *c, void *data, size_t size, SoraError *err)
{
    char *at = data;
    while (size > 0) {
        ssize_t n = read(c->pipe, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return explain(c, err);
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool child_receive(Child *c, Message *m, SoraError *err)
{
    if (!child_read(c, m, sizeof *m, err))
        return false;
    m->error.message[sizeof m->error.message - 1] = 0;
    for (char *s = m->error.message; *s != 0; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            *s = '?';
    if (m->kind != MESSAGE_ERROR)
        return true;
    bool code = m->error.code > SORA_OK && m->error.code <= SORA_ERROR_INTERNAL;
    return error_set(err, code ? m->error.code : SORA_ERROR_INPUT, "%s", m->error.message);
}

void child_end(Child *c)
{
    if (c == NULL)
        return;
    close(c->pipe);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        reap(c);
    }
    free(c);
}
