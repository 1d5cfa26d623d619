/* Vector operations of AVX-512 (F, BW, VL, DQ); with MULTIPLY_CODES those of VNNI. */
#ifndef ANOMALYCLIP_SIMD_AVX512_H
#define ANOMALYCLIP_SIMD_AVX512_H

#include <stdint.h>

#if defined(__clang__) && defined(MULTIPLY_CODES)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)
#elif defined(MULTIPLY_CODES)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,prefer-vector-width=512")
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,prefer-vector-width=512")
#endif
#if defined(__clang__)
#define SIMD_END _Pragma("clang attribute pop") /* closes every file that includes this one */
#else
#define SIMD_END
#endif
#include <immintrin.h>

#define LANES 16
#define TILE 12 /* 12 x 2 registers of sums, 8 left for operands */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef __m512 Floats;
typedef int32_t Ints __attribute__((vector_size(64), may_alias));

INLINE Floats load(const float *at) { return _mm512_loadu_ps(at); }
INLINE void store(float *at, Floats x) { _mm512_storeu_ps(at, x); }
INLINE Floats splat(float x) { return _mm512_set1_ps(x); }
INLINE Floats fma_of(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }  /* a b + c */
INLINE Floats fms_of(Floats a, Floats b, Floats c) { return _mm512_fmsub_ps(a, b, c); }  /* a b - c */
INLINE Floats fnma_of(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
INLINE Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }
INLINE Floats smaller(Floats a, Floats b) { return _mm512_min_ps(a, b); }
INLINE Floats magnitude(Floats x) { return _mm512_abs_ps(x); }
INLINE float sum_of(Floats x) { return _mm512_reduce_add_ps(x); }
INLINE float max_of(Floats x) { return _mm512_reduce_max_ps(x); }
INLINE float min_of(Floats x) { return _mm512_reduce_min_ps(x); }
INLINE int32_t total_of(Ints x) { return _mm512_reduce_add_epi32((__m512i)x); }
INLINE Ints rounded(Floats x) { return (Ints)_mm512_cvtps_epi32(x); }
INLINE Floats floats_of(Ints x) { return _mm512_cvtepi32_ps((__m512i)x); }
INLINE Ints bits_of(Floats x) { return (Ints)_mm512_castps_si512(x); }
INLINE Floats float_bits(Ints x) { return _mm512_castsi512_ps((__m512i)x); }
INLINE Floats half_to_float(const uint16_t *x) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x)); }
INLINE void store_half(uint16_t *at, Floats x) { _mm256_storeu_si256((__m256i *)at, _mm512_cvtps_ph(x, 8)); }

/* Levels of 8 bits as integers, and back: cut to 0..255. */
INLINE Ints levels_at(const uint8_t *at) { return (Ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)at)); }
INLINE void store_levels(uint8_t *at, Ints x) {
    const __m512i cut = _mm512_max_epi32((__m512i)x, _mm512_setzero_si512());
    _mm_storeu_si128((__m128i *)at, _mm512_cvtusepi32_epi8(cut));
}
/* One pixel of four levels from the sums of a register's pixels, less `bits` bits. */
INLINE void store_pixel(uint8_t *at, Ints x, const int bits) {
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256((__m512i)x), _mm512_extracti64x4_epi64((__m512i)x, 1));
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sum, bits), sum);
    _mm_storeu_si32(at, _mm_packus_epi16(words, words));
}

/* x less the nearest integer; times_2_to takes x itself, of which it sees the whole part. */
INLINE Floats fraction(Floats x, Floats *whole) {
    const Floats f = _mm512_reduce_ps(x, 0);
    *whole = x - f;
    return f;
}
INLINE Floats times_2_to(Floats p, Floats whole) { return _mm512_scalef_ps(p, whole); }

/* The first `count` lanes of x, the others of `rest`; count is 1 or more. */
INLINE Floats first_of(Floats x, int64_t count, Floats rest) {
    const __mmask16 inside = count >= LANES ? 0xffff : (__mmask16)((1 << count) - 1);
    return _mm512_mask_mov_ps(rest, inside, x);
}
/* `negative` where x < 0, else `other`. */
INLINE Floats by_sign(Floats x, Floats negative, Floats other) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), other, negative);
}
/* Whether any lane of x is above a limit, or (`equal`) at it. */
INLINE int any_above(Floats x, float limit, const int equal) {
    return (equal ? _mm512_cmp_ps_mask(x, splat(limit), _CMP_GE_OQ) : _mm512_cmp_ps_mask(x, splat(limit), _CMP_GT_OQ)) != 0;
}
/* Numbers `stride` apart; those beyond the first `count` are 0. */
INLINE Floats gather(const float *from, int64_t stride, int64_t count) {
    const __m512i steps = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                             _mm512_set1_epi32((int)stride));
    const __mmask16 inside = count >= LANES ? 0xffff : count <= 0 ? 0 : (__mmask16)((1 << count) - 1);
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, steps, from, 4);
}

