/* What every kernel shares: the instruction set it is compiled for, and a few vector helpers. */
#ifndef ANOMALYCLIP_SIMD_H
#define ANOMALYCLIP_SIMD_H

#include <stdint.h>

/* The functions after this header may use AVX-512 with VNNI; cpu.c, which does not include it, asks the processor. */
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#define SIMD_END _Pragma("clang attribute pop") /* closes every file that includes this one */
#elif defined(__GNUC__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,prefer-vector-width=512")
#define SIMD_END
#endif
#include <immintrin.h>

#define LANES 16         /* floats of a register */
#define TILE 12          /* rows that a kernel works on at once: 12 x 2 registers of sums, 8 left for operands */
#define PANEL 32         /* columns of packed weights that lie together: two registers */
#define API __attribute__((visibility("default")))
#define APART static __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

#define UNROLL _Pragma("GCC unroll 16")

INLINE float sum_of(__m512 x) { return _mm512_reduce_add_ps(x); }
INLINE float max_of(__m512 x) { return _mm512_reduce_max_ps(x); }
INLINE float min_of(__m512 x) { return _mm512_reduce_min_ps(x); }

/* 2^x for x <= 0 or small, relative error 1e-7: x is split at the nearest integer, a polynomial does the rest. */
INLINE __m512 exp2_exact(__m512 x) {
    const __m512 f = _mm512_reduce_ps(x, 0);
    __m512 p = _mm512_set1_ps(1.5403530e-4f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.3333558e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6181291e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504109e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, x - f);
}

/* x sigmoid(1.702 x) */
INLINE __m512 quick_gelu(__m512 x) {
    const __m512 e = exp2_exact(_mm512_mul_ps(x, _mm512_set1_ps(-1.702f * 1.44269504f)));
    return _mm512_div_ps(x, _mm512_add_ps(e, _mm512_set1_ps(1.0f)));
}

#endif
