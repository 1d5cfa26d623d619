/* The search of search.h by products of codes: rows of both sides less a common mean, each with a scale of its own.
 *
 * With u the mean,
 *     q.m - |m|^2 / 2 = (q - u).(m - u) + (q.u - u.u) + (m.u - |m|^2 / 2):
 * a product of codes, and floats for the rest. Of turned vectors the first coordinates may do: Cauchy and Schwarz bound what
 * the others add by the product of their lengths. A code errs by up to half a step, and many errors hardly ever add up: the
 * margin is a caller's number of their deviations. What lies within it is measured whole, so that the outcome is that of
 * single precision. Columns: the same of each row of the bank over all queries, from the same products.
 *
 * Queries have 7 bits, 0..127 with 64 for zero, so that AVX2 may add products in 16 bits (vpmaddubsw): the bank's codes are
 * small enough for the 16 products of a word. Other targets sum the same codes in 32 bits, to the same integers.
 */
#ifndef ANOMALYCLIP_SEARCH_U8_H
#define ANOMALYCLIP_SEARCH_U8_H

#include "gemm_u8.h"
#include "search.h"

#define STEP 4          /* neighbours of a column that lie together in panels, whatever the target */
#define CHUNK 32        /* coordinates: two words of 16 products each, in AVX2 */
#define LARGEST_SUM 252 /* of a word's |codes|, before rounding adds up to 8: 126 (252 + 8) < 2^15 */
#define BOUNDS (1 << 16) /* at a time, 256 KB: rows of the bank are measured once per block of queries, best in few blocks */

typedef struct {
    Search search;
    const uint8_t *codes; /* (count filled up to a multiple of TILE, depth) as ac_code_rows leaves them */
    const int8_t *panels; /* the bank's */
    const float *scale, *plus, *margin; /* (count,) steps, q.u - u.u, and by what a bound may be too low */
    const float *bank_scale, *bank_shift, *bank_plus; /* filled up to whole panels, plus with -3e38 */
    const float *rest, *bank_rest; /* lengths of coordinates that are not among the codes, or null */
} SearchCodes;

/* Rows to codes: row = scale q, with |q| <= 63 for queries and <= 127 for a bank. Either of codes and panels is null. */
typedef struct {
    const float *rows;             /* (count, width) */
    uint8_t *codes;                /* (count filled up to a multiple of TILE, depth): q + 64 */
    int8_t *panels;                /* [count / PANEL, rounded up][depth / STEP][PANEL][STEP] of q; zeros beyond the rows */
    float *scale, *shift, *length; /* (count,) steps; of panels what 64 adds to products; |row| */
    int64_t count, width, depth;   /* depth: width filled up to a multiple of 16 */
} CodeRows;

INLINE int64_t coded_at_once(const Search *s) {
    const int64_t fitting = s->columns ? BOUNDS / rounded_up(s->rows, PANEL) : 0, all = rounded_up(s->count, TILE);
    return all < QUERIES ? all : fitting < QUERIES ? QUERIES / TILE * TILE : fitting < all ? fitting / TILE * TILE : all;
}

API int64_t NAMED(ac_codes_floats)(const SearchCodes *job) {
    return coded_at_once(&job->search) * rounded_up(job->search.rows, PANEL);
}

/* The largest |x| of a row, and the largest sum of the |x| whose products share a word. */
INLINE float largest_of(const float *row, int64_t width, float *sum) {
    float top = 0, words[2] = {0};
    *sum = 0;
    for (int64_t d = 0; d < width; d++) {
        const float x = __builtin_fabsf(row[d]);
        if (d % CHUNK == 0) words[0] = words[1] = 0;
        top = x > top ? x : top;
        words[d / 2 % 2] += x;
        *sum = words[d / 2 % 2] > *sum ? words[d / 2 % 2] : *sum;
    }
    return top;
}

API void NAMED(ac_code_rows)(const CodeRows *job) {
    const int64_t depth = job->depth;
    for (int64_t r = 0; r < job->count; r++) {
        const float *row = job->rows + r * job->width;
        int8_t *panel = job->panels + r / PANEL * PANEL * depth + r % PANEL * STEP;
        uint8_t *codes = job->codes + r * depth;
        float most, top = largest_of(row, job->width, &most), squares = 0;
        int64_t sum = 0;
        top = job->codes ? top / 63.0f : most / LARGEST_SUM > top / 127.0f ? most / LARGEST_SUM : top / 127.0f;
        const float step = top > 1e-30f ? top : 1.0f, factor = 1.0f / step;
        for (int64_t d = 0; d < depth; d++) {
            const float x = d < job->width ? row[d] : 0;
            const int32_t q = (int32_t)__builtin_floorf(x * factor + 0.5f);
            squares += x * x;
            if (job->codes) codes[d] = (uint8_t)(q + 64);
            else panel[d / STEP * PANEL * STEP + d % STEP] = (int8_t)q, sum += q;
        }
        job->scale[r] = step;
        job->length[r] = __builtin_sqrtf(squares);
        if (job->panels) job->shift[r] = 64.0f * step * (float)sum;
    }
    for (int64_t r = job->count; job->codes && r < rounded_up(job->count, TILE); r++)
        __builtin_memset(job->codes + r * depth, 64, depth);
    for (int64_t r = job->count; job->panels && r < rounded_up(job->count, PANEL); r++)
        for (int64_t d = 0; d < depth; d += STEP)
            __builtin_memset(job->panels + r / PANEL * PANEL * depth + r % PANEL * STEP + d * PANEL, 0, STEP);
}

