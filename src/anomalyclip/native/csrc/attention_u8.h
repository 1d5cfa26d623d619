/* softmax(A B^T / sqrt(d)) V of one head in 8 bits, without ever holding the N x N matrix.
 *
 * A and B are quantised row by row, V column by column, all of them symmetrically. The probabilities of a row are quantised in blocks of
 * 256 keys, each against the block's own largest one: a single key that takes half of a row then leaves
 * the digits of all other blocks alone. Rows are normalised by the sum of what was quantised.
 */
#ifndef ANOMALYCLIP_ATTENTION_U8_H
#define ANOMALYCLIP_ATTENTION_U8_H

#include "gemm_u8.h"
#include "rows_u8.h"

#define WHOLE (GROUP > PANEL ? GROUP : PANEL) /* keys are filled up to a multiple of it */
#define ACROSS ((TILE + LANES - 1) / LANES * LANES) /* numbers, one per row of a tile, in whole registers */

/* One head's operands. `keys` is a multiple of WHOLE; what is beyond the tokens counts as minus infinity. */
typedef struct {
    Code *a;
    int8_t *b, *v;
    float *a_scale, *b_scale, *b_shift, *v_scale; /* a score is a_scale (b_scale sum - b_shift) */
    int32_t *v_sums;                              /* (keys / KEYS, width), where codes are shifted */
    int64_t tokens, keys, width;
} Head;

/* The step of a row of half floats whose largest magnitude is to become 127. */
INLINE float step_of(const uint16_t *x, int64_t width) {
    Floats largest = splat(0);
    for (int64_t d = 0; d < width; d += LANES) largest = larger(largest, magnitude(half_to_float(x + d)));
    const float top = max_of(largest);
    return top > 1e-30f ? top / 127.0f : 1.0f;
}

/* `count` rows of half floats as A: codes of q + 128. The last tile is filled with the last row. */
INLINE void pack_a(Head *h, const uint16_t *x, int64_t count) {
    for (int64_t i = 0; i < rounded_up(count, TILE); i++) {
        const uint16_t *from = x + (i < count ? i : count - 1) * h->width;
        const float step = h->a_scale[i] = step_of(from, h->width);
        const Floats factor = splat(1.0f / step), shift = splat(128.0f);
        for (int64_t d = 0; d < h->width; d += LANES)
            store_codes(h->a + i * h->width + d, rounded(fma_of(half_to_float(from + d), factor, shift)));
    }
}

/* The tokens' rows as B, in panels: [keys / PANEL][d / DEPTH][PANEL][DEPTH]. */
INLINE void pack_b(Head *h, const uint16_t *x) {
    const int64_t steps = h->width / DEPTH;
    int8_t row[WIDEST] __attribute__((aligned(64)));
    for (int64_t i = 0; i < h->keys; i++) {
        int8_t *panel = h->b + i / PANEL * PANEL * h->width + i % PANEL * DEPTH;
        const uint16_t *from = x + i * h->width;
        if (i >= h->tokens) {
            for (int64_t k = 0; k < steps; k++) __builtin_memset(panel + k * PANEL * DEPTH, 0, DEPTH);
            h->b_scale[i] = 0;
            h->b_shift[i] = 1e30f;
            continue;
        }
        const float step = step_of(from, h->width);
        const Floats factor = splat(1.0f / step);
        Ints sum = {0};
        for (int64_t d = 0; d < h->width; d += LANES) {
            const Ints q = rounded(half_to_float(from + d) * factor);
            sum += q;
            store_bytes(row + d, q);
        }
        for (int64_t k = 0; k < steps; k++) __builtin_memcpy(panel + k * PANEL * DEPTH, row + k * DEPTH, DEPTH);
        h->b_scale[i] = step;
        h->b_shift[i] = (128.0f - SHIFT) * step * (float)total_of(sum);
    }
}

/* Rows as V, in panels: [d / PANEL][keys / DEPTH][PANEL][DEPTH], the units of a GROUP of keys in the order in which
 * `quantise_probabilities` leaves them. */
INLINE void pack_v(Head *h, const uint16_t *x) {
    const int64_t stride = h->width, units = GROUP / DEPTH;
    for (int64_t d = 0; d < h->width; d += LANES) {
        Floats largest = splat(0);
        for (int64_t i = 0; i < h->tokens; i++) largest = larger(largest, magnitude(half_to_float(x + i * stride + d)));
        const Floats step = larger(largest * splat(1 / 127.0f), splat(1e-30f)), factor = splat(1.0f) / step;
        store(h->v_scale + d, step);
        int8_t *panel = h->v + d / PANEL * PANEL * h->keys + d % PANEL * DEPTH;
        Ints sum = {0};
        for (int64_t unit = 0; unit < h->keys / DEPTH; unit++) {
            const int64_t first = (unit / units * units + PLACE_OF(unit % units)) * DEPTH;
            Ints q[DEPTH];
            for (int r = 0; r < DEPTH; r++) {
                const Floats v = first + r < h->tokens ? half_to_float(x + (first + r) * stride + d) : splat(0);
                q[r] = rounded(v * factor);
                sum += q[r];
            }
            store_units(panel + unit * PANEL * DEPTH, q);
            if (SHIFT && ((unit + 1) * DEPTH % KEYS == 0 || unit + 1 == h->keys / DEPTH)) {
                __builtin_memcpy(h->v_sums + unit * DEPTH / KEYS * h->width + d, &sum, sizeof sum);
                sum = (Ints){0};
            }
        }
    }
}

