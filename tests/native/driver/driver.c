/* Runs one kernel of one target on arrays from standard input, one after the other, and writes what it gives to standard
 * output: for processors that an emulator poses as, and for sanitizers, both without Python. Compiled with
 * -DTARGET_FILE='"avx2.c"' and the folder of the sources. Sizes come first, as 64-bit integers. */
#include TARGET_FILE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *given(int64_t bytes) { /* exactly so much memory: a sanitizer sees every byte beyond */
    void *at = malloc(bytes > 0 ? bytes : 1);
    if (!at || fread(at, 1, bytes, stdin) != (size_t)bytes) exit(3);
    return at;
}
static int64_t size(void) {
    int64_t *at = given(8), value = *at;
    free(at);
    return value;
}
static float *floats(int64_t count) { return given(4 * count); }
static void give(const void *at, int64_t bytes) { fwrite(at, 1, bytes, stdout); }

#ifdef ANOMALYCLIP_ATTENTION_F32_H
static void attention(void) {
    const int64_t images = size(), tokens = size(), heads = size(), width = size(), queries = size(), a = size(), b = size();
    float *qkv = floats(images * tokens * 3 * heads * width), *bias = floats(3 * heads * width);
    float *out = malloc(4 * images * queries * heads * width);
    char *bench = malloc(NAMED(ac_attention_bytes)(tokens, width));
    Team team = {.size = 1};
    Attention job = {.team = &team, .qkv = qkv, .bias = bias, .out = out, .benches = &bench, .images = images, .tokens = tokens,
                     .heads = heads, .width = width, .queries = queries, .a = a, .b = b};
    NAMED(ac_attention_f32)(&job);
    give(out, 4 * images * queries * heads * width);
    free(qkv), free(bias), free(out), free(bench);
}

#endif

#ifdef ANOMALYCLIP_ACTIVATION_F32_H
static void quick_gelu_rows(void) {
    const int64_t rows = size(), width = size();
    Activation job = {.x = floats(rows * width), .bias = floats(width), .rows = rows, .width = width};
    NAMED(ac_quick_gelu_f32)(&job);
    give(job.x, 4 * rows * width);
    free(job.x), free((void *)job.bias);
}

#endif

#ifdef ANOMALYCLIP_LINEAR_F32_H
static void linear(void) {
    const int64_t rows = size(), inner = size(), columns = size();
    Linear job = {.rows = rows, .inner = inner, .columns = columns, .tall = size(), .wide = size(), .quick_gelu = size()};
    const int64_t biases = size(), all = 4 * rows * columns;
    job.x = floats(rows * inner), job.weight = floats(columns * inner), job.bias = biases ? floats(columns) : NULL;
    const int64_t bytes = NAMED(ac_linear_bytes)(&job);
    char *bench = malloc(bytes), *const benches[1] = {bench};
    job.y = malloc(all), job.benches = benches;
    memset(bench, 0xff, bytes), memset(job.y, 0xff, all); /* NaN: what is read before it is written shows */
    NAMED(ac_linear_f32)(&job);
    give(job.y, all);
    free((void *)job.x), free((void *)job.weight), free((void *)job.bias), free(job.y), free(bench);
}

#endif

#ifdef ANOMALYCLIP_RESIZE_U8_H
static Axis axis(int64_t times) {
    const int64_t count = size(), taps = size();
    return (Axis){given(4 * count * taps * times), given(4 * count), count, taps};
}
static void resize(void) {
    const int64_t height = size(), width = size();
    Resize job = {.height = height, .width = width, .image = given(4 * height * width), .levels = floats(3 * 256)};
    job.across = axis(4), job.down = axis(1);
    const int64_t all = 12 * job.across.size * job.down.size;
    job.out = malloc(all), job.scratch = malloc(NAMED(ac_resize_bytes)(&job));
    NAMED(ac_resize_rgb)(&job);
    give(job.out, all);
    free((void *)job.image), free((void *)job.levels), free(job.out), free(job.scratch);
    free((void *)job.across.weights), free((void *)job.across.begin), free((void *)job.down.weights), free((void *)job.down.begin);
}

#endif

