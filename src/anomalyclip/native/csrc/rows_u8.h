/* The quantisation of a row of floats to 8 bits. */
#ifndef ANOMALYCLIP_ROWS_U8_H
#define ANOMALYCLIP_ROWS_U8_H

#include "norm_f32.h"

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

#endif
