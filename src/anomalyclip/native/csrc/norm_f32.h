/* Layer normalisation of one row. */
#ifndef ANOMALYCLIP_NORM_F32_H
#define ANOMALYCLIP_NORM_F32_H

/* y = (x - mean) / sqrt(variance + 1e-5) weight + bias; `length` is a multiple of 16. */
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