#ifdef ANOMALYCLIP_SEARCH_F32_H
static void search(void) {
    const int64_t count = size(), rows = size(), depth = size(), padded = rounded_up(rows, PANEL);
    float *queries = floats(count * depth), *bank = floats(rows * depth), *panels = malloc(4 * padded * depth);
    float *best = malloc(4 * count), *columns = malloc(4 * rows), *scratch = malloc(4 * NAMED(ac_search_floats)(rows));
    int32_t *at = malloc(4 * count);
    NAMED(ac_pack_f32)(bank, rows, depth, panels);
    Search job = {.short_queries = queries, .panels = panels, .scratch = scratch, .best = best, .at = at, .columns = columns,
                  .count = count, .rows = rows, .depth = depth};
    NAMED(ac_search_f32)(&job);
    give(best, 4 * count), give(at, 4 * count), give(columns, 4 * rows);
    free(queries), free(bank), free(panels), free(best), free(columns), free(scratch), free(at);
}

/* By bounds: short vectors, second ones, and the whole. */
static void bounded(void) {
    const int64_t count = size(), rows = size(), depth = size(), width = size(), second = size(), padded = rounded_up(rows, PANEL);
    float *queries = floats(count * depth), *bank = floats(rows * depth), *panels = malloc(4 * padded * depth), *margin;
    float *best = malloc(4 * count), *scratch = malloc(4 * NAMED(ac_search_floats)(rows));
    int32_t *at = malloc(4 * count);
    NAMED(ac_pack_f32)(bank, rows, depth, panels);
    Search job = {.short_queries = queries, .panels = panels, .scratch = scratch, .best = best, .at = at, .count = count,
                  .rows = rows, .depth = depth, .width = width, .second = second};
    job.queries = floats(count * width), job.bank = floats(rows * width);
    job.second_queries = floats(count * second), job.second_bank = floats(rows * second), job.minus = floats(rows);
    margin = floats(1), job.margin = *margin;
    NAMED(ac_search_f32)(&job);
    give(best, 4 * count), give(at, 4 * count), give(&job.measured, 8);
    free(queries), free(bank), free(panels), free(best), free(scratch), free(at), free(margin);
    free((void *)job.queries), free((void *)job.bank), free((void *)job.second_queries), free((void *)job.second_bank);
    free((void *)job.minus);
}
#endif

#ifdef ANOMALYCLIP_SEARCH_U8_H
/* By codes: both sides less their mean, what is added to products, by what bounds may be too low, the step in which they
 * are held; without `whole` the bounds are the values. */
static void codes(void) {
    const int64_t count = size(), rows = size(), width = size(), whole = size(), left = size();
    const int64_t across = rounded_up(rows, PANEL), depth = rounded_up(width, 16), filled = rounded_up(count, TILE);
    float *asked = floats(count * width), *bank = floats(rows * width), *length = malloc(4 * count), *lengths = malloc(4 * rows);
    float *best = malloc(4 * count), *columns = malloc(4 * across), *minus = calloc(rows, 4), *steps = malloc(4 * count);
    float *bank_steps = calloc(across, 4), *shifts = calloc(across, 4);
    int32_t *at = malloc(4 * count), *column_at = malloc(4 * across);
    uint8_t *coded = malloc(filled * depth);
    int8_t *panels = malloc(across * depth);
    CodeRows queries = {.rows = asked, .codes = coded, .scale = steps, .length = length, .count = count, .width = width, .depth = depth};
    CodeRows theirs = {.rows = bank, .panels = panels, .scale = bank_steps, .shift = shifts, .length = lengths, .count = rows,
                       .width = width, .depth = depth};
    NAMED(ac_code_rows)(&queries), NAMED(ac_code_rows)(&theirs);
    SearchCodes job = {.codes = coded, .panels = panels, .scale = steps, .length = length, .bank_scale = bank_steps, .bank_shift = shifts};
    float *plus = floats(count), *bank_plus = floats(across), *least = floats(1), *step = floats(1);
    float *rest = left ? floats(count) : NULL, *bank_rest = left ? floats(across) : NULL; /* of coordinates that are not coded */
    job.plus = plus, job.bank_plus = bank_plus, job.least = *least, job.step = *step, job.rest = rest, job.bank_rest = bank_rest;
    job.search = (Search){.best = best, .at = at, .columns = columns, .column_at = column_at, .count = count, .rows = rows,
                          .depth = depth, .width = width, .minus = minus};
    if (whole) job.search.queries = asked, job.search.bank = bank;
    const int64_t bounds = 4 * NAMED(ac_codes_floats)(&job);
    job.search.scratch = malloc(bounds);
    memset(job.search.scratch, 0xff, bounds); /* NaN: what is read before it is written shows */
    NAMED(ac_search_u8)(&job);
    give(best, 4 * count), give(at, 4 * count), give(columns, 4 * rows), give(column_at, 4 * rows), give(&job.search.measured, 8);
    free(asked), free(bank), free(length), free(best), free(columns), free(minus), free(steps), free(bank_steps), free(shifts);
    free(at), free(column_at), free(coded), free(panels), free(plus), free(bank_plus), free(least), free(step), free(lengths), free(rest), free(bank_rest);
    free(job.search.scratch);
}
#endif

