/* Inverted residuals (EfficientNet-Lite) in single precision: widen, filter each channel, narrow.
 *
 * Channels lie last. A band of output rows passes through a block in one go, a panel of widened channels at a time: each is
 * filtered while it still lies in the first cache. Widened rows lie in a ring that the next band uses further; of small maps,
 * whose band is all of it, one panel's memory serves the next. Padding is TensorFlow's SAME.
 */
#ifndef ANOMALYCLIP_STEM_F32_H
#define ANOMALYCLIP_STEM_F32_H

#include "dense_f32.h"
#include "phases.h"

#define SPAN 8          /* places that are filtered at once, of stride 1; of stride 2 half as many */
#define BAND_PLACES 60  /* of a band, where rows are short: whole tiles on every target */
#ifndef SMALL /* tests have smaller maps in bands */
#define SMALL 320000 /* filtered numbers of a map that is a single band */
#endif
#define PIECE 96        /* places of a small map that a thread narrows at a time, a multiple of every TILE */
#define LARGEST_FILTER 5

typedef struct {
    Dense widen, narrow;               /* widen.panels may be null: the input is filtered as it is */
    const float *filter, *filter_bias; /* (inner / LANES, kernel * kernel, LANES), (inner) */
    int32_t inputs, inner, outputs;    /* channels; inner: a multiple of 16 */
    int32_t kernel, stride;            /* 3 or 5; 1 or 2 */
    int32_t residual;
    int32_t pixels;                    /* the input is the picture, channels first: widen is a convolution, 3 x 3 of stride 2 */
} Inverted;

/* Of a block at one size. */
typedef struct {
    int64_t height, width;         /* of what is filtered */
    int64_t rows, columns;         /* of the output */
    int64_t top, left;             /* padding */
    int64_t band, held, across;    /* output rows at a time; rows in the ring; places of each of its rows, with padding */
    int64_t jump;                  /* from a panel's ring to the next one's; 0: it is the same */
} Frame;

static int64_t padding_of(int64_t side, int64_t kernel, int64_t stride) {
    if (stride == 1) return kernel / 2;
    const int64_t total = ((side + 1) / 2 - 1) * 2 + kernel - side;
    return total > 0 ? total / 2 : 0;
}

static Frame frame_of(const Inverted *b, int64_t height, int64_t width) {
    Frame f = {.height = b->pixels ? (height + 1) / 2 : height, .width = b->pixels ? (width + 1) / 2 : width};
    f.rows = (f.height + b->stride - 1) / b->stride;
    f.columns = (f.width + b->stride - 1) / b->stride;
    f.top = padding_of(f.height, b->kernel, b->stride);
    f.left = padding_of(f.width, b->kernel, b->stride);
    f.band = f.columns >= BAND_PLACES ? 1 : (BAND_PLACES + f.columns - 1) / f.columns;
    if (f.band > f.rows || f.rows * f.columns * b->inner <= SMALL) f.band = f.rows;
    f.held = (f.band - 1) * b->stride + b->kernel;
    f.across = rounded_up(f.columns, SPAN / 2) * b->stride + b->kernel;
    f.jump = f.band < f.rows ? f.held * f.across * PANEL : 0;
    return f;
}

/* What a thread works in. */
typedef struct {
    float *ring, *nothing, *filtered, *patches;
    float **to;
    const float **plus;
} Belt;

/* Numbers in a thread's ring. */
static int64_t ring_size(const Inverted *b, const Frame *f) {
    return f->held * f->across * (f->jump ? rounded_up(b->inner, PANEL) : PANEL);
}

/* LANES channels of `places` in a row, whose rows of a panel begin at `rows`. */
INLINE void filter_span(const float *const *rows, int64_t at, const float *weights, const float *bias, float *to, int64_t stride_to,
                        int64_t valid, const int kernel, const int stride, const int places) {
    Floats sum[SPAN];
    UNROLL for (int i = 0; i < places; i++) sum[i] = load(bias);
    _Pragma("GCC unroll 1") for (int y = 0; y < kernel; y++) { /* else the compiler would hold all rows at once, in memory */
        const float *from = rows[y] + at;
        UNROLL for (int x = 0; x < (places - 1) * stride + kernel; x++) {
            const Floats here = load(from + x * PANEL);
            UNROLL for (int i = 0; i < places; i++) {
                const int tap = x - i * stride;
                if (tap >= 0 && tap < kernel) sum[i] = fma_of(here, load(weights + (y * kernel + tap) * LANES), sum[i]);
            }
        }
    }
    if (valid >= places) {
        UNROLL for (int i = 0; i < places; i++) store(to + i * stride_to, relu6(sum[i]));
    } else {
        for (int i = 0; i < valid; i++) store(to + i * stride_to, relu6(sum[i]));
    }
}

