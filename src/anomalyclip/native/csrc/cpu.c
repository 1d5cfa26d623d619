/* What the loader asks first. Compiled for any processor: nothing here may need more than the machine has. */
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Raised whenever a function changes its arguments or their meaning; ABI in library.py is the same number. */
EXPORT int32_t ac_abi_version(void) { return 1; }

/* Bit 0: AVX-512 F, BW, VL and DQ; bit 1: those and VNNI. The compiler's check covers the operating system, too. */
EXPORT int32_t ac_cpu_features(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")))
        return 0;
    return __builtin_cpu_supports("avx512vnni") ? 3 : 1;
#else
    return 0;
#endif
}
