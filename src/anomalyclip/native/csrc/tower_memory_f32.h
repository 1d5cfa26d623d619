/* What a tower's call is given (tower_f32.h), and the memory that it works in. */
#ifndef ANOMALYCLIP_TOWER_MEMORY_F32_H
#define ANOMALYCLIP_TOWER_MEMORY_F32_H

#include "attention_f32.h"
#include "stem_f32.h"
#include "tokens_f32.h"

#define TOWER_ROWS 96 /* of the blocks, at a time: a multiple of every TILE; their hidden units take 300 KB */

typedef struct {
    const float *norm_1_weight, *norm_1_bias, *norm_2_weight, *norm_2_bias, *qkv_bias;
    Dense qkv, out, up, down; /* qkv without its bias, which the attention adds */
} TowerLayer;

typedef struct {
    const Inverted *stem;
    const Tap *taps;
    const TowerLayer *layers;
    Dense tokens;                                     /* [taps as they are, per tap relations and their deviations] to a token */
    Dense contrast;                                   /* the taps' deviations, without bias */
    Dense projection;                                 /* without bias: (embedding, width) */
    const float *class_token, *norm_pre_weight, *norm_pre_bias, *norm_post_weight, *norm_post_bias;
    int32_t stem_blocks, tap_count, depth, width, heads, hidden, quick;
} Tower;

typedef enum { NONE, CLASS, ALL } Needed;

typedef struct {
    const Tower *tower;
    Phase *phases;                 /* 2 per block of the stem, then 5, then 2 per block, all 0 */
    const float *picture;          /* (3, height, width) */
    const float *positions;        /* (1 + tokens, width) */
    int32_t height, width;         /* whole tokens of `stride` pixels */
    int32_t grid_h, grid_w, threads;
    int32_t blocks, own, post_norm; /* blocks that run, 0 stops after the stem; what the local path compares with itself */
    const int32_t *needed;         /* per block: which rows of the original path's output (Needed) */
    const int32_t *dual;           /* per block: whether the local path runs */
    float *const *stages;          /* per block of the stem: its output, or null: in the common memory */
    float *const *patches;         /* per block: the local path's patches, (tokens, embedding), or null */
    float *const *plain;           /* per block: the original path's tokens, (tokens, width), or null */
    float *image;                  /* (embedding), or null */
    char *common;                  /* ac_tower_bytes */
    char *const *benches;          /* per thread */
} TowerJob;

/* The common memory. */
typedef struct {
    float *stages[64];
    float *filtered; /* of the small map that is under way */
    Gathered gathered;
    float *unit[8], *packed[8];
    Dense tokens; /* of this picture */
    float *original, *local, *qkv, *attended, *attended_own;
} Common;

typedef struct {
    Belt belt;
    float *distance, *rows, *hidden, *sum, *stats;
    float **to;
    const float **plus;
    char *head;
} TowerBench;

#define PLACE(field, count) ((field) = (void *)(base + used), used += rounded_up((count) * 4, 64) + 64)
#define SLACK(stride) (TILE * (stride)) /* rows that a tile may read beyond the last */

static int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }

/* A tap's numbers per token. */
static int64_t columns_of(const Tap *tap) { return tap->channels * (tap->cells ? tap->cells * tap->cells : 1); }

static int64_t folded_of(const Tower *t) {
    int64_t folded = 0;
    for (int i = 0; i < t->tap_count; i++) folded += columns_of(t->taps + i);
    return folded;
}