/* A row of a panel's channels from `column` on. */
INLINE void filter_row(const Inverted *b, const float *const *rows, int64_t column, int64_t columns, float *to, const int kernel, const int stride) {
    const int most = stride == 1 ? SPAN : SPAN / 2;
    for (int64_t c = column; c < column + PANEL && c < b->inner; c += LANES) {
        const float *weights = b->filter + c * kernel * kernel, *bias = b->filter_bias + c;
        for (int64_t x = 0; x < columns;) {
            const int64_t at = x * stride * PANEL + c - column, left = columns - x;
            float *there = to + x * b->inner + c;
            if (left >= most) {
                filter_span(rows, at, weights, bias, there, b->inner, most, kernel, stride, most);
                x += most;
            } else {
                filter_span(rows, at, weights, bias, there, b->inner, left, kernel, stride, SPAN / 2);
                x += SPAN / 2;
            }
        }
    }
}

#define FILTER(kernel, stride)                                                                                                     \
    APART void filter_##kernel##_by_##stride(const Inverted *b, const float *const *rows, int64_t column, int64_t columns, float *to) { \
        filter_row(b, rows, column, columns, to, kernel, stride);                                                                  \
    }
FILTER(3, 1)
FILTER(3, 2)
FILTER(5, 1)
FILTER(5, 2)
#undef FILTER

/* The 27 numbers of the picture that a place of the first convolution sees, for one row of places. */
static void gather_patches(const float *picture, int64_t height, int64_t width, int64_t row, int64_t columns, float *patches) {
    const int64_t top = padding_of(height, 3, 2), left = padding_of(width, 3, 2);
    for (int64_t x = 0; x < columns; x++, patches += 27)
        for (int channel = 0; channel < 3; channel++)
            for (int i = 0; i < 3; i++) {
                const int64_t y = 2 * row - top + i, from = 2 * x - left;
                const float *line = picture + (channel * height + y) * width + from;
                float *at = patches + channel * 9 + i * 3;
                for (int j = 0; j < 3; j++) at[j] = y < 0 || y >= height || from + j < 0 || from + j >= width ? 0 : line[j];
            }
}

/* Where the places of the widened rows first..end go, in the first panel's ring; gives their number. */
static int64_t ring_places(const Frame *f, Belt *belt, int64_t first, int64_t end) {
    int64_t count = 0;
    for (int64_t y = first; y < end; y++)
        for (int64_t x = 0; x < f->width; x++) belt->to[count++] = belt->ring + (y % f->held * f->across + f->left + x) * PANEL;
    return count;
}

/* Channels of the input as they are, where a block does not widen. */
static void copy_panel(const Inverted *b, const Frame *f, Belt *belt, const float *x, int64_t count, int64_t column) {
    const int64_t some = b->inner - column < PANEL ? b->inner - column : PANEL, to = f->jump * (column / PANEL);
    for (int64_t i = 0; i < count; i++) memcpy(belt->to[i] + to, x + i * b->inner + column, some * sizeof(float));
}

/* A panel's filtered rows o..o + rows, from its ring. */
static void filter_panel(const Inverted *b, const Frame *f, Belt *belt, float *filtered, int64_t o, int64_t rows, int64_t column) {
    const float *ring = belt->ring + column / PANEL * f->jump;
    for (int64_t r = 0; r < rows; r++) {
        const float *from[LARGEST_FILTER];
        for (int64_t i = 0; i < b->kernel; i++) {
            const int64_t at = (o + r) * b->stride - f->top + i;
            from[i] = at < 0 || at >= f->height ? belt->nothing : ring + at % f->held * f->across * PANEL;
        }
        float *to = filtered + r * f->columns * b->inner;
        if (b->kernel == 3 && b->stride == 1) filter_3_by_1(b, from, column, f->columns, to);
        else if (b->kernel == 3) filter_3_by_2(b, from, column, f->columns, to);
        else if (b->stride == 1) filter_5_by_1(b, from, column, f->columns, to);
        else filter_5_by_2(b, from, column, f->columns, to);
    }
}

