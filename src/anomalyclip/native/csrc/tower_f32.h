/* The whole vision tower of a CLIP with a convolutional stem, in single precision: a picture in, features out.
 *
 * Stem (stem_f32.h), tokens (tokens_f32.h), then transformer blocks with DPAM (METHOD section 3), of which no more is computed
 * than what is asked for needs.
 */
#ifndef ANOMALYCLIP_TOWER_F32_H
#define ANOMALYCLIP_TOWER_F32_H

#include "tower_memory_f32.h"

static void run_stem(const TowerJob *job, const Common *m, TowerBench *b) {
    const Tower *t = job->tower;
    const float *x = job->picture;
    int64_t height = job->height, width = job->width;
    for (int i = 0; i < t->stem_blocks; i++) {
        const Inverted *each = t->stem + i;
        const Frame f = frame_of(each, height, width);
        Phase *phases = job->phases + 2 * i;
        if (!f.jump) invert_map(each, &f, &b->belt, x, height, width, m->filtered, m->stages[i], phases);
        else invert_rows_by_piece(each, &f, &b->belt, x, height, width, m->stages[i], phases, job->threads > 1 ? 2 * job->threads : 1);
        x = m->stages[i];
        height = f.rows;
        width = f.columns;
    }
}

/* The tokens first..end of one tap: gathered, and at length 1. */
static void gather_tap(const TowerJob *job, const Common *m, TowerBench *b, int tap, int64_t height, int64_t width, int64_t folded, int64_t column,
                       int64_t first, int64_t end) {
    const Tap *each = job->tower->taps + tap;
    for (int64_t token = first; token < end; token++) {
        float *to = m->gathered.folded + token * folded + column;
        fold(each, m->stages[each->block], height, width, job->grid_h, job->grid_w, token, to, b->sum);
        place_unit(b->sum, each->channels, token, m->unit[tap], m->packed[tap]);
    }
}

