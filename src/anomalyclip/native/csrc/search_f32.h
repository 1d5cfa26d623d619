/* The search of search.h in single precision.
 *
 * The caller turns both sides so that the first coordinates hold most of their length, and gives of each these, the length
 * of the rest, and of rows -|m|^2 / 2. By Cauchy and Schwarz the product of such short vectors is an upper bound.
 * Second vectors hold the next coordinates, and the lengths that were left before these (negative in queries) and are left
 * after them. Without short vectors of less than the whole, every product is the value itself.
 */
#ifndef ANOMALYCLIP_SEARCH_F32_H
#define ANOMALYCLIP_SEARCH_F32_H

#include "gemm_f32.h"
#include "search.h"

#define QUERIES 12 /* at a time: their bounds for a bank of 4,800 rows take 230 KB */
#define LONG_WAY 8192 /* rows, from which on a tile is enough at a time */

/* The largest of `count` numbers and the first place where it stands. */
INLINE float largest_at(const float *values, int64_t count, int32_t *at) {
    Floats top = splat(-3e38f);
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) top = larger(top, load(values + i));
    float best = max_of(top);
    for (; i < count; i++) best = values[i] > best ? values[i] : best;
    for (i = 0; i + LANES <= count && !any_above(load(values + i), best, 1); i += LANES) {}
    while (i < count - 1 && !(values[i] >= best)) i++;
    *at = (int32_t)i;
    return best;
}

/* Measure whatever the bounds of query q leave open. */
INLINE void measure(Search *job, int64_t q, const float *bounds) {
    int32_t at;
    largest_at(bounds, job->rows, &at);
    float best = measured(job, q, at), open = best - job->margin;
    int32_t found = at;
    for (int64_t i = 0; i < job->rows; i += LANES) {
        if (i + LANES <= job->rows && !any_above(load(bounds + i), open, 0)) continue;
        for (int64_t row = i; row < job->rows && row < i + LANES; row++) {
            if (!(bounds[row] > open) || row == at) continue;
            if (job->second) {
                const float *ours = job->second_queries + q * job->second, *theirs = job->second_bank + row * job->second;
                if (!(bounds[row] + dot(ours, theirs, job->second) > open)) continue;
            }
            const float value = measured(job, q, row);
            if (value > best) best = value, found = (int32_t)row, open = best - job->margin;
        }
    }
    job->best[q] = best;
    job->at[q] = found;
}

INLINE int64_t queries_at_once(int64_t rows) { return rows > LONG_WAY ? TILE : QUERIES / TILE * TILE; }

API int64_t NAMED(ac_search_floats)(int64_t rows) { return queries_at_once(rows) * rounded_up(rows, PANEL) + PANEL; }

/* (rows, depth) as [rows / PANEL][depth][PANEL], filled up with zeros. */
API void NAMED(ac_pack_f32)(const float *bank, int64_t rows, int64_t depth, float *panels) {
    for (int64_t first = 0; first < rows; first += LANES)
        for (int64_t d = 0; d < depth; d++)
            store(panels + first / PANEL * PANEL * depth + d * PANEL + first % PANEL, gather(bank + first * depth + d, depth, rows - first));
    if (rows % PANEL && rows % PANEL <= LANES)
        for (int64_t d = 0; d < depth; d++) store(panels + rows / PANEL * PANEL * depth + d * PANEL + LANES, splat(0));
}

API void NAMED(ac_search_f32)(Search *job) {
    const int64_t across = rounded_up(job->rows, PANEL), at_once = queries_at_once(job->rows);
    job->measured = 0;
    for (int64_t i = 0; job->columns && i < job->rows; i++) job->columns[i] = -3e38f;
    for (int64_t first = 0; first < job->count; first += at_once) {
        const int64_t count = job->count - first < at_once ? job->count - first : at_once;
        for (int64_t column = 0; column < across; column += PANEL)
            for (int64_t done = 0; done < count; done += TILE) {
                /* the last tile begins early enough to be whole: some of its rows are made twice, to the same numbers */
                const int64_t q = first + done + TILE <= job->count ? first + done : job->count - TILE;
                const int64_t place = q >= first ? q - first : 0;
                if (q >= first)
                    multiply_f32(job->scratch + place * across + column, across, job->short_queries + q * job->depth, job->depth,
                                 job->panels + column * job->depth, job->depth);
                else {
                    float some[TILE * PANEL];
                    multiply_f32(some, PANEL, job->short_queries + q * job->depth, job->depth, job->panels + column * job->depth, job->depth);
                    for (int64_t r = first - q; r < TILE; r++)
                        __builtin_memcpy(job->scratch + (r + q - first) * across + column, some + r * PANEL, PANEL * sizeof(float));
                }
            }
        for (int64_t r = 0; r < count; r++) {
            const float *values = job->scratch + r * across;
            if (job->queries) measure(job, first + r, values);
            else job->best[first + r] = largest_at(values, job->rows, job->at + first + r);
            if (!job->columns) continue;
            int64_t i = 0;
            for (; i + LANES <= job->rows; i += LANES) store(job->columns + i, larger(load(job->columns + i), load(values + i)));
            for (; i < job->rows; i++) job->columns[i] = values[i] > job->columns[i] ? values[i] : job->columns[i];
        }
    }
}

#endif
