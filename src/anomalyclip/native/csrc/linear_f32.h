/* y = x w^T + bias in single precision: a linear layer, its weights as the model holds them.
 *
 * A piece of y is made by one thread, a part of the inner dimension at a time, DEEP at most; sums of earlier parts wait in y.
 * The piece's rows of x are packed as tiles, then WIDE columns of weights at a time as panels. TALL rows stay in the second
 * cache while these panels pass by, each of which stays in the first while the rows do.
 */
#ifndef ANOMALYCLIP_LINEAR_F32_H
#define ANOMALYCLIP_LINEAR_F32_H

#include <stdatomic.h>

#define DEEP 512 /* a panel of AVX2 takes 32 KB, TALL rows 196 KB */
#define TALL 96 /* a multiple of every TILE */
#define WIDE 512

typedef struct {
    const float *x, *weight, *bias; /* (rows, inner), (columns, inner), (columns) or null */
    float *y;                       /* (rows, columns) */
    char *const *benches;
    int64_t rows, inner, columns;   /* inner: a multiple of 16 */
    int64_t tall, wide;             /* of a piece; wide: a multiple of PANEL, or all columns */
    int32_t quick_gelu;             /* of the whole, at last */
    atomic_int next, arrived;
} Linear;

/* Of the inner dimension's blocks, as few and as nearly equal as can be; a multiple of 16. */
INLINE int64_t depth_of(int64_t inner) {
    const int64_t blocks = (inner + DEEP - 1) / DEEP;
    return rounded_up((inner + blocks - 1) / blocks, 16);
}

API int64_t NAMED(ac_linear_bytes)(const Linear *job) {
    return 4 * (depth_of(job->inner) * (rounded_up(job->tall, TILE) + WIDE) + LANES) + 64;
}

/* The first `count` vectors, `stride` apart, as [depth][across]; lanes beyond repeat the last vector. `depth` is a multiple of
 * 16. Where lanes are more than `across`, the next column's or vectors' overwrite what is too much. */
static void pack_f32(float *to, int64_t across, const float *vectors, int64_t stride, int64_t count, int64_t depth) {
    for (int64_t first = 0; first < across; first += LANES) {
        const float *each[LANES];
        for (int64_t i = 0; i < LANES; i++) each[i] = vectors + (first + i < count ? first + i : count - 1) * stride;
        for (int64_t d = 0; d < depth; d += LANES) {
            Floats column[LANES];
            UNROLL for (int i = 0; i < LANES; i++) __builtin_prefetch(each[i] + LANES * stride + d); /* the next LANES, pages away */
            transpose(each, d, column);
            UNROLL for (int i = 0; i < LANES; i++) store(to + (d + i) * across + first, column[i]);
        }
    }
}

/* y (TILE, PANEL), rows `across` apart, = TILE rows as [depth][TILE] times a panel, plus y if `more`; depth: a multiple of 4. */
APART void multiply_packed_f32(float *y, int64_t across, const float *rows, const float *panel, int64_t depth, int more) {
    Floats sum[TILE][2];
    UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = splat(0);
    for (int r = 0; r < TILE; r++) __builtin_prefetch(y + r * across, 1);
    for (int64_t k = 0; k < depth; k += 4) {
        UNROLL for (int i = 0; i < 4; i++) {
            const Floats left = load(panel + i * PANEL), right = load(panel + i * PANEL + LANES);
            UNROLL for (int r = 0; r < TILE; r++) {
                const float *one = rows + i * TILE + r;
                MULTIPLY_ADD_F32(sum[r][0], sum[r][1], one, left, right);
            }
        }
        panel += 4 * PANEL;
        rows += 4 * TILE;
    }
    if (more) UNROLL for (int r = 0; r < TILE; r++) {
        sum[r][0] += load(y + r * across);
        sum[r][1] += load(y + r * across + LANES);
    }
    UNROLL for (int r = 0; r < TILE; r++) {
        store(y + r * across, sum[r][0]);
        store(y + r * across + LANES, sum[r][1]);
    }
}

