/* 8 bits with the dot products of ARM v8.2. */
#if defined(__aarch64__)
#define TARGET dotprod
#define DOT_PRODUCT
#include "simd_neon.h"
#include "simd.h"

#include "encoder_u8.h"
#include "product_u8.h"
#include "search_u8.h"

SIMD_END
#endif
