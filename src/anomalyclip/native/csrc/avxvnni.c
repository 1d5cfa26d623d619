/* 8 bits with AVX-VNNI, where the compiler knows it. Single precision is that of AVX2. */
#if (defined(__x86_64__) || defined(_M_X64)) && (__clang_major__ >= 12 || (!defined(__clang__) && __GNUC__ >= 11))
#define TARGET avxvnni
#define AVX_VNNI
#include "simd_avx2.h"
#include "simd.h"

#include "encoder_u8.h"
#include "product_u8.h"
#include "search_u8.h"

SIMD_END
#endif
