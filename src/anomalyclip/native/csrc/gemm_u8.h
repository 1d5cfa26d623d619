/* Products of unsigned 8-bit rows and signed 8-bit columns with VNNI: the heart of everything in int8.
 *
 * Rows hold activations, quantised one by one: x = scale (q - zero), q in 0..255. Columns hold weights, one scale each:
 * w = scale q, q in -127..127, packed in panels of 32 columns as [K / 4][32][4] bytes. Then
 *     y[r][c] = row_scale[r] column_scale[c] (sum_k q[r][k] w[c][k] - zero[r] sum_k w[c][k]).
 */
#ifndef ANOMALYCLIP_GEMM_U8_H
#define ANOMALYCLIP_GEMM_U8_H

#include "simd.h"

/* The sums of TILE rows and PANEL columns over 4 * quads products each. Rows lie `stride` bytes apart. */
APART void multiply_u8(__m512i sums[TILE][2], const uint8_t *rows, int64_t stride, const int8_t *panel, int64_t quads) {
    __m512i sum[TILE][2];
    UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = _mm512_setzero_si512();
    const uint8_t *a0 = rows, *a1 = rows + 3 * stride, *a2 = rows + 6 * stride, *a3 = rows + 9 * stride;
    for (int64_t k = 0; k < quads; k++) {
        const __m512i left = _mm512_load_si512(panel), right = _mm512_load_si512(panel + 64);
        panel += 128;
        UNROLL for (int r = 0; r < TILE; r++) {
            const uint8_t *base = r < 3 ? a0 : r < 6 ? a1 : r < 9 ? a2 : a3;
            const int32_t *quad = (const int32_t *)(base + (r % 3) * stride + 4 * k);
            /* In C, gcc would load several rows ahead and spill sums inside the loop, at half the speed. */
            __asm__("vpbroadcastd %2, %%zmm31\n\t"
                    "vpdpbusd %3, %%zmm31, %0\n\t"
                    "vpdpbusd %4, %%zmm31, %1"
                    : "+v"(sum[r][0]), "+v"(sum[r][1])
                    : "m"(*quad), "v"(left), "v"(right)
                    : "xmm31");
        }
    }
    UNROLL for (int r = 0; r < TILE; r++) sums[r][0] = sum[r][0], sums[r][1] = sum[r][1];
}

/* A matrix of weights: `panels` as above, and per column its scale, the sums of its q (one row per group of K), a bias. */
typedef struct {
    const int8_t *panels;
    const float *scale, *sums, *bias;
} Weights;

/* Quantised rows: `q` lies `stride` bytes apart, and row r goes `to[r]`, or nowhere where that is null.
 * Their number is a multiple of TILE. Where `part` is not 0, a row's parts of that length go `jump` elements apart. */
typedef struct {
    uint8_t *q;
    int64_t stride, count, part, jump;
    float *scale, *zero;
    void **to;
} Rows;

typedef enum { STORE, ADD, STORE_HALF, STORE_QUICK_GELU, STORE_GELU } Finish;

/* x Phi(x), with erf by Abramowitz and Stegun's 7.1.26 (absolute error 1.5e-7). */
INLINE __m512 gelu(__m512 x) {
    const __m512 z = _mm512_abs_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.70710678f)));
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one));
    __m512 p = _mm512_set1_ps(1.061405429f);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
    p = _mm512_mul_ps(_mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f)), t);
    const __m512 e = exp2_exact(_mm512_mul_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(-1.44269504f)));
    const __m512 tail = _mm512_mul_ps(_mm512_mul_ps(p, e), _mm512_set1_ps(0.5f)); /* 1 - Phi(|x|) */
    const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mul_ps(x, _mm512_mask_blend_ps(negative, _mm512_sub_ps(one, tail), tail));
}

INLINE void finish(__m512 y, void *row, int64_t column, Finish how) {
    float *at = (float *)row + column;
    switch (how) {
    case STORE: _mm512_storeu_ps(at, y); break;
    case ADD: _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), y)); break;
    case STORE_HALF: _mm256_storeu_si256((__m256i *)((uint16_t *)row + column), _mm512_cvtps_ph(y, 8)); break;
    case STORE_QUICK_GELU: _mm512_storeu_ps(at, quick_gelu(y)); break;
    case STORE_GELU: _mm512_storeu_ps(at, gelu(y)); break;
    }
}

/* y = rows x columns + bias for `columns` (a multiple of PANEL) columns from `first` on, over the `quads` quadruples of
 * K from `start` on, of `depth` quadruples in all; `sums` are those of that part of K, and a null bias is zero.
 * A panel of weights stays in the first cache while all rows pass by. */
INLINE void multiply_rows(const Rows *rows, const Weights *w, int64_t first, int64_t columns, int64_t start, int64_t quads,
                          int64_t depth, const float *sums, const float *bias, Finish how) {
    for (int64_t column = first; column < first + columns; column += PANEL) {
        const int8_t *panel = w->panels + (column * depth + start * PANEL) * 4;
        for (int64_t row = 0; row < rows->count; row += TILE) {
            __m512i acc[TILE][2];
            multiply_u8(acc, rows->q + row * rows->stride, rows->stride, panel, quads);
            UNROLL for (int half = 0; half < 2; half++) {
                const int64_t at = column + half * LANES, place = rows->part ? at / rows->part * rows->jump + at % rows->part : at - first;
                const __m512 scale = _mm512_loadu_ps(w->scale + at), sum = _mm512_loadu_ps(sums + at);
                const __m512 plus = bias ? _mm512_loadu_ps(bias + at) : _mm512_setzero_ps();
                UNROLL for (int r = 0; r < TILE; r++) {
                    if (!rows->to[row + r]) continue;
                    __m512 y = _mm512_fnmadd_ps(_mm512_set1_ps(rows->zero[row + r]), sum, _mm512_cvtepi32_ps(acc[r][half]));
                    y = _mm512_fmadd_ps(_mm512_mul_ps(y, _mm512_set1_ps(rows->scale[row + r])), scale, plus);
                    finish(y, rows->to[row + r], place, how);
                }
            }
        }
    }
}

#endif
