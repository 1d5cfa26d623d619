/* softmax(A B^T / sqrt(d)) V in single precision, straight from packed Q, K and V, without ever holding the N x N matrix.
 *
 * Tiles of queries pass over blocks of 256 keys; the running maximum and sum of a row are mended where a later block has
 * a larger score. Differs from the textbook's order of additions only.
 */
#ifndef ANOMALYCLIP_ATTENTION_F32_H
#define ANOMALYCLIP_ATTENTION_F32_H

#include "gemm_f32.h"
#include "team.h"

#define AHEAD_ROWS 12 /* that are asked for before they are packed */

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

/* One head: A scaled, row by row; B as [keys / PANEL][width][PANEL]; V as [width / PANEL][keys][PANEL]. */
typedef struct {
    float *a, *b, *v;
    int64_t tokens, keys, width;
} HeadF32;

static int64_t head_layout(HeadF32 *h, int64_t tokens, int64_t width, uintptr_t base) {
    base = (base + 63) / 64 * 64;
    h->tokens = tokens;
    h->keys = rounded_up(tokens, PANEL);
    h->width = width;
    h->a = (float *)base;
    h->b = h->a + rounded_up(tokens, TILE) * width;
    h->v = h->b + h->keys * width;
    return (int64_t)((uintptr_t)(h->v + h->keys * width) - base);
}

API int64_t NAMED(ac_attention_bytes)(int64_t tokens, int64_t width) {
    HeadF32 h;
    return head_layout(&h, tokens, width, 0) + 64;
}

/* Asks for a row of a head: the next one is pages away, where no processor looks by itself. It may lie beyond the last. */
INLINE void fetch_row(const float *row, int64_t width) {
    for (int64_t d = 0; d < width; d += 16) __builtin_prefetch(row + d);
}

/* One head of the three projections at `qkv`, its bias at `bias`; Q, K and V lie `row` floats apart in both. */
static void pack_head(HeadF32 *h, const Attention *job, const float *qkv, const float *bias, int64_t row) {
    const int64_t stride = 3 * row, queries = job->queries, to_a = job->a * row, to_b = job->b * row, to_v = 2 * row;
    const float *a = qkv + to_a, *b = qkv + to_b, *v = qkv + to_v;
    const Floats scale = splat(1.44269504f / __builtin_sqrtf((float)h->width));
    const int64_t rows = rounded_up(queries, TILE), width = h->width;
    for (int64_t i = 0; i < rows; i++) {
        fetch_row(a + (i + AHEAD_ROWS) * stride, width);
        for (int64_t d = 0; d < width; d += LANES)
            store(h->a + i * width + d, scale * (load(bias + to_a + d) + load(a + (i < queries ? i : queries - 1) * stride + d)));
    }
    for (int64_t i = 0; i < h->keys; i++) {
        fetch_row(v + (i + AHEAD_ROWS) * stride, width);
        for (int64_t d = 0; d < width; d += LANES)
            store(h->v + d / PANEL * PANEL * h->keys + i * PANEL + d % PANEL,
                  i < h->tokens ? (Floats)(load(bias + to_v + d) + load(v + i * stride + d)) : splat(0));
    }
    for (int64_t i = 0; i < h->keys; i += LANES) {
        const float *each[LANES]; /* keys beyond repeat the last: they get no weight, and no row's largest score moves */
        for (int64_t k = 0; k < LANES; k++) {
            fetch_row(b + (i + k + AHEAD_ROWS) * stride, width);
            each[k] = b + (i + k < h->tokens ? i + k : h->tokens - 1) * stride;
        }
        float *to = h->b + i / PANEL * PANEL * width + i % PANEL;
        for (int64_t d = 0; d < width; d += LANES) {
            Floats column[LANES];
            transpose(each, d, column);
            UNROLL for (int k = 0; k < LANES; k++) store(to + (d + k) * PANEL, splat(bias[to_b + d + k]) + column[k]);
        }
    }
}

/* Scores to 2^(score - top), in place; gives their sum. Keys beyond the tokens get 0. */
INLINE float probabilities(float *scores, int64_t count, float top) {
    Floats sum = splat(0);
    for (int64_t k = 0; k < count; k += LANES) {
        const Floats p = first_of(exp2_exact(load(scores + k) - splat(top)), count - k, splat(0));
        store(scores + k, p);
        sum += p;
    }
    return sum_of(sum);
}

