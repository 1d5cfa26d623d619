/* What every kernel shares, whatever the processor: a file per target (avx2.c, ...) names the target and includes its vector
 * operations (simd_*.h), then this, then the kernels, which are written once.
 *
 * A target gives: Floats and Ints (LANES numbers of 32 bits each), TILE rows that a kernel works on at once with two
 * registers of sums per row, Code, in which activations of 8 bits are held, DEPTH of which are multiplied with as many
 * weights in a lane, SHIFT, which is taken from every code, and the operations below. All of them compute the same integers.
 */
#ifndef ANOMALYCLIP_SIMD_H
#define ANOMALYCLIP_SIMD_H

#include <stdint.h>

#define PANEL (2 * LANES) /* columns of packed operands that lie together: two registers */
#define KEYS 256          /* of attention at a time: their scores, and keys and values, fit the first cache together */
#define WIDEST 256        /* of a head */
#define STEPS 4           /* of the inner dimension of a product at a time: their addresses are constants from the same pointers */
#define API __attribute__((visibility("default")))
#define APART static __attribute__((noinline))

#define JOINED(name, target) name##_##target
#define JOIN(name, target) JOINED(name, target)
#define NAMED(name) JOIN(name, TARGET) /* the library holds every function once per target */

/* A pointer moved on, of which the compiler knows no more: else it would keep one for every row, and compute them at every step. */
#define MOVED(pointer, count)            \
    do {                                 \
        (pointer) += (count);            \
        __asm__("" : "+r"(pointer));     \
    } while (0)

INLINE int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/* The first LANES of `count` numbers, zeros beyond. */
INLINE Floats some_of(const float *at, int64_t count) { return count >= LANES ? load(at) : gather(at, 1, count); }

/* The first LANES of `count` numbers to memory, no more. */
INLINE void store_some(float *at, Floats x, int64_t count) {
    if (count >= LANES) {
        store(at, x);
        return;
    }
    float some[LANES];
    store(some, x);
    __builtin_memcpy(at, some, count * sizeof(float));
}

/* 2^x for x <= 0 or small, relative error 1e-7: x is split at the nearest integer, a polynomial does the rest. */
INLINE Floats exp2_exact(Floats x) {
    Floats whole;
    const Floats f = fraction(x, &whole);
    Floats p = splat(1.5403530e-4f);
    p = fma_of(p, f, splat(1.3333558e-3f));
    p = fma_of(p, f, splat(9.6181291e-3f));
    p = fma_of(p, f, splat(5.5504109e-2f));
    p = fma_of(p, f, splat(2.4022651e-1f));
    p = fma_of(p, f, splat(6.9314718e-1f));
    p = fma_of(p, f, splat(1.0f));
    return times_2_to(p, whole);
}

/* x sigmoid(1.702 x) */
INLINE Floats quick_gelu(Floats x) {
    const Floats e = exp2_exact(x * splat(-1.702f * 1.44269504f));
    return x / (e + splat(1.0f));
}

/* x Phi(x), with erf by Abramowitz and Stegun's 7.1.26 (absolute error 1.5e-7). */
INLINE Floats gelu(Floats x) {
    const Floats z = magnitude(x * splat(0.70710678f)), one = splat(1.0f);
    const Floats t = one / fma_of(z, splat(0.3275911f), one);
    Floats p = splat(1.061405429f);
    p = fma_of(p, t, splat(-1.453152027f));
    p = fma_of(p, t, splat(1.421413741f));
    p = fma_of(p, t, splat(-0.284496736f));
    p = fma_of(p, t, splat(0.254829592f)) * t;
    const Floats e = exp2_exact(z * z * splat(-1.44269504f));
    const Floats tail = p * e * splat(0.5f); /* 1 - Phi(|x|) */
    return x * by_sign(x, tail, one - tail);
}

#endif