#ifdef ANOMALYCLIP_ENCODER_U8_H
static Weights weights(int64_t outputs, int64_t inputs, int64_t groups) {
    Weights w;
    w.panels = given(outputs * inputs);
    w.scale = floats(outputs);
    w.sums = floats(groups * outputs);
    w.bias = floats(outputs);
    return w;
}
static void release(Weights w) { free((void *)w.panels), free((void *)w.scale), free((void *)w.sums), free((void *)w.bias); }

/* One block, its weights as they are packed for this target; the tokens of both paths. */
static void encode(void) {
    const int64_t images = size(), tokens = size(), width = size(), heads = size(), hidden = size(), group = size();
    const int64_t quick = size(), own = size(), all = 4 * images * tokens * width;
    Layer layer = {.norm_1_weight = floats(width), .norm_1_bias = floats(width), .norm_2_weight = floats(width), .norm_2_bias = floats(width)};
    layer.qkv = weights(3 * width, width, 1);
    layer.out = weights(width, width, 1);
    layer.up = weights(hidden, width, 1);
    layer.down = weights(width, hidden, hidden / group);
    const Encoder encoder = {&layer, 1, width, heads, hidden, group, quick};
    Team team = {.size = 1};
    float *tap = malloc(all), *const taps[1] = {tap};
    char *bench = malloc(NAMED(ac_bench_bytes)(&encoder, tokens)), *const benches[1] = {bench};
    Job job = {.encoder = &encoder, .team = &team, .images = images, .tokens = tokens, .class_only = 1, .own = own,
               .original = given(all), .local = malloc(all), .qkv = malloc(6 * images * tokens * width), .attended = malloc(all),
               .attended_own = malloc(all), .taps = taps, .benches = benches};
    NAMED(ac_encode_u8)(&job, 0);
    give(job.original, all), give(tap, all);
    free(job.original), free(job.local), free(job.qkv), free(job.attended), free(job.attended_own), free(tap), free(bench);
    for (int i = 0; i < 4; i++) free((void *)(&layer.norm_1_weight)[i]);
    release(layer.qkv), release(layer.out), release(layer.up), release(layer.down);
}
#endif

#ifdef ANOMALYCLIP_TOWER_F32_H
/* Arrays in the order in which they are packed (encoders/tower_weights.py), each after its length. */
static void *kept[1024];
static int kept_count;
static void *keep(void *at) { return kept[kept_count++] = at; }
static void *fresh(int64_t bytes) { return keep(memset(malloc(bytes), 0xff, bytes)); } /* NaN: what is read before it is written shows */
static const float *next_array(void) { return keep(floats(size())); }
static Dense dense(void) {
    Dense w = {.inner = size(), .columns = size()};
    w.panels = next_array(), w.bias = next_array();
    return w;
}

