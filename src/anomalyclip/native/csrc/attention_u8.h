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

#define KEYS 256 /* per block: scores, probabilities, keys and values of a block fit the first cache together */
#define GROUP 64 /* keys that one register of probabilities holds */

/* One head's operands. `keys` is a multiple of GROUP; what is beyond the tokens counts as minus infinity. */
typedef struct {
    uint8_t *a;
    int8_t *b, *v;
    float *a_scale, *b_scale, *b_shift, *v_scale; /* a score is a_scale (b_scale sum - b_shift) */
    int64_t tokens, keys, width;
} Head;

INLINE __m512 half_to_float(const uint16_t *x) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x)); }

INLINE int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/* The step of a row of half floats whose largest magnitude is to become 127. */
INLINE float step_of(const uint16_t *x, int64_t width) {
    __m512 largest = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += LANES) largest = _mm512_max_ps(largest, _mm512_abs_ps(half_to_float(x + d)));
    const float top = max_of(largest);
    return top > 1e-30f ? top / 127.0f : 1.0f;
}

/* `count` rows of half floats as A: bytes of q + 128. The last tile is filled with the last row. */
INLINE void pack_a(Head *h, const uint16_t *x, int64_t count) {
    for (int64_t i = 0; i < rounded_up(count, TILE); i++) {
        const uint16_t *from = x + (i < count ? i : count - 1) * h->width;
        const float step = h->a_scale[i] = step_of(from, h->width);
        const __m512 factor = _mm512_set1_ps(1.0f / step), shift = _mm512_set1_ps(128.0f);
        for (int64_t d = 0; d < h->width; d += LANES) {
            const __m512i q = _mm512_cvtps_epi32(_mm512_fmadd_ps(half_to_float(from + d), factor, shift));
            _mm_storeu_si128((__m128i *)(h->a + i * h->width + d), _mm512_cvtusepi32_epi8(q));
        }
    }
}

/* The tokens' rows as B, in panels of 32 keys: [keys / 32][d / 4][32][4]. */
INLINE void pack_b(Head *h, const uint16_t *x) {
    const int64_t quads = h->width / 4;
    int32_t row[64] __attribute__((aligned(64)));
    for (int64_t i = 0; i < h->keys; i++) {
        int8_t *panel = h->b + i / PANEL * PANEL * h->width + i % PANEL * 4;
        const uint16_t *from = x + i * h->width;
        if (i >= h->tokens) {
            for (int64_t k = 0; k < quads; k++) *(int32_t *)(panel + k * PANEL * 4) = 0;
            h->b_scale[i] = 0;
            h->b_shift[i] = 1e30f;
            continue;
        }
        const float step = step_of(from, h->width);
        const __m512 factor = _mm512_set1_ps(1.0f / step);
        __m512i sum = _mm512_setzero_si512();
        for (int64_t d = 0; d < h->width; d += LANES) {
            const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(half_to_float(from + d), factor));
            sum = _mm512_add_epi32(sum, q);
            _mm_store_si128((__m128i *)((int8_t *)row + d), _mm512_cvtsepi32_epi8(q));
        }
        for (int64_t k = 0; k < quads; k++) *(int32_t *)(panel + k * PANEL * 4) = row[k];
        h->b_scale[i] = step;
        h->b_shift[i] = 128.0f * step * (float)_mm512_reduce_add_epi32(sum);
    }
}

/* Four keys' bytes of 16 columns, [4][16], as [16][4]. */
INLINE void interleave(const __m128i row[4], int8_t *to) {
    const __m128i a = _mm_unpacklo_epi8(row[0], row[1]), b = _mm_unpacklo_epi8(row[2], row[3]);
    const __m128i c = _mm_unpackhi_epi8(row[0], row[1]), d = _mm_unpackhi_epi8(row[2], row[3]);
    _mm_store_si128((__m128i *)to, _mm_unpacklo_epi16(a, b));
    _mm_store_si128((__m128i *)to + 1, _mm_unpackhi_epi16(a, b));
    _mm_store_si128((__m128i *)to + 2, _mm_unpacklo_epi16(c, d));
    _mm_store_si128((__m128i *)to + 3, _mm_unpackhi_epi16(c, d));
}