/* Scores (TILE, KEYS) of queries from `row` on with `count` keys from `first` on; each row's largest goes to `top`. */
APART void score_tile(const HeadF32 *h, int64_t row, int64_t first, int64_t count, float *scores, float *top) {
    Floats most[TILE];
    UNROLL for (int r = 0; r < TILE; r++) most[r] = splat(-3e38f);
    for (int64_t k = 0; k < count; k += PANEL) {
        Floats sum[TILE][2];
        UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = splat(0);
        add_products(sum, h->a + row * h->width, h->width, h->b + (first + k) * h->width, h->width, TILE, 2);
        UNROLL for (int r = 0; r < TILE; r++) {
            store(scores + r * KEYS + k, sum[r][0]);
            store(scores + r * KEYS + k + LANES, sum[r][1]);
            most[r] = larger(most[r], larger(sum[r][0], sum[r][1]));
        }
    }
    for (int r = 0; r < TILE; r++) top[r] = max_of(most[r]);
}

/* Attention of TILE queries from `row` on; the first `valid` of them go to `to`, `stride` floats apart. */
static void attend_tile_f32(const HeadF32 *h, int64_t row, int64_t valid, float *to, int64_t stride) {
    float scores[TILE * KEYS] __attribute__((aligned(64))), part[TILE * WIDEST] __attribute__((aligned(64)));
    float out[TILE * WIDEST] __attribute__((aligned(64))), here[TILE], top[TILE], total[TILE], keep[TILE];
    const int64_t width = h->width;
    for (int r = 0; r < TILE; r++) top[r] = -3e38f, total[r] = 0;
    for (int64_t i = 0; i < TILE * width; i++) out[i] = 0;
    for (int64_t first = 0; first < h->keys; first += KEYS) {
        const int64_t count = h->keys - first < KEYS ? h->keys - first : KEYS;
        const int64_t real = h->tokens - first < count ? h->tokens - first : count;
        score_tile(h, row, first, count, scores, here);
        for (int r = 0; r < TILE; r++) {
            const float now = here[r] > top[r] ? here[r] : top[r];
            float kept[LANES];
            store(kept, exp2_exact(splat(top[r] - now)));
            keep[r] = kept[0];
            total[r] = total[r] * keep[r] + probabilities(scores + r * KEYS, real, now);
            for (int64_t k = rounded_up(real, LANES); k < count; k++) scores[r * KEYS + k] = 0;
            top[r] = now;
        }
        for (int64_t d = 0; d < width; d += PANEL)
            multiply_f32(part + d, width, scores, KEYS, h->v + d * h->keys + first * PANEL, count);
        for (int r = 0; r < TILE; r++)
            for (int64_t d = r * width; d < (r + 1) * width; d += LANES)
                store(out + d, fma_of(load(out + d), splat(keep[r]), load(part + d)));
    }
    for (int64_t r = 0; r < valid; r++)
        for (int64_t d = 0; d < width; d += LANES) store(to + r * stride + d, load(out + r * width + d) / splat(total[r]));
}

/* What every thread of the team calls: one head of one image after another. */
API void NAMED(ac_attention_f32)(Attention *job) {
    const int thread = atomic_fetch_add(&job->arrived, 1);
    const int64_t width = job->width, row = job->heads * width, image = job->tokens * 3 * row;
    HeadF32 h;
    head_layout(&h, job->tokens, width, (uintptr_t)job->benches[thread]);
    for (int64_t piece; (piece = take(job->team)) < (int64_t)job->images * job->heads;) {
        const float *qkv = job->qkv + piece / job->heads * image + piece % job->heads * width;
        float *out = job->out + piece / job->heads * job->queries * row + piece % job->heads * width;
        pack_head(&h, job, qkv, job->bias + piece % job->heads * width, row);
        for (int64_t q = 0; q < job->queries; q += TILE)
            attend_tile_f32(&h, q, job->queries - q < TILE ? job->queries - q : TILE, out + q * row, row);
    }
}

#endif
