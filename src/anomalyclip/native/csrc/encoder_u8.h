/* A vision transformer with DPAM (METHOD section 3) in 8 bits: tokens in, tokens of both paths out.
 *
 * All that is between two attentions works on rows alone: output projection, residual, MLP, and the next block's Q, K and V.
 * A block of rows passes through it in one go and stays in the second cache; so a layer has two meetings of its threads.
 */
#ifndef ANOMALYCLIP_ENCODER_U8_H
#define ANOMALYCLIP_ENCODER_U8_H

#include <string.h>

#include "attention_u8.h"
#include "team.h"

typedef struct {
    const float *norm_1_weight, *norm_1_bias, *norm_2_weight, *norm_2_bias;
    Weights qkv, out, up, down;
} Layer;

typedef struct {
    const Layer *layers;
    int32_t depth, width, heads, hidden, group; /* `group`: hidden units that share a row's scale */
    int32_t quick;                              /* QuickGELU, else GELU */
} Encoder;

typedef struct {
    const Encoder *encoder;
    Team *team;
    int32_t images, tokens;
    int32_t first_dual, last_dual;  /* 0-based blocks that run both paths */
    int32_t class_only;             /* the last block's original path serves the class token alone */
    int32_t own;                    /* which projection the local path compares with itself: 0 Q, 1 K, 2 V */
    float *original, *local;        /* (images * tokens, width): in, and out */
    uint16_t *qkv;                  /* (images, 3, heads, tokens, d), half floats: a head's rows lie together */
    float *attended, *attended_own; /* (images * tokens, width) */
    float *const *taps;             /* per block: where its local tokens are wanted, or null */
    char *const *benches;           /* per thread: ac_bench_bytes of memory */
} Job;

/* What one thread works in. */
typedef struct {
    Code *q, *hidden_q;
    float *row, *hidden, scale[2 * BLOCK], zero[2 * BLOCK];
    void *to[2 * BLOCK];
    Head head;
} Bench;

static int64_t bench_layout(Bench *b, const Encoder *e, int64_t tokens, uintptr_t base) {
    const int64_t d = e->width / e->heads, keys = rounded_up(tokens, WHOLE), rows = rounded_up(tokens, TILE);
    int64_t used = 0;
    base = (base + 63) / 64 * 64;
#define PLACE(field, bytes) ((field) = (void *)(base + used), used += rounded_up(bytes, 64) + 64)
    PLACE(b->q, 2 * BLOCK * (e->width + 64) * sizeof(Code));
    PLACE(b->hidden_q, BLOCK * (e->group + 64) * sizeof(Code));
    PLACE(b->row, 4 * e->width);
    PLACE(b->hidden, 4 * BLOCK * e->group);
    PLACE(b->head.a, rows * d * sizeof(Code));
    PLACE(b->head.b, keys * d);
    PLACE(b->head.v, keys * d);
    PLACE(b->head.a_scale, 4 * rows + 64);
    PLACE(b->head.b_scale, 4 * keys);
    PLACE(b->head.b_shift, 4 * keys);
    PLACE(b->head.v_scale, 4 * d);
    PLACE(b->head.v_sums, SHIFT ? 4 * d * rounded_up(keys, KEYS) / KEYS : 0);
#undef PLACE
    b->head.tokens = tokens;
    b->head.keys = keys;
    b->head.width = d;
    return used;
}

/* Bytes that each thread needs. */
API int64_t NAMED(ac_bench_bytes)(const Encoder *encoder, int64_t tokens) {
    Bench b;
    return bench_layout(&b, encoder, tokens, 0) + 64;
}

static int dual(const Job *job, int layer) { return layer >= job->first_dual && layer <= job->last_dual; }

static int class_only(const Job *job, int layer) { return job->class_only && layer == job->encoder->depth - 1; }

/* One head of one image, for one of the two paths. */
static void attend(const Job *job, Bench *b, int64_t image, int64_t head, int own, int64_t queries) {
    const int64_t width = job->encoder->width, d = b->head.width, projection = job->tokens * width;
    const uint16_t *q = job->qkv + image * 3 * projection + head * job->tokens * d, *k = q + projection, *v = k + projection;
    const uint16_t *same = q + job->own * projection;
    float *to = (own ? job->attended_own : job->attended) + image * job->tokens * width + head * d;
    pack_a(&b->head, own ? same : q, queries);
    pack_b(&b->head, own ? same : k);
    pack_v(&b->head, v);
    for (int64_t row = 0; row < queries; row += TILE)
        attend_tile(&b->head, row, queries - row < TILE ? queries - row : TILE, to + row * width, width);
}

static void attend_layer(const Job *job, Bench *b, int layer) {
    const int64_t heads = job->encoder->heads, paths = dual(job, layer) ? 2 : 1, count = job->images * heads * paths;
    const int64_t queries = class_only(job, layer) ? 1 : job->tokens;
    for (int64_t piece; (piece = take(job->team)) < count;) {
        /* the local path first: where the plain one has a single query, its pieces are short and come last */
        const int own = paths == 2 && piece < count / 2;
        const int64_t which = piece % (job->images * heads);
        attend(job, b, which / heads, which % heads, own, own ? job->tokens : queries);
    }
}

/* Quantise `count` rows into the bench, filled up to a multiple of TILE with rows that go nowhere. */
static void add_rows(Rows *rows, const float *x, float *to, int64_t width, int64_t count) {
    for (int64_t i = 0; i < count; i++, rows->count++) {
        const int64_t r = rows->count;
        quantise_row(x + i * width, width, rows->q + r * rows->stride, rows->scale + r, rows->zero + r);
        rows->to[r] = to + i * width;
    }
}

static void fill_rows(Rows *rows) {
    for (; rows->count % TILE; rows->count++) rows->to[rows->count] = NULL;
}