/* `count` places of the output, from the filtered ones, the first of which is the place `origin`. */
static void narrow_places(const Inverted *b, Belt *belt, const float *filtered, int64_t origin, const float *x, float *y, int64_t first, int64_t count) {
    Batch batch = {.x = filtered + (first - origin) * b->inner, .stride = b->inner, .count = count, .to = belt->to};
    for (int64_t i = 0; i < count; i++) {
        belt->to[i] = y + (first + i) * b->outputs;
        belt->plus[i] = x + (first + i) * b->outputs;
    }
    if (b->residual) batch.plus = belt->plus;
    multiply_dense(&batch, &b->narrow, LINEAR);
}

/* The input of the widened rows first..end, and where they go. */
static Batch begin_band(const Inverted *b, const Frame *f, Belt *belt, const float *x, int64_t height, int64_t width, int64_t first, int64_t end) {
    Batch batch = {.x = x + first * f->width * b->inputs, .stride = b->inputs, .to = belt->to, .count = ring_places(f, belt, first, end)};
    if (!b->pixels) return batch;
    batch.x = belt->patches;
    batch.stride = 27;
    for (int64_t row = first; row < end; row++)
        gather_patches(x, height, width, row, f->width, belt->patches + (row - first) * f->width * 27);
    return batch;
}

/* A panel of channels of a band: widened, then filtered. */
static void run_panel(const Inverted *b, const Frame *f, Belt *belt, const Batch *batch, float *filtered, int64_t o, int64_t rows, int64_t column) {
    Batch panel = *batch;
    panel.origin = column - column / PANEL * f->jump;
    if (b->widen.panels) multiply_columns(&panel, &b->widen, column, column + PANEL, RELU6);
    else copy_panel(b, f, belt, batch->x, batch->count, column);
    filter_panel(b, f, belt, filtered, o, rows, column);
}

/* The padding, of which nothing is written. */
static void clear_belt(const Inverted *b, const Frame *f, Belt *belt) {
    const int64_t row = f->across * PANEL, left = f->left * PANEL, beyond = (f->left + f->width) * PANEL;
    for (float *at = belt->ring; at < belt->ring + ring_size(b, f); at += row) {
        memset(at, 0, left * sizeof(float));
        memset(at + beyond, 0, (row - beyond) * sizeof(float));
    }
    memset(belt->nothing, 0, row * sizeof(float));
}

/* The output rows first..end of a block: x (height, width, inputs), or the picture (3, height, width), to y (.., .., outputs). */
static void invert_rows(const Inverted *b, const Frame *f, Belt *belt, const float *x, int64_t height, int64_t width, float *y, int64_t first, int64_t end) {
    if (first >= end) return;
    clear_belt(b, f, belt);
    int64_t done = first * b->stride - f->top > 0 ? first * b->stride - f->top : 0;
    for (int64_t o = first; o < end; o += f->band) {
        const int64_t rows = end - o < f->band ? end - o : f->band, wanted = (o + rows - 1) * b->stride - f->top + b->kernel;
        const int64_t until = wanted < f->height ? wanted : f->height;
        const Batch batch = begin_band(b, f, belt, x, height, width, done, until);
        for (int64_t column = 0; column < b->inner; column += PANEL) run_panel(b, f, belt, &batch, belt->filtered, o, rows, column);
        if (until > done) done = until;
        narrow_places(b, belt, belt->filtered, o * f->columns, x, y, o * f->columns, rows * f->columns);
    }
}

/* All of a small map: whoever is free takes a panel, then a piece of the output. Rows would widen their neighbours, too. */
static void invert_map(const Inverted *b, const Frame *f, Belt *belt, const float *x, int64_t height, int64_t width, float *filtered, float *y, Phase phases[2]) {
    const int64_t places = f->rows * f->columns;
    Batch batch = {0};
    for (PIECES(panel, phases, (b->inner + PANEL - 1) / PANEL)) {
        if (!batch.x) {
            clear_belt(b, f, belt);
            batch = begin_band(b, f, belt, x, height, width, 0, f->height);
        }
        run_panel(b, f, belt, &batch, filtered, 0, f->rows, panel * PANEL);
    }
    for (PIECES(piece, phases + 1, (places + PIECE - 1) / PIECE)) {
        const int64_t first = piece * PIECE;
        narrow_places(b, belt, filtered, 0, x, y, first, places - first < PIECE ? places - first : PIECE);
    }
}

/* A larger one: rows, in as many pieces as asked for. */
static void invert_rows_by_piece(const Inverted *b, const Frame *f, Belt *belt, const float *x, int64_t height, int64_t width, float *y, Phase *phase, int64_t pieces) {
    for (PIECES(piece, phase, pieces)) invert_rows(b, f, belt, x, height, width, y, f->rows * piece / pieces, f->rows * (piece + 1) / pieces);
}

#endif
