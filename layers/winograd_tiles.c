#include "layers/winograd_internal.h"

#include <string.h>

size_t cst_winograd_step(size_t channels, size_t tiles)
{
    const size_t line = cst_size_align(1), lines = cst_size_align(cst_size_mul(channels, tiles)) / line;
    return cst_size_mul(lines | 1, line);
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* Planes (channels, h, w) of an image or a map, and the grid through which a block's tiles see one of them. The grid is
 * (lines, columns, lanes): pixel x of the tile in lane (image, j) of group g is in column 2 g + x, and it is pixel
 * 2 j + 2 g + x of the padded row of the plane. */
typedef struct planes {
    size_t channels, h, w, padding, columns, lines;
} planes;

/* Tiles of an image are 4 x 4 pixels and overlap by two. */
static planes planes_of_image(const cst_lowering *l, const cst_winograd_block *b)
{
    return (planes){l->image_channels, l->h, l->w, l->padding, 2 * b->groups + 2, 2 * b->lines + 2};
}

/* Tiles of a map are 2 x 2 pixels side by side. */
static planes planes_of_map(const cst_lowering *l, const cst_winograd_block *b)
{
    return (planes){l->map_channels, l->oh, l->ow, 0, 2 * b->groups, 2 * b->lines};
}

/* Whether line y of the grid lies inside the plane; *at is where it begins in the whole batch. */
static bool find_line(const planes *p, const cst_winograd_block *b, size_t image, size_t c, size_t y, size_t *at)
{
    const size_t line = 2 * b->top + y;
    if (line < p->padding || line - p->padding >= p->h) return false;
    *at = (((b->first + image) * p->channels + c) * p->h + line - p->padding) * p->w;
    return true;
}

/* even[i], odd[i] = pairs[i] */
static void split_pairs(size_t n, const real *restrict pairs, real *restrict even, real *restrict odd)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        even[i] = pairs[2 * i];
        odd[i] = pairs[2 * i + 1];
    }
}

/* The adjoint: pairs[i] += even[i], odd[i] */
static void add_pairs(size_t n, const real *restrict even, const real *restrict odd, real *restrict pairs)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        pairs[2 * i] += even[i];
        pairs[2 * i + 1] += odd[i];
    }
}

/* grid = channel c of the block's planes. Pixels outside of the plane are not written: grid and line hold zeros
 * there. */
static void gather(const planes *p, const cst_winograd_block *b, const real *all, size_t c, real *grid, real *line)
{
    for (size_t i = 0; i < b->images; i++) {
        for (size_t y = 0, at; y < p->lines; y++) {
            if (!find_line(p, b, i, c, y, &at)) continue;
            const real *restrict from = all + at;
            real *restrict to = grid + y * p->columns * b->lanes + i * b->per;
            /* One lane per image: pixels are `lanes` apart. */
            if (b->per == 1) {
                to += p->padding * b->lanes;
                for (size_t x = 0; x < p->w; x++) to[x * b->lanes] = from[x];
                continue;
            }
            /* Lanes along the row: even and odd columns of the padded row are the grid's columns. */
            memcpy(line + p->padding, from, p->w * sizeof *line);
            for (size_t x = 0; x < p->columns; x += 2, to += 2 * b->lanes)
                split_pairs(b->per, line + x, to, to + b->lanes);
        }
    }
}

/* The adjoint: planes += grid. */
static void scatter(const planes *p, const cst_winograd_block *b, const real *grid, size_t c, real *all, real *line)
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

/* B^T (a, b, c, d), where B^T is (4, 4) with rows (1 0 -1 0), (0 1 1 0), (0 -1 1 0), (0 1 0 -1). */
static inline four times_bt(real a, real b, real c, real d)
{
    return (four){a - c, b + c, c - b, b - d};
}

/* B (a, b, c, d) */
static inline four times_b(real a, real b, real c, real d)
{
    return (four){a, b - c + d, b + c - a, -d};
}

/* A (a, b), where A is (4, 2) with rows (1 0), (1 1), (1 -1), (0 -1). */
static inline four times_a(real a, real b)
{
    return (four){a, a + b, a - b, -b};
}

/* A^T (a, b, c, d), in the first two numbers of the result */
static inline four times_at(real a, real b, real c, real d)
{
    return (four){a + b + c, b - c - d, 0, 0};
}

/* to[0], to[step] ... = r */
static inline void put(four r, real *to, size_t step)
{
    to[0] = r.a;
    to[step] = r.b;
    to[2 * step] = r.c;
    to[3 * step] = r.d;
}

/* to[0], to[step] ... += r */
static inline void add(four r, real *to, size_t step)
{
    to[0] += r.a;
    to[step] += r.b;
    to[2 * step] += r.c;
    to[3 * step] += r.d;
}

/* The four functions below transform the n tiles in the lanes of a group. Pixel (y, x) of a tile is at y line + x n
 * of the grid, and its entry (p, q) at (4 p + q) step of v or m. Each transforms first the columns and then the
 * rows. */

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

/* forward: v = B^T d B, so d += B v B^T. Tiles overlap by two pixels, so their shares are added. */
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

/* forward: g = A^T m A, so m = A g A^T for its cotangents. */
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

void cst_winograd_exchange(cst_winograd_direction way, const cst_lowering *l, const cst_winograd_block *b,
                           const real *read, real *write, real *entries, const cst_winograd_work_layout *s)
{
    const bool image = way == CST_WINOGRAD_TRANSFORM_IMAGE || way == CST_WINOGRAD_ADD_IMAGE;
    const planes of_image = planes_of_image(l, b), of_map = planes_of_map(l, b), *p = image ? &of_image : &of_map;
    real *grid = s->grid;
    const size_t line = p->columns * b->lanes, step = cst_winograd_step(p->channels, b->tiles);
    /* Zeros where nothing is gathered: in the padding. */
    memset(grid, 0, p->lines * line * sizeof *grid);
    memset(s->line, 0, (2 * b->groups * b->per + 2) * sizeof *s->line);
    for (size_t c = 0; c < p->channels; c++) {
        real *v = entries + c * b->tiles;
        /* Fill the grid with pixels, or clear it if shares are added to it. */
        if (read) gather(p, b, read, c, grid, s->line);
        if (way == CST_WINOGRAD_ADD_IMAGE && c > 0) memset(grid, 0, p->lines * line * sizeof *grid);
        /* All tiles of the channel, one set of lanes after the other. */
        for (size_t i = 0; i < b->lines; i++) {
            for (size_t g = 0; g < b->groups; g++, v += b->lanes) {
                real *x = grid + 2 * i * line + 2 * g * b->lanes;
                if (way == CST_WINOGRAD_TRANSFORM_IMAGE) transform_tiles(b->lanes, x, line, v, step);
                if (way == CST_WINOGRAD_ADD_IMAGE) add_tiles(b->lanes, v, step, x, line);
                if (way == CST_WINOGRAD_WIDEN_MAP) widen_tiles(b->lanes, x, line, v, step);
                if (way == CST_WINOGRAD_NARROW_MAP) narrow_tiles(b->lanes, v, step, x, line);
            }
        }
        if (write) scatter(p, b, grid, c, write, s->line);
    }
}
