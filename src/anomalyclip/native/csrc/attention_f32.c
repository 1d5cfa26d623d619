/* softmax(A B^T / sqrt(d)) V in single precision, straight from packed Q, K and V, without ever holding the N x N matrix.
 *
 * Rows of 12 queries pass over blocks of 256 keys; the running maximum and sum of a row are mended where a later block has
 * a larger score. Differs from the textbook's order of additions only.
 */
#if defined(__x86_64__) || defined(_M_X64)
#include "simd.h"
#include "team.h"

#define KEYS 256
#define WIDEST 256 /* of a head */

typedef struct {
    Team *team;
    const float *qkv;  /* (images, tokens, 3, heads, width), without */
    const float *bias; /* (3, heads, width) */
    float *out;        /* (images, queries, heads, width) */
    char *const *benches;
    int32_t images, tokens, heads, width, queries;
    int32_t a, b;      /* which of Q, K, V (0, 1, 2) are compared; V is what is summed */
    atomic_int arrived; /* threads so far: each takes its number, and with it its bench */
} Attention;

/* One head: A scaled, row by row; B as [keys / 32][width][32]; V as [width / 32][keys][32]. */
typedef struct {
    float *a, *b, *v;
    int64_t tokens, keys, width;
} Head;

static int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

static int64_t head_layout(Head *h, int64_t tokens, int64_t width, uintptr_t base) {
    base = (base + 63) / 64 * 64;
    h->tokens = tokens;
    h->keys = rounded_up(tokens, PANEL);
    h->width = width;
    h->a = (float *)base;
    h->b = h->a + rounded_up(tokens, TILE) * width;
    h->v = h->b + h->keys * width;
    return (int64_t)((uintptr_t)(h->v + h->keys * width) - base);
}

API int64_t ac_attention_bytes(int64_t tokens, int64_t width) {
    Head h;
    return head_layout(&h, tokens, width, 0) + 64;
}

/* sums = TILE rows (`stride` apart) times `depth` rows of a panel. */
APART void multiply_f32(float *sums, int64_t across, const float *rows, int64_t stride, const float *panel, int64_t depth) {
    __m512 sum[TILE][2];
    UNROLL for (int r = 0; r < TILE; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    const float *a0 = rows, *a1 = rows + 3 * stride, *a2 = rows + 6 * stride, *a3 = rows + 9 * stride;
    for (int64_t k = 0; k < depth; k++) {
        const __m512 left = _mm512_load_ps(panel), right = _mm512_load_ps(panel + LANES);
        panel += PANEL;
        UNROLL for (int r = 0; r < TILE; r++) {
            const float *one = (r < 3 ? a0 : r < 6 ? a1 : r < 9 ? a2 : a3) + (r % 3) * stride + k;
            /* In C, gcc would load several rows ahead and spill sums inside the loop. */
            __asm__("vbroadcastss %2, %%zmm31\n\t"
                    "vfmadd231ps %3, %%zmm31, %0\n\t"
                    "vfmadd231ps %4, %%zmm31, %1"
                    : "+v"(sum[r][0]), "+v"(sum[r][1])
                    : "m"(*one), "v"(left), "v"(right)
                    : "xmm31");
        }
    }
    UNROLL for (int r = 0; r < TILE; r++) {
        _mm512_store_ps(sums + r * across, sum[r][0]);
        _mm512_store_ps(sums + r * across + LANES, sum[r][1]);
    }
}

/* One head of the three projections at `qkv`, its bias at `bias`; Q, K and V lie `row` floats apart in both. */
static void pack(Head *h, const Attention *job, const float *qkv, const float *bias, int64_t row) {
    const int64_t stride = 3 * row, queries = job->queries, to_a = job->a * row, to_b = job->b * row, to_v = 2 * row;
    const float *a = qkv + to_a, *b = qkv + to_b, *v = qkv + to_v;
    const __m512 scale = _mm512_set1_ps(1.44269504f / __builtin_sqrtf((float)h->width));
    const int64_t rows = rounded_up(queries, TILE), width = h->width;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < width; d += LANES)
            _mm512_store_ps(h->a + i * width + d,
                            _mm512_mul_ps(scale, _mm512_add_ps(_mm512_loadu_ps(bias + to_a + d),
                                                               _mm512_loadu_ps(a + (i < queries ? i : queries - 1) * stride + d))));
    for (int64_t i = 0; i < h->keys; i++)
        for (int64_t d = 0; d < width; d += LANES)
            _mm512_store_ps(h->v + d / PANEL * PANEL * h->keys + i * PANEL + d % PANEL,
                            i < h->tokens ? _mm512_add_ps(_mm512_loadu_ps(bias + to_v + d), _mm512_loadu_ps(v + i * stride + d))
                                          : _mm512_setzero_ps());
    /* 16 keys' values of one column come by a gather: stores that far apart would take twice the time. */
    const __m512i steps = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                             _mm512_set1_epi32((int)stride));
    for (int64_t i = 0; i < h->keys; i += LANES) {
        const int64_t real = h->tokens - i;
        const __mmask16 inside = real >= LANES ? 0xffff : real <= 0 ? 0 : (__mmask16)((1 << real) - 1);
        for (int64_t d = 0; d < width; d++)
            _mm512_store_ps(h->b + i / PANEL * PANEL * width + d * PANEL + i % PANEL,
                            _mm512_add_ps(_mm512_set1_ps(bias[to_b + d]),
                                          _mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, steps, b + i * stride + d, 4)));
    }
}

