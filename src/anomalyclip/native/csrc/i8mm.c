/* 8 bits with the products of unsigned and signed bytes of I8MM. */
#if defined(__aarch64__)
#define TARGET i8mm
#define I8MM
#include "simd_neon.h"
#include "simd.h"

#include "encoder_u8.h"
#include "product_u8.h"
#include "search_u8.h"

SIMD_END
#endif
