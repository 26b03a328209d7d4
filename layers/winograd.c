#include "layers/winograd.h"

#include "core/arena.h"
#include "core/blas.h"

#include <string.h>

/* A block's tiles, transformed, of image and map, should stay in a second-level cache of 1 MiB; few channels make products
 * that gain less than the transforms cost (measured). */
enum { ENTRIES = 16, BLOCK_BYTES = 640 * 1024, FEWEST_TILES = 32, FEWEST_CHANNELS = 16, VECTOR = 8 };

/* How the map is cut: tiles of 2 x 2 pixels, down x across of them; a block has `lines` rows of tiles of `images` maps. */
typedef struct tiling {
    size_t down, across, images, lines;
} tiling;

/* Images first .. first + images - 1, tile rows top .. top + lines - 1. What the transforms do to a tile they do to `lanes`
 * tiles at once that lie side by side: those of a place in all images (per = 1), or, where there are few images, all of a
 * row of tiles (per = across). Tile (i, g, image, j) with j < per is number (i groups + g) lanes + image per + j. */
typedef struct block {
    size_t first, images, top, lines, per, groups, lanes, tiles;
} block;

typedef struct scratch {
    real *u, *gu; /* (16, M, C): transformed weights, and their cotangent */
    real *v, *m;  /* (16, C, tiles), (16, M, tiles) */
    real *grid;   /* (2 lines + 2, columns, lanes): pixels of a channel */
    real *line;   /* (2 across + 2): of a padded plane */
    size_t size;
} scratch;

static tiling tiling_of(const cst_lowering *l, size_t rows)
{
    tiling t = {.down = (l->oh + 1) / 2, .across = (l->ow + 1) / 2, .images = 1};
    size_t tiles = BLOCK_BYTES / sizeof(real) / ENTRIES / (l->image_channels + l->map_channels);
    if (tiles < FEWEST_TILES) tiles = FEWEST_TILES;
    const size_t whole = tiles / (t.down * t.across);
    if (rows >= VECTOR && tiles >= t.across * VECTOR)
        t.images = cst_size_min(whole > VECTOR ? whole / VECTOR * VECTOR : VECTOR, rows);
    else if (whole > 0)
        t.images = cst_size_min(whole, rows > 0 ? rows : 1);
    const size_t row = t.images * t.across, lines = tiles > row ? tiles / row : 1;
    const size_t strips = (t.down + lines - 1) / lines;
    t.lines = (t.down + strips - 1) / strips;
    return t;
}

static block block_of(const tiling *t, size_t rows, size_t first, size_t top)
{
    block b = {.first = first, .images = cst_size_min(t->images, rows - first), .top = top};
    b.lines = cst_size_min(t->lines, t->down - top);
    b.per = b.images >= VECTOR ? 1 : t->across;
    b.groups = t->across / b.per;
    b.lanes = b.images * b.per;
    b.tiles = b.lines * b.groups * b.lanes;
    return b;
}

bool cst_winograd_suits(const cst_lowering *l)
{
    return l->kernel == 3 && l->stride == 1 && l->dilation == 1 && l->groups == 1 && l->padding <= 2 &&
           l->image_channels >= FEWEST_CHANNELS && l->map_channels >= FEWEST_CHANNELS;
}

/* How far apart the entries of (16, channels, tiles) lie: an odd number of cache lines, so that a tile's 16 do not meet in
 * the same set of a cache. */
static size_t entry_step(size_t channels, size_t tiles)
{
    const size_t line = cst_size_align(1), lines = cst_size_align(cst_size_mul(channels, tiles)) / line;
    return cst_size_mul(lines | 1, line);
}

