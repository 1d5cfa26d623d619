/* The product of a tile of rows and a panel of columns in single precision. */
#ifndef ANOMALYCLIP_GEMM_F32_H
#define ANOMALYCLIP_GEMM_F32_H

/* sums (`across` apart) = TILE rows (`stride` apart) times `depth` rows of a panel. */
APART void multiply_f32(float *sums, int64_t across, const float *rows, int64_t stride, const float *panel, int64_t depth) {
    Floats sum[TILE][2];
    UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = splat(0);
    const float *base[TILE / 3];
    UNROLL for (int i = 0; i < TILE / 3; i++) base[i] = rows + 3 * i * stride;
    for (int64_t k = 0; k < depth; k++) {
        const Floats left = load(panel), right = load(panel + LANES);
        panel += PANEL;
        UNROLL for (int r = 0; r < TILE; r++) {
            const float *one = base[r / 3] + (r % 3) * stride + k;
            MULTIPLY_ADD_F32(sum[r][0], sum[r][1], one, left, right);
        }
    }
    UNROLL for (int r = 0; r < TILE; r++) {
        store(sums + r * across, sum[r][0]);
        store(sums + r * across + LANES, sum[r][1]);
    }
}

#endif
