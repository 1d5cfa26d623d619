/* Of each query the nearest row of a bank: the row m with the largest q.m - |m|^2 / 2, found by bounds. What the searches in
 * single precision (search_f32.h) and in 8 bits (search_u8.h) share: they differ in how they come to bounds.
 *
 * The row with the largest bound is measured first; then only rows whose bound, with a margin, exceeds the best that was
 * measured.
 */
#ifndef ANOMALYCLIP_SEARCH_H
#define ANOMALYCLIP_SEARCH_H

typedef struct {
    const float *short_queries;  /* (count, depth); count is at least 12. Null in 8 bits, as are the panels */
    const float *panels;         /* the bank's short rows, as ac_pack_f32 leaves them */
    const float *queries, *bank; /* (count, width) and (rows, width); null where bounds are the values themselves */
    const float *second_queries, *second_bank; /* (count, second) and (rows, second), or null */
    const float *minus;          /* (rows,) |m|^2 / 2 */
    float *scratch;              /* ac_search_floats of memory; ac_codes_floats in 8 bits */
    float *best;                 /* (count,) the largest q.m - |m|^2 / 2 */
    int32_t *at;                 /* (count,) its row */
    float *columns;              /* (rows,) or null: of each row the largest such value with any query */
    int32_t *column_at;          /* (rows,) its query; null in single precision, whose columns are maxima of bounds */
    int64_t count, rows, depth, width, second;
    int64_t measured;            /* out: rows that were measured whole, of all queries together */
    float margin;                /* by which a bound may be too low */
} Search;

INLINE float dot(const float *a, const float *b, int64_t width) {
    Floats sum[4] = {splat(0), splat(0), splat(0), splat(0)};
    int64_t d = 0;
    for (; d + 4 * LANES <= width; d += 4 * LANES)
        UNROLL for (int i = 0; i < 4; i++) sum[i] = fma_of(load(a + d + i * LANES), load(b + d + i * LANES), sum[i]);
    for (; d + LANES <= width; d += LANES) sum[0] = fma_of(load(a + d), load(b + d), sum[0]);
    float total = sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; d < width; d++) total += a[d] * b[d];
    return total;
}

/* The value of query q and row m, which may be the best of the row, too. */
INLINE float measured(Search *job, int64_t q, int64_t m) {
    const float value = dot(job->queries + q * job->width, job->bank + m * job->width, job->width) - job->minus[m];
    job->measured++;
    if (job->column_at && value > job->columns[m]) job->columns[m] = value, job->column_at[m] = (int32_t)q;
    return value;
}

#endif