static scratch cut_work(const cst_lowering *l, const tiling *t, real *work)
{
    const size_t weights = cst_size_mul(ENTRIES, cst_size_mul(l->map_channels, l->image_channels));
    const size_t tiles = t->lines * t->images * t->across;
    scratch s = {0};
    s.u = cst_cut(work, &s.size, weights);
    s.gu = cst_cut(work, &s.size, weights);
    s.v = cst_cut(work, &s.size, cst_size_mul(ENTRIES, entry_step(l->image_channels, tiles)));
    s.m = cst_cut(work, &s.size, cst_size_mul(ENTRIES, entry_step(l->map_channels, tiles)));
    s.grid = cst_cut(work, &s.size, (2 * t->lines + 2) * 4 * t->across * t->images);
    s.line = cst_cut(work, &s.size, 2 * t->across + 2);
    return s;
}

/* The largest work of all batches of 1 .. rows images: a plan for many rows has to suffice for few. Work grows with the
 * batch, but falls at VECTOR images, where the lanes of a block become images. */
size_t cst_winograd_work(const cst_lowering *l, size_t rows)
{
    const tiling t = tiling_of(l, rows), few = tiling_of(l, cst_size_min(rows, VECTOR - 1));
    return cst_size_max(cut_work(l, &t, NULL).size, cut_work(l, &few, NULL).size);
}

/* ---- weights ------------------------------------------------------------------------------------------------- */

/* G is (4, 3) with rows (1 0 0), (1 1 1)/2, (1 -1 1)/2, (0 0 1). */
static void expand(const real *w, size_t step, real *to, size_t to_step)
{
    const real sum = (real)0.5 * (w[0] + w[2 * step]), middle = (real)0.5 * w[step];
    to[0] = w[0];
    to[to_step] = sum + middle;
    to[2 * to_step] = sum - middle;
    to[3 * to_step] = w[2 * step];
}

/* to += scale G^T from, three of four */
static void contract(const real *from, size_t step, real scale, real *to, size_t to_step)
{
    const real sum = (real)0.5 * (from[step] + from[2 * step]);
    to[0] += scale * (from[0] + sum);
    to[to_step] += scale * (real)0.5 * (from[step] - from[2 * step]);
    to[2 * to_step] += scale * (sum + from[3 * step]);
}

/* u = G w G^T for every pair of channels */
static void transform_weights(size_t pairs, const real *w, real *u)
{
    for (size_t i = 0; i < pairs; i++, w += 9, u++) {
        real t[12]; /* (4, 3) */
        for (size_t b = 0; b < 3; b++) expand(w + b, 3, t + b, 3);
        for (size_t p = 0; p < 4; p++) expand(t + 3 * p, 1, u + 4 * p * pairs, pairs);
    }
}

/* gw += scale G^T gu G */
static void add_weight_gradient(size_t pairs, const real *gu, real scale, real *gw)
{
    for (size_t i = 0; i < pairs; i++, gw += 9, gu++) {
        real t[12] = {0}; /* (4, 3) */
        for (size_t p = 0; p < 4; p++) contract(gu + 4 * p * pairs, pairs, 1, t + 3 * p, 1);
        for (size_t b = 0; b < 3; b++) contract(t + b, 3, scale, gw + b, 3);
    }
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* Planes (channels, h, w), an image's or a map's, as a block's tiles see them: pixel x of the tile in lane (image, j) of group
 * g is column 2 g + x of the grid, and pixel 2 j + 2 g + x of the padded line. */
typedef struct planes {
    size_t channels, h, w, padding, columns, lines;
} planes;

static planes planes_of_image(const cst_lowering *l, const block *b)
{
    return (planes){l->image_channels, l->h, l->w, l->padding, 2 * b->groups + 2, 2 * b->lines + 2};
}

static planes planes_of_map(const cst_lowering *l, const block *b)
{
    return (planes){l->map_channels, l->oh, l->ow, 0, 2 * b->groups, 2 * b->lines};
}

/* Whether line y of the grid lies inside the planes, and where it begins in them. */
static bool find_line(const planes *p, const block *b, size_t image, size_t c, size_t y, size_t *at)
{
    const size_t line = 2 * b->top + y;
    if (line < p->padding || line - p->padding >= p->h) return false;
    *at = (((b->first + image) * p->channels + c) * p->h + line - p->padding) * p->w;
    return true;
}

/* (n, 2) apart, and together again: added. */
static void split_pairs(size_t n, const real *restrict pairs, real *restrict even, real *restrict odd)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        even[i] = pairs[2 * i];
        odd[i] = pairs[2 * i + 1];
    }
}

