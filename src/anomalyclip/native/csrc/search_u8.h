/* The search of search.h by products of codes: rows of both sides less a common mean, each with a scale of its own.
 *
 * With u the mean,
 *     q.m - |m|^2 / 2 = (q - u).(m - u) + (q.u - u.u) + (m.u - |m|^2 / 2):
 * a product of codes, and floats for the rest. Of turned vectors the first coordinates may do: Cauchy and Schwarz bound what
 * the others add by the product of their lengths. A code errs by up to half a step, and many errors hardly ever add up: the
 * margin is a caller's number of their deviations. What lies within it is measured whole, so that the outcome is that of
 * single precision. Columns: the same of each row of the bank over all queries, from the same products.
 *
 * Bounds of a block of queries with the whole bank are kept in 16 bits, panel by panel, beside the largest of each row and
 * column. The largest are measured first; then all bounds are read once, against what both directions have found by then.
 */
#ifndef ANOMALYCLIP_SEARCH_U8_H
#define ANOMALYCLIP_SEARCH_U8_H

#include "codes_u8.h"
#include "gemm_u8.h"
#include "search.h"

#define BOUNDS (1 << 19) /* of a block where columns are asked for, 1 MB: in several blocks columns are measured again */
#define QUERIES_U8 24    /* of a block elsewhere: their bounds for a bank of 4,800 rows take 230 KB */
#define NEVER 32767      /* no bound is above it */
#define AHEAD 8          /* pairs that are measured so much later than their vectors were called for; a power of 2 */

typedef struct {
    Search search;
    const uint8_t *codes; /* (count filled up to a multiple of TILE, depth) as ac_code_rows leaves them */
    const int8_t *panels; /* the bank's */
    const float *scale, *plus, *length; /* (count,) steps, q.u - u.u, and lengths of what is coded */
    const float *bank_scale, *bank_shift, *bank_plus; /* filled up to whole panels, plus with -3e38 */
    const float *rest, *bank_rest; /* lengths of coordinates that are not among the codes, or null */
    float middle, step;            /* a bound is middle + step b, with b in 16 bits: a caller knows how large they become */
    float by_scale, by_length, least; /* a bound may be too low by |(scale by_scale, length by_length)| + least */
} SearchCodes;

/* What a block of queries takes. */
typedef struct {
    SearchCodes *job;
    int64_t first, count, across;
    int16_t *bounds, *tops;           /* [across / PANEL][count][PANEL]; of each row the largest in each place of a panel */
    int16_t *columns, *hot, *limits;  /* (across,) the largest of each column, its query, and what is open above */
    int16_t *open;                    /* (count,) the same of each row */
    float *scale, *plus, *rest, *margin; /* (count,) of the queries, in steps of bounds but for margin */
    float unit;                       /* 1 / step */
    int32_t query[AHEAD], row[AHEAD]; /* pairs that wait */
    int64_t called, answered;
} Block;

INLINE int64_t coded_at_once(const Search *s) {
    const int64_t fitting = BOUNDS / rounded_up(s->rows, PANEL), all = rounded_up(s->count, TILE), some = rounded_up(QUERIES_U8, TILE);
    const int64_t most = s->columns && fitting > some ? fitting / TILE * TILE : some;
    return most < all ? most : all;
}

API int64_t NAMED(ac_codes_floats)(const SearchCodes *job) {
    const int64_t across = rounded_up(job->search.rows, PANEL), count = coded_at_once(&job->search);
    return (count * (across + PANEL + 1) + 3 * across + 1) / 2 + 4 * count;
}

INLINE Words words_at(const int16_t *at) {
    Words x;
    __builtin_memcpy(&x, at, sizeof x);
    return x;
}
INLINE void store_words(int16_t *at, Words x) { __builtin_memcpy(at, &x, sizeof x); }
INLINE Words either(Words mask, Words yes, Words no) { return (mask & yes) | (~mask & no); }

#ifdef MULTIPLY_WORDS
/* Adds `steps` times STEP products to the sums, which begin there if `fresh`; gives where the panel goes on. */
INLINE const int8_t *multiply_chunk(Ints sums[TILE][2], const uint8_t *rows, int64_t depth, const int8_t *panel, const int steps,
                                    const int fresh) {
    Words sum[TILE][2];
    const uint8_t *base[TILE / 3];
    UNROLL for (int i = 0; i < TILE / 3; i++) {
        base[i] = rows + 3 * i * depth;
        __asm__("" : "+r"(base[i])); /* or gcc would hold an address of each row and step, most of them on the stack */
    }
    UNROLL for (int k = 0; k < steps; k++, panel += PANEL * STEP) {
        const Words left = load_pairs(panel), right = load_pairs(panel + LANES * STEP);
        UNROLL for (int r = 0; r < TILE; r++) {
            const uint8_t *codes = base[r / 3] + r % 3 * depth + k * STEP;
            if (k) MULTIPLY_ADD_WORDS(sum[r][0], sum[r][1], codes, left, right);
            else MULTIPLY_WORDS(sum[r][0], sum[r][1], codes, left, right);
        }
    }
    UNROLL for (int r = 0; r < TILE; r++)
        UNROLL for (int half = 0; half < 2; half++)
            if (fresh) sums[r][half] = sums_of(sum[r][half]);
            else sums[r][half] += sums_of(sum[r][half]);
    return panel;
}

