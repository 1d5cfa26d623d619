/* RGB of 8 bits at another size, by the same integers as Pillow's resize, and of each result its number in a table.
 *
 * First along rows, then along columns, rounded to 8 bits in between. Pixels take 4 bytes, of which the last is not used.
 * Every output has `taps` weights of BITS bits, the caller's, and a place where its inputs begin; where it needs fewer,
 * the others are 0.
 */
#ifndef ANOMALYCLIP_RESIZE_U8_H
#define ANOMALYCLIP_RESIZE_U8_H

#define BITS 22
#define PIXELS (LANES / 4) /* in a register */
#define TOGETHER 4         /* rows that share the weights of a place; registers of sums along columns */
#define SLACK (TOGETHER * LANES) /* bytes behind a row that may be read and written */

typedef struct {
    const int32_t *weights; /* across (size, taps, 4), each one four times, taps a multiple of 4; down (size, taps) */
    const int32_t *begin;   /* (size,) */
    int64_t size, taps;
} Axis;

typedef struct {
    const uint8_t *image; /* (height, width, 4) */
    const float *levels;  /* (3, 256) */
    float *out;           /* (3, down.size, across.size) */
    uint8_t *scratch;     /* ac_resize_bytes of memory */
    int64_t height, width;
    Axis across, down;
} Resize;

API int64_t NAMED(ac_resize_bytes)(const Resize *job) {
    return 4 * ((job->height + 1) * job->across.size + job->width + job->across.taps) + 3 * SLACK;
}

/* `count` rows of pixels. */
INLINE void along_rows(const uint8_t *from, int64_t stride, const Axis *axis, uint8_t *to, const int count) {
    for (int64_t x = 0; x < axis->size; x++) {
        const int32_t *weights = axis->weights + 4 * x * axis->taps;
        const uint8_t *at = from + 4 * axis->begin[x];
        Ints sum[TOGETHER];
        UNROLL for (int r = 0; r < count; r++) sum[r] = (Ints){1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1)};
        for (int64_t k = 0; k < axis->taps; k += PIXELS) {
            Ints weight;
            __builtin_memcpy(&weight, weights + 4 * k, sizeof weight);
            UNROLL for (int r = 0; r < count; r++) sum[r] += levels_at(at + r * stride + 4 * k) * weight;
        }
        UNROLL for (int r = 0; r < count; r++) store_pixel(to + 4 * (r * axis->size + x), sum[r], BITS);
    }
}

/* One row of `bytes` from as many rows as there are weights. */
INLINE void along_columns(const uint8_t *from, int64_t bytes, const int32_t *weights, int64_t taps, uint8_t *to) {
    for (int64_t i = 0; i < bytes; i += SLACK) {
        Ints sum[TOGETHER];
        UNROLL for (int j = 0; j < TOGETHER; j++) sum[j] = (Ints){0} + (1 << (BITS - 1));
        for (int64_t k = 0; k < taps; k++)
            UNROLL for (int j = 0; j < TOGETHER; j++) sum[j] += levels_at(from + k * bytes + i + j * LANES) * weights[k];
        UNROLL for (int j = 0; j < TOGETHER; j++) store_levels(to + i + j * LANES, sum[j] >> BITS);
    }
}

API void NAMED(ac_resize_rgb)(const Resize *job) {
    const Axis *across = &job->across, *down = &job->down;
    const int64_t stride = 4 * job->width, bytes = 4 * across->size, plane = down->size * across->size;
    const uint8_t *end = job->image + job->height * stride;
    uint8_t *narrow = job->scratch, *row = narrow + job->height * bytes + SLACK, *last = row + bytes + SLACK;
    int64_t y = 0;
    /* Weights of 0 may lie outside a row: inside the next ones no matter, but the image's end is moved. */
    for (; job->image + (y + TOGETHER) * stride + 4 * across->taps <= end; y += TOGETHER)
        along_rows(job->image + y * stride, stride, across, narrow + y * bytes, TOGETHER);
    for (; y < job->height; y++) {
        __builtin_memcpy(last, job->image + y * stride, stride);
        along_rows(last, 0, across, narrow + y * bytes, 1);
    }
    for (y = 0; y < down->size; y++) {
        along_columns(narrow + down->begin[y] * bytes, bytes, down->weights + y * down->taps, down->taps, row);
        for (int c = 0; c < 3; c++)
            for (int64_t x = 0; x < across->size; x++)
                job->out[c * plane + y * across->size + x] = job->levels[256 * c + row[4 * x + c]];
    }
}

#undef SLACK
#endif
