/* softmax(A B^T / sqrt(d)) V in single precision, straight from packed Q, K and V, without ever holding the N x N matrix.
 *
 * Tiles of queries pass over blocks of 256 keys; the running maximum and sum of a row are mended where a later block has
 * a larger score. Differs from the textbook's order of additions only. What is compared with itself goes another way.
 */
#ifndef ANOMALYCLIP_ATTENTION_F32_H
#define ANOMALYCLIP_ATTENTION_F32_H

#include "self_attention_f32.h"

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

/* One head, its `queries` rows to `to`, `stride` floats apart. */
static void attend_head(HeadF32 *h, const Attention *job, const float *qkv, const float *bias, int64_t row, float *to) {
    if (pack_head(h, job, qkv, bias, row)) {
        attend_itself(h, to, row);
        return;
    }
    for (int64_t q = 0; q < job->queries; q += TILE)
        attend_tile_f32(h, q, job->queries - q < TILE ? job->queries - q : TILE, to + q * row, row);
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
        attend_head(&h, job, qkv, job->bias + piece % job->heads * width, row, out);
    }
}

#endif
