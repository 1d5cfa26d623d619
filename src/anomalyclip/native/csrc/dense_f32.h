/* A linear layer over rows, or a convolution of single pixels, in single precision, with what follows it. Weights are packed. */
#ifndef ANOMALYCLIP_DENSE_F32_H
#define ANOMALYCLIP_DENSE_F32_H

#include <string.h>

#include "gemm_f32.h"

#define PART 384 /* of the inner dimension: a panel of AVX2 takes 24 KB of the first cache */

typedef struct {
    const float *panels; /* (columns / PANEL, rounded up; inner; PANEL), zeros beyond the columns */
    const float *bias;   /* as many as the panels have columns, zeros beyond */
    int32_t inner, columns;
} Dense;

/* Rows of x, `stride` apart, and where each one's results go; TILE - 1 more rows may be read. */
typedef struct {
    const float *x;
    int64_t stride, count;
    float *const *to;
    const float *const *plus; /* what is added, row by row; may be null */
    int64_t origin;           /* the column that lies at `to` and `plus` */
} Batch;

typedef enum { LINEAR, RELU6, QUICK_GELU, GELU } After;

/* NaN stays NaN: of two numbers, x86 gives the second where either is none. */
INLINE Floats relu6(Floats x) { return smaller(splat(6), larger(splat(0), x)); }

INLINE Floats after_of(Floats y, After after) {
    switch (after) {
    case RELU6: return relu6(y);
    case QUICK_GELU: return quick_gelu(y);
    case GELU: return gelu(y);
    default: return y;
    }
}

/* `rows` rows, and of a panel both halves or the left one: the sums never leave their registers. */
INLINE void multiply_tile(const Batch *b, const float *bias, const float *panel, int64_t row, int64_t column, int64_t start, int64_t depth,
                          const After after, const int begins, const int adds, const int rows, const int halves) {
    Floats sum[MOST][2];
    float *const *to = b->to + row;
    const int64_t place = column - b->origin;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int half = 0; half < halves; half++) sum[r][half] = load((begins ? bias + column : to[r] + place) + half * LANES);
    add_products(sum, b->x + row * b->stride + start, b->stride, panel, depth, rows, halves);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int half = 0; half < halves; half++) {
            const int64_t at = place + half * LANES;
            const Floats y = adds ? (Floats)(sum[r][half] + load(b->plus[row + r] + at)) : sum[r][half];
            store(to[r] + at, after_of(y, after));
        }
}

/* A tile with rows missing, or a panel with columns: the same sums in the same order, by way of a copy. */
static void multiply_edge_tile(const Batch *b, const Dense *w, const float *panel, int64_t row, int64_t column, int64_t start, int64_t depth, After after, int begins, int adds) {
    float results[TILE * PANEL] __attribute__((aligned(64))), more[TILE * PANEL] __attribute__((aligned(64))), *to[TILE];
    const float *plus[TILE];
    const int64_t rows = b->count - row < TILE ? b->count - row : TILE, across = w->columns - column < PANEL ? w->columns - column : PANEL;
    const int64_t place = column - b->origin;
    for (int r = 0; r < TILE; r++) to[r] = results + r * PANEL, plus[r] = more + r * PANEL;
    for (int64_t r = 0; r < rows; r++) {
        if (!begins) memcpy(to[r], b->to[row + r] + place, across * sizeof(float));
        if (adds) memcpy(more + r * PANEL, b->plus[row + r] + place, across * sizeof(float));
    }
    const Batch edge = {.x = b->x + row * b->stride, .stride = b->stride, .to = to, .plus = plus, .origin = column};
    multiply_tile(&edge, w->bias, panel, 0, column, start, depth, after, begins, adds, TILE, 2);
    for (int64_t r = 0; r < rows; r++) memcpy(b->to[row + r] + place, to[r], across * sizeof(float));
}

/* The next panel, a share with every tile of this one: from the third cache it would come late. Beyond the last one nothing is
 * read, only asked for. */
INLINE void fetch_ahead(const Batch *b, const Dense *w, const float *panel, int64_t row, int64_t depth) {
    const int64_t size = depth * PANEL * (int64_t)sizeof(float), first = size * row / b->count / 64, end = size * (row + TILE) / b->count / 64;
    const char *next = (const char *)(panel + w->inner * PANEL);
    for (int64_t line = first; line < end; line++) __builtin_prefetch(next + line * 64, 0, 2);
}

INLINE void multiply_part(const Batch *b, const Dense *w, int64_t first, int64_t end, int64_t start, int64_t depth, const After after, const int begins, const int adds) {
    for (int64_t column = first; column < end; column += PANEL) {
        const float *panel = w->panels + column * w->inner + start * PANEL;
        const int64_t across = w->columns - column;
        int64_t row = 0;
        if (across == LANES)
            for (; row + MOST <= b->count; row += MOST) multiply_tile(b, w->bias, panel, row, column, start, depth, after, begins, adds, MOST, 1);
        for (; row < b->count; row += TILE) {
            fetch_ahead(b, w, panel, row, depth);
            if (across >= PANEL && row + TILE <= b->count) multiply_tile(b, w->bias, panel, row, column, start, depth, after, begins, adds, TILE, 2);
            else multiply_edge_tile(b, w, panel, row, column, start, depth, after, begins, adds);
        }
    }
}

/* to = after(x w^T + bias + plus), of the columns from `first`, where a panel begins, to `end`; `plus` only where nothing comes
 * after. */
APART void multiply_columns(const Batch *b, const Dense *w, int64_t first, int64_t end, After after) {
    for (int64_t start = 0; start < w->inner; start += PART) {
        const int64_t depth = w->inner - start < PART ? w->inner - start : PART;
        const After now = start + depth < w->inner ? LINEAR : after;
#define AS(what, is, plus) multiply_part(b, w, first, end, start, depth, what, is, plus)
        if (start == 0 && b->plus) AS(LINEAR, 1, 1);
        else if (now == LINEAR && start == 0) AS(LINEAR, 1, 0);
        else if (now == LINEAR) AS(LINEAR, 0, 0);
        else if (now == RELU6 && start == 0) AS(RELU6, 1, 0);
        else if (now == RELU6) AS(RELU6, 0, 0);
        else if (now == QUICK_GELU && start == 0) AS(QUICK_GELU, 1, 0);
        else if (now == QUICK_GELU) AS(QUICK_GELU, 0, 0);
        else if (start == 0) AS(GELU, 1, 0);
        else AS(GELU, 0, 0);
#undef AS
    }
}

static void multiply_dense(const Batch *b, const Dense *w, After after) { multiply_columns(b, w, 0, w->columns, after); }

#endif