static void gather_taps(const TowerJob *job, const Common *m, TowerBench *b, int64_t folded, Phase *phase) {
    const Tower *t = job->tower;
    const int64_t tokens = (int64_t)job->grid_h * job->grid_w;
    for (PIECES(piece, phase, (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS)) {
        const int64_t first = piece * TOKEN_ROWS, end = first + TOKEN_ROWS < tokens ? first + TOKEN_ROWS : tokens;
        int64_t height = job->height, width = job->width, column = 0;
        for (int i = 0, tap = 0; i < t->stem_blocks && tap < t->tap_count; i++) {
            const Frame f = frame_of(t->stem + i, height, width);
            height = f.rows;
            width = f.columns;
            if (t->taps[tap].block != i) continue;
            gather_tap(job, m, b, tap, height, width, folded, column, first, end);
            column += columns_of(t->taps + tap++);
        }
    }
}

/* Relations, a tap's tile of tokens at a time, and channels' means and deviations. */
static void compare_tokens(const TowerJob *job, const Common *m, TowerBench *b, int64_t folded, Phase *phase) {
    const Tower *t = job->tower;
    const int64_t tokens = (int64_t)job->grid_h * job->grid_w, tiles = (tokens + TILE - 1) / TILE, related = t->tap_count * RELATIONS;
    const int64_t groups = (folded + LANES - 1) / LANES;
    for (PIECES(piece, phase, t->tap_count * tiles + groups)) {
        const int64_t tap = piece / tiles, row = piece % tiles * TILE, group = (piece - t->tap_count * tiles) * LANES;
        if (tap < t->tap_count)
            relate_tile(m->unit[tap], m->packed[tap], t->taps[tap].channels, job->grid_h, job->grid_w, row, b->distance,
                        m->gathered.related + row * related + tap * RELATIONS, related);
        else sum_up(m->gathered.folded + group, tokens, folded, folded - group, FLOOR, m->gathered.mean + group, m->gathered.factor + group);
    }
}

/* Deviations are (x - mean) factor, channel by channel: so their projection joins that of x itself, once per picture. */
static void join_projections(const TowerJob *job, const Common *m, int64_t folded, Phase *phase) {
    const Tower *t = job->tower;
    const int64_t inner = t->tokens.inner;
    for (PIECES(piece, phase, (t->width + PANEL - 1) / PANEL)) {
        const int64_t column = piece * PANEL;
        const float *plain = t->tokens.panels + column * inner, *contrast = t->contrast.panels + column * folded;
        float *to = (float *)m->tokens.panels + column * inner;
        memcpy(to + folded * PANEL, plain + folded * PANEL, (inner - folded) * PANEL * sizeof(float));
        for (int64_t half = 0; half < PANEL; half += LANES) {
            Floats bias = load(t->tokens.bias + column + half);
            for (int64_t k = 0; k < folded; k++) {
                const Floats scaled = load(contrast + k * PANEL + half) * splat(m->gathered.factor[k]);
                store(to + k * PANEL + half, load(plain + k * PANEL + half) + scaled);
                bias = fnma_of(scaled, splat(m->gathered.mean[k]), bias);
            }
            store((float *)m->tokens.bias + column + half, bias);
        }
    }
}

/* One token's numbers as the projection takes them. */
static void spread(const Common *m, const float *stats, int64_t folded, int64_t related, int64_t token, float *to) {
    const float *relation = m->gathered.related + token * related;
    memcpy(to, m->gathered.folded + token * folded, folded * sizeof(float));
    for (int64_t c = 0; c < related; c++) {
        float *at = to + folded + c / RELATIONS * 2 * RELATIONS + c % RELATIONS;
        at[0] = relation[c];
        at[RELATIONS] = (relation[c] - stats[c]) * stats[related + LANES + c];
    }
}

/* The tokens first..first + count with positions, through LN_pre. */
static void make_some(const TowerJob *job, const Common *m, TowerBench *b, int64_t folded, int64_t related, int64_t first, int64_t count) {
    const Tower *t = job->tower;
    for (int64_t r = 0; r < count; r++) {
        spread(m, b->stats, folded, related, first + r, b->rows + r * t->tokens.inner);
        b->to[r] = m->original + (1 + first + r) * t->width;
        b->plus[r] = job->positions + (1 + first + r) * t->width;
    }
    const Batch batch = {.x = b->rows, .stride = t->tokens.inner, .count = count, .to = b->to, .plus = b->plus};
    multiply_dense(&batch, &m->tokens, LINEAR);
    for (int64_t r = 0; r < count; r++) normalise_row(b->to[r], t->width, t->norm_pre_weight, t->norm_pre_bias, b->to[r]);
}

static void make_tokens(const TowerJob *job, const Common *m, TowerBench *b, int64_t folded, Phase *phase) {
    const Tower *t = job->tower;
    const int64_t tokens = (int64_t)job->grid_h * job->grid_w, related = t->tap_count * RELATIONS, groups = (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS;
    int known = 0;
    for (PIECES(piece, phase, groups + 1)) {
        const int64_t first = piece * TOKEN_ROWS;
        if (piece == groups) { /* the class token */
            for (int64_t i = 0; i < t->width; i++) m->original[i] = t->class_token[i] + job->positions[i];
            normalise_row(m->original, t->width, t->norm_pre_weight, t->norm_pre_bias, m->original);
            continue;
        }
        for (int64_t c = 0; !known && c < related; c += LANES)
            sum_up(m->gathered.related + c, tokens, related, related - c, RELATED_FLOOR, b->stats + c, b->stats + related + LANES + c);
        known = 1;
        make_some(job, m, b, folded, related, first, tokens - first < TOKEN_ROWS ? tokens - first : TOKEN_ROWS);
    }
}

/* Of the rows first..first + count, those whose original path's output a block is asked for. */
static int64_t wanted_rows(const TowerJob *job, int layer, int64_t first, int64_t count) {
    return job->needed[layer] == ALL ? count : job->needed[layer] == CLASS && first == 0 ? 1 : 0;
}

static void project_rows(const TowerJob *job, const Common *m, TowerBench *b, int layer, int64_t first, int64_t count) {
    const TowerLayer *l = job->tower->layers + layer;
    const int64_t width = job->tower->width, only = job->needed[layer] == NONE && job->own == 2 ? 2 * width : 0; /* V alone */
    for (int64_t r = 0; r < count; r++) {
        normalise_row(m->original + (first + r) * width, width, l->norm_1_weight, l->norm_1_bias, b->rows + r * width);
        b->to[r] = m->qkv + (first + r) * 3 * width;
    }
    const Batch batch = {.x = b->rows, .stride = width, .count = count, .to = b->to};
    multiply_columns(&batch, &l->qkv, only, 3 * width, LINEAR);
}

/* What follows the attention of both paths: x += W_out attended; and x += W_2 act(W_1 LN_2(x)) of the original one. */
static void add_attended(const TowerJob *job, TowerBench *b, int layer, const float *attended, float *x, int64_t count) {
    const int64_t width = job->tower->width;
    for (int64_t r = 0; r < count; r++) b->to[r] = x + r * width;
    const Batch batch = {.x = attended, .stride = width, .count = count, .to = b->to, .plus = (const float *const *)b->to};
    multiply_dense(&batch, &job->tower->layers[layer].out, LINEAR);
}

static void add_fed_forward(const TowerJob *job, TowerBench *b, int layer, float *x, int64_t count) {
    const Tower *t = job->tower;
    const TowerLayer *l = t->layers + layer;
    for (int64_t r = 0; r < count; r++) {
        normalise_row(x + r * t->width, t->width, l->norm_2_weight, l->norm_2_bias, b->rows + r * t->width);
        b->to[r] = b->hidden + r * t->hidden;
    }
    const Batch up = {.x = b->rows, .stride = t->width, .count = count, .to = b->to};
    multiply_dense(&up, &l->up, t->quick ? QUICK_GELU : GELU);
    for (int64_t r = 0; r < count; r++) b->to[r] = x + r * t->width;
    const Batch down = {.x = b->hidden, .stride = t->hidden, .count = count, .to = b->to, .plus = (const float *const *)b->to};
    multiply_dense(&down, &l->down, LINEAR);
}

/* LN_post(x) of tokens through the projection; the class token's goes nowhere. */
static void give_patches(const TowerJob *job, TowerBench *b, const float *x, int64_t first, int64_t count, float *to) {
    const Tower *t = job->tower;
    const int64_t skip = first == 0;
    for (int64_t r = 0; r < count; r++) {
        normalise_row(x + r * t->width, t->width, t->norm_post_weight, t->norm_post_bias, b->rows + r * t->width);
        b->to[r] = skip > r ? b->hidden : to + (first + r - 1) * t->projection.columns;
    }
    const Batch batch = {.x = b->rows, .stride = t->width, .count = count, .to = b->to};
    multiply_dense(&batch, &t->projection, LINEAR);
}

static void give_image(const TowerJob *job, TowerBench *b, const float *x) {
    const Tower *t = job->tower;
    if (job->post_norm) normalise_row(x, t->width, t->norm_post_weight, t->norm_post_bias, b->rows);
    else memcpy(b->rows, x, t->width * sizeof(float));
    const Batch batch = {.x = b->rows, .stride = t->width, .count = 1, .to = &job->image};
    multiply_dense(&batch, &t->projection, LINEAR);
}

/* The rows first..first + count after a layer's attention. */
static void advance_rows(const TowerJob *job, const Common *m, TowerBench *b, int layer, int64_t first, int64_t count) {
    const int64_t width = job->tower->width, wanted = wanted_rows(job, layer, first, count);
    float *x = m->original + first * width, *local = m->local + first * width;
    if (job->dual[layer]) {
        if (layer == 0 || !job->dual[layer - 1]) memcpy(local, x, count * width * sizeof(float));
        add_attended(job, b, layer, m->attended_own + first * width, local, count);
    }
    if (wanted) {
        add_attended(job, b, layer, m->attended + first * width, x, wanted);
        add_fed_forward(job, b, layer, x, wanted);
    }
    if (job->patches[layer]) give_patches(job, b, job->dual[layer] ? local : x, first, count, job->patches[layer]);
    if (job->plain[layer]) {
        const int64_t skip = first == 0;
        memcpy(job->plain[layer] + (first + skip - 1) * width, x + skip * width, (count - skip) * width * sizeof(float));
    }
    if (layer == job->blocks - 1 && job->image && first == 0) give_image(job, b, x);
}

static void advance_tower(const TowerJob *job, const Common *m, TowerBench *b, int layer, Phase *phase) {
    const int64_t rows = (int64_t)job->grid_h * job->grid_w + 1, tiles = (rows + TILE - 1) / TILE, team = job->threads;
    const int64_t most = team * TOWER_ROWS / TILE, pieces = (tiles + most - 1) / most * team;
    for (PIECES(piece, phase, pieces)) {
        const int64_t first = piece * tiles / pieces * TILE, end = (piece + 1) * tiles / pieces * TILE;
        const int64_t count = (end < rows ? end : rows) - first;
        if (count <= 0) continue;
        if (layer >= 0) advance_rows(job, m, b, layer, first, count);
        if (layer + 1 < job->blocks) project_rows(job, m, b, layer + 1, first, count);
    }
}

static void attend_tower(const TowerJob *job, const Common *m, TowerBench *b, int layer, Phase *phase) {
    const Tower *t = job->tower;
    const int64_t d = t->width / t->heads, rows = (int64_t)job->grid_h * job->grid_w + 1;
    const int64_t plain = wanted_rows(job, layer, 0, rows), own = job->dual[layer] ? t->heads : 0, count = own + (plain ? t->heads : 0);
    HeadF32 h;
    head_layout(&h, rows, d, (uintptr_t)b->head);
    for (PIECES(piece, phase, count)) {
        const int64_t local = piece < own, head = piece % t->heads * d, queries = local ? rows : plain;
        const Attention way = {.bias = t->layers[layer].qkv_bias, .tokens = rows, .heads = t->heads, .width = d, .queries = queries,
                               .a = local ? job->own : 0, .b = local ? job->own : 1};
        float *out = (local ? m->attended_own : m->attended) + head;
        attend_head(&h, &way, m->qkv + head, way.bias + head, t->width, out);
    }
}

/* What every thread calls, each with its own number: so many of them as there are benches, or fewer. */
API void NAMED(ac_tower_f32)(const TowerJob *job, int32_t thread) {
    Common m;
    TowerBench b;
    common_layout(&m, job, (uintptr_t)job->common);
    tower_bench_layout(&b, job, (uintptr_t)job->benches[thread]);
    for (int i = 0; i < job->tower->stem_blocks; i++)
        if (job->stages[i]) m.stages[i] = job->stages[i];
    run_stem(job, &m, &b);
    if (!job->blocks) return;
    Phase *phase = job->phases + 2 * job->tower->stem_blocks;
    const int64_t folded = folded_of(job->tower);
    gather_taps(job, &m, &b, folded, phase++);
    compare_tokens(job, &m, &b, folded, phase++);
    join_projections(job, &m, folded, phase++);
    make_tokens(job, &m, &b, folded, phase++);
    advance_tower(job, &m, &b, -1, phase++);
    for (int layer = 0; layer < job->blocks; layer++) {
        attend_tower(job, &m, &b, layer, phase++);
        advance_tower(job, &m, &b, layer, phase++);
    }
}

#endif
