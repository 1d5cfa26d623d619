/* Threads that the caller supplies, working through numbered pieces together. */
#ifndef ANOMALYCLIP_TEAM_H
#define ANOMALYCLIP_TEAM_H

#include <stdatomic.h>
#include <stdint.h>
#if defined(_WIN32)
#include <windows.h>
#define GIVE_WAY() SwitchToThread()
#else
#include <sched.h>
#define GIVE_WAY() sched_yield()
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define BREATHE() __builtin_ia32_pause()
#else
#define BREATHE() __asm__ volatile("yield")
#endif

typedef struct {
    int32_t size;        /* threads */
    atomic_int waiting;  /* of them, at the barrier */
    atomic_int round;    /* how often the barrier has opened */
    atomic_int next;     /* piece to take */
} Team;

/* Wait for all others; whoever comes last lets `next` start from 0 again. A core that has other things to do is given way to. */
static inline void meet(Team *team) {
    const int round = atomic_load(&team->round);
    if (atomic_fetch_add(&team->waiting, 1) == team->size - 1) {
        atomic_store(&team->waiting, 0);
        atomic_store(&team->next, 0);
        atomic_fetch_add(&team->round, 1);
        return;
    }
    for (int tries = 0; atomic_load(&team->round) == round; tries++) {
        if (tries < 4000) BREATHE();
        else GIVE_WAY();
    }
}

static inline int64_t take(Team *team) { return atomic_fetch_add(&team->next, 1); }

#endif