/* Rows as V, in panels of 32 columns: [d / 32][keys / 4][32][4], the quadruples of a GROUP of keys in the order in which
 * `quantise_probabilities` leaves them: 0, 4, 8, 12, 1, 5, ... */
INLINE void pack_v(Head *h, const uint16_t *x) {
    const int64_t stride = h->width;
    for (int64_t d = 0; d < h->width; d += LANES) {
        __m512 largest = _mm512_setzero_ps();
        for (int64_t i = 0; i < h->tokens; i++)
            largest = _mm512_max_ps(largest, _mm512_abs_ps(half_to_float(x + i * stride + d)));
        const __m512 step = _mm512_max_ps(_mm512_mul_ps(largest, _mm512_set1_ps(1 / 127.0f)), _mm512_set1_ps(1e-30f));
        const __m512 factor = _mm512_div_ps(_mm512_set1_ps(1.0f), step);
        _mm512_storeu_ps(h->v_scale + d, step);
        int8_t *panel = h->v + d / PANEL * PANEL * h->keys + d % PANEL * 4;
        for (int64_t quad = 0; quad < h->keys / 4; quad++) {
            const int64_t place = quad % 16, first = (quad / 16 * 16 + place % 4 * 4 + place / 4) * 4;
            __m128i rows[4];
            for (int r = 0; r < 4; r++) {
                const __m512 v = first + r < h->tokens ? half_to_float(x + (first + r) * stride + d) : _mm512_setzero_ps();
                rows[r] = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(v, factor)));
            }
            interleave(rows, panel + quad * PANEL * 4);
        }
    }
}

/* Scores of TILE rows against `count` keys from `first` on, up to each row's own factor; and the largest of each row. */
INLINE void scores_u8(const Head *h, int64_t row, int64_t first, int64_t count, float scores[TILE][KEYS], float *top) {
    __m512 largest[TILE];
    UNROLL for (int r = 0; r < TILE; r++) largest[r] = _mm512_set1_ps(-1e30f);
    for (int64_t key = 0; key < count; key += PANEL) {
        __m512i acc[TILE][2];
        multiply_u8(acc, h->a + row * h->width, h->width, h->b + (first + key) * h->width, h->width / 4);
        UNROLL for (int half = 0; half < 2; half++) {
            const int64_t at = key + half * LANES;
            const __m512 scale = _mm512_loadu_ps(h->b_scale + first + at), shift = _mm512_loadu_ps(h->b_shift + first + at);
            UNROLL for (int r = 0; r < TILE; r++) {
                const __m512 s = _mm512_fmsub_ps(_mm512_cvtepi32_ps(acc[r][half]), scale, shift);
                largest[r] = _mm512_max_ps(largest[r], s);
                _mm512_store_ps(scores[r] + at, s);
            }
        }
    }
    UNROLL for (int r = 0; r < TILE; r++) top[r] = max_of(largest[r]);
}

/* 255 2^x for x <= 0 as integers, relative error 7e-4, from t = 2^23 (x + 127). As a float's bits, round(t) is 2^floor(x) m
 * with a mantissa m = 1 + x - floor(x); 2^(m - 1) / m is a cubic of m. Where t is negative, so is the outcome. */
INLINE __m512i exp2_255(__m512 t) {
    const __m512i bits = _mm512_cvtps_epi32(t);
    const __m512i one = _mm512_set1_epi32(0x3f800000), mask = _mm512_set1_epi32(0x7fffff);
    const __m512 m = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(bits, mask, one, 0xea)); /* bits & mask | one */
    __m512 g = _mm512_fmadd_ps(_mm512_set1_ps(255 * -0.1064487f), m, _mm512_set1_ps(255 * 0.7074866f));
    g = _mm512_fmadd_ps(g, m, _mm512_set1_ps(255 * -1.3773197f));
    g = _mm512_fmadd_ps(g, m, _mm512_set1_ps(255 * 1.7756188f));
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_castsi512_ps(bits), g));
}

