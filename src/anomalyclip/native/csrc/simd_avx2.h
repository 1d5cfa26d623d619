/* Vector operations of AVX2 with FMA and F16C; with AVX_VNNI the products of bytes of that extension.
 *
 * AVX2 alone multiplies bytes with sums that saturate at 16 bits (vpmaddubsw). So codes are held as words there and
 * weights widened as they come (vpmovsxbw): vpmaddwd adds two products of words exactly. On Zen 3 that is as fast as bytes
 * would be, since both take the two multipliers once per 16 products.
 */
#ifndef ANOMALYCLIP_SIMD_AVX2_H
#define ANOMALYCLIP_SIMD_AVX2_H

#include <stdint.h>

#if defined(__clang__) && defined(AVX_VNNI)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#elif defined(AVX_VNNI)
#pragma GCC target("avx2,fma,f16c,avxvnni")
#else
#pragma GCC target("avx2,fma,f16c")
#endif
#if defined(__clang__)
#define SIMD_END _Pragma("clang attribute pop") /* closes every file that includes this one */
#else
#define SIMD_END
#endif
#include <immintrin.h>

#define LANES 8
#define TILE 6 /* 6 x 2 registers of sums, 4 left for operands */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef __m256 Floats;
typedef int32_t Ints __attribute__((vector_size(32), may_alias));

INLINE Floats load(const float *at) { return _mm256_loadu_ps(at); }
INLINE void store(float *at, Floats x) { _mm256_storeu_ps(at, x); }
INLINE Floats splat(float x) { return _mm256_set1_ps(x); }
INLINE Floats fma_of(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
INLINE Floats fms_of(Floats a, Floats b, Floats c) { return _mm256_fmsub_ps(a, b, c); }   /* a b - c */
INLINE Floats fnma_of(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
INLINE Floats larger(Floats a, Floats b) { return _mm256_max_ps(a, b); }
INLINE Floats smaller(Floats a, Floats b) { return _mm256_min_ps(a, b); }
INLINE Floats magnitude(Floats x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
INLINE float sum_of(Floats x) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float max_of(Floats x) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
INLINE float min_of(Floats x) { return -max_of(-x); }
INLINE int32_t total_of(Ints x) { return x[0] + x[1] + x[2] + x[3] + x[4] + x[5] + x[6] + x[7]; }
INLINE Ints rounded(Floats x) { return (Ints)_mm256_cvtps_epi32(x); }
INLINE Floats floats_of(Ints x) { return _mm256_cvtepi32_ps((__m256i)x); }
INLINE Ints bits_of(Floats x) { return (Ints)_mm256_castps_si256(x); }
INLINE Floats float_bits(Ints x) { return _mm256_castsi256_ps((__m256i)x); }
INLINE Floats half_to_float(const uint16_t *x) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x)); }
INLINE void store_half(uint16_t *at, Floats x) { _mm_storeu_si128((__m128i *)at, _mm256_cvtps_ph(x, 8)); }

/* Levels of 8 bits as integers, and back: cut to 0..255. */
INLINE Ints levels_at(const uint8_t *at) { return (Ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at)); }
INLINE void store_levels(uint8_t *at, Ints x) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    _mm_storel_epi64((__m128i *)at, _mm_packus_epi16(words, words));
}
/* One pixel of four levels from the sums of a register's pixels, less `bits` bits. */
INLINE void store_pixel(uint8_t *at, Ints x, const int bits) {
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sum, bits), sum);
    _mm_storeu_si32(at, _mm_packus_epi16(words, words));
}

/* x less the nearest integer, for times_2_to. Beyond -127 and 128 that gives 0 and infinity; NaN stays NaN. */
INLINE Floats fraction(Floats x, Floats *whole) {
    x = _mm256_max_ps(splat(-127.0f), _mm256_min_ps(splat(128.0f), x));
    *whole = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return x - *whole;
}
INLINE Floats times_2_to(Floats p, Floats whole) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
    return p * _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