/* A whole tower on one picture: every stage, patches and tokens of every block, and the image's feature. */
static void tower(void) {
    const int64_t blocks = size(), taps = size(), depth = size(), width = size(), heads = size(), hidden = size(), quick = size();
    const int64_t own = size(), first_dual = size(), height = size(), across = size(), stride = size();
    Inverted *stem = fresh(blocks * sizeof(Inverted));
    for (int64_t i = 0; i < blocks; i++) {
        stem[i] = (Inverted){.inputs = size(), .inner = size(), .outputs = size(), .kernel = size(), .stride = size(), .residual = size(), .pixels = size()};
        if (size()) stem[i].widen = dense();
        stem[i].narrow = dense();
        stem[i].filter = next_array(), stem[i].filter_bias = next_array();
    }
    Tap *tapped = fresh(taps * sizeof(Tap));
    for (int64_t i = 0; i < taps; i++) {
        tapped[i] = (Tap){.block = size(), .channels = size(), .pooled = size(), .cells = size()};
        tapped[i].mean = next_array(), tapped[i].factor = next_array();
    }
    TowerLayer *layers = fresh(depth * sizeof(TowerLayer));
    for (int64_t i = 0; i < depth; i++) {
        layers[i].norm_1_weight = next_array(), layers[i].norm_1_bias = next_array(), layers[i].norm_2_weight = next_array();
        layers[i].norm_2_bias = next_array(), layers[i].qkv_bias = next_array();
        layers[i].qkv = dense(), layers[i].out = dense(), layers[i].up = dense(), layers[i].down = dense();
    }
    Tower t = {.stem = stem, .taps = tapped, .layers = layers};
    t.tokens = dense(), t.contrast = dense(), t.projection = dense();
    t.class_token = next_array(), t.norm_pre_weight = next_array(), t.norm_pre_bias = next_array();
    t.norm_post_weight = next_array(), t.norm_post_bias = next_array();
    t.stem_blocks = blocks, t.tap_count = taps, t.depth = depth, t.width = width, t.heads = heads, t.hidden = hidden, t.quick = quick;
    TowerJob job = {.tower = &t, .height = height, .width = across, .grid_h = height / stride, .grid_w = across / stride, .blocks = depth, .own = own};
    job.positions = next_array(), job.picture = next_array();
    const int64_t tokens = (int64_t)job.grid_h * job.grid_w, embedding = t.projection.columns;
    int32_t *needed = fresh(4 * depth), *dual = fresh(4 * depth);
    float **stages = fresh(blocks * 8), **patches = fresh(depth * 8), **plain = fresh(depth * 8);
    int64_t *stage_bytes = fresh(blocks * 8), h = height, w = across;
    for (int64_t i = 0; i < blocks; i++) {
        const Frame f = frame_of(stem + i, h, w);
        h = f.rows, w = f.columns;
        stage_bytes[i] = 4 * h * w * stem[i].outputs;
        stages[i] = fresh(stage_bytes[i] + 4 * TILE * stem[i].outputs);
    }
    for (int64_t i = 0; i < depth; i++) {
        needed[i] = ALL, dual[i] = i >= first_dual;
        patches[i] = fresh(4 * tokens * embedding), plain[i] = fresh(4 * tokens * width);
    }
    job.needed = needed, job.dual = dual, job.stages = stages, job.patches = patches, job.plain = plain, job.image = fresh(4 * embedding);
    int64_t bytes[2];
    NAMED(ac_tower_bytes)(&job, bytes);
    char *bench = fresh(bytes[1]), *const benches[1] = {bench};
    job.phases = memset(fresh((2 * blocks + 2 * depth + 5) * sizeof(Phase)), 0, (2 * blocks + 2 * depth + 5) * sizeof(Phase));
    job.threads = 1, job.common = fresh(bytes[0]), job.benches = benches;
    NAMED(ac_tower_f32)(&job, 0);
    for (int64_t i = 0; i < blocks; i++) give(stages[i], stage_bytes[i]);
    for (int64_t i = 0; i < depth; i++) give(patches[i], 4 * tokens * embedding), give(plain[i], 4 * tokens * width);
    give(job.image, 4 * embedding);
    while (kept_count) free(kept[--kept_count]);
}
#endif

#ifdef EXPORT /* cpu.c */
static void features(void) {
    const int32_t found = ac_cpu_features();
    give(&found, 4);
}
#endif

int main(int count, char **words) {
    for (int i = 1; i < count; i++) {
        int known = 0;
#ifdef ANOMALYCLIP_ATTENTION_F32_H
        if (!strcmp(words[i], "attention")) attention(), known = 1;
#endif
#ifdef ANOMALYCLIP_ACTIVATION_F32_H
        if (!strcmp(words[i], "quick_gelu")) quick_gelu_rows(), known = 1;
#endif
#ifdef ANOMALYCLIP_LINEAR_F32_H
        if (!strcmp(words[i], "linear")) linear(), known = 1;
#endif
#ifdef ANOMALYCLIP_RESIZE_U8_H
        if (!strcmp(words[i], "resize")) resize(), known = 1;
#endif
#ifdef ANOMALYCLIP_SEARCH_F32_H
        if (!strcmp(words[i], "search")) search(), known = 1;
        if (!strcmp(words[i], "bounded")) bounded(), known = 1;
#endif
#ifdef ANOMALYCLIP_SEARCH_U8_H
        if (!strcmp(words[i], "codes")) codes(), known = 1;
#endif
#ifdef ANOMALYCLIP_ENCODER_U8_H
        if (!strcmp(words[i], "encode")) encode(), known = 1;
#endif
#ifdef ANOMALYCLIP_TOWER_F32_H
        if (!strcmp(words[i], "tower")) tower(), known = 1;
#endif
#ifdef EXPORT
        if (!strcmp(words[i], "features")) features(), known = 1;
#endif
        if (!known) return 4;
    }
    return 0;
}
