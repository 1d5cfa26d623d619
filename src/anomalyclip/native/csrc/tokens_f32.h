/* Tapped stages of a stem to tokens (clip/stem.py): standardised, brought to the token grid, and projected three times: as they
 * are, as deviations from their picture's mean token, and as relations to the other tokens. */
#ifndef ANOMALYCLIP_TOKENS_F32_H
#define ANOMALYCLIP_TOKENS_F32_H

#include "dense_f32.h"
#include "norm_f32.h"
#include "relations_f32.h"
#include "phases.h"

#define CUT 6.0f    /* standardised numbers end at so many deviations */
#define FLOOR 0.5f  /* of a channel's deviation within the picture */
#define RELATED_FLOOR 0.02f
#define TOKEN_ROWS 48 /* that are projected at a time, a multiple of every TILE */

typedef struct {
    int32_t block, channels;      /* the block whose output it is */
    int32_t pooled, cells;        /* cells of the stage per pooled one, pooled ones per token, per direction; cells 0: it is coarser */
    const float *mean, *factor;   /* (channels), 1 / deviation */
} Tap;

/* What all threads see. */
typedef struct {
    float *folded;                /* (tokens, channels of all taps) */
    float *mean, *factor;         /* per channel: of the picture */
    float *related;               /* (tokens, taps, RELATIONS) */
    float *unit, *packed;         /* per tap: tokens of length 1, and in panels */
} Gathered;

/* A cell of a stage (height, width, channels), pooled and standardised, added to `to` with a weight. */
static void add_cell(const Tap *tap, const float *stage, int64_t width, int64_t y, int64_t x, float weight, float *to) {
    const int64_t channels = tap->channels, side = tap->pooled;
    const Floats share = splat(1.0f / (float)(side * side));
    for (int64_t c = 0; c < channels; c += LANES) {
        const int64_t left = channels - c;
        Floats v = splat(0);
        for (int64_t i = 0; i < side; i++)
            for (int64_t j = 0; j < side; j++) v += some_of(stage + ((y * side + i) * width + x * side + j) * channels + c, left);
        v = (v * share - some_of(tap->mean + c, left)) * some_of(tap->factor + c, left);
        v = smaller(splat(CUT), larger(splat(-CUT), v)); /* NaN stays NaN */
        store_some(to + c, fma_of(v, splat(weight), some_of(to + c, left)), left);
    }
}

/* Where a token's middle lies between the cells of a coarser stage: the lower one, and how far beyond it. */
static float between(int64_t token, int64_t tokens, int64_t cells, int64_t *low, int64_t *high) {
    const float at = ((float)token + 0.5f) * (float)cells / (float)tokens - 0.5f, inside = at > 0 ? at : 0;
    *low = (int64_t)inside < cells - 1 ? (int64_t)inside : cells - 1;
    *high = *low + 1 < cells ? *low + 1 : *low;
    return inside - (float)*low;
}

/* A token's numbers of one tap: cell by cell; `sum` gets their mean. */
static void fold(const Tap *tap, const float *stage, int64_t height, int64_t width, int64_t grid_h, int64_t grid_w, int64_t token, float *to, float *sum) {
    const int64_t y = token / grid_w, x = token % grid_w, channels = tap->channels, cells = tap->cells;
    memset(to, 0, (cells ? cells * cells : 1) * channels * sizeof(float));
    memset(sum, 0, channels * sizeof(float));
    if (!cells) {
        int64_t up, down, left, right;
        const float v = between(y, grid_h, height, &up, &down), h = between(x, grid_w, width, &left, &right);
        add_cell(tap, stage, width, up, left, (1 - v) * (1 - h), to);
        add_cell(tap, stage, width, up, right, (1 - v) * h, to);
        add_cell(tap, stage, width, down, left, v * (1 - h), to);
        add_cell(tap, stage, width, down, right, v * h, to);
        memcpy(sum, to, channels * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < cells * cells; i++) {
        float *cell = to + i * channels;
        add_cell(tap, stage, width, y * cells + i / cells, x * cells + i % cells, 1, cell);
        for (int64_t c = 0; c < channels; c++) sum[c] += cell[c] / (float)(cells * cells);
    }
}

/* A vector at length 1, to a row and to its column of panels. */
static void place_unit(const float *vector, int64_t channels, int64_t token, float *unit, float *packed) {
    float squares = 0;
    for (int64_t c = 0; c < channels; c++) squares += vector[c] * vector[c];
    const float length = __builtin_sqrtf(squares), factor = 1 / (length > 1e-12f ? length : 1e-12f);
    float *column = packed + token / PANEL * PANEL * channels + token % PANEL;
    for (int64_t c = 0; c < channels; c++) unit[token * channels + c] = column[c * PANEL] = vector[c] * factor;
}

/* Of LANES channels of all tokens: the mean, and 1 / (deviation + floor). */
static void sum_up(const float *rows, int64_t count, int64_t stride, int64_t left, float floor, float *mean, float *factor) {
    Floats sum = splat(0), squares = splat(0);
    for (int64_t i = 0; i < count; i++) sum += some_of(rows + i * stride, left);
    const Floats middle = sum / splat((float)count);
    for (int64_t i = 0; i < count; i++) {
        const Floats d = some_of(rows + i * stride, left) - middle;
        squares = fma_of(d, d, squares);
    }
    float deviation[LANES];
    store(deviation, squares / splat((float)count));
    store_some(mean, middle, left);
    for (int64_t i = 0; i < LANES && i < left; i++) factor[i] = 1 / (__builtin_sqrtf(deviation[i]) + floor);
}

#endif
