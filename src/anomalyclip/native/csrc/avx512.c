/* Single precision with AVX-512. */
#if defined(__x86_64__) || defined(_M_X64)
#define TARGET avx512
#include "simd_avx512.h"
#include "simd.h"

#include "activation_f32.h"
#include "attention_f32.h"
#include "linear_f32.h"
#include "resize_u8.h"
#include "search_f32.h"
#include "tower_f32.h"

SIMD_END
#endif
