/* 8 bits with AVX-512 VNNI. */
#if defined(__x86_64__) || defined(_M_X64)
#define TARGET avx512vnni
#define MULTIPLY_CODES
#include "simd_avx512.h"
#include "simd.h"

#include "encoder_u8.h"
#include "product_u8.h"
#include "search_u8.h"

SIMD_END
#endif