/* The sums of TILE rows and PANEL columns: words while CHUNK coordinates pass by, then 32 bits. */
APART void multiply_codes(Ints sums[TILE][2], const uint8_t *rows, int64_t depth, const int8_t *panel) {
    const int64_t odd = depth % CHUNK; /* 16, or nothing */
    Ints own[TILE][2]; /* which nothing else can point to */
    if (odd) panel = multiply_chunk(own, rows, depth, panel, CHUNK / 2 / STEP, 1);
    else panel = multiply_chunk(own, rows, depth, panel, CHUNK / STEP, 1);
    for (int64_t d = odd ? odd : CHUNK; d < depth; d += CHUNK) panel = multiply_chunk(own, rows + d, depth, panel, CHUNK / STEP, 0);
    UNROLL for (int r = 0; r < TILE; r++) sums[r][0] = own[r][0], sums[r][1] = own[r][1];
}
#else
INLINE void multiply_codes(Ints sums[TILE][2], const uint8_t *rows, int64_t depth, const int8_t *panel) {
    multiply(sums, (const Code *)rows, depth, panel, depth / STEP);
}
#endif

/* Bounds of the block's queries with a panel's rows, which lie from `column` on; the largest of both. */
INLINE void bound_panel(Block *b, int64_t column, const int both) {
    const SearchCodes *job = b->job;
    const int64_t depth = job->search.depth;
    Floats scale[2], shift[2], plus[2], rest[2];
    for (int half = 0; half < 2; half++) {
        const int64_t at = column + half * LANES;
        scale[half] = load(job->bank_scale + at), shift[half] = load(job->bank_shift + at);
        plus[half] = load(job->bank_plus + at) * splat(b->unit), rest[half] = job->rest ? load(job->bank_rest + at) : splat(0);
    }
    int16_t *bounds = b->bounds + column * b->count;
    Words largest = (Words){0} - NEVER - 1, hot = {0};
    for (int64_t done = 0; done < b->count; done += TILE) {
        Ints acc[TILE][2];
        multiply_codes(acc, job->codes + (b->first + done) * depth, depth, job->panels + column * depth);
        for (int64_t r = done; r < done + TILE && r < b->count; r++) {
            Ints bound[2];
            UNROLL for (int half = 0; half < 2; half++) {
                const Floats product = fms_of(floats_of(acc[r - done][half]), scale[half], shift[half]), more = plus[half] + splat(b->plus[r]);
                const Floats left = job->rest ? fma_of(splat(b->rest[r]), rest[half], more) : more;
                bound[half] = rounded(larger(fma_of(product, splat(b->scale[r]), left), splat(-NEVER - 1)));
            }
            const Words words = words_from(bound[0], bound[1]);
            store_words(bounds + r * PANEL, words);
            store_words(b->tops + r * PANEL, larger_words(words_at(b->tops + r * PANEL), words));
            if (!both) continue;
            hot = either(words > largest, (Words){0} + (int16_t)r, hot);
            largest = larger_words(largest, words);
        }
    }
    if (both) store_words(b->columns + column, largest), store_words(b->hot + column, hot);
}

/* Of every row the largest bound, into `open`, and the first place where it stands. */
INLINE void find_tops(Block *b) {
    int32_t *at = b->job->search.at + b->first;
    for (int64_t r = 0; r < b->count; r++) {
        int16_t top = -NEVER - 1;
        for (int i = 0; i < PANEL; i++) top = b->tops[r * PANEL + i] > top ? b->tops[r * PANEL + i] : top;
        b->open[r] = top;
        at[r] = -1;
    }
    const int16_t *bounds = b->bounds;
    for (int64_t column = 0; column < b->across; column += PANEL)
        for (int64_t r = 0; r < b->count; r++, bounds += PANEL) {
            if (!any_word(words_at(bounds) == (Words){0} + b->open[r]) || at[r] >= 0) continue;
            int i = 0;
            while (bounds[i] != b->open[r]) i++;
            at[r] = (int32_t)(column + i);
        }
}

/* What a bound of more than `open` cannot be below, in 16 bits. */
INLINE int16_t limit_of(const Block *b, float open) {
    const float limit = __builtin_floorf((open - b->job->middle) * b->unit - 1);
    return limit > -NEVER - 1 ? limit < NEVER ? (int16_t)limit : NEVER : -NEVER - 1;
}

