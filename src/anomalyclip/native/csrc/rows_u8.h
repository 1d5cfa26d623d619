/* Passes over single rows of floats: layer normalisation, and the quantisation of a row to 8 bits. */
#ifndef ANOMALYCLIP_ROWS_U8_H
#define ANOMALYCLIP_ROWS_U8_H

#include "simd.h"

/* x = scale (q - zero) with q in 0..255 for the row's own range, which always holds 0. `length` is a multiple of 16. */
INLINE void quantise_row(const float *x, int64_t length, uint8_t *q, float *scale, float *zero) {
    __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
    for (int64_t i = 0; i < length; i += LANES) {
        const __m512 v = _mm512_loadu_ps(x + i);
        low = _mm512_min_ps(low, v);
        high = _mm512_max_ps(high, v);
    }
    const float bottom = min_of(low), range = max_of(high) - bottom;
    const float step = range > 1e-30f ? range / 255.0f : 1.0f;
    const float offset = (float)(int32_t)(-bottom / step + 0.5f);
    const __m512 factor = _mm512_set1_ps(1.0f / step), shift = _mm512_set1_ps(offset);
    for (int64_t i = 0; i < length; i += LANES) {
        const __m512i v = _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_loadu_ps(x + i), factor, shift));
        _mm_storeu_si128((__m128i *)(q + i), _mm512_cvtusepi32_epi8(_mm512_max_epi32(v, _mm512_setzero_si512())));
    }
    *scale = step;
    *zero = offset;
}

/* y = (x - mean) / sqrt(variance + 1e-5) weight + bias */
INLINE void normalise_row(const float *x, int64_t length, const float *weight, const float *bias, float *y) {
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int64_t i = 0; i < length; i += LANES) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + i));
    const __m512 mean = _mm512_set1_ps(sum_of(sum) / (float)length);
    for (int64_t i = 0; i < length; i += LANES) {
        const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + i), mean);
        squares = _mm512_fmadd_ps(d, d, squares);
    }
    const float deviation = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(sum_of(squares) / (float)length + 1e-5f)));
    const __m512 factor = _mm512_set1_ps(1.0f / deviation);
    for (int64_t i = 0; i < length; i += LANES) {
        const __m512 d = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), mean), factor);
        _mm512_storeu_ps(y + i, _mm512_fmadd_ps(d, _mm512_loadu_ps(weight + i), _mm512_loadu_ps(bias + i)));
    }
}

#endif
