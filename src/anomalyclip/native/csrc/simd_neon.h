/* Vector operations of 64-bit ARM's NEON; with DOT_PRODUCT or I8MM the products of bytes of those extensions.
 *
 * The dot product of ARM v8.2 takes signed bytes on both sides: codes are held less 128 there, and where no row's zero
 * makes up for that, the values' sums do. I8MM has a product of unsigned and signed bytes.
 */
#ifndef ANOMALYCLIP_SIMD_NEON_H
#define ANOMALYCLIP_SIMD_NEON_H

#include <stdint.h>

#if defined(__clang__) && defined(I8MM)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#elif defined(__clang__) && defined(DOT_PRODUCT)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#elif defined(I8MM)
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")
#elif defined(DOT_PRODUCT)
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#if defined(__clang__) && (defined(I8MM) || defined(DOT_PRODUCT))
#define SIMD_END _Pragma("clang attribute pop") /* closes every file that includes this one */
#else
#define SIMD_END
#endif
#include <arm_neon.h>

#define LANES 4
#define TILE 12 /* 12 x 2 registers of sums, 8 left for operands */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef float32x4_t Floats;
typedef int32x4_t Ints;

INLINE Floats load(const float *at) { return vld1q_f32(at); }
INLINE void store(float *at, Floats x) { vst1q_f32(at, x); }
INLINE Floats splat(float x) { return vdupq_n_f32(x); }
INLINE Floats fma_of(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }            /* a b + c */
INLINE Floats fms_of(Floats a, Floats b, Floats c) { return vfmaq_f32(vnegq_f32(c), a, b); } /* a b - c */
INLINE Floats fnma_of(Floats a, Floats b, Floats c) { return vfmsq_f32(c, a, b); }           /* c - a b */
INLINE Floats larger(Floats a, Floats b) { return vmaxq_f32(a, b); }
INLINE Floats smaller(Floats a, Floats b) { return vminq_f32(a, b); }
INLINE Floats magnitude(Floats x) { return vabsq_f32(x); }
INLINE float sum_of(Floats x) { return vaddvq_f32(x); }
INLINE float max_of(Floats x) { return vmaxvq_f32(x); }
INLINE float min_of(Floats x) { return vminvq_f32(x); }
INLINE int32_t total_of(Ints x) { return vaddvq_s32(x); }
INLINE Ints rounded(Floats x) { return vcvtnq_s32_f32(x); }
INLINE Floats floats_of(Ints x) { return vcvtq_f32_s32(x); }
INLINE Ints bits_of(Floats x) { return vreinterpretq_s32_f32(x); }
INLINE Floats float_bits(Ints x) { return vreinterpretq_f32_s32(x); }
INLINE Floats half_to_float(const uint16_t *x) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x))); }
INLINE void store_half(uint16_t *at, Floats x) { vst1_u16(at, vreinterpret_u16_f16(vcvt_f16_f32(x))); }

/* Levels of 8 bits as integers, and back: cut to 0..255. */
INLINE Ints levels_at(const uint8_t *at) {
    uint32_t bytes;
    __builtin_memcpy(&bytes, at, 4);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes))))));
}
INLINE void store_levels(uint8_t *at, Ints x) {
    const int16x4_t words = vqmovn_s32(x);
    const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(words, words))), 0);
    __builtin_memcpy(at, &bytes, 4);
}
/* One pixel of four levels from the sums of a register's only pixel, less `bits` bits. */
INLINE void store_pixel(uint8_t *at, Ints x, const int bits) { store_levels(at, x >> bits); }

