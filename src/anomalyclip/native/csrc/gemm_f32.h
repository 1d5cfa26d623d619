/* The product of a tile of rows and a panel of columns in single precision. */
#ifndef ANOMALYCLIP_GEMM_F32_H
#define ANOMALYCLIP_GEMM_F32_H

#define MOST 12 /* rows at once, of half a panel: as many sums as keep the multipliers busy; of a whole one a TILE, no more */
/* One step, `at` places from where the pointers stand: of a panel both halves or the left one. */
INLINE void add_step(Floats (*sum)[2], const float *const *base, int64_t stride, const float *panel, const int at, const int rows, const int halves) {
    const Floats left = load(panel + at * PANEL), right = halves == 2 ? load(panel + at * PANEL + LANES) : left;
    UNROLL for (int r = 0; r < rows; r++) {
        const float *one = base[r / 3] + r % 3 * stride + at;
        if (halves == 2) MULTIPLY_ADD_F32(sum[r][0], sum[r][1], one, left, right);
        else ADD_PRODUCT(sum[r][0], splat(*one), left);
    }
}

/* sum += `rows` rows (`stride` apart) times `depth` rows of a panel. */
INLINE void add_products(Floats (*sum)[2], const float *x, int64_t stride, const float *panel, int64_t depth, const int rows, const int halves) {
    const float *base[MOST / 3];
    UNROLL for (int i = 0; i < rows / 3; i++) base[i] = x + 3 * i * stride;
    for (; depth >= STEPS; depth -= STEPS, panel += STEPS * PANEL) {
        UNROLL for (int i = 0; i < STEPS; i++) add_step(sum, base, stride, panel, i, rows, halves);
        UNROLL for (int i = 0; i < rows / 3; i++) MOVED(base[i], STEPS);
    }
    for (int64_t k = 0; k < depth; k++, panel += PANEL) {
        add_step(sum, base, stride, panel, 0, rows, halves);
        UNROLL for (int i = 0; i < rows / 3; i++) base[i]++;
    }
}

/* sums (`across` apart) = TILE rows (`stride` apart) times `depth` rows of a panel. */
APART void multiply_f32(float *sums, int64_t across, const float *rows, int64_t stride, const float *panel, int64_t depth) {
    Floats sum[TILE][2];
    UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = splat(0);
    add_products(sum, rows, stride, panel, depth, TILE, 2);
    UNROLL for (int r = 0; r < TILE; r++) {
        store(sums + r * across, sum[r][0]);
        store(sums + r * across + LANES, sum[r][1]);
    }
}

#endif