/* The first `count` lanes of x, the others of `rest`; count is 1 or more. */
INLINE Floats first_of(Floats x, int64_t count, Floats rest) {
    if (count >= LANES) return x;
    const __m256i inside = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_blendv_ps(rest, x, _mm256_castsi256_ps(inside));
}
/* `negative` where x < 0, else `other`. */
INLINE Floats by_sign(Floats x, Floats negative, Floats other) {
    return _mm256_blendv_ps(other, negative, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}
/* Whether any lane of x is above a limit, or (`equal`) at it. */
INLINE int any_above(Floats x, float limit, const int equal) {
    return _mm256_movemask_ps(equal ? _mm256_cmp_ps(x, splat(limit), _CMP_GE_OQ) : _mm256_cmp_ps(x, splat(limit), _CMP_GT_OQ)) != 0;
}
/* Numbers `stride` apart; those beyond the first `count` are 0. */
INLINE Floats gather(const float *from, int64_t stride, int64_t count) {
    Floats x = _mm256_setzero_ps();
    UNROLL for (int i = 0; i < LANES; i++)
        if (i < count) x[i] = from[i * stride];
    return x;
}

/* The numbers `at` to at + LANES - 1 of LANES vectors, by place: to[i] holds each vector's number at + i. */
INLINE void transpose(const float *const vectors[LANES], int64_t at, Floats to[LANES]) {
    Floats pairs[LANES], fours[LANES];
    UNROLL for (int i = 0; i < 4; i++) {
        const Floats one = load(vectors[2 * i] + at), other = load(vectors[2 * i + 1] + at);
        pairs[2 * i] = _mm256_unpacklo_ps(one, other);     /* numbers 0 and 1 of both, and 4 and 5 */
        pairs[2 * i + 1] = _mm256_unpackhi_ps(one, other); /* 2 and 3, and 6 and 7 */
    }
    UNROLL for (int i = 0; i < 4; i++) {
        const Floats one = pairs[i / 2 * 4 + i % 2], other = pairs[i / 2 * 4 + i % 2 + 2];
        fours[2 * i] = _mm256_shuffle_ps(one, other, 0x44);
        fours[2 * i + 1] = _mm256_shuffle_ps(one, other, 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        to[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
        to[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
    }
}

/* PANEL numbers of 16 bits; two registers of integers as these, cut to -2^15..2^15 - 1. */
typedef int16_t Words __attribute__((vector_size(32), may_alias));
INLINE Words words_from(Ints left, Ints right) {
    return (Words)_mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)left, (__m256i)right), 0xd8);
}
INLINE Words larger_words(Words a, Words b) { return (Words)_mm256_max_epi16((__m256i)a, (__m256i)b); }
INLINE int any_word(Words mask) { return _mm256_movemask_epi8((__m256i)mask) != 0; }

/* sum += x y, in its own register. In C, gcc would let sums wander between registers, with moves and spills. */
#define ADD_PRODUCT(sum, x, y) __asm__("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(x), "x"(y))

/* One row's number times a panel's two registers. */
#define MULTIPLY_ADD_F32(sum_left, sum_right, one, left, right) \
    do {                                                        \
        const Floats x_ = _mm256_broadcast_ss(one);             \
        ADD_PRODUCT(sum_left, x_, left);                        \
        ADD_PRODUCT(sum_right, x_, right);                      \
    } while (0)

#ifdef AVX_VNNI
typedef uint8_t Code;
typedef int32_t Unit; /* DEPTH weights of one column */
#define DEPTH 4
#define GROUP 32      /* codes in a register */
#define PLACE_OF(unit) ((unit) % 4 * 2 + (unit) / 4) /* which unit of a GROUP `join` leaves at a place */
#define DOT(sum, codes, weights) (Ints)_mm256_dpbusd_avx_epi32((__m256i)(sum), codes, (__m256i)(weights))
#define MULTIPLY_ADD(sum_left, sum_right, codes, left, right) \
    do {                                                      \
        const __m256i codes_ = _mm256_set1_epi32(*(codes));   \
        sum_left = DOT(sum_left, codes_, left);               \
        sum_right = DOT(sum_right, codes_, right);            \
    } while (0)
INLINE Ints load_weights(const int8_t *at) { return (Ints)_mm256_loadu_si256((const __m256i *)at); }
#else
typedef int16_t Code;
typedef int16_t Unit;
#define DEPTH 2
#define GROUP 16
#define PLACE_OF(unit) (unit)
#define DOT(sum, codes, weights) ((sum) + (Ints)_mm256_madd_epi16(codes, (__m256i)(weights)))
/* In C, gcc would spill sums. */
#define MULTIPLY_ADD(sum_left, sum_right, codes, left, right) \
    __asm__("vpbroadcastd %2, %%ymm15\n\t"                    \
            "vpmaddwd %3, %%ymm15, %%ymm14\n\t"               \
            "vpmaddwd %4, %%ymm15, %%ymm15\n\t"               \
            "vpaddd %%ymm14, %0, %0\n\t"                      \
            "vpaddd %%ymm15, %1, %1"                          \
            : "+x"(sum_left), "+x"(sum_right)                 \
            : "m"(*(codes)), "x"(left), "x"(right) : "xmm14", "xmm15")
INLINE Ints load_weights(const int8_t *at) { return (Ints)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)at)); }