static void add_pairs(size_t n, const real *restrict even, const real *restrict odd, real *restrict pairs)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        pairs[2 * i] += even[i];
        pairs[2 * i + 1] += odd[i];
    }
}

/* Channel c of the block's planes. Pixels outside stay what they are, in the grid as in the line: zeros. */
static void gather(const planes *p, const block *b, const real *all, size_t c, real *grid, real *line)
{
    for (size_t i = 0; i < b->images; i++) {
        for (size_t y = 0, at; y < p->lines; y++) {
            if (!find_line(p, b, i, c, y, &at)) continue;
            const real *restrict from = all + at;
            real *restrict to = grid + y * p->columns * b->lanes + i * b->per;
            if (b->per == 1) {
                to += p->padding * b->lanes;
                for (size_t x = 0; x < p->w; x++) to[x * b->lanes] = from[x];
                continue;
            }
            memcpy(line + p->padding, from, p->w * sizeof *line);
            for (size_t x = 0; x < p->columns; x += 2, to += 2 * b->lanes)
                split_pairs(b->per, line + x, to, to + b->lanes);
        }
    }
}

/* Its adjoint: added to the planes. */
static void scatter(const planes *p, const block *b, const real *grid, size_t c, real *all, real *line)
{
    for (size_t i = 0; i < b->images; i++) {
        for (size_t y = 0, at; y < p->lines; y++) {
            if (!find_line(p, b, i, c, y, &at)) continue;
            real *restrict to = all + at;
            const real *restrict from = grid + y * p->columns * b->lanes + i * b->per;
            if (b->per == 1) {
                from += p->padding * b->lanes;
                for (size_t x = 0; x < p->w; x++) to[x] += from[x * b->lanes];
                continue;
            }
            memset(line, 0, (2 * b->per + 2) * sizeof *line);
            for (size_t x = 0; x < p->columns; x += 2, from += 2 * b->lanes)
                add_pairs(b->per, from, from + b->lanes, line + x);
            for (size_t x = 0; x < p->w; x++) to[x] += line[p->padding + x];
        }
    }
}

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

typedef struct four {
    real a, b, c, d;
} four;

/* B^T is (4, 4) with rows (1 0 -1 0), (0 1 1 0), (0 -1 1 0), (0 1 0 -1). */
static inline four times_bt(real a, real b, real c, real d)
{
    return (four){a - c, b + c, c - b, b - d};
}

static inline four times_b(real a, real b, real c, real d)
{
    return (four){a, b - c + d, b + c - a, -d};
}

/* A is (4, 2) with rows (1 0), (1 1), (1 -1), (0 -1). */
static inline four times_a(real a, real b)
{
    return (four){a, a + b, a - b, -b};
}

/* A^T (a, b, c, d), in the first two */
static inline four times_at(real a, real b, real c, real d)
{
    return (four){a + b + c, b - c - d, 0, 0};
}

static inline void put(four r, real *to, size_t step)
{
    to[0] = r.a;
    to[step] = r.b;
    to[2 * step] = r.c;
    to[3 * step] = r.d;
}

static inline void add(four r, real *to, size_t step)
{
    to[0] += r.a;
    to[step] += r.b;
    to[2 * step] += r.c;
    to[3 * step] += r.d;
}

/* The tiles of a group, n lanes of each: pixel (y, x) at y line + x n of the grid, entry (p, q) at (4 p + q) step of v. */