/* Scores of TILE rows against `count` keys from `first` on, up to each row's own factor; and the largest of each row. */
INLINE void scores_u8(const Head *h, int64_t row, int64_t first, int64_t count, float scores[TILE][KEYS], float *top) {
    Floats largest[TILE];
    UNROLL for (int r = 0; r < TILE; r++) largest[r] = splat(-1e30f);
    for (int64_t key = 0; key < count; key += PANEL) {
        Ints acc[TILE][2];
        multiply(acc, h->a + row * h->width, h->width, h->b + (first + key) * h->width, h->width / DEPTH);
        UNROLL for (int half = 0; half < 2; half++) {
            const int64_t at = key + half * LANES;
            const Floats scale = load(h->b_scale + first + at), shift = load(h->b_shift + first + at);
            UNROLL for (int r = 0; r < TILE; r++) {
                const Floats s = fms_of(floats_of(acc[r][half]), scale, shift);
                largest[r] = larger(largest[r], s);
                store(scores[r] + at, s);
            }
        }
    }
    UNROLL for (int r = 0; r < TILE; r++) top[r] = max_of(largest[r]);
}

/* 255 2^x for x <= 0 as integers, relative error 7e-4, from t = 2^23 (x + 127). As a float's bits, round(t) is 2^floor(x) m
 * with a mantissa m = 1 + x - floor(x); 2^(m - 1) / m is a cubic of m. Where t is negative, so is the outcome. */
INLINE Ints exp2_255(Floats t) {
    const Ints bits = rounded(t);
    const Floats m = float_bits(mantissa(bits));
    Floats g = fma_of(splat(255 * -0.1064487f), m, splat(255 * 0.7074866f));
    g = fma_of(g, m, splat(255 * -1.3773197f));
    g = fma_of(g, m, splat(255 * 1.7756188f));
    return rounded(float_bits(bits) * g);
}

/* One row's scores as codes of round(255 2^(factor (s - top))), GROUP by GROUP, and the sum of what was rounded. */
INLINE int32_t quantise_probabilities(const float *scores, int64_t count, float top, float factor, Code *codes) {
    const Floats f = splat(8388608.0f * factor), t = splat(8388608.0f * (127.0f - top * factor));
    Ints sum = {0};
    for (int64_t key = 0; key < count; key += GROUP) {
        Ints p[GROUP / LANES];
        UNROLL for (int i = 0; i < GROUP / LANES; i++) p[i] = exp2_255(fma_of(load(scores + key + i * LANES), f, t));
        sum = join(codes + key, p, sum);
    }
    return total_of(sum);
}

/* out = before out + now (probabilities x values), for the `width` columns of TILE rows. */
INLINE void add_values(const Head *h, int64_t first, int64_t count, const Code *codes, const float *before,
                       const float *now, float *out) {
    for (int64_t column = 0; column < h->width; column += PANEL) {
        Ints acc[TILE][2];
        multiply(acc, codes, KEYS, h->v + (column * h->keys + first * PANEL), count / DEPTH);
        UNROLL for (int half = 0; half < 2; half++) {
            Ints shifted = {0};
            if (SHIFT) {
                __builtin_memcpy(&shifted, h->v_sums + first / KEYS * h->width + column + half * LANES, sizeof shifted);
                shifted *= SHIFT;
            }
            UNROLL for (int r = 0; r < TILE; r++) {
                float *at = out + r * h->width + column + half * LANES;
                store(at, fma_of(floats_of(SHIFT ? (Ints)(acc[r][half] + shifted) : acc[r][half]), splat(now[r]), load(at) * splat(before[r])));
            }
        }
    }
}

/* Attention of TILE rows from `row` on, `valid` of which go to rows of `to`, `stride` floats apart. */
INLINE void attend_tile(const Head *h, int64_t row, int64_t valid, float *to, int64_t stride) {
    float scores[TILE][KEYS] __attribute__((aligned(64))), out[TILE * WIDEST] __attribute__((aligned(64)));
    Code codes[TILE * KEYS] __attribute__((aligned(64)));
    float top[ACROSS] = {0}, before[ACROSS], now[ACROSS], factors[ACROSS] = {0}, sums[ACROSS] = {0};
    float highest[ACROSS], total[ACROSS] = {0};
    const float base = 1.44269504f / __builtin_sqrtf((float)h->width);
    for (int r = 0; r < TILE; r++) factors[r] = h->a_scale[row + r] * base;
    for (int r = 0; r < ACROSS; r++) highest[r] = -1e30f;
    for (int64_t i = 0; i < TILE * h->width; i++) out[i] = 0;
    for (int64_t first = 0; first < h->keys; first += KEYS) {
        const int64_t count = h->keys - first < KEYS ? h->keys - first : KEYS;
        scores_u8(h, row, first, count, scores, top);
        for (int r = 0; r < TILE; r++)
            sums[r] = (float)quantise_probabilities(scores[r], count, top[r], factors[r], codes + r * KEYS);
        for (int r = 0; r < ACROSS; r += LANES) {
            const Floats here = load(top + r), old = load(highest + r), high = larger(old, here), factor = load(factors + r);
            const Floats keep = exp2_exact((old - high) * factor), weight = exp2_exact((here - high) * factor);
            store(before + r, keep);
            store(now + r, weight);
            store(highest + r, high);
            store(total + r, fma_of(weight, load(sums + r), load(total + r) * keep));
        }
        add_values(h, first, count, codes, before, now, out);
    }
    for (int64_t r = 0; r < valid; r++)
        for (int64_t d = 0; d < h->width; d += LANES)
            store(to + r * stride + d, load(out + r * h->width + d) * (splat(1.0f / total[r]) * load(h->v_scale + d)));
}

#endif
