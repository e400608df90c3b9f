/* A team of MPI's ranks.
 *
 * A sum of gradients is an all-to-all, after which every rank has one piece of the numbers from everybody and adds it up in the order
 * of ranks, and an all-gather of the pieces: 2 (N - 1) / N times the numbers leave each rank, as with a ring, and everybody gets the
 * same bits whatever the network does. With BF16 each number is rounded twice, before and after the sum.
 *
 * A thread keeps the network going while the caller computes. Every call of MPI holds the lock. Nothing blocks within MPI: whoever
 * waits looks, sleeps, and looks whether the others are still there. */
#include "team/team.h"

#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tensor/tensor.h"

enum { MAX_NOTES = 64 };
enum { FAILED_NONE = -1, SAID = -2 }; /* whose fault it is: nobody's; another rank knows and says it */
static const double PATIENCE = 600, NAP_BUSY = 50e-6, NAP_IDLE = 0.02, BEAT = 0.2, LONG_BEATS = 5, LAST_WORDS = 20, FAREWELL = 0.2;

typedef enum Stage { SCATTER, GATHER, DONE } Stage;

/* A sum under way. */
typedef struct Sum {
    float *values;
    int64_t count, piece; /* a rank adds piece numbers; the last may have fewer */
    char *out, *in;       /* [size * piece] on their way, F32 or BF16 */
    size_t capacity;      /* bytes of each */
    MPI_Request request;
    Stage stage;
} Sum;

/* What a rank says of itself on the channel of notes. */
typedef struct Note {
    int64_t progress; /* how often its caller has called beat() */
    int32_t code;     /* SoraErrorCode; not SORA_OK: it has failed, and this is why */
    int32_t said;     /* it says so to the user itself */
    char message[256];
} Note;

typedef struct Peer {
    double heard, moved; /* when its last note came, and the last with more progress */
    int64_t progress;
    char host[64];
} Peer;

typedef struct MpiTeam {
    Team base;
    TeamOptions options;
    pthread_mutex_t lock;
    pthread_t thread;
    bool running, quit;
    MPI_Comm scatter, gather, small, notes; /* each with calls in an order of its own */
    Sum *sums;
    int sum_count, sum_capacity, gathered; /* begun; gathered: how many are in the second stage or done */
    bool half;                             /* of the sums under way */
    Note sent[MAX_NOTES];
    MPI_Request sending[MAX_NOTES];
    int next_note;
    Peer *peers;
    int64_t progress;
    double last_beat;
    SoraError error; /* what ends the run; code SORA_OK: nothing yet */
    int failed;      /* the rank whose fault it is */
} MpiTeam;