/* Scores to 2^(score - top), in place; gives their sum. Keys beyond the tokens get 0. */
INLINE float probabilities(float *scores, int64_t count, float top) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t k = 0; k < count; k += LANES) {
        const __mmask16 inside = count - k >= LANES ? 0xffff : (__mmask16)((1 << (count - k)) - 1);
        const __m512 p = _mm512_maskz_mov_ps(inside, exp2_exact(_mm512_sub_ps(_mm512_load_ps(scores + k), _mm512_set1_ps(top))));
        _mm512_store_ps(scores + k, p);
        sum = _mm512_add_ps(sum, p);
    }
    return sum_of(sum);
}

INLINE float largest(const float *scores, int64_t count) {
    __m512 top = _mm512_set1_ps(-3e38f);
    for (int64_t k = 0; k < count; k += LANES) {
        const __mmask16 inside = count - k >= LANES ? 0xffff : (__mmask16)((1 << (count - k)) - 1);
        top = _mm512_mask_max_ps(top, inside, top, _mm512_load_ps(scores + k));
    }
    return max_of(top);
}

/* Attention of TILE queries from `row` on; the first `valid` of them go to `to`, `stride` floats apart. */
static void attend_tile(const Head *h, int64_t row, int64_t valid, float *to, int64_t stride) {
    float scores[TILE * KEYS] __attribute__((aligned(64))), part[TILE * WIDEST] __attribute__((aligned(64)));
    float out[TILE * WIDEST] __attribute__((aligned(64))), top[TILE], total[TILE], keep[TILE];
    const int64_t width = h->width;
    for (int r = 0; r < TILE; r++) top[r] = -3e38f, total[r] = 0;
    for (int64_t i = 0; i < TILE * width; i++) out[i] = 0;
    for (int64_t first = 0; first < h->keys; first += KEYS) {
        const int64_t count = h->keys - first < KEYS ? h->keys - first : KEYS;
        const int64_t real = h->tokens - first < count ? h->tokens - first : count;
        for (int64_t k = 0; k < count; k += PANEL)
            multiply_f32(scores + k, KEYS, h->a + row * width, width, h->b + (first + k) * width, width);
        for (int r = 0; r < TILE; r++) {
            const float here = largest(scores + r * KEYS, real), now = here > top[r] ? here : top[r];
            keep[r] = _mm512_cvtss_f32(exp2_exact(_mm512_set1_ps(top[r] - now)));
            total[r] = total[r] * keep[r] + probabilities(scores + r * KEYS, real, now);
            for (int64_t k = rounded_up(real, LANES); k < count; k++) scores[r * KEYS + k] = 0;
            top[r] = now;
        }
        for (int64_t d = 0; d < width; d += PANEL)
            multiply_f32(part + d, width, scores, KEYS, h->v + d * h->keys + first * PANEL, count);
        for (int r = 0; r < TILE; r++)
            for (int64_t d = r * width; d < (r + 1) * width; d += LANES)
                _mm512_store_ps(out + d, _mm512_fmadd_ps(_mm512_load_ps(out + d), _mm512_set1_ps(keep[r]), _mm512_load_ps(part + d)));
    }
    for (int64_t r = 0; r < valid; r++)
        for (int64_t d = 0; d < width; d += LANES)
            _mm512_storeu_ps(to + r * stride + d, _mm512_div_ps(_mm512_load_ps(out + r * width + d), _mm512_set1_ps(total[r])));
}

/* What every thread of the team calls: one head of one image after another. */
API void ac_attention_f32(Attention *job) {
    const int thread = atomic_fetch_add(&job->arrived, 1);
    const int64_t width = job->width, row = job->heads * width, image = job->tokens * 3 * row;
    Head h;
    head_layout(&h, job->tokens, width, (uintptr_t)job->benches[thread]);
    for (int64_t piece; (piece = take(job->team)) < (int64_t)job->images * job->heads;) {
        const float *qkv = job->qkv + piece / job->heads * image + piece % job->heads * width;
        float *out = job->out + piece / job->heads * job->queries * row + piece % job->heads * width;
        pack(&h, job, qkv, job->bias + piece % job->heads * width, row);
        for (int64_t q = 0; q < job->queries; q += TILE)
            attend_tile(&h, q, job->queries - q < TILE ? job->queries - q : TILE, out + q * row, row);
    }
}

SIMD_END
#endif
