/* How each token relates to the others of its picture (clip/relations.py), by cosine distance. */
#ifndef ANOMALYCLIP_RELATIONS_F32_H
#define ANOMALYCLIP_RELATIONS_F32_H

#include "gemm_f32.h"

#define RELATIONS 6 /* per token and tap: soft distances at .03, .1 and .3, mean, neighbours, mirror */
#define NEAR 2      /* cells around a token that are its neighbours */

static const float temperatures[3] = {0.03f, 0.1f, 0.3f};

/* ln x of a positive, normal number: its exponent, and the series of artanh for the rest. */
static float log_of(float x) {
    union { float number; uint32_t bits; } u = {x};
    int exponent = (int)(u.bits >> 23) - 127;
    u.bits = (u.bits & 0x7fffff) | 0x3f800000;
    if (u.number > 1.41421356f) u.number *= 0.5f, exponent++;
    const float s = (u.number - 1) / (u.number + 1), q = s * s;
    return (float)exponent * 0.69314718f + 2 * s * (1 + q * (1 / 3.0f + q * (1 / 5.0f + q * (1 / 7.0f + q / 9))));
}

/* -t ln(likeness), for the mean likeness exp(-d / t) of a set. */
static float soft_distance(float likeness, float temperature) { return -temperature * log_of(likeness + 1e-30f); }

INLINE Floats likeness_of(Floats distance, float temperature) { return exp2_exact(distance * splat(-1.44269504f / temperature)); }

/* The cells within `reach` of one, or of its mirror image, left and right: their mean distance, or their soft one. */
static float within(const float *distance, int64_t height, int64_t width, int64_t y, int64_t x, int64_t reach, int mirrored) {
    const int64_t middle = mirrored ? width - 1 - x : x;
    float sum = 0, likeness[LANES];
    int64_t count = 0;
    for (int64_t i = y - reach < 0 ? 0 : y - reach; i <= y + reach && i < height; i++)
        for (int64_t j = middle - reach < 0 ? 0 : middle - reach; j <= middle + reach && j < width; j++) {
            if (!mirrored && i == y && j == x) continue;
            count++;
            if (!mirrored) sum += distance[i * width + j];
            else {
                store(likeness, likeness_of(splat(distance[i * width + j]), temperatures[1]));
                sum += likeness[0];
            }
        }
    if (mirrored) return soft_distance(sum / (float)count, temperatures[1]);
    return count ? sum / (float)count : 0;
}

/* One token's six numbers from its distances to all; its own becomes none. */
static void relate(float *distance, int64_t height, int64_t width, int64_t token, float *to) {
    const int64_t count = height * width, others = count > 1 ? count - 1 : 1;
    const int64_t y = token / width, x = token % width;
    Floats total = splat(0), sums[3] = {splat(0), splat(0), splat(0)};
    for (int64_t i = 0; i < count; i += LANES) total += first_of(load(distance + i), count - i, splat(0));
    to[3] = sum_of(total) / (float)count;
    to[4] = within(distance, height, width, y, x, NEAR, 0);
    to[5] = within(distance, height, width, y, x, 1, 1);
    distance[token] = 1e9f;
    for (int64_t i = 0; i < count; i += LANES) {
        const Floats d = first_of(load(distance + i), count - i, splat(1e9f));
        const Floats e = likeness_of(d, temperatures[2]), cube = e * e * e; /* of .1; its cube times e is that of .03 */
        sums[0] += cube * cube * cube * e;
        sums[1] += cube;
        sums[2] += e;
    }
    for (int i = 0; i < 3; i++) to[i] = soft_distance(sum_of(sums[i]) / (float)others, temperatures[i]);
}

/* TILE tokens' relations, from `row` on: `tokens` (count, channels) of length 1, TILE - 1 rows more may be read; `packed` the
 * same as (count / PANEL, channels, PANEL). Row r's go to `to` + r * stride. */
static void relate_tile(const float *tokens, const float *packed, int64_t channels, int64_t height, int64_t width, int64_t row,
                        float *distance, float *to, int64_t stride) {
    const int64_t count = height * width, across = rounded_up(count, PANEL);
    for (int64_t c = 0; c < across; c += PANEL)
        multiply_f32(distance + c, across, tokens + row * channels, channels, packed + c * channels, channels);
    for (int64_t r = 0; r < TILE && row + r < count; r++) {
        float *line = distance + r * across;
        for (int64_t c = 0; c < across; c += LANES) store(line + c, splat(1) - load(line + c));
        relate(line, height, width, row + r, to + r * stride);
    }
}

#endif
