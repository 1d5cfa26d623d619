/* One head of packed Q, K and V, laid out as attention's products take it. */
#ifndef ANOMALYCLIP_HEAD_F32_H
#define ANOMALYCLIP_HEAD_F32_H

#include "gemm_f32.h"
#include "team.h"

#define AHEAD_ROWS 12 /* that are asked for before they are packed */
#define SIDE 96       /* of the squares of symmetric scores: a multiple of every TILE and PANEL; 36 KB */
#define SPREAD 60.0f  /* powers of two that shares of keys may lie apart: no row's sum vanishes */

typedef struct {
    Team *team;
    const float *qkv;  /* (images, tokens, 3, heads, width), without */
    const float *bias; /* (3, heads, width) */
    float *out;        /* (images, queries, heads, width) */
    char *const *benches;
    int32_t images, tokens, heads, width, queries;
    int32_t a, b;      /* which of Q, K, V (0, 1, 2) are compared; V is what is summed */
    atomic_int arrived; /* threads so far: each takes its number, and with it its bench */
} Attention;

/* A scaled, row by row; B as [keys / PANEL][width][PANEL]; V as [width / PANEL][keys][PANEL]. The others are of what is compared with
 * itself (self_attention_f32.h): half of each row's product with itself, what its value counts, its sums so far, and one square. */
typedef struct {
    float *a, *b, *v, *own, *share, *total, *sums, *square;
    int64_t tokens, keys, width;
} HeadF32;

static int64_t head_layout(HeadF32 *h, int64_t tokens, int64_t width, uintptr_t base) {
    const int64_t rows = rounded_up(tokens, TILE), places = rounded_up(tokens, SIDE);
    base = (base + 63) / 64 * 64;
    h->tokens = tokens;
    h->keys = rounded_up(tokens, PANEL);
    h->width = width;
    h->a = (float *)base;
    h->b = h->a + rows * width;
    h->v = h->b + h->keys * width;
    h->sums = h->v + h->keys * width;
    h->own = h->sums + rows * width;
    h->share = h->own + places;
    h->total = h->share + places;
    h->square = h->total + places;
    return (int64_t)((uintptr_t)(h->square + SIDE * SIDE) - base);
}

API int64_t NAMED(ac_attention_bytes)(int64_t tokens, int64_t width) {
    HeadF32 h;
    return head_layout(&h, tokens, width, 0) + 64;
}

/* Asks for a row of a head: the next one is pages away, where no processor looks by itself. It may lie beyond the last. */
INLINE void fetch_row(const float *row, int64_t width) {
    for (int64_t d = 0; d < width; d += 16) __builtin_prefetch(row + d);
}

/* `count` rows of A, `stride` floats apart, and half of each one's product with itself; rows beyond repeat the last. */
static void pack_rows(HeadF32 *h, int64_t count, const float *a, const float *bias, int64_t stride) {
    const Floats scale = splat(1.44269504f / __builtin_sqrtf((float)h->width));
    const int64_t rows = rounded_up(count, TILE), width = h->width;
    for (int64_t i = 0; i < rows; i++) {
        Floats own = splat(0);
        fetch_row(a + (i + AHEAD_ROWS) * stride, width);
        for (int64_t d = 0; d < width; d += LANES) {
            const Floats x = load(bias + d) + load(a + (i < count ? i : count - 1) * stride + d), scaled = scale * x;
            store(h->a + i * width + d, scaled);
            own = fma_of(scaled, x, own);
        }
        if (i < count) h->own[i] = 0.5f * sum_of(own);
    }
}

/* Keys beyond repeat the last: they get no weight, and no row's largest score moves. */
static void pack_keys(HeadF32 *h, const float *b, const float *bias, int64_t stride) {
    const int64_t width = h->width;
    for (int64_t i = 0; i < h->keys; i += LANES) {
        const float *each[LANES];
        for (int64_t k = 0; k < LANES; k++) {
            fetch_row(b + (i + k + AHEAD_ROWS) * stride, width);
            each[k] = b + (i + k < h->tokens ? i + k : h->tokens - 1) * stride;
        }
        float *to = h->b + i / PANEL * PANEL * width + i % PANEL;
        for (int64_t d = 0; d < width; d += LANES) {
            Floats column[LANES];
            transpose(each, d, column);
            UNROLL for (int k = 0; k < LANES; k++) store(to + (d + k) * PANEL, splat(bias[d + k]) + column[k]);
        }
    }
}

/* Values, each times its share where shares are given. */
static void pack_values(HeadF32 *h, const float *v, const float *bias, int64_t stride, const float *share) {
    const int64_t width = h->width;
    for (int64_t i = 0; i < h->keys; i++) {
        const Floats times = splat(share ? share[i] : 1.0f);
        fetch_row(v + (i + AHEAD_ROWS) * stride, width);
        for (int64_t d = 0; d < width; d += LANES)
            store(h->v + d / PANEL * PANEL * h->keys + i * PANEL + d % PANEL,
                  i < h->tokens ? (Floats)(times * (load(bias + d) + load(v + i * stride + d))) : splat(0));
    }
}

/* What each key's value counts, 2^(own - the largest), 0 beyond the last; whether no row's sum can vanish so. */
static int share_out(HeadF32 *h) {
    float most = h->own[0], least = h->own[0];
    for (int64_t i = 1; i < h->tokens; i++) {
        most = h->own[i] > most ? h->own[i] : most;
        least = h->own[i] < least ? h->own[i] : least;
    }
    for (int64_t i = h->tokens; i < h->keys; i++) h->own[i] = h->own[h->tokens - 1], h->share[i] = 0;
    for (int64_t i = 0; i < h->tokens; i += LANES)
        store(h->share + i, first_of(exp2_exact(load(h->own + i) - splat(most)), h->tokens - i, splat(0)));
    return most - least <= SPREAD;
}

/* One head of the three projections at `qkv`, its bias at `bias`; Q, K and V lie `row` floats apart in both. Returns whether it is to
 * attend to itself: its values are weighted then. */
static int pack_head(HeadF32 *h, const Attention *job, const float *qkv, const float *bias, int64_t row) {
    const int64_t stride = 3 * row, to_a = job->a * row, to_b = job->b * row, to_v = 2 * row;
    pack_rows(h, job->queries, qkv + to_a, bias + to_a, stride);
    const int itself = job->a == job->b && job->queries == job->tokens && share_out(h);
    pack_values(h, qkv + to_v, bias + to_v, stride, itself ? h->share : 0);
    pack_keys(h, qkv + to_b, bias + to_b, stride);
    return itself;
}

#endif