/* v = B^T d B */
static void transform_tiles(size_t n, const real *restrict d, size_t line, real *restrict v, size_t step)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real *d0 = d + i, *d1 = d0 + n, *d2 = d1 + n, *d3 = d2 + n;
        const four x0 = times_bt(d0[0], d0[line], d0[2 * line], d0[3 * line]);
        const four x1 = times_bt(d1[0], d1[line], d1[2 * line], d1[3 * line]);
        const four x2 = times_bt(d2[0], d2[line], d2[2 * line], d2[3 * line]);
        const four x3 = times_bt(d3[0], d3[line], d3[2 * line], d3[3 * line]);
        put(times_bt(x0.a, x1.a, x2.a, x3.a), v + i, step);
        put(times_bt(x0.b, x1.b, x2.b, x3.b), v + i + 4 * step, step);
        put(times_bt(x0.c, x1.c, x2.c, x3.c), v + i + 8 * step, step);
        put(times_bt(x0.d, x1.d, x2.d, x3.d), v + i + 12 * step, step);
    }
}

/* d += B v B^T: tiles overlap by two pixels. */
static void add_tiles(size_t n, const real *restrict v, size_t step, real *restrict d, size_t line)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real *v0 = v + i, *v1 = v0 + step, *v2 = v1 + step, *v3 = v2 + step;
        const four y0 = times_b(v0[0], v0[4 * step], v0[8 * step], v0[12 * step]);
        const four y1 = times_b(v1[0], v1[4 * step], v1[8 * step], v1[12 * step]);
        const four y2 = times_b(v2[0], v2[4 * step], v2[8 * step], v2[12 * step]);
        const four y3 = times_b(v3[0], v3[4 * step], v3[8 * step], v3[12 * step]);
        add(times_b(y0.a, y1.a, y2.a, y3.a), d + i, n);
        add(times_b(y0.b, y1.b, y2.b, y3.b), d + i + line, n);
        add(times_b(y0.c, y1.c, y2.c, y3.c), d + i + 2 * line, n);
        add(times_b(y0.d, y1.d, y2.d, y3.d), d + i + 3 * line, n);
    }
}

/* m = A g A^T */
static void widen_tiles(size_t n, const real *restrict g, size_t line, real *restrict m, size_t step)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real *g0 = g + i, *g1 = g0 + n;
        const four x0 = times_a(g0[0], g0[line]), x1 = times_a(g1[0], g1[line]);
        put(times_a(x0.a, x1.a), m + i, step);
        put(times_a(x0.b, x1.b), m + i + 4 * step, step);
        put(times_a(x0.c, x1.c), m + i + 8 * step, step);
        put(times_a(x0.d, x1.d), m + i + 12 * step, step);
    }
}

/* g = A^T m A */
static void narrow_tiles(size_t n, const real *restrict m, size_t step, real *restrict g, size_t line)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real *m0 = m + i, *m1 = m0 + step, *m2 = m1 + step, *m3 = m2 + step;
        const four y0 = times_at(m0[0], m0[4 * step], m0[8 * step], m0[12 * step]);
        const four y1 = times_at(m1[0], m1[4 * step], m1[8 * step], m1[12 * step]);
        const four y2 = times_at(m2[0], m2[4 * step], m2[8 * step], m2[12 * step]);
        const four y3 = times_at(m3[0], m3[4 * step], m3[8 * step], m3[12 * step]);
        const four top = times_at(y0.a, y1.a, y2.a, y3.a), bottom = times_at(y0.b, y1.b, y2.b, y3.b);
        g[i] = top.a;
        g[n + i] = top.b;
        g[line + i] = bottom.a;
        g[line + n + i] = bottom.b;
    }
}

/* What a block's planes, all channels, exchange with its entries (16, channels, tiles). */
typedef enum direction { TRANSFORM_IMAGE, ADD_IMAGE, WIDEN_MAP, NARROW_MAP } direction;