/* x less the nearest integer, for times_2_to. Beyond -127 and 128 that gives 0 and infinity; NaN stays NaN. */
INLINE Floats fraction(Floats x, Floats *whole) {
    x = vmaxq_f32(splat(-127.0f), vminq_f32(splat(128.0f), x));
    *whole = vrndnq_f32(x);
    return vsubq_f32(x, *whole);
}
INLINE Floats times_2_to(Floats p, Floats whole) {
    const Ints exponent = vaddq_s32(vcvtq_s32_f32(whole), vdupq_n_s32(127));
    return vmulq_f32(p, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
}

/* The first `count` lanes of x, the others of `rest`; count is 1 or more. */
INLINE Floats first_of(Floats x, int64_t count, Floats rest) {
    if (count >= LANES) return x;
    const int32_t numbers[4] = {0, 1, 2, 3};
    return vbslq_f32(vcgtq_s32(vdupq_n_s32((int)count), vld1q_s32(numbers)), x, rest);
}
/* `negative` where x < 0, else `other`. */
INLINE Floats by_sign(Floats x, Floats negative, Floats other) { return vbslq_f32(vcltzq_f32(x), negative, other); }
/* Whether any lane of x is above a limit, or (`equal`) at it. */
INLINE int any_above(Floats x, float limit, const int equal) {
    return vmaxvq_u32(equal ? vcgeq_f32(x, splat(limit)) : vcgtq_f32(x, splat(limit))) != 0;
}
/* Numbers `stride` apart; those beyond the first `count` are 0. */
INLINE Floats gather(const float *from, int64_t stride, int64_t count) {
    Floats x = splat(0);
    UNROLL for (int i = 0; i < LANES; i++)
        if (i < count) x[i] = from[i * stride];
    return x;
}

/* The numbers `at` to at + LANES - 1 of LANES vectors, by place: to[i] holds each vector's number at + i. */
INLINE void transpose(const float *const vectors[LANES], int64_t at, Floats to[LANES]) {
    const float32x4x2_t even = vzipq_f32(load(vectors[0] + at), load(vectors[2] + at));
    const float32x4x2_t odd = vzipq_f32(load(vectors[1] + at), load(vectors[3] + at));
    UNROLL for (int i = 0; i < 2; i++) {
        const float32x4x2_t both = vzipq_f32(even.val[i], odd.val[i]);
        to[2 * i] = both.val[0], to[2 * i + 1] = both.val[1];
    }
}

/* PANEL numbers of 16 bits; two registers of integers as these, cut to -2^15..2^15 - 1. */
typedef int16x8_t Words;
INLINE Words words_from(Ints left, Ints right) { return vcombine_s16(vqmovn_s32(left), vqmovn_s32(right)); }
INLINE Words larger_words(Words a, Words b) { return vmaxq_s16(a, b); }
INLINE int any_word(Words mask) { return vmaxvq_u16(vreinterpretq_u16_s16(mask)) != 0; }

#define ADD_PRODUCT(sum, x, y) ((sum) = vfmaq_f32(sum, x, y)) /* sum += x y */

/* One row's number times a panel's two registers. */
#define MULTIPLY_ADD_F32(sum_left, sum_right, one, left, right) \
    do {                                                        \
        const Floats x_ = vld1q_dup_f32(one);                   \
        sum_left = vfmaq_f32(sum_left, x_, left);               \
        sum_right = vfmaq_f32(sum_right, x_, right);            \
    } while (0)

#if defined(DOT_PRODUCT) || defined(I8MM)
#ifdef I8MM
typedef uint8_t Code;
#define SHIFT 0
#define DOT(sum, codes, weights) vusdotq_s32(sum, vreinterpretq_u8_s32(codes), vreinterpretq_s8_s32(weights))
#else
typedef int8_t Code;
#define SHIFT 128
#define DOT(sum, codes, weights) vdotq_s32(sum, vreinterpretq_s8_s32(codes), vreinterpretq_s8_s32(weights))
#endif
typedef int32_t Unit;        /* DEPTH weights of one column */
#define DEPTH 4
#define GROUP 16             /* codes in a register */
#define BLOCK 48             /* rows, at most: with 1024 columns of hidden units in floats they take 200 KB */
#define PLACE_OF(unit) (unit) /* which unit of a GROUP `join` leaves at a place */

INLINE Ints load_weights(const int8_t *at) { return vreinterpretq_s32_s8(vld1q_s8(at)); }
#define MULTIPLY_ADD(sum_left, sum_right, codes, left, right) \
    do {                                                      \
        const Ints codes_ = vdupq_n_s32(*(codes));            \
        sum_left = DOT(sum_left, codes_, left);               \
        sum_right = DOT(sum_right, codes_, right);            \
    } while (0)

/* Integers as codes, cut to 0..255, less SHIFT. */
INLINE void store_codes(Code *at, Ints q) {
    const uint16x4_t words = vqmovun_s32(q);
    const uint8x8_t bytes = veor_u8(vqmovn_u16(vcombine_u16(words, words)), vdup_n_u8(SHIFT));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    __builtin_memcpy(at, &four, 4);
}
INLINE void store_bytes(int8_t *at, Ints q) {
    const int16x4_t words = vqmovn_s32(q);
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(words, words))), 0);
    __builtin_memcpy(at, &four, 4);
}

/* DEPTH rows' integers, -127..127, column by column. */
INLINE void store_units(int8_t *at, const Ints q[DEPTH]) {
    const Ints units = (q[0] & 255) | (q[1] & 255) << 8 | (q[2] & 255) << 16 | q[3] << 24;
    vst1q_s8(at, vreinterpretq_s8_s32(units));
}

/* GROUP integers, cut to 0..255, as codes; gives `sum` plus theirs. */
INLINE Ints join(Code *at, const Ints p[GROUP / LANES], Ints sum) {
    const uint16x8_t low = vcombine_u16(vqmovun_s32(p[0]), vqmovun_s32(p[1]));
    const uint16x8_t high = vcombine_u16(vqmovun_s32(p[2]), vqmovun_s32(p[3]));
    const uint8x16_t packed = vcombine_u8(vqmovn_u16(low), vqmovn_u16(high));
    vst1q_u8((uint8_t *)at, veorq_u8(packed, vdupq_n_u8(SHIFT)));
    return vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(sum), vpaddlq_u8(packed)));
}
INLINE Ints mantissa(Ints bits) { return (bits & 0x7fffff) | 0x3f800000; } /* of a float's bits, as a float in [1, 2) */
#endif

#endif