/* One row's scores as bytes round(255 2^(factor (s - top))), GROUP by GROUP, and the sum of the bytes. */
INLINE int32_t quantise_probabilities(const float *scores, int64_t count, float top, float factor, uint8_t *bytes) {
    const __m512 f = _mm512_set1_ps(8388608.0f * factor), t = _mm512_set1_ps(8388608.0f * (127.0f - top * factor));
    __m512i sum = _mm512_setzero_si512();
    for (int64_t key = 0; key < count; key += GROUP) {
        __m512i p[4];
        UNROLL for (int i = 0; i < 4; i++)
            p[i] = exp2_255(_mm512_fmadd_ps(_mm512_load_ps(scores + key + i * LANES), f, t));
        const __m512i packed = _mm512_packus_epi16(_mm512_packus_epi32(p[0], p[1]), _mm512_packus_epi32(p[2], p[3]));
        _mm512_store_si512(bytes + key, packed);
        sum = _mm512_dpbusd_epi32(sum, packed, _mm512_set1_epi8(1));
    }
    return _mm512_reduce_add_epi32(sum);
}

/* out = before out + now (probabilities x values), for the `width` columns of TILE rows. */
INLINE void add_values(const Head *h, int64_t first, int64_t count, const uint8_t *bytes, const float *before,
                       const float *now, float *out) {
    for (int64_t column = 0; column < h->width; column += PANEL) {
        __m512i acc[TILE][2];
        multiply_u8(acc, bytes, KEYS, h->v + (column * h->keys + first * PANEL), count / 4);
        UNROLL for (int r = 0; r < TILE; r++) UNROLL for (int half = 0; half < 2; half++) {
            float *at = out + r * h->width + column + half * LANES;
            const __m512 old = _mm512_mul_ps(_mm512_load_ps(at), _mm512_set1_ps(before[r]));
            _mm512_store_ps(at, _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][half]), _mm512_set1_ps(now[r]), old));
        }
    }
}

/* Attention of TILE rows from `row` on, `valid` of which go to rows of `to`, `stride` floats apart. */
INLINE void attend_tile(const Head *h, int64_t row, int64_t valid, float *to, int64_t stride) {
    float scores[TILE][KEYS] __attribute__((aligned(64))), out[TILE * 256] __attribute__((aligned(64)));
    uint8_t bytes[TILE * KEYS] __attribute__((aligned(64)));
    float top[LANES] __attribute__((aligned(64))) = {0}, before[LANES] __attribute__((aligned(64)));
    float now[LANES] __attribute__((aligned(64))), factors[LANES] __attribute__((aligned(64))) = {0};
    float sums[LANES] __attribute__((aligned(64))) = {0};
    const float base = 1.44269504f / __builtin_sqrtf((float)h->width);
    for (int r = 0; r < TILE; r++) factors[r] = h->a_scale[row + r] * base;
    for (int64_t i = 0; i < TILE * h->width; i++) out[i] = 0;
    __m512 highest = _mm512_set1_ps(-1e30f), total = _mm512_setzero_ps();
    const __m512 factor = _mm512_load_ps(factors);
    for (int64_t first = 0; first < h->keys; first += KEYS) {
        const int64_t count = h->keys - first < KEYS ? h->keys - first : KEYS;
        scores_u8(h, row, first, count, scores, top);
        for (int r = 0; r < TILE; r++)
            sums[r] = (float)quantise_probabilities(scores[r], count, top[r], factors[r], bytes + r * KEYS);
        const __m512 here = _mm512_load_ps(top), new_highest = _mm512_max_ps(highest, here);
        const __m512 keep = exp2_exact(_mm512_mul_ps(_mm512_sub_ps(highest, new_highest), factor));
        const __m512 weight = exp2_exact(_mm512_mul_ps(_mm512_sub_ps(here, new_highest), factor));
        _mm512_store_ps(before, keep);
        _mm512_store_ps(now, weight);
        total = _mm512_fmadd_ps(weight, _mm512_load_ps(sums), _mm512_mul_ps(total, keep));
        add_values(h, first, count, bytes, before, now, out);
        highest = new_highest;
    }
    _mm512_store_ps(sums, _mm512_div_ps(_mm512_set1_ps(1.0f), total));
    for (int64_t r = 0; r < valid; r++)
        for (int64_t d = 0; d < h->width; d += LANES)
            _mm512_storeu_ps(to + r * stride + d, _mm512_mul_ps(_mm512_load_ps(out + r * h->width + d),
                _mm512_mul_ps(_mm512_set1_ps(sums[r]), _mm512_loadu_ps(h->v_scale + d))));
}

#endif