/* read: planes to transform; write: planes to add to. */
static void exchange(direction way, const planes *p, const block *b, const real *read, real *write, real *entries,
                     const scratch *s)
{
    real *grid = s->grid;
    const size_t line = p->columns * b->lanes, step = entry_step(p->channels, b->tiles);
    memset(grid, 0, p->lines * line * sizeof *grid);
    memset(s->line, 0, (2 * b->groups * b->per + 2) * sizeof *s->line);
    for (size_t c = 0; c < p->channels; c++) {
        real *v = entries + c * b->tiles;
        if (read) gather(p, b, read, c, grid, s->line);
        if (way == ADD_IMAGE && c > 0) memset(grid, 0, p->lines * line * sizeof *grid);
        for (size_t i = 0; i < b->lines; i++) {
            for (size_t g = 0; g < b->groups; g++, v += b->lanes) {
                real *x = grid + 2 * i * line + 2 * g * b->lanes;
                if (way == TRANSFORM_IMAGE) transform_tiles(b->lanes, x, line, v, step);
                if (way == ADD_IMAGE) add_tiles(b->lanes, v, step, x, line);
                if (way == WIDEN_MAP) widen_tiles(b->lanes, x, line, v, step);
                if (way == NARROW_MAP) narrow_tiles(b->lanes, v, step, x, line);
            }
        }
        if (write) scatter(p, b, grid, c, write, s->line);
    }
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static void run_block(const cst_lowering *l, const block *b, const cst_lowered *a, const scratch *s)
{
    const size_t c = l->image_channels, m = l->map_channels, n = b->tiles;
    const size_t v_step = entry_step(c, n), m_step = entry_step(m, n);
    const planes image = planes_of_image(l, b), map = planes_of_map(l, b);
    if (a->to_map || a->gweight) exchange(TRANSFORM_IMAGE, &image, b, a->image, NULL, s->v, s);
    if (a->to_image || a->gweight) exchange(WIDEN_MAP, &map, b, a->map, NULL, s->m, s);
    for (size_t e = 0; e < ENTRIES; e++) {
        real *u = s->u + e * m * c, *gu = s->gu + e * m * c, *v = s->v + e * v_step, *w = s->m + e * m_step;
        if (a->gweight) cst_gemm(false, true, m, c, n, 1, w, n, v, n, 1, gu, c);
        if (a->to_map) cst_gemm(false, false, m, n, c, 1, u, c, v, n, 0, w, n);
        if (a->to_image) cst_gemm(true, false, c, n, m, 1, u, c, w, n, 0, v, n);
    }
    if (a->to_map) exchange(NARROW_MAP, &map, b, NULL, a->to_map, s->m, s);
    if (a->to_image) exchange(ADD_IMAGE, &image, b, NULL, a->to_image, s->v, s);
}

static void fill(size_t rows, size_t channels, size_t size, const real *bias, real *to)
{
    for (size_t i = 0; i < rows * channels; i++, to += size) {
        const real value = bias ? bias[i % channels] : 0;
        for (size_t j = 0; j < size; j++) to[j] = value;
    }
}

void cst_winograd_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work)
{
    const tiling t = tiling_of(l, rows);
    const scratch s = cut_work(l, &t, work);
    const size_t pairs = l->map_channels * l->image_channels;
    if (a->to_map || a->to_image) transform_weights(pairs, a->weight, s.u);
    if (a->gweight) memset(s.gu, 0, ENTRIES * pairs * sizeof *s.gu);
    if (a->to_map) fill(rows, l->map_channels, l->oh * l->ow, a->bias, a->to_map);
    if (a->to_image) fill(rows, l->image_channels, l->h * l->w, a->bias, a->to_image);
    for (size_t first = 0; first < rows; first += t.images) {
        for (size_t top = 0; top < t.down; top += t.lines) {
            const block b = block_of(&t, rows, first, top);
            run_block(l, &b, a, &s);
        }
    }
    if (a->gweight) add_weight_gradient(pairs, s.gu, a->scale, a->gweight);
}
