/* One linear layer alone, from rows that are quantised already: how fast the encoder's product can be at best. */
#if defined(__x86_64__) || defined(_M_X64)
#include "gemm_u8.h"

#define BLOCK 96 /* rows that stay in the second cache while all weights pass by, as in the encoder */

/* `rows->to` holds rows of floats, `columns` each; `rows->count` is a multiple of TILE. */
API void ac_product_u8(const Rows *rows, const Weights *w, int64_t columns, int64_t inner) {
    for (int64_t first = 0; first < rows->count; first += BLOCK) {
        const int64_t left = rows->count - first;
        const Rows some = {.q = rows->q + first * rows->stride, .stride = rows->stride, .count = left < BLOCK ? left : BLOCK,
                           .scale = rows->scale + first, .zero = rows->zero + first, .to = rows->to + first};
        multiply_rows(&some, w, 0, columns, 0, inner / 4, inner / 4, w->sums, w->bias, STORE);
    }
}

SIMD_END
#endif