/* Where sums of products are known to fit 16 bits, bytes are multiplied after all: twice as many at once. In C, gcc would add
 * in another order and spill sums. */
INLINE Words load_pairs(const int8_t *at) { return (Words)_mm256_loadu_si256((const __m256i *)at); }
INLINE Ints sums_of(Words x) { return (Ints)_mm256_madd_epi16((__m256i)x, _mm256_set1_epi16(1)); }
#define MULTIPLY_WORDS(sum_left, sum_right, codes, left, right) \
    __asm__("vbroadcastss %2, %%ymm15\n\t"                      \
            "vpmaddubsw %3, %%ymm15, %0\n\t"                    \
            "vpmaddubsw %4, %%ymm15, %1"                        \
            : "=&x"(sum_left), "=&x"(sum_right)                 \
            : "m"(*(const int32_t *)(codes)), "x"(left), "x"(right) : "xmm15")
#define MULTIPLY_ADD_WORDS(sum_left, sum_right, codes, left, right) \
    __asm__("vbroadcastss %2, %%ymm15\n\t"                          \
            "vpmaddubsw %3, %%ymm15, %%ymm14\n\t"                   \
            "vpmaddubsw %4, %%ymm15, %%ymm15\n\t"                   \
            "vpaddw %%ymm14, %0, %0\n\t"                            \
            "vpaddw %%ymm15, %1, %1"                                \
            : "+x"(sum_left), "+x"(sum_right)                       \
            : "m"(*(const int32_t *)(codes)), "x"(left), "x"(right) : "xmm14", "xmm15")
#endif
#define SHIFT 0
#define BLOCK 48 /* rows, at most: with 1024 columns of hidden units in floats, and their codes, they take 400 KB */

/* Eight words. */
INLINE __m128i words_of(Ints q) { return _mm_packus_epi32(_mm256_castsi256_si128((__m256i)q), _mm256_extracti128_si256((__m256i)q, 1)); }

/* Integers as codes, cut to 0..255. */
INLINE void store_codes(Code *at, Ints q) {
    const __m128i words = _mm_min_epu16(words_of(q), _mm_set1_epi16(255));
#ifdef AVX_VNNI
    _mm_storel_epi64((__m128i *)at, _mm_packus_epi16(words, words));
#else
    _mm_storeu_si128((__m128i *)at, words);
#endif
}
INLINE void store_bytes(int8_t *at, Ints q) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)q), _mm256_extracti128_si256((__m256i)q, 1));
    _mm_storel_epi64((__m128i *)at, _mm_packs_epi16(words, words));
}

/* DEPTH rows' integers, -127..127, column by column. */
INLINE void store_units(int8_t *at, const Ints q[DEPTH]) {
#ifdef AVX_VNNI
    const Ints units = (q[0] & 255) | (q[1] & 255) << 8 | (q[2] & 255) << 16 | q[3] << 24;
    _mm256_storeu_si256((__m256i *)at, (__m256i)units);
#else
    _mm_storeu_si128((__m128i *)at, words_of((q[0] & 255) | (q[1] & 255) << 8));
#endif
}

/* GROUP integers, cut to 0..255 (they are no larger), as codes in the order of PLACE_OF; gives `sum` plus theirs. */
INLINE Ints join(Code *at, const Ints p[GROUP / LANES], Ints sum) {
    const __m256i low = _mm256_packus_epi32((__m256i)p[0], (__m256i)p[1]);
#ifdef AVX_VNNI
    const __m256i packed = _mm256_packus_epi16(low, _mm256_packus_epi32((__m256i)p[2], (__m256i)p[3]));
    _mm256_storeu_si256((__m256i *)at, packed);
    return DOT(sum, packed, _mm256_set1_epi8(1));
#else
    _mm256_storeu_si256((__m256i *)at, _mm256_permute4x64_epi64(low, 0xd8));
    return DOT(sum, low, _mm256_set1_epi16(1));
#endif
}
INLINE Ints mantissa(Ints bits) { return (bits & 0x7fffff) | 0x3f800000; } /* of a float's bits, as a float in [1, 2) */

#endif