static int64_t common_layout(Common *m, const TowerJob *job, uintptr_t base) {
    const Tower *t = job->tower;
    const int64_t tokens = (int64_t)job->grid_h * job->grid_w, n = tokens + 1, width = t->width;
    int64_t used = 0, folded = folded_of(t), filtered = 0, height = job->height, across = job->width;
    base = (base + 63) / 64 * 64;
    for (int i = 0; i < t->stem_blocks; i++) {
        const Frame f = frame_of(t->stem + i, height, across);
        if (!f.jump) filtered = larger_of(filtered, (f.rows * f.columns + TILE) * t->stem[i].inner);
        PLACE(m->stages[i], (f.rows * f.columns + TILE) * t->stem[i].outputs);
        height = f.rows;
        across = f.columns;
    }
    PLACE(m->filtered, filtered);
    if (!job->blocks) return used;
    PLACE(m->gathered.folded, tokens * folded);
    PLACE(m->gathered.mean, folded + LANES);
    PLACE(m->gathered.factor, folded + LANES);
    PLACE(m->gathered.related, tokens * t->tap_count * RELATIONS);
    for (int i = 0; i < t->tap_count; i++) {
        PLACE(m->unit[i], (tokens + TILE) * t->taps[i].channels);
        PLACE(m->packed[i], rounded_up(tokens, PANEL) * t->taps[i].channels);
    }
    m->tokens = t->tokens;
    PLACE(m->tokens.panels, rounded_up(width, PANEL) * t->tokens.inner);
    PLACE(m->tokens.bias, rounded_up(width, PANEL));
    PLACE(m->original, n * width);
    PLACE(m->local, n * width);
    PLACE(m->qkv, n * 3 * width);
    PLACE(m->attended, n * width + SLACK(width));
    PLACE(m->attended_own, n * width + SLACK(width));
    return used;
}

static int64_t tower_bench_layout(TowerBench *b, const TowerJob *job, uintptr_t base) {
    const Tower *t = job->tower;
    const int64_t tokens = (int64_t)job->grid_h * job->grid_w;
    int64_t used = 0, ring = 0, row = 0, filtered = 0, places = larger_of(TOWER_ROWS, PIECE), patches = 0, folded = folded_of(t), height = job->height, across = job->width;
    base = (base + 63) / 64 * 64;
    for (int i = 0; i < t->stem_blocks; i++) {
        const Inverted *each = t->stem + i;
        const Frame f = frame_of(each, height, across);
        ring = larger_of(ring, ring_size(each, &f));
        row = larger_of(row, f.across * PANEL);
        if (f.jump) filtered = larger_of(filtered, (f.band * f.columns + TILE) * each->inner);
        places = larger_of(places, larger_of(f.held, f.band * f.columns / f.width + 1) * f.width);
        if (each->pixels) patches = (f.held * f.width + TILE) * 27;
        height = f.rows;
        across = f.columns;
    }
    PLACE(b->belt.ring, ring);
    PLACE(b->belt.nothing, row);
    PLACE(b->belt.filtered, filtered);
    PLACE(b->belt.patches, patches);
    PLACE(b->to, 2 * places);
    PLACE(b->plus, 2 * places);
    b->belt.to = b->to;
    b->belt.plus = b->plus;
    PLACE(b->distance, TILE * rounded_up(tokens, PANEL));
    PLACE(b->rows, larger_of(TOWER_ROWS * t->width, TOKEN_ROWS * t->tokens.inner));
    PLACE(b->hidden, TOWER_ROWS * larger_of(t->hidden, t->projection.columns));
    PLACE(b->sum, folded);
    PLACE(b->stats, 2 * (t->tap_count * RELATIONS + LANES));
    HeadF32 head;
    PLACE(b->head, (head_layout(&head, tokens + 1, t->width / t->heads, 0) + 64) / 4);
    return used;
}
#undef PLACE

/* How a caller packs: columns of a panel, channels that are filtered together; and how many rows may be read beyond a stage's. */
API void NAMED(ac_tower_layout)(int32_t layout[3]) {
    layout[0] = PANEL;
    layout[1] = LANES;
    layout[2] = TILE;
}

/* Bytes of the common memory, and of each thread's; `blocks` of the job tells whether more than the stem is wanted. */
API void NAMED(ac_tower_bytes)(const TowerJob *job, int64_t bytes[2]) {
    Common common;
    TowerBench bench;
    bytes[0] = common_layout(&common, job, 0) + 64;
    bytes[1] = tower_bench_layout(&bench, job, 0) + 64;
}

#endif
