/* What the loader asks first. Compiled for any processor: nothing here may need more than the machine has. */
#include <stdint.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define EXPORT __attribute__((visibility("default")))

/* Raised whenever a function changes its arguments or their meaning; ABI in library.py is the same number. */
EXPORT int32_t ac_abi_version(void) { return 2; }

#if defined(__x86_64__)
#define AVX512 (bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ)
#define REGISTERS 0xe6u /* of XCR0: xmm, ymm, masks, zmm 0-15 and 16-31 outlive a switch to another thread */

static uint32_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

/* Bit 0: AVX-512 F, BW, VL and DQ, with the system's support; bit 1: those and VNNI. The processor itself is asked:
 * the answer of __builtin_cpu_supports comes from the compiler's own library, and Zig's Clang has one that is wrong. */
EXPORT int32_t ac_cpu_features(void) {
#if defined(__x86_64__)
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || (saved_registers() & REGISTERS) != REGISTERS)
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & AVX512) != AVX512) return 0;
    return c & bit_AVX512VNNI ? 3 : 1;
#else
    return 0;
#endif
}
