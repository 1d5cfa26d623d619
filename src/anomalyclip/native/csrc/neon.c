/* Single precision with NEON, which every 64-bit ARM has. */
#if defined(__aarch64__)
#define TARGET neon
#include "simd_neon.h"
#include "simd.h"

#include "activation_f32.h"
#include "attention_f32.h"
#include "linear_f32.h"
#include "resize_u8.h"
#include "search_f32.h"
#include "tower_f32.h"

SIMD_END
#endif
