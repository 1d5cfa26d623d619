/* Rows of floats as codes of 8 bits, for the search (search_u8.h): row = scale q.
 *
 * Queries have 7 bits, 0..127 with 64 for zero, so that AVX2 may add products in 16 bits (vpmaddubsw): the bank's codes are
 * small enough for the 16 products of a word. Other targets sum the same codes in 32 bits, to the same integers.
 */
#ifndef ANOMALYCLIP_CODES_U8_H
#define ANOMALYCLIP_CODES_U8_H

#define STEP 4          /* neighbours of a column that lie together in panels, whatever the target */
#define CHUNK 32        /* coordinates: two words of 16 products each, in AVX2 */
#define LARGEST_SUM 252 /* of a word's |codes|, before rounding adds up to 8: 126 (252 + 8) < 2^15 */

/* |q| <= 63 for queries and <= 127 for a bank. Either of codes and panels is null. */
typedef struct {
    const float *rows;             /* (count, width) */
    uint8_t *codes;                /* (count filled up to a multiple of TILE, depth): q + 64 */
    int8_t *panels;                /* [count / PANEL, rounded up][depth / STEP][PANEL][STEP] of q; zeros beyond the rows */
    float *scale, *shift, *length; /* (count,) steps; of panels what 64 adds to products; |row| */
    int64_t count, width, depth;   /* depth: width filled up to a multiple of 16 */
} CodeRows;

INLINE Floats coordinates(const float *row, int64_t d, int64_t width) {
    return d + LANES <= width ? load(row + d) : gather(row + d, 1, width - d);
}

/* The largest sum of the |x| whose products share a word. */
INLINE float largest_word(const float *row, int64_t width) {
    float most = 0;
    for (int64_t d = 0; d < width; d += CHUNK) {
        float four[STEP] = {0};
        if (d + CHUNK <= width)
            UNROLL for (int k = 0; k < CHUNK; k += STEP)
                for (int i = 0; i < STEP; i++) four[i] += __builtin_fabsf(row[d + k + i]);
        else
            for (int64_t k = d; k < width; k++) four[(k - d) % STEP] += __builtin_fabsf(row[k]);
        const float one = four[0] + four[1], other = four[2] + four[3];
        most = one > most ? one : most;
        most = other > most ? other : most;
    }
    return most;
}

API void NAMED(ac_code_rows)(const CodeRows *job) {
    const int64_t depth = job->depth, width = job->width;
    for (int64_t r = 0; r < job->count; r++) {
        const float *row = job->rows + r * width;
        int8_t *panel = job->panels + r / PANEL * PANEL * depth + r % PANEL * STEP, some[LANES];
        Floats tops = splat(0), squares = splat(0);
        for (int64_t d = 0; d < width; d += LANES) {
            const Floats x = coordinates(row, d, width);
            tops = larger(tops, magnitude(x)), squares = fma_of(x, x, squares);
        }
        float top = max_of(tops) / (job->codes ? 63.0f : 127.0f);
        if (job->panels) {
            const float full = largest_word(row, width) / LARGEST_SUM;
            top = full > top ? full : top;
        }
        const float step = top > 1e-30f ? top : 1.0f;
        const Floats factor = splat(1.0f / step);
        Ints sum = {0};
        for (int64_t d = 0; d < depth; d += LANES) {
            const Ints q = rounded(coordinates(row, d, width) * factor);
            sum += q;
            if (job->codes) store_levels(job->codes + r * depth + d, q + 64);
            if (!job->panels) continue;
            store_bytes(some, q);
            for (int i = 0; i < LANES; i += STEP) __builtin_memcpy(panel + (d + i) * PANEL, some + i, STEP);
        }
        job->scale[r] = step;
        job->length[r] = __builtin_sqrtf(sum_of(squares));
        if (job->panels) job->shift[r] = 64.0f * step * (float)total_of(sum);
    }
    for (int64_t r = job->count; job->codes && r < rounded_up(job->count, TILE); r++)
        __builtin_memset(job->codes + r * depth, 64, depth);
    for (int64_t r = job->count; job->panels && r < rounded_up(job->count, PANEL); r++)
        for (int64_t d = 0; d < depth; d += STEP)
            __builtin_memset(job->panels + r / PANEL * PANEL * depth + r % PANEL * STEP + d * PANEL, 0, STEP);
}

#endif