static Rows empty_rows(Bench *b, Code *q, int64_t width) {
    return (Rows){.q = q, .stride = width + 64, .scale = b->scale, .zero = b->zero, .to = b->to};
}

/* x += W_2 act(W_1 LN_2(x)), the hidden units in groups that are never all in memory. */
static void feed_forward(const Job *job, Bench *b, const Layer *layer, float *x, int64_t count) {
    const Encoder *e = job->encoder;
    const int64_t width = e->width, depth = e->hidden / DEPTH, group = e->group;
    Rows rows = empty_rows(b, b->q, width);
    for (int64_t i = 0; i < count; i++) {
        normalise_row(x + i * width, width, layer->norm_2_weight, layer->norm_2_bias, b->row);
        add_rows(&rows, b->row, b->hidden + i * group, width, 1);
    }
    fill_rows(&rows);
    Rows inner = empty_rows(b, b->hidden_q, group);
    inner.scale = b->scale + BLOCK;
    inner.zero = b->zero + BLOCK;
    inner.to = b->to + BLOCK;
    for (int64_t first = 0; first < e->hidden; first += group) {
        if (e->quick) multiply_rows(&rows, &layer->up, first, group, 0, width / DEPTH, width / DEPTH, layer->up.sums, layer->up.bias, STORE_QUICK_GELU);
        else multiply_rows(&rows, &layer->up, first, group, 0, width / DEPTH, width / DEPTH, layer->up.sums, layer->up.bias, STORE_GELU);
        inner.count = 0;
        add_rows(&inner, b->hidden, x, group, count);
        for (int64_t i = 0; i < count; i++) inner.to[i] = x + i * width;
        fill_rows(&inner);
        multiply_rows(&inner, &layer->down, 0, width, first / DEPTH, group / DEPTH, depth, layer->down.sums + first / group * width,
                      first ? NULL : layer->down.bias, ADD);
    }
}

/* Q, K and V of LN_1(x). */
static void project(const Job *job, Bench *b, const Layer *layer, int64_t first, int64_t count) {
    const int64_t width = job->encoder->width, d = b->head.width, tokens = job->tokens;
    Rows rows = empty_rows(b, b->q, width);
    rows.part = d;
    rows.jump = tokens * d;
    for (int64_t i = 0; i < count; i++) {
        const int64_t image = (first + i) / tokens, token = (first + i) % tokens;
        normalise_row(job->original + (first + i) * width, width, layer->norm_1_weight, layer->norm_1_bias, b->row);
        add_rows(&rows, b->row, NULL, width, 1);
        rows.to[i] = job->qkv + image * 3 * width * tokens + token * d;
    }
    fill_rows(&rows);
    multiply_rows(&rows, &layer->qkv, 0, 3 * width, 0, width / DEPTH, width / DEPTH, layer->qkv.sums, layer->qkv.bias, STORE_HALF);
}

/* The rows first..first+count of what follows a layer's attention; of the original path only the class tokens where the
 * layer is asked for no more. */
static void advance(const Job *job, Bench *b, int index, int64_t first, int64_t count) {
    const Encoder *e = job->encoder;
    const Layer *layer = e->layers + index;
    const int64_t width = e->width;
    const int both = dual(job, index), few = class_only(job, index);
    float *x = job->original + first * width, *local = job->local + first * width;
    Rows rows = empty_rows(b, b->q, width);
    for (int64_t i = 0; i < count; i++)
        if (!few || (first + i) % job->tokens == 0)
            add_rows(&rows, job->attended + (first + i) * width, x + i * width, width, 1);
    if (both) {
        if (index == job->first_dual) memcpy(local, x, count * width * sizeof(float));
        add_rows(&rows, job->attended_own + first * width, local, width, count);
    }
    fill_rows(&rows);
    multiply_rows(&rows, &layer->out, 0, width, 0, width / DEPTH, width / DEPTH, layer->out.sums, layer->out.bias, ADD);
    if (!few) feed_forward(job, b, layer, x, count);
    else for (int64_t i = 0; i < count; i++)
        if ((first + i) % job->tokens == 0) feed_forward(job, b, layer, x + i * width, 1);
    if (job->taps[index]) memcpy(job->taps[index] + first * width, both ? local : x, count * width * sizeof(float));
}

/* A layer's rows, in pieces of equal size, a multiple of the threads in number; layer -1 only prepares the first block. */
static void advance_layer(const Job *job, Bench *b, int layer) {
    const int64_t rows = (int64_t)job->images * job->tokens, tiles = (rows + TILE - 1) / TILE, team = job->team->size;
    const int64_t rounds = (tiles + team * (BLOCK / TILE) - 1) / (team * (BLOCK / TILE)), pieces = rounds * team;
    for (int64_t piece; (piece = take(job->team)) < pieces;) {
        const int64_t first = piece * tiles / pieces * TILE, end = (piece + 1) * tiles / pieces * TILE;
        const int64_t count = (end < rows ? end : rows) - first;
        if (count <= 0) continue;
        if (layer >= 0) advance(job, b, layer, first, count);
        if (layer + 1 < job->encoder->depth) project(job, b, job->encoder->layers + layer + 1, first, count);
    }
}

/* What every thread of the team calls, each with its own number. */
API void NAMED(ac_encode_u8)(const Job *job, int32_t thread) {
    Bench b;
    bench_layout(&b, job->encoder, job->tokens, (uintptr_t)job->benches[thread]);
    advance_layer(job, &b, -1);
    for (int layer = 0; layer < job->encoder->depth; layer++) {
        meet(job->team);
        attend_layer(job, &b, layer);
        meet(job->team);
        advance_layer(job, &b, layer);
    }
}

#endif