static void nap(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static void set_failure(MpiTeam *t, int rank, SoraErrorCode code, const char *message)
{
    if (t->error.code != SORA_OK)
        return;
    t->failed = rank;
    error_set(&t->error, code, "%s", message);
}

/* An MPI call's answer; with the lock. */
static bool check(MpiTeam *t, int answer, const char *what)
{
    if (answer == MPI_SUCCESS)
        return true;
    char text[MPI_MAX_ERROR_STRING] = "", message[256];
    int length = 0;
    MPI_Error_string(answer, text, &length);
    snprintf(message, sizeof message, "MPI: %s: %.180s", what, text);
    set_failure(t, t->base.rank, SORA_ERROR_IO, message);
    return false;
}

/* --- notes: who is still there --- */

/* Is it this rank's business how that one is? All look after rank 0, rank 0 after all. */
static bool watches(const MpiTeam *t, int rank)
{
    return rank != t->base.rank && (t->base.rank == 0 || rank == 0);
}

static void send_note(MpiTeam *t, int rank, const Note *note)
{
    int slot = t->next_note, done = 0;
    if (t->sending[slot] != MPI_REQUEST_NULL &&
        (MPI_Test(&t->sending[slot], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || !done))
        return; /* it does not read; the next may arrive */
    t->next_note = (slot + 1) % MAX_NOTES;
    t->sent[slot] = *note;
    MPI_Isend(&t->sent[slot], sizeof *note, MPI_BYTE, rank, 0, t->notes, &t->sending[slot]);
}

static void send_beats(MpiTeam *t, double now)
{
    double every = BEAT * (t->base.size > 64 ? t->base.size / 64.0 : 1);
    if (now - t->last_beat < every)
        return;
    t->last_beat = now;
    Note note = {.progress = t->progress};
    for (int i = 0; i < t->base.size; i++)
        if (watches(t, i))
            send_note(t, i, &note);
}

static void read_notes(MpiTeam *t, double now)
{
    int there = 0;
    MPI_Status status;
    while (MPI_Iprobe(MPI_ANY_SOURCE, 0, t->notes, &there, &status) == MPI_SUCCESS && there) {
        Note note;
        int rank = status.MPI_SOURCE;
        if (MPI_Recv(&note, sizeof note, MPI_BYTE, rank, 0, t->notes, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return;
        Peer *p = &t->peers[rank];
        p->heard = now;
        if (note.progress != p->progress)
            p->moved = now;
        p->progress = note.progress;
        note.message[sizeof note.message - 1] = 0;
        if (note.code != SORA_OK) {
            char message[256];
            snprintf(message, sizeof message, "rank %d (%.63s): %.180s", rank, p->host, note.message);
            set_failure(t, note.said ? SAID : rank, (SoraErrorCode)note.code, message);
        }
    }
}

/* While this rank waits: has one of those that it watches made no progress for too long? */
static void judge(MpiTeam *t, double now)
{
    for (int i = 0; i < t->base.size && t->error.code == SORA_OK; i++) {
        if (!watches(t, i) || now - t->peers[i].moved < t->options.patience)
            continue;
        char message[256];
        bool silent = now - t->peers[i].heard >= t->options.patience;
        snprintf(message, sizeof message, "rank %d (%.63s) %s for %.0f s; go on with --resume", i, t->peers[i].host,
                 silent ? "has not answered" : "has made no progress", t->options.patience);
        set_failure(t, i, SORA_ERROR_IO, message);
    }
}

/* The process was asked to end while it waits: it was asked because a rank is gone, or all are. */
static void judge_stopping(MpiTeam *t, double now)
{
    for (int i = 0; i < t->base.size; i++)
        if (watches(t, i) && now - t->peers[i].heard > LONG_BEATS * BEAT / 2) {
            char message[256];
            snprintf(message, sizeof message, "rank %d (%.63s) has ended; go on with --resume", i, t->peers[i].host);
            set_failure(t, i, SORA_ERROR_IO, message);
        }
}

/* --- sums --- */

static size_t width(const MpiTeam *t)
{
    return t->half ? sizeof(uint16_t) : sizeof(float);
}

static MPI_Datatype wire(const MpiTeam *t)
{
    return t->half ? MPI_UINT16_T : MPI_FLOAT;
}

static void encode(const MpiTeam *t, const float *from, int64_t count, int64_t at, char *to)
{
    if (!t->half) {
        memcpy(to + at * (int64_t)sizeof(float), from, (size_t)count * sizeof(float));
        return;
    }
    uint16_t *out = (uint16_t *)to + at;
    for (int64_t i = 0; i < count; i++)
        out[i] = f32_to_bf16(from[i]);
}

static void decode(const MpiTeam *t, const char *from, int64_t count, float *to)
{
    if (!t->half) {
        memcpy(to, from, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        to[i] = bf16_to_f32(((const uint16_t *)from)[i]);
}

/* What everybody sent of this rank's piece, added up; the sum lies where this rank's part of the result begins. */
static void add_piece(const MpiTeam *t, Sum *s)
{
    enum { BLOCK = 1024 };
    float sum[BLOCK], one[BLOCK];
    for (int64_t at = 0; at < s->piece; at += BLOCK) {
        int64_t n = s->piece - at < BLOCK ? s->piece - at : BLOCK;
        memset(sum, 0, sizeof sum);
        for (int rank = 0; rank < t->base.size; rank++) {
            decode(t, s->in + (size_t)(rank * s->piece + at) * width(t), n, one);
            for (int64_t i = 0; i < n; i++)
                sum[i] += one[i];
        }
        encode(t, sum, n, at, s->in);
    }
}

/* Takes every sum as far as it goes; with the lock. The second stages begin in the order of the first ones on every rank. */
static void advance(MpiTeam *t)
{
    for (int i = 0; i < t->sum_count; i++) {
        Sum *s = &t->sums[i];
        int done = 0;
        if (s->stage == DONE)
            continue;
        if (s->request != MPI_REQUEST_NULL &&
            (!check(t, MPI_Test(&s->request, &done, MPI_STATUS_IGNORE), "sum of gradients") || !done))
            continue;
        if (s->stage == GATHER) {
            decode(t, s->out, s->count, s->values);
            s->stage = DONE;
        } else if (t->gathered == i) {
            add_piece(t, s);
            int n = (int)s->piece;
            if (!check(t, MPI_Iallgather(s->in, n, wire(t), s->out, n, wire(t), t->gather, &s->request), "sum of gradients"))
                return;
            s->stage = GATHER;
            t->gathered++;
        }
    }
}

static bool all_done(const MpiTeam *t)
{
    for (int i = 0; i < t->sum_count; i++)
        if (t->sums[i].stage != DONE)
            return false;
    return true;
}

static void *drive(void *arg)
{
    MpiTeam *t = arg;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        double now = clock_seconds();
        bool quit = t->quit, busy = !all_done(t);
        if (!quit) {
            advance(t);
            send_beats(t, now);
            read_notes(t, now);
        }
        pthread_mutex_unlock(&t->lock);
        if (quit)
            return NULL;
        nap(busy ? NAP_BUSY : NAP_IDLE);
    }
}

/* --- waiting --- */

static bool failure(MpiTeam *t, SoraError *err)
{
    if (t->error.code != SORA_OK && err != NULL)
        *err = t->error;
    return t->error.code == SORA_OK;
}

/* Until done() or something is wrong. */
static bool await(MpiTeam *t, bool (*done)(MpiTeam *t, void *arg), void *arg, SoraError *err)
{
    double begun = clock_seconds(), asked = 0;
    bool ok = true, ready = false;
    while (ok && !ready) {
        pthread_mutex_lock(&t->lock);
        double now = clock_seconds();
        t->progress++; /* who waits is well */
        advance(t);
        send_beats(t, now);
        read_notes(t, now);
        ready = done(t, arg);
        if (!ready) {
            judge(t, now);
            if (asked == 0 && t->options.stopping != NULL && t->options.stopping(t->options.user))
                asked = now;
            if (asked > 0 && now - asked > LONG_BEATS * BEAT / 2)
                judge_stopping(t, now);
        }
        ok = failure(t, err);
        pthread_mutex_unlock(&t->lock);
        if (ok && !ready)
            nap(now - begun < 0.01 ? NAP_BUSY : 4 * NAP_BUSY);
    }
    t->base.waited += clock_seconds() - begun;
    return ok;
}

static bool request_done(MpiTeam *t, void *arg)
{
    int done = 0;
    return !check(t, MPI_Test(arg, &done, MPI_STATUS_IGNORE), "a message") || done;
}

static bool sums_done(MpiTeam *t, void *arg)
{
    return all_done(t);
}

static bool finish(MpiTeam *t, MPI_Request *request, bool begun, SoraError *err)
{
    return begun ? await(t, request_done, request, err) : failure(t, err);
}

/* --- the functions of a team --- */

static bool sum(Team *base, double *values, int count, SoraError *err)
{
    MpiTeam *t = (MpiTeam *)base;
    size_t bytes = (size_t)count * sizeof *values;
    double *all = malloc(bytes * (size_t)base->size);
    bool ok = all != NULL ? base->gather(base, values, bytes, all, err) : error_no_memory(err);
    for (int i = 0; ok && i < count; i++) {
        values[i] = 0;
        for (int rank = 0; rank < t->base.size; rank++) /* in this order everywhere */
            values[i] += all[rank * count + i];
    }
    free(all);
    return ok;
}

/* Memory for the next sum, which the same sum of an earlier step may have left. */
static Sum *next_sum(MpiTeam *t, int64_t count)
{
    if (t->sum_count == t->sum_capacity) {
        int capacity = t->sum_capacity > 0 ? 2 * t->sum_capacity : 16;
        Sum *sums = realloc(t->sums, (size_t)capacity * sizeof *sums);
        if (sums == NULL)
            return NULL;
        memset(sums + t->sum_capacity, 0, (size_t)(capacity - t->sum_capacity) * sizeof *sums);
        t->sums = sums;
        t->sum_capacity = capacity;
    }
    Sum *s = &t->sums[t->sum_count];
    s->piece = (count + t->base.size - 1) / t->base.size;
    size_t bytes = (size_t)(s->piece * t->base.size) * sizeof(float);
    if (bytes > s->capacity) {
        free(s->out);
        s->out = calloc(2, bytes);
        s->capacity = s->out != NULL ? bytes : 0;
    }
    s->in = s->out + s->capacity;
    return s->out != NULL ? s : NULL;
}

static bool sum_begin(Team *base, float *values, int64_t count, SoraError *err)
{
    MpiTeam *t = (MpiTeam *)base;
    pthread_mutex_lock(&t->lock);
    t->progress++;
    if (t->sum_count == 0)
        t->half = base->half;
    Sum *s = next_sum(t, count);
    bool ok = s != NULL || error_no_memory(err);
    if (ok) {
        s->values = values;
        s->count = count;
        s->stage = SCATTER;
        s->request = MPI_REQUEST_NULL;
        encode(t, values, count, 0, s->out);
        int n = (int)s->piece;
        check(t, MPI_Ialltoall(s->out, n, wire(t), s->in, n, wire(t), t->scatter, &s->request), "sum of gradients");
        t->sum_count++;
        base->sent += 2.0 * (base->size - 1) * (double)s->piece * (double)width(t);
        ok = failure(t, err);
    }
    pthread_mutex_unlock(&t->lock);
    return ok;
}

static bool sum_end(Team *base, SoraError *err)
{
    MpiTeam *t = (MpiTeam *)base;
    bool ok = await(t, sums_done, NULL, err);
    if (ok) {
        pthread_mutex_lock(&t->lock);
        t->sum_count = t->gathered = 0;
        pthread_mutex_unlock(&t->lock);
    }
    return ok;
}

static bool share(Team *base, int from, void *bytes, size_t size, SoraError *err)
{
    enum { MOST = 1 << 26 };
    MpiTeam *t = (MpiTeam *)base;
    bool ok = true;
    for (size_t at = 0; ok && at < size; at += MOST) {
        int n = (int)(size - at < MOST ? size - at : MOST);
        MPI_Request request = MPI_REQUEST_NULL;
        pthread_mutex_lock(&t->lock);
        bool begun = check(t, MPI_Ibcast((char *)bytes + at, n, MPI_BYTE, from, t->small, &request), "a message");
        pthread_mutex_unlock(&t->lock);
        ok = finish(t, &request, begun, err);
    }
    return ok;
}

static bool gather(Team *base, const void *bytes, size_t size, void *out, SoraError *err)
{
    MpiTeam *t = (MpiTeam *)base;
    MPI_Request request = MPI_REQUEST_NULL;
    pthread_mutex_lock(&t->lock);
    int n = (int)size;
    bool begun = check(t, MPI_Iallgather(bytes, n, MPI_BYTE, out, n, MPI_BYTE, t->small, &request), "a message");
    pthread_mutex_unlock(&t->lock);
    return finish(t, &request, begun, err);
}

static void beat(Team *base)
{
    MpiTeam *t = (MpiTeam *)base;
    pthread_mutex_lock(&t->lock);
    t->progress++;
    pthread_mutex_unlock(&t->lock);
}

/* An error of this rank's own goes to rank 0, which ends the run and tells all before; one that came from the team is known there.
 * If rank 0 is the one that is gone, rank 1 stands in for it, and tells even rank 0, which may only have slept. */
static bool fail(Team *base, const SoraError *err)
{
    MpiTeam *t = (MpiTeam *)base;
    pthread_mutex_lock(&t->lock);
    bool own = t->error.code == SORA_OK, orphan = !own && t->failed == 0, said = t->failed == SAID;
    bool speaker = !said && base->rank == (orphan ? 1 : 0);
    Note note = {.progress = t->progress, .code = err->code, .said = speaker};
    memcpy(note.message, err->message, sizeof note.message);
    for (int i = 0; i < base->size; i++)
        if (i != base->rank && (speaker || (own && i == 0)))
            send_note(t, i, &note);
    pthread_mutex_unlock(&t->lock);
    if (speaker) {
        nap(FAREWELL); /* the thread sends */
        return true;
    }
    double until = clock_seconds() + LAST_WORDS; /* rank 0 says it; its end is everybody's */
    while (clock_seconds() < until)
        nap(NAP_IDLE);
    return false;
}

static void release(MpiTeam *t)
{
    for (int i = 0; i < t->sum_capacity; i++)
        free(t->sums[i].out);
    free(t->sums);
    free(t->peers);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void close_team(Team *base, bool ok)
{
    MpiTeam *t = (MpiTeam *)base;
    if (ok) {
        MPI_Request request = MPI_REQUEST_NULL;
        pthread_mutex_lock(&t->lock);
        bool begun = check(t, MPI_Ibarrier(t->small, &request), "the end");
        pthread_mutex_unlock(&t->lock);
        ok = finish(t, &request, begun, NULL);
    }
    pthread_mutex_lock(&t->lock);
    t->quit = true;
    pthread_mutex_unlock(&t->lock);
    if (t->running)
        pthread_join(t->thread, NULL);
    if (!ok)
        return; /* others may be gone: MPI_Finalize would wait for them, and they may still write to what is here */
    for (int i = 0; i < MAX_NOTES; i++) /* what nobody will read */
        if (t->sending[i] != MPI_REQUEST_NULL)
            MPI_Request_free(&t->sending[i]);
    MPI_Finalize();
    release(t);
}

/* --- opening --- */

static bool meet(MpiTeam *t, SoraError *err)
{
    MPI_Comm *comms[] = {&t->scatter, &t->gather, &t->small, &t->notes};
    for (int i = 0; i < 4; i++) {
        if (!check(t, MPI_Comm_dup(MPI_COMM_WORLD, comms[i]), "cannot begin"))
            return failure(t, err);
        MPI_Comm_set_errhandler(*comms[i], MPI_ERRORS_RETURN);
    }
    MPI_Comm here;
    if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here) == MPI_SUCCESS)
        MPI_Comm_size(here, &t->base.local_size);
    t->peers = calloc((size_t)t->base.size, sizeof *t->peers);
    char host[64] = "?", *hosts = calloc((size_t)t->base.size, sizeof host);
    bool ok = (t->peers != NULL && hosts != NULL) || error_no_memory(err);
    gethostname(host, sizeof host - 1);
    double now = clock_seconds();
    for (int i = 0; ok && i < t->base.size; i++)
        t->peers[i].heard = t->peers[i].moved = now;
    ok = ok && t->base.gather(&t->base, host, sizeof host, hosts, err);
    for (int i = 0; ok && i < t->base.size; i++)
        memcpy(t->peers[i].host, hosts + (size_t)i * sizeof host, sizeof host);
    free(hosts);
    uint64_t program;
    return ok && file_hash("/proc/self/exe", &program, err) && team_agree(&t->base, "another sora program", program, err);
}

Team *team_mpi_open(const TeamOptions *options, SoraError *err)
{
    int level = 0;
    MpiTeam *t = calloc(1, sizeof *t);
    if (t == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *t = (MpiTeam){.base = {.local_size = 1, .sum = sum, .sum_begin = sum_begin, .sum_end = sum_end, .share = share,
                            .gather = gather, .beat = beat, .fail = fail, .close = close_team},
                   .options = *options, .failed = FAILED_NONE};
    if (t->options.patience <= 0)
        t->options.patience = PATIENCE;
    pthread_mutex_init(&t->lock, NULL);
    for (int i = 0; i < MAX_NOTES; i++)
        t->sending[i] = MPI_REQUEST_NULL;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS || level < MPI_THREAD_SERIALIZED) {
        error_set(err, SORA_ERROR_UNSUPPORTED, "MPI cannot begin, or lets no second thread call it");
        release(t);
        return NULL;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &t->base.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &t->base.size);
    SoraError wrong = {0};
    bool ok = meet(t, &wrong);
    t->running = ok && pthread_create(&t->thread, NULL, drive, t) == 0;
    if (ok && t->running)
        return &t->base;
    if (ok)
        error_set(&wrong, SORA_ERROR_INTERNAL, "no thread for the network");
    if (err != NULL)
        *err = wrong;
    if (!fail(&t->base, &wrong) && err != NULL)
        err->message[0] = 0;
    return NULL; /* MPI is left as it is: the process ends */
}
