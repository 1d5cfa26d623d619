/* softmax(X X^T / sqrt(d)) V: what is compared with itself has symmetric scores, and needs only half of them.
 *
 * With o_i = s_ii / 2, the numbers e_ij = 2^(s_ij - o_i - o_j) are symmetric, too, and at most 1; what factors of rows take away falls
 * out of their quotients, and what those of keys do goes into the values: row i is sum_j e_ij w_j V_j / sum_j e_ij w_j, w_j = 2^(o_j - max o).
 * Squares of SIDE x SIDE scores on and right of the diagonal are made once, and each serves its rows and its columns.
 */
#ifndef ANOMALYCLIP_SELF_ATTENTION_F32_H
#define ANOMALYCLIP_SELF_ATTENTION_F32_H

#include "head_f32.h"

/* sum += TILE columns of a square from `x` on, as rows, times `depth` rows of a panel. */
INLINE void add_turned(Floats (*sum)[2], const float *x, const float *panel, int64_t depth) {
    for (int64_t k = 0; k < depth; k++, x += SIDE, panel += PANEL) {
        const Floats left = load(panel), right = load(panel + LANES);
        UNROLL for (int r = 0; r < TILE; r++) MULTIPLY_ADD_F32(sum[r][0], sum[r][1], x + r, left, right);
    }
}

/* TILE rows of sums += rows of a square, or its columns, times `depth` weighted values from `first` on. */
INLINE void sum_values(const HeadF32 *h, int64_t row, const float *square, int64_t first, int64_t depth, const int turned) {
    for (int64_t d = 0; d < h->width; d += PANEL) {
        const float *panel = h->v + d * h->keys + first * PANEL;
        float *to = h->sums + row * h->width + d;
        Floats sum[TILE][2];
        UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = splat(0);
        if (turned) add_turned(sum, square, panel, depth);
        else add_products(sum, square, SIDE, panel, depth, TILE, 2);
        UNROLL for (int r = 0; r < TILE; r++) {
            float *at = to + r * h->width;
            store(at, load(at) + sum[r][0]);
            store(at + LANES, load(at + LANES) + sum[r][1]);
        }
    }
}

APART void sum_by_rows(const HeadF32 *h, int64_t row, const float *square, int64_t first, int64_t depth) {
    sum_values(h, row, square, first, depth, 0);
}

APART void sum_by_columns(const HeadF32 *h, int64_t row, const float *square, int64_t first, int64_t depth) {
    sum_values(h, row, square, first, depth, 1);
}

/* Scores (TILE, SIDE) of the rows from `row` on with `count` keys from `first` on. */
APART void square_tile(const HeadF32 *h, int64_t row, int64_t first, int64_t count, float *square) {
    for (int64_t k = 0; k < count; k += PANEL) {
        Floats sum[TILE][2];
        UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = splat(0);
        add_products(sum, h->a + row * h->width, h->width, h->b + (first + k) * h->width, h->width, TILE, 2);
        UNROLL for (int r = 0; r < TILE; r++) store(square + r * SIDE + k, sum[r][0]), store(square + r * SIDE + k + LANES, sum[r][1]);
    }
}

/* A row's scores to e_ij, in place; adds them to its total, and its share of them to those of its keys, which `below` holds. */
INLINE void square_row(const HeadF32 *h, int64_t row, int64_t first, int64_t count, float *scores, float *below) {
    const Floats own = splat(h->own[row]), share = splat(h->share[row]);
    Floats sum = splat(0);
    for (int64_t k = 0; k < count; k += LANES) {
        const Floats e = exp2_exact(load(scores + k) - own - load(h->own + first + k));
        store(scores + k, e);
        sum = fma_of(e, load(h->share + first + k), sum);
        store(below + k, fma_of(e, share, load(below + k)));
    }
    h->total[row] += sum_of(sum);
}

/* The square of `rows` rows from `row` on and `keys` keys from `first` on, which is on the diagonal or right of it. */
static void add_square(const HeadF32 *h, int64_t row, int64_t rows, int64_t first, int64_t keys) {
    const int64_t count = rounded_up(keys, PANEL);
    float below[SIDE] = {0};
    for (int64_t r = 0; r < rows; r += TILE) {
        float *square = h->square + r * SIDE;
        square_tile(h, row + r, first, count, square);
        for (int64_t i = 0; i < TILE && r + i < rows; i++) square_row(h, row + r + i, first, count, square + i * SIDE, below);
        sum_by_rows(h, row + r, square, first, keys);
    }
    if (row == first) return; /* what is below the diagonal was made, too */
    for (int64_t c = 0; c < keys; c += TILE) sum_by_columns(h, first + c, h->square + c, row, rows);
    for (int64_t k = 0; k < keys; k++) h->total[first + k] += below[k];
}

/* All rows of a head, whose values are weighted, to `to`, `stride` floats apart. */
static void attend_itself(const HeadF32 *h, float *to, int64_t stride) {
    const int64_t n = h->tokens, width = h->width;
    for (int64_t i = 0; i < rounded_up(n, SIDE); i++) h->total[i] = 0;
    for (int64_t i = 0; i < rounded_up(n, TILE) * width; i++) h->sums[i] = 0;
    for (int64_t first = 0; first < n; first += SIDE)
        for (int64_t row = 0; row <= first; row += SIDE)
            add_square(h, row, n - row < SIDE ? n - row : SIDE, first, n - first < SIDE ? n - first : SIDE);
    for (int64_t r = 0; r < n; r++)
        for (int64_t d = 0; d < width; d += LANES) store(to + r * stride + d, load(h->sums + r * width + d) / splat(h->total[r]));
}

#endif
