/* What the loader asks first. Compiled for any processor: nothing here may need more than the machine has. */
#include <stdint.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define EXPORT __attribute__((visibility("default")))

/* Raised whenever a function changes its arguments or their meaning; ABI in library.py is the same number. */
EXPORT int32_t ac_abi_version(void) { return 10; }

/* The bits of ac_cpu_features; those of targets.py. */
enum { AVX2 = 1, AVX_VNNI = 2, AVX512 = 4, AVX512_VNNI = 8, NEON = 16, DOTPROD = 32, I8MM = 64, AMD = 128 };

#define BIT(word, number) ((word) >> (number) & 1)

/* What x86 may be used, from the words of CPUID (leaf 0: ebx, the maker's first letters; leaf 1: ecx; leaf 7: ebx and ecx;
 * leaf 7, 1: eax) and XCR0, which tells whose registers the system saves: 2 xmm, 4 ymm, 0xe0 masks and zmm. */
EXPORT int32_t ac_x86_features(uint32_t maker, uint32_t leaf_1, uint32_t leaf_7_b, uint32_t leaf_7_c, uint32_t leaf_7_1, uint32_t saved) {
    const int osxsave = BIT(leaf_1, 27), avx = BIT(leaf_1, 28), fma = BIT(leaf_1, 12), half = BIT(leaf_1, 29);
    if (!(osxsave && avx && fma && half && BIT(leaf_7_b, 5)) || (saved & 6) != 6) return 0;
    const int wide = BIT(leaf_7_b, 16) && BIT(leaf_7_b, 17) && BIT(leaf_7_b, 30) && BIT(leaf_7_b, 31) && (saved & 0xe6) == 0xe6;
    const int amd = maker == 0x68747541; /* "Auth" of AuthenticAMD */
    return AVX2 | (BIT(leaf_7_1, 4) ? AVX_VNNI : 0) | (wide ? AVX512 : 0) | (wide && BIT(leaf_7_c, 11) ? AVX512_VNNI : 0) | (amd ? AMD : 0);
}

/* The same of 64-bit ARM, from Linux's AT_HWCAP and AT_HWCAP2. */
EXPORT int32_t ac_arm_features(uint64_t first, uint64_t second) {
    if (!BIT(first, 1)) return 0;
    return NEON | (BIT(first, 20) ? DOTPROD : 0) | (BIT(first, 20) && BIT(second, 13) ? I8MM : 0);
}

/* The processor itself is asked: the answer of __builtin_cpu_supports comes from the compiler's own library, and Zig's
 * Clang has one that is wrong. */
EXPORT int32_t ac_cpu_features(void) {
#if defined(__x86_64__)
    uint32_t a, b, c, d, maker, leaf_1, leaf_7_b, leaf_7_c, saved, high;
    if (!__get_cpuid(0, &a, &maker, &c, &d)) return 0;
    if (!__get_cpuid(1, &a, &b, &leaf_1, &d) || !BIT(leaf_1, 27)) return 0; /* xgetbv is there where OSXSAVE is set */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &leaf_7_b, &leaf_7_c, &d)) return 0;
    uint32_t leaf_7_1 = 0;
    if (a >= 1) __cpuid_count(7, 1, leaf_7_1, b, c, d);
    return ac_x86_features(maker, leaf_1, leaf_7_b, leaf_7_c, leaf_7_1, saved);
#elif defined(__aarch64__) && defined(__linux__)
    return ac_arm_features(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#elif defined(__aarch64__) && defined(__APPLE__)
    return NEON | DOTPROD; /* every Mac with a processor of Apple's */
#else
    return 0;
#endif
}
