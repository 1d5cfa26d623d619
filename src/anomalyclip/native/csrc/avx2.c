/* Single precision and 8 bits with AVX2, FMA and F16C. */
#if defined(__x86_64__) || defined(_M_X64)
#define TARGET avx2
#include "simd_avx2.h"
#include "simd.h"

#include "activation_f32.h"
#include "attention_f32.h"
#include "encoder_u8.h"
#include "linear_f32.h"
#include "product_u8.h"
#include "resize_u8.h"
#include "search_f32.h"
#include "search_u8.h"
#include "tower_f32.h"

SIMD_END
#endif