/* The numbers `at` to at + LANES - 1 of LANES vectors, by place: to[i] holds each vector's number at + i. */
INLINE void transpose(const float *const vectors[LANES], int64_t at, Floats to[LANES]) {
    float square[LANES * LANES];
    UNROLL for (int i = 0; i < LANES; i++) store(square + i * LANES, load(vectors[i] + at));
    UNROLL for (int i = 0; i < LANES; i++) to[i] = gather(square + i, LANES, LANES);
}

/* PANEL numbers of 16 bits; two registers of integers as these, cut to -2^15..2^15 - 1. */
typedef int16_t Words __attribute__((vector_size(64), may_alias));
INLINE Words words_from(Ints left, Ints right) {
    const __m512i low = _mm512_castsi256_si512(_mm512_cvtsepi32_epi16((__m512i)left));
    return (Words)_mm512_inserti64x4(low, _mm512_cvtsepi32_epi16((__m512i)right), 1);
}
INLINE Words larger_words(Words a, Words b) { return (Words)_mm512_max_epi16((__m512i)a, (__m512i)b); }
INLINE int any_word(Words mask) { return _mm512_movepi16_mask((__m512i)mask) != 0; }

#define ADD_PRODUCT(sum, x, y) __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y)) /* sum += x y, in its own register */

/* One row's number times a panel's two registers. In C, gcc would load several rows ahead and spill sums inside the loop. */
#define MULTIPLY_ADD_F32(sum_left, sum_right, one, left, right) \
    __asm__("vbroadcastss %2, %%zmm31\n\t"                      \
            "vfmadd231ps %3, %%zmm31, %0\n\t"                   \
            "vfmadd231ps %4, %%zmm31, %1"                       \
            : "+v"(sum_left), "+v"(sum_right)                   \
            : "m"(*(one)), "v"(left), "v"(right)                \
            : "xmm31")

#ifdef MULTIPLY_CODES
typedef uint8_t Code;
typedef int32_t Unit;   /* DEPTH weights of one column */
#define DEPTH 4
#define SHIFT 0
#define GROUP 64        /* codes in a register */
#define BLOCK 96        /* rows, at most: with 1024 columns of hidden units in floats they take 400 KB */
#define PLACE_OF(unit) ((unit) % 4 * 4 + (unit) / 4) /* which unit of a GROUP `join` leaves at a place */

#define MULTIPLY_ADD(sum_left, sum_right, codes, left, right) \
    __asm__("vpbroadcastd %2, %%zmm31\n\t"                    \
            "vpdpbusd %3, %%zmm31, %0\n\t"                    \
            "vpdpbusd %4, %%zmm31, %1"                        \
            : "+v"(sum_left), "+v"(sum_right)                 \
            : "m"(*(codes)), "v"(left), "v"(right)            \
            : "xmm31")
INLINE Ints load_weights(const int8_t *at) { return (Ints)_mm512_loadu_si512(at); }

/* Integers as codes, cut to 0..255. */
INLINE void store_codes(Code *at, Ints q) {
    const __m512i positive = _mm512_max_epi32((__m512i)q, _mm512_setzero_si512());
    _mm_storeu_si128((__m128i *)at, _mm512_cvtusepi32_epi8(positive));
}
INLINE void store_bytes(int8_t *at, Ints q) { _mm_storeu_si128((__m128i *)at, _mm512_cvtsepi32_epi8((__m512i)q)); }

/* DEPTH rows' integers, -127..127, column by column. */
INLINE void store_units(int8_t *at, const Ints q[DEPTH]) {
    __m128i row[4];
    UNROLL for (int r = 0; r < 4; r++) row[r] = _mm512_cvtsepi32_epi8((__m512i)q[r]);
    const __m128i a = _mm_unpacklo_epi8(row[0], row[1]), b = _mm_unpacklo_epi8(row[2], row[3]);
    const __m128i c = _mm_unpackhi_epi8(row[0], row[1]), d = _mm_unpackhi_epi8(row[2], row[3]);
    _mm_storeu_si128((__m128i *)at, _mm_unpacklo_epi16(a, b));
    _mm_storeu_si128((__m128i *)at + 1, _mm_unpackhi_epi16(a, b));
    _mm_storeu_si128((__m128i *)at + 2, _mm_unpacklo_epi16(c, d));
    _mm_storeu_si128((__m128i *)at + 3, _mm_unpackhi_epi16(c, d));
}

/* GROUP integers, cut to 0..255, as codes in the order of PLACE_OF; gives `sum` plus theirs, lane by lane. */
INLINE Ints join(Code *at, const Ints p[GROUP / LANES], Ints sum) {
    const __m512i low = _mm512_packus_epi32((__m512i)p[0], (__m512i)p[1]), high = _mm512_packus_epi32((__m512i)p[2], (__m512i)p[3]);
    const __m512i packed = _mm512_packus_epi16(low, high);
    _mm512_storeu_si512(at, packed);
    return (Ints)_mm512_dpbusd_epi32((__m512i)sum, packed, _mm512_set1_epi8(1));
}
INLINE Ints mantissa(Ints bits) { /* of a float's bits, as a float in [1, 2) */
    return (Ints)_mm512_ternarylogic_epi32((__m512i)bits, _mm512_set1_epi32(0x7fffff), _mm512_set1_epi32(0x3f800000), 0xea);
}
#endif

#endif