/* The same where y has fewer rows or columns. */
static void multiply_edge(float *y, int64_t across, int64_t valid, int64_t columns, const float *rows, const float *panel,
                          int64_t depth, int more) {
    float sums[TILE * PANEL] __attribute__((aligned(64)));
    multiply_packed_f32(sums, PANEL, rows, panel, depth, 0);
    for (int64_t r = 0; r < valid; r++)
        for (int64_t c = 0; c < columns; c += LANES) {
            const Floats here = load(sums + r * PANEL + c);
            store_some(y + r * across + c, more ? (Floats)(here + some_of(y + r * across + c, columns - c)) : here, columns - c);
        }
}

/* What comes after the products, on as many rows and columns. */
INLINE void finish_tile(const Linear *job, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    for (int64_t c = 0; c < columns; c += LANES) {
        const Floats bias = job->bias ? some_of(job->bias + column + c, columns - c) : splat(0);
        for (int64_t r = row; r < row + rows; r++) {
            float *at = job->y + r * job->columns + column + c;
            const Floats y = some_of(at, columns - c) + bias;
            store_some(at, job->quick_gelu ? quick_gelu(y) : y, columns - c);
        }
    }
}

/* The rows and columns of one piece, over a block of the inner dimension. */
static void multiply_piece(const Linear *job, float *bench, int64_t row, int64_t rows, int64_t column, int64_t columns,
                           int64_t start, int64_t depth) {
    float *panels = bench, *tiles = bench + WIDE * depth;
    const int ends = start + depth == job->inner && (job->bias || job->quick_gelu);
    for (int64_t r = 0; r < rows; r += TILE)
        pack_f32(tiles + r * depth, TILE, job->x + (row + r) * job->inner + start, job->inner, rows - r, depth);
    for (int64_t done = 0; done < columns; done += WIDE) {
        const int64_t across = columns - done < WIDE ? columns - done : WIDE;
        for (int64_t c = 0; c < across; c += PANEL)
            pack_f32(panels + c * depth, PANEL, job->weight + (column + done + c) * job->inner + start, job->inner, across - c, depth);
        for (int64_t block = 0; block < rows; block += TALL) {
            const int64_t end = rows - block < TALL ? rows : block + TALL;
            for (int64_t c = 0; c < across; c += PANEL)
                for (int64_t r = block; r < end; r += TILE) {
                    const float *tile = tiles + r * depth, *panel = panels + c * depth;
                    const int64_t valid = end - r < TILE ? end - r : TILE, wide = across - c < PANEL ? across - c : PANEL;
                    float *y = job->y + (row + r) * job->columns + column + done + c;
                    if (valid == TILE && wide == PANEL) multiply_packed_f32(y, job->columns, tile, panel, depth, start > 0);
                    else multiply_edge(y, job->columns, valid, wide, tile, panel, depth, start > 0);
                    if (ends) finish_tile(job, row + r, valid, column + done + c, wide);
                }
        }
    }
}

/* What every thread calls: one piece after another. */
API void NAMED(ac_linear_f32)(Linear *job) {
    const int64_t across = (job->columns + job->wide - 1) / job->wide, pieces = (job->rows + job->tall - 1) / job->tall * across;
    float *bench = (float *)(((uintptr_t)job->benches[atomic_fetch_add(&job->arrived, 1)] + 63) / 64 * 64);
    const int64_t most = depth_of(job->inner);
    for (int64_t piece; (piece = atomic_fetch_add(&job->next, 1)) < pieces;) {
        const int64_t row = piece / across * job->tall, column = piece % across * job->wide;
        const int64_t rows = job->rows - row < job->tall ? job->rows - row : job->tall;
        const int64_t columns = job->columns - column < job->wide ? job->columns - column : job->wide;
        for (int64_t start = 0; start < job->inner; start += most)
            multiply_piece(job, bench, row, rows, column, columns, start, job->inner - start < most ? job->inner - start : most);
    }
}

#endif
