/* Work in phases, each of so many pieces, for threads that come and go.
 *
 * A phase ends when its pieces are done, whoever did them: a thread that another program keeps from its core is waited for where it
 * holds a piece, and nowhere else. It finds its way through the phases that ended without it.
 */
#ifndef ANOMALYCLIP_PHASES_H
#define ANOMALYCLIP_PHASES_H

#include "team.h"

typedef struct {
    atomic_int next; /* piece to take */
    atomic_int done; /* pieces */
} Phase;

/* A piece's number, from `count` on: there is none left. */
static inline int64_t take_piece(Phase *phase) { return atomic_fetch_add(&phase->next, 1); }

static inline void end_piece(Phase *phase) { atomic_fetch_add(&phase->done, 1); }

static inline void await_pieces(Phase *phase, int64_t count) {
    for (int tries = 0; atomic_load(&phase->done) < count; tries++) {
        if (tries < 2000) BREATHE();
        else GIVE_WAY();
    }
}

/* for (PIECES(piece, phase, count)) { ... }: every piece by one of the threads, then the next phase. */
#define PIECES(piece, phase, count) \
    int64_t piece = take_piece(phase); piece < (count) || (await_pieces(phase, count), 0); end_piece(phase), piece = take_piece(phase)

#endif
