/* Passes over single rows of floats: layer normalisation, and the quantisation of a row to 8 bits. */
#ifndef ANOMALYCLIP_ROWS_U8_H
#define ANOMALYCLIP_ROWS_U8_H

/* x = scale (q - zero) with q in 0..255 for the row's own range, which always holds 0; a code is q - SHIFT, and `zero` is
 * that of the codes. `length` is a multiple of 16. */
INLINE void quantise_row(const float *x, int64_t length, Code *q, float *scale, float *zero) {
    Floats low = splat(0), high = splat(0);
    for (int64_t i = 0; i < length; i += LANES) {
        const Floats v = load(x + i);
        low = smaller(low, v);
        high = larger(high, v);
    }
    const float bottom = min_of(low), range = max_of(high) - bottom;
    const float step = range > 1e-30f ? range / 255.0f : 1.0f;
    const float offset = (float)(int32_t)(-bottom / step + 0.5f);
    const Floats factor = splat(1.0f / step), shift = splat(offset);
    for (int64_t i = 0; i < length; i += LANES) store_codes(q + i, rounded(fma_of(load(x + i), factor, shift)));
    *scale = step;
    *zero = offset - SHIFT;
}

/* y = (x - mean) / sqrt(variance + 1e-5) weight + bias */
INLINE void normalise_row(const float *x, int64_t length, const float *weight, const float *bias, float *y) {
    Floats sum = splat(0), squares = splat(0);
    for (int64_t i = 0; i < length; i += LANES) sum += load(x + i);
    const Floats mean = splat(sum_of(sum) / (float)length);
    for (int64_t i = 0; i < length; i += LANES) {
        const Floats d = load(x + i) - mean;
        squares = fma_of(d, d, squares);
    }
    const Floats factor = splat(1.0f / __builtin_sqrtf(sum_of(squares) / (float)length + 1e-5f));
    for (int64_t i = 0; i < length; i += LANES)
        store(y + i, fma_of((load(x + i) - mean) * factor, load(weight + i), load(bias + i)));
}

#endif
