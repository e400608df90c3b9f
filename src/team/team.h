/* A team: the processes that train one model together, each on its share of every step. Started by mpirun or srun they are MPI's
 * ranks; a program that is started alone is a team of one, whose calls do nothing.
 *
 * Calls that more than one rank must make are made by all of them, in the same order. Any of them fails when a rank has failed, has
 * ended, or has made no progress for the team's patience: then nothing more can be summed, and the caller saves what it has. */
#ifndef SORA_TEAM_TEAM_H
#define SORA_TEAM_TEAM_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef struct Team Team;
struct Team {
    int rank, size; /* 0 .. size-1; rank 0 speaks and writes */
    int local_size; /* ranks on this machine, which share its cores */
    bool half;      /* gradients travel as BF16; the same on every rank */
    double waited;  /* seconds that this rank has stood still for others or the network */
    double sent;    /* bytes of gradients that this rank has sent */
    /* values [count] become their sums over all ranks, on all ranks the same bits. */
    bool (*sum)(Team *t, double *values, int count, SoraError *err);
    /* Begins the same for many numbers and returns. values stay the caller's and are not touched until sum_end(). */
    bool (*sum_begin)(Team *t, float *values, int64_t count, SoraError *err);
    /* Waits for all that was begun. */
    bool (*sum_end)(Team *t, SoraError *err);
    /* bytes [size] of rank `from` become everybody's. */
    bool (*share)(Team *t, int from, void *bytes, size_t size, SoraError *err);
    /* out [size * team's size]: everybody's bytes in the order of ranks. */
    bool (*gather)(Team *t, const void *bytes, size_t size, void *out, SoraError *err);
    void (*beat)(Team *t); /* this rank is making progress; to be called at least once in the team's patience */
    /* Rank 0 ends the run with this error; others tell it, and wait to be ended. Afterwards only team_close() may be called.
     * True: this rank is the one to say it. */
    bool (*fail)(Team *t, const SoraError *err);
    void (*close)(Team *t, bool ok);
};

typedef struct TeamOptions {
    double patience; /* seconds that a rank may go without a beat; 0: 600 */
    bool (*stopping)(void *user); /* the process was asked to end, so what it waits for may never come; may be NULL */
    void *user;
} TeamOptions;

/* A team of one. */
Team *team_solo(void);

/* The team that this process was started in, by mpirun or another of MPI's starters; else a team of one. Every rank must be
 * the same program, byte for byte. Built without MPI, to be started by mpirun is an error. */
Team *team_open(const TeamOptions *options, SoraError *err);
/* ok: the run came to its end, so all ranks meet here. NULL is allowed. */
void team_close(Team *t, bool ok);

/* Fails on every rank, naming the first whose hash is not rank 0's: "rank 2 (node7) has another configuration than rank 0". */
bool team_agree(Team *t, const char *what, uint64_t hash, SoraError *err);

bool team_started(void); /* was this process, by one of MPI's starters? */

/* --- for team_open() --- */
Team *team_mpi_open(const TeamOptions *options, SoraError *err);

#endif