/* Measure the pair that has waited longest: of it the query's best may become better, and the row's. */
INLINE void answer(Block *b) {
    Search *s = &b->job->search;
    const int32_t q = b->query[b->answered % AHEAD], m = b->row[b->answered % AHEAD];
    b->answered++;
    const float value = measured(s, q, m);
    if (value > s->best[q]) s->best[q] = value, s->at[q] = m;
}
/* Have a pair measured, once: its bound is never above anything from then on. */
INLINE void call(Block *b, int64_t r, int64_t m) {
    const Search *s = &b->job->search;
    const int64_t q = b->first + r;
    int16_t *bound = b->bounds + (m / PANEL * b->count + r) * PANEL + m % PANEL;
    if (*bound == -NEVER - 1) return;
    *bound = -NEVER - 1;
    for (int64_t d = 0; d < s->width; d += 16) {
        __builtin_prefetch(s->queries + q * s->width + d);
        __builtin_prefetch(s->bank + m * s->width + d);
    }
    b->query[b->called % AHEAD] = (int32_t)q, b->row[b->called % AHEAD] = (int32_t)m;
    if (++b->called - b->answered == AHEAD) answer(b);
}
INLINE void answer_all(Block *b) {
    while (b->answered < b->called) answer(b);
}

/* Measure what the bounds leave open. */
INLINE void decide(Block *b) {
    Search *s = &b->job->search;
    float most = 0;
    for (int64_t r = 0; r < b->count; r++) {
        most = b->margin[r] > most ? b->margin[r] : most;
        s->best[b->first + r] = -3e38f;
        call(b, r, s->at[b->first + r]);
    }
    answer_all(b);
    for (int64_t m = 0; s->columns && m < s->rows; m++)
        if (b->columns[m] > limit_of(b, s->columns[m] - most)) call(b, b->hot[m], m);
    answer_all(b);
    for (int64_t m = 0; m < b->across; m++) b->limits[m] = s->columns && m < s->rows ? limit_of(b, s->columns[m] - most) : NEVER;
    for (int64_t r = 0; r < b->count; r++) b->open[r] = limit_of(b, s->best[b->first + r] - b->margin[r]);
    const int16_t *bounds = b->bounds;
    for (int64_t column = 0; column < b->across; column += PANEL) {
        const int16_t *limits = b->limits + column;
        const Words theirs = words_at(limits);
        for (int64_t r = 0; r < b->count; r++, bounds += PANEL) {
            const Words here = words_at(bounds);
            if (!any_word((here > (Words){0} + b->open[r]) | (here > theirs))) continue;
            for (int i = 0; i < PANEL && column + i < s->rows; i++)
                if (bounds[i] > b->open[r] || bounds[i] > limits[i]) call(b, r, column + i);
        }
    }
    answer_all(b);
}

/* Without whole vectors: the bounds are the values. */
INLINE void keep_bounds(Block *b) {
    const SearchCodes *job = b->job;
    const Search *s = &job->search;
    for (int64_t r = 0; r < b->count; r++) s->best[b->first + r] = job->middle + job->step * b->open[r];
    for (int64_t m = 0; s->columns && m < s->rows; m++) {
        const float value = job->middle + job->step * b->columns[m];
        if (value > s->columns[m]) s->columns[m] = value, s->column_at[m] = (int32_t)(b->first + b->hot[m]);
    }
}

API void NAMED(ac_search_u8)(SearchCodes *job) {
    Search *s = &job->search;
    const int64_t at_once = coded_at_once(s), across = rounded_up(s->rows, PANEL);
    s->measured = 0;
    for (int64_t i = 0; s->columns && i < s->rows; i++) s->columns[i] = -3e38f, s->column_at[i] = -1;
    Block b = {.job = job, .across = across, .unit = 1 / job->step};
    b.scale = s->scratch, b.plus = b.scale + at_once, b.rest = b.plus + at_once, b.margin = b.rest + at_once;
    b.bounds = (int16_t *)(b.margin + at_once), b.tops = b.bounds + at_once * across;
    b.columns = b.tops + at_once * PANEL, b.hot = b.columns + across, b.limits = b.hot + across, b.open = b.limits + across;
    for (b.first = 0; b.first < s->count; b.first += at_once) {
        b.count = s->count - b.first < at_once ? s->count - b.first : at_once;
        for (int64_t r = 0; r < b.count; r++) {
            const int64_t q = b.first + r;
            b.scale[r] = job->scale[q] * b.unit, b.plus[r] = (job->plus[q] - job->middle) * b.unit;
            b.rest[r] = job->rest ? job->rest[q] * b.unit : 0;
            const float one = job->scale[q] * job->by_scale, other = job->length[q] * job->by_length;
            b.margin[r] = __builtin_sqrtf(one * one + other * other) + job->least;
            store_words(b.tops + r * PANEL, (Words){0} - NEVER - 1);
        }
        for (int64_t column = 0; column < across; column += PANEL) {
            if (s->columns) bound_panel(&b, column, 1);
            else bound_panel(&b, column, 0);
        }
        find_tops(&b);
        if (s->queries) decide(&b);
        else keep_bounds(&b);
    }
}

#endif
