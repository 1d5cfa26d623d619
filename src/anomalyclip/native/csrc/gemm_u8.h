/* Products of unsigned 8-bit rows and signed 8-bit columns: the heart of everything in int8.
 *
 * Rows hold activations, quantised one by one: x = scale (q - zero), q in 0..255. Columns hold weights, one scale each:
 * w = scale q, q in -127..127, packed in panels as [K / DEPTH][PANEL][DEPTH] bytes. Then
 *     y[r][c] = row_scale[r] column_scale[c] (sum_k q[r][k] w[c][k] - zero[r] sum_k w[c][k]).
 * The sums of products are exact in 32 bits on every target, for K up to 66,000.
 */
#ifndef ANOMALYCLIP_GEMM_U8_H
#define ANOMALYCLIP_GEMM_U8_H

typedef int32_t Four __attribute__((may_alias)); /* bytes: as many codes as are multiplied in a lane */

/* One step, `at` steps from where the pointers stand. */
INLINE void add_codes(Ints sum[TILE][2], const Code *const *base, int64_t stride, const int8_t *panel, const int at) {
    const int8_t *weights = panel + at * PANEL * DEPTH;
    const Ints left = load_weights(weights), right = load_weights(weights + LANES * DEPTH);
    UNROLL for (int r = 0; r < TILE; r++) {
        const Four *codes = (const Four *)(base[r / 3] + r % 3 * stride + at * DEPTH);
        MULTIPLY_ADD(sum[r][0], sum[r][1], codes, left, right);
    }
}

/* The sums of TILE rows and PANEL columns over DEPTH * steps products each. Rows lie `stride` codes apart. */
APART void multiply(Ints sums[TILE][2], const Code *rows, int64_t stride, const int8_t *panel, int64_t steps) {
    Ints sum[TILE][2];
    UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = (Ints){0};
    const Code *base[TILE / 3];
    UNROLL for (int i = 0; i < TILE / 3; i++) base[i] = rows + 3 * i * stride;
    for (; steps >= STEPS; steps -= STEPS, panel += STEPS * PANEL * DEPTH) {
        UNROLL for (int i = 0; i < STEPS; i++) add_codes(sum, base, stride, panel, i);
        UNROLL for (int i = 0; i < TILE / 3; i++) MOVED(base[i], STEPS * DEPTH);
    }
    for (; steps > 0; steps--, panel += PANEL * DEPTH) {
        add_codes(sum, base, stride, panel, 0);
        UNROLL for (int i = 0; i < TILE / 3; i++) base[i] += DEPTH;
    }
    UNROLL for (int r = 0; r < TILE; r++) sums[r][0] = sum[r][0], sums[r][1] = sum[r][1];
}

/* A matrix of weights: `panels` as above, and per column its scale, the sums of its q (one row per group of K), a bias. */
typedef struct {
    const int8_t *panels;
    const float *scale, *sums, *bias;
} Weights;

/* Quantised rows: `q` lies `stride` codes apart, and row r goes `to[r]`, or nowhere where that is null.
 * Their number is a multiple of TILE. Where `part` is not 0, a row's parts of that length go `jump` elements apart. */
typedef struct {
    Code *q;
    int64_t stride, count, part, jump;
    float *scale, *zero;
    void **to;
} Rows;

typedef enum { STORE, ADD, STORE_HALF, STORE_QUICK_GELU, STORE_GELU } Finish;

INLINE void finish(Floats y, void *row, int64_t column, Finish how) {
    float *at = (float *)row + column;
    switch (how) {
    case STORE: store(at, y); break;
    case ADD: store(at, load(at) + y); break;
    case STORE_HALF: store_half((uint16_t *)row + column, y); break;
    case STORE_QUICK_GELU: store(at, quick_gelu(y)); break;
    case STORE_GELU: store(at, gelu(y)); break;
    }
}

/* y = rows x columns + bias for `columns` (a multiple of PANEL) columns from `first` on, over `steps` times DEPTH of K from
 * the step `start` on, of `depth` steps in all; `sums` are those of that part of K, and a null bias is zero.
 * A panel of weights stays in the first cache while all rows pass by. */
INLINE void multiply_rows(const Rows *rows, const Weights *w, int64_t first, int64_t columns, int64_t start, int64_t steps,
                          int64_t depth, const float *sums, const float *bias, Finish how) {
    for (int64_t column = first; column < first + columns; column += PANEL) {
        const int8_t *panel = w->panels + (column * depth + start * PANEL) * DEPTH;
        for (int64_t row = 0; row < rows->count; row += TILE) {
            Ints acc[TILE][2];
            multiply(acc, rows->q + row * rows->stride, rows->stride, panel, steps);
            UNROLL for (int half = 0; half < 2; half++) {
                const int64_t at = column + half * LANES, place = rows->part ? at / rows->part * rows->jump + at % rows->part : at - first;
                const Floats scale = load(w->scale + at), sum = load(sums + at), plus = bias ? load(bias + at) : splat(0);
                UNROLL for (int r = 0; r < TILE; r++) {
                    if (!rows->to[row + r]) continue;
                    const Floats y = fnma_of(splat(rows->zero[row + r]), sum, floats_of(acc[r][half]));
                    finish(fma_of(y * splat(rows->scale[row + r]), scale, plus), rows->to[row + r], place, how);
                }
            }
        }
    }
}

#endif
