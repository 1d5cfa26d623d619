/* One linear layer alone, from rows that are quantised already: how fast the encoder's product can be at best. */
#ifndef ANOMALYCLIP_PRODUCT_U8_H
#define ANOMALYCLIP_PRODUCT_U8_H

#include "gemm_u8.h"

/* What a caller that packs has to know of this target: PANEL, DEPTH, TILE, bytes of a code, SHIFT. */
API void NAMED(ac_layout)(int32_t layout[5]) {
    layout[0] = PANEL;
    layout[1] = DEPTH;
    layout[2] = TILE;
    layout[3] = sizeof(Code);
    layout[4] = SHIFT;
}

/* `rows->to` holds rows of floats, `columns` each; `rows->count` is a multiple of TILE. BLOCK rows stay in the second cache
 * while all weights pass by, as in the encoder. */
API void NAMED(ac_product_u8)(const Rows *rows, const Weights *w, int64_t columns, int64_t inner) {
    for (int64_t first = 0; first < rows->count; first += BLOCK) {
        const int64_t left = rows->count - first;
        const Rows some = {.q = rows->q + first * rows->stride, .stride = rows->stride, .count = left < BLOCK ? left : BLOCK,
                           .scale = rows->scale + first, .zero = rows->zero + first, .to = rows->to + first};
        multiply_rows(&some, w, 0, columns, 0, inner / DEPTH, inner / DEPTH, w->sums, w->bias, STORE);
    }
}

#endif