#ifdef MULTIPLY_WORDS
/* The sums of TILE rows and PANEL columns: words while CHUNK coordinates pass by, then 32 bits. */
APART void multiply_codes(Ints sums[TILE][2], const uint8_t *rows, int64_t depth, const int8_t *panel) {
    UNROLL for (int r = 0; r < TILE; r++) sums[r][0] = sums[r][1] = (Ints){0};
    for (int64_t d = 0; d < depth; d += CHUNK) {
        Words sum[TILE][2];
        UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = (Words){0};
        const int64_t end = d + CHUNK < depth ? d + CHUNK : depth;
        for (int64_t k = d; k < end; k += STEP, panel += PANEL * STEP) {
            const Words left = load_words(panel), right = load_words(panel + LANES * STEP);
            UNROLL for (int r = 0; r < TILE; r++) MULTIPLY_WORDS(sum[r][0], sum[r][1], rows + r * depth + k, left, right);
        }
        UNROLL for (int r = 0; r < TILE; r++)
            UNROLL for (int half = 0; half < 2; half++) sums[r][half] += sums_of(sum[r][half]);
    }
}
#else
INLINE void multiply_codes(Ints sums[TILE][2], const uint8_t *rows, int64_t depth, const int8_t *panel) {
    multiply(sums, (const Code *)rows, depth, panel, depth / STEP);
}
#endif

/* Bounds of TILE queries from q on, `valid` of which there are, with a panel's rows, to `bounds`, `across` apart. */
INLINE void bound_tile(const SearchCodes *job, int64_t q, int64_t valid, int64_t column, float *bounds, int64_t across) {
    Ints acc[TILE][2];
    const int64_t depth = job->search.depth;
    multiply_codes(acc, job->codes + q * depth, depth, job->panels + column * depth);
    UNROLL for (int half = 0; half < 2; half++) {
        const int64_t at = column + half * LANES;
        const Floats scale = load(job->bank_scale + at), shift = load(job->bank_shift + at), more = load(job->bank_plus + at);
        const Floats rest = job->rest ? load(job->bank_rest + at) : splat(0);
        for (int r = 0; r < TILE && r < valid; r++) {
            const Floats product = fms_of(floats_of(acc[r][half]), scale, shift), plus = more + splat(job->plus[q + r]);
            const Floats left = job->rest ? fma_of(splat(job->rest[q + r]), rest, plus) : plus;
            store(bounds + r * across + at, fma_of(product, splat(job->scale[q + r]), left));
        }
    }
}

/* Measure what `count` queries' bounds leave open of each row of the bank, the largest first. */
INLINE void measure_columns(SearchCodes *job, int64_t first, int64_t count, int64_t across) {
    Search *s = &job->search;
    float margin = 0;
    for (int64_t r = 0; r < count; r++) margin = job->margin[first + r] > margin ? job->margin[first + r] : margin;
    for (int64_t i = 0; i < across; i += LANES) {
        Floats top = load(s->scratch + i), hot = splat(0);
        for (int64_t r = 1; r < count; r++) {
            const Floats here = load(s->scratch + r * across + i);
            hot = by_sign(top - here, splat((float)r), hot);
            top = larger(top, here);
        }
        if (!any_above(top - load(s->columns + i), -margin, 0)) continue;
        float tops[LANES], hots[LANES];
        store(tops, top);
        store(hots, hot);
        const int64_t lanes = s->rows - i < LANES ? s->rows - i : LANES;
        for (int64_t j = 0; j < lanes; j++)
            if (tops[j] > s->columns[i + j] - margin && s->column_at[i + j] != first + (int64_t)hots[j])
                measured(s, first + (int64_t)hots[j], i + j);
        const Floats open = load(s->columns + i) - splat(margin);
        for (int64_t r = 0; r < count; r++) {
            const float *here = s->scratch + r * across + i;
            if (!any_above(load(here) - open, 0, 0)) continue;
            for (int64_t j = 0; j < lanes; j++)
                if (here[j] > s->columns[i + j] - margin && hots[j] != (float)r && s->column_at[i + j] != first + r)
                    measured(s, first + r, i + j);
        }
    }
}

/* `columns` and `column_at` of the search are filled up to whole panels. Without whole vectors, bounds are the values. */
API void NAMED(ac_search_u8)(SearchCodes *job) {
    Search *s = &job->search;
    const int64_t across = rounded_up(s->rows, PANEL), at_once = coded_at_once(s);
    s->measured = 0;
    for (int64_t i = 0; s->columns && i < across; i++) s->columns[i] = -3e38f, s->column_at[i] = -1;
    for (int64_t first = 0; first < s->count; first += at_once) {
        const int64_t count = s->count - first < at_once ? s->count - first : at_once;
        for (int64_t column = 0; column < across; column += PANEL)
            for (int64_t done = 0; done < count; done += TILE)
                bound_tile(job, first + done, count - done, column, s->scratch + done * across, across);
        for (int64_t r = 0; r < count; r++) {
            const float *bounds = s->scratch + r * across;
            s->margin = job->margin[first + r];
            if (s->queries) measure(s, first + r, bounds);
            else s->best[first + r] = largest_at(bounds, s->rows, s->at + first + r);
            for (int64_t i = 0; s->columns && !s->queries && i < across; i++)
                if (bounds[i] > s->columns[i]) s->columns[i] = bounds[i], s->column_at[i] = (int32_t)(first + r);
        }
        if (s->columns && s->queries) measure_columns(job, first, count, across);
    }
}

#endif
