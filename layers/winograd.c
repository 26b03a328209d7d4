#include "layers/winograd.h"

#include "core/blas.h"

#include <string.h>

/* A block's tiles, transformed, of image and map, should stay in a second-level cache of 1 MiB; few channels make products
 * that gain less than the transforms cost (measured). */
enum { ENTRIES = 16, BLOCK_BYTES = 640 * 1024, FEWEST_TILES = 32, FEWEST_CHANNELS = 16 };

/* How the map is cut: tiles of 2 x 2 pixels, down x across of them; a block has whole maps, or rows of tiles of one. */
typedef struct tiling {
    size_t down, across, images, lines;
} tiling;

/* Images first .. first + images - 1, tile rows top .. top + lines - 1. A row of tiles of all images side by side is `row`
 * tiles long; tile (i, image, j) is number i row + image across + j. */
typedef struct block {
    size_t first, images, top, lines, row, tiles;
} block;

typedef struct scratch {
    real *u, *gu;       /* (16, M, C): transformed weights, and their cotangent */
    real *v, *m;        /* (16, C, tiles), (16, M, tiles) */
    real *split, *half; /* (4, 2 lines + 2, row): columns 0 .. 3 of every tile's rows; half transformed */
    size_t size;
} scratch;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static tiling tiling_of(const cst_lowering *l, size_t rows)
{
    tiling t = {.down = (l->oh + 1) / 2, .across = (l->ow + 1) / 2, .images = 1};
    size_t tiles = BLOCK_BYTES / sizeof(real) / ENTRIES / (l->image_channels + l->map_channels);
    if (tiles < FEWEST_TILES) tiles = FEWEST_TILES;
    t.lines = t.down;
    if (tiles >= t.down * t.across) {
        t.images = least(tiles / (t.down * t.across), rows > 0 ? rows : 1);
        return t;
    }
    const size_t lines = tiles > t.across ? tiles / t.across : 1, strips = (t.down + lines - 1) / lines;
    t.lines = (t.down + strips - 1) / strips;
    return t;
}

bool cst_winograd_suits(const cst_lowering *l)
{
    return l->kernel == 3 && l->stride == 1 && l->dilation == 1 && l->groups == 1 && l->padding <= 2 &&
           l->image_channels >= FEWEST_CHANNELS && l->map_channels >= FEWEST_CHANNELS;
}

static real *cut(real *work, size_t *size, size_t n)
{
    real *at = work ? work + *size : NULL;
    *size = cst_size_add(*size, cst_size_align(n));
    return at;
}

static scratch cut_work(const cst_lowering *l, const tiling *t, real *work)
{
    const size_t weights = cst_size_mul(ENTRIES, cst_size_mul(l->map_channels, l->image_channels));
    const size_t row = t->images * t->across, tiles = t->lines * row, lines = 2 * t->lines + 2;
    scratch s = {0};
    s.u = cut(work, &s.size, weights);
    s.gu = cut(work, &s.size, weights);
    s.v = cut(work, &s.size, cst_size_mul(ENTRIES, cst_size_mul(l->image_channels, tiles)));
    s.m = cut(work, &s.size, cst_size_mul(ENTRIES, cst_size_mul(l->map_channels, tiles)));
    s.split = cut(work, &s.size, 4 * lines * row);
    s.half = cut(work, &s.size, 4 * lines * row);
    return s;
}

size_t cst_winograd_work(const cst_lowering *l, size_t rows)
{
    const tiling t = tiling_of(l, rows);
    return cut_work(l, &t, NULL).size;
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

/* ---- image tiles --------------------------------------------------------------------------------------------- */

/* Of the tiles 0 .. count - 1 of a row, first .. end - 1 have their pixel number x (of 4, or of 2 with padding 0) within
 * `size` pixels: at 2 j + x - padding. */
typedef struct range {
    size_t first, end;
} range;

static range within(size_t x, size_t padding, size_t size, size_t count)
{
    const size_t first = x < padding ? (padding - x + 1) / 2 : 0;
    const size_t end = size + padding > x ? (size + padding - x + 1) / 2 : 0;
    return (range){least(first, count), least(end, count)};
}

/* split[x][y] = pixels x of the tiles in padded line y, for channel c of the block's images. */
static void split_image(const cst_lowering *l, const tiling *t, const block *b, const real *image, size_t c,
                        real *split)
{
    const size_t lines = 2 * b->lines + 2, pixels = l->h * l->w;
    for (size_t x = 0; x < 4; x++) {
        const range r = within(x, l->padding, l->w, t->across);
        for (size_t i = 0; i < b->images; i++) {
            const real *plane = image + ((b->first + i) * l->image_channels + c) * pixels;
            real *restrict to = split + x * lines * b->row + i * t->across;
            for (size_t y = 0; y < lines; y++, to += b->row) {
                const size_t at = 2 * b->top + y;
                if (at < l->padding || at - l->padding >= l->h) {
                    for (size_t j = 0; j < t->across; j++) to[j] = 0;
                    continue;
                }
                const real *restrict from = plane + (at - l->padding) * l->w;
                for (size_t j = 0; j < r.first; j++) to[j] = 0;
                for (size_t j = r.first; j < r.end; j++) to[j] = from[2 * j + x - l->padding];
                for (size_t j = r.end; j < t->across; j++) to[j] = 0;
            }
        }
    }
}

/* B^T is (4, 4) with rows (1 0 -1 0), (0 1 1 0), (0 -1 1 0), (0 1 0 -1): to_p = B^T (d_0, d_1, d_2, d_3). */
static void transform_four(size_t n, const real *restrict d0, const real *restrict d1, const real *restrict d2,
                           const real *restrict d3, real *restrict to0, real *restrict to1, real *restrict to2,
                           real *restrict to3)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real a = d0[i], b = d1[i], c = d2[i], d = d3[i];
        to0[i] = a - c;
        to1[i] = b + c;
        to2[i] = c - b;
        to3[i] = b - d;
    }
}

/* v[p][q][c] = (B^T d B)_pq of every tile */
static void transform_image(const cst_lowering *l, const tiling *t, const block *b, const real *image, const scratch *s)
{
    const size_t lines = 2 * b->lines + 2, n = lines * b->row, entry = l->image_channels * b->tiles;
    for (size_t c = 0; c < l->image_channels; c++) {
        split_image(l, t, b, image, c, s->split);
        transform_four(n, s->split, s->split + n, s->split + 2 * n, s->split + 3 * n, s->half, s->half + n,
                       s->half + 2 * n, s->half + 3 * n);
        for (size_t q = 0; q < 4; q++) {
            for (size_t i = 0; i < b->lines; i++) {
                const real *d = s->half + q * n + 2 * i * b->row;
                real *to = s->v + q * entry + c * b->tiles + i * b->row;
                transform_four(b->row, d, d + b->row, d + 2 * b->row, d + 3 * b->row, to, to + 4 * entry,
                               to + 8 * entry, to + 12 * entry);
            }
        }
    }
}

/* B v, the transpose: (1 0 0 0), (0 1 -1 1), (-1 1 1 0), (0 0 0 -1); rows 2 and 3 meet the next tile's 0 and 1: added. */
static void add_four(size_t n, const real *restrict v0, const real *restrict v1, const real *restrict v2,
                     const real *restrict v3, real *restrict to0, real *restrict to1, real *restrict to2,
                     real *restrict to3)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real a = v0[i], b = v1[i], c = v2[i], d = v3[i];
        to0[i] += a;
        to1[i] += b - c + d;
        to2[i] += b + c - a;
        to3[i] -= d;
    }
}

/* Adjoint of split_image: added to the images. */
static void join_image(const cst_lowering *l, const tiling *t, const block *b, const real *split, size_t c, real *image)
{
    const size_t lines = 2 * b->lines + 2, pixels = l->h * l->w;
    for (size_t i = 0; i < b->images; i++) {
        real *plane = image + ((b->first + i) * l->image_channels + c) * pixels;
        for (size_t y = 0; y < lines; y++) {
            const size_t at = 2 * b->top + y;
            if (at < l->padding || at - l->padding >= l->h) continue;
            real *restrict to = plane + (at - l->padding) * l->w;
            for (size_t x = 0; x < 4; x++) {
                const range r = within(x, l->padding, l->w, t->across);
                const real *restrict from = split + (x * lines + y) * b->row + i * t->across;
                for (size_t j = r.first; j < r.end; j++) to[2 * j + x - l->padding] += from[j];
            }
        }
    }
}

/* image += B v B^T of every tile */
static void add_image(const cst_lowering *l, const tiling *t, const block *b, const scratch *s, real *image)
{
    const size_t lines = 2 * b->lines + 2, n = lines * b->row, entry = l->image_channels * b->tiles;
    for (size_t c = 0; c < l->image_channels; c++) {
        memset(s->half, 0, 4 * n * sizeof *s->half);
        memset(s->split, 0, 4 * n * sizeof *s->split);
        for (size_t q = 0; q < 4; q++) {
            for (size_t i = 0; i < b->lines; i++) {
                const real *v = s->v + q * entry + c * b->tiles + i * b->row;
                real *to = s->half + q * n + 2 * i * b->row;
                add_four(b->row, v, v + 4 * entry, v + 8 * entry, v + 12 * entry, to, to + b->row, to + 2 * b->row,
                         to + 3 * b->row);
            }
        }
        add_four(n, s->half, s->half + n, s->half + 2 * n, s->half + 3 * n, s->split, s->split + n, s->split + 2 * n,
                 s->split + 3 * n);
        join_image(l, t, b, s->split, c, image);
    }
}

/* ---- map tiles ----------------------------------------------------------------------------------------------- */

/* A is (4, 2) with rows (1 0), (1 1), (1 -1), (0 -1): to = A (g_0, g_1). */
static void widen(size_t n, const real *restrict g0, const real *restrict g1, real *restrict to0, real *restrict to1,
                  real *restrict to2, real *restrict to3)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real a = g0[i], b = g1[i];
        to0[i] = a;
        to1[i] = a + b;
        to2[i] = a - b;
        to3[i] = -b;
    }
}

/* A^T: (m_0 + m_1 + m_2, m_1 - m_2 - m_3) */
static void narrow(size_t n, const real *restrict m0, const real *restrict m1, const real *restrict m2,
                   const real *restrict m3, real *restrict to0, real *restrict to1)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real b = m1[i], c = m2[i];
        to0[i] = m0[i] + b + c;
        to1[i] = b - c - m3[i];
    }
}

/* m[p][q][c] = (A g A^T)_pq of every tile; split has (2, 2 lines, row). */
static void transform_map(const cst_lowering *l, const tiling *t, const block *b, const real *map, const scratch *s)
{
    const size_t lines = 2 * b->lines, n = lines * b->row, entry = l->map_channels * b->tiles, pixels = l->oh * l->ow;
    for (size_t c = 0; c < l->map_channels; c++) {
        for (size_t i = 0; i < b->images; i++) {
            const real *plane = map + ((b->first + i) * l->map_channels + c) * pixels;
            for (size_t y = 0; y < lines; y++) {
                real *restrict even = s->split + y * b->row + i * t->across, *restrict odd = even + n;
                const bool inside = 2 * b->top + y < l->oh;
                const real *restrict from = plane + (inside ? 2 * b->top + y : 0) * l->ow;
                for (size_t j = 0; j < t->across; j++) {
                    even[j] = inside ? from[2 * j] : 0;
                    odd[j] = inside && 2 * j + 1 < l->ow ? from[2 * j + 1] : 0;
                }
            }
        }
        widen(n, s->split, s->split + n, s->half, s->half + n, s->half + 2 * n, s->half + 3 * n);
        for (size_t q = 0; q < 4; q++) {
            for (size_t i = 0; i < b->lines; i++) {
                const real *g = s->half + q * n + 2 * i * b->row;
                real *to = s->m + q * entry + c * b->tiles + i * b->row;
                widen(b->row, g, g + b->row, to, to + 4 * entry, to + 8 * entry, to + 12 * entry);
            }
        }
    }
}

/* map = A^T m A + bias */
static void make_map(const cst_lowering *l, const tiling *t, const block *b, const real *bias, const scratch *s,
                     real *map)
{
    const size_t lines = 2 * b->lines, n = lines * b->row, entry = l->map_channels * b->tiles, pixels = l->oh * l->ow;
    for (size_t c = 0; c < l->map_channels; c++) {
        const real add = bias ? bias[c] : 0;
        for (size_t q = 0; q < 4; q++) {
            for (size_t i = 0; i < b->lines; i++) {
                const real *m = s->m + q * entry + c * b->tiles + i * b->row;
                real *to = s->half + q * n + 2 * i * b->row;
                narrow(b->row, m, m + 4 * entry, m + 8 * entry, m + 12 * entry, to, to + b->row);
            }
        }
        narrow(n, s->half, s->half + n, s->half + 2 * n, s->half + 3 * n, s->split, s->split + n);
        for (size_t i = 0; i < b->images; i++) {
            real *plane = map + ((b->first + i) * l->map_channels + c) * pixels;
            for (size_t y = 0; y < lines && 2 * b->top + y < l->oh; y++) {
                const real *restrict even = s->split + y * b->row + i * t->across, *restrict odd = even + n;
                real *restrict to = plane + (2 * b->top + y) * l->ow;
                for (size_t j = 0; j < l->ow / 2; j++) {
                    to[2 * j] = even[j] + add;
                    to[2 * j + 1] = odd[j] + add;
                }
                if (l->ow % 2) to[l->ow - 1] = even[t->across - 1] + add;
            }
        }
    }
}

/* ---- all of it ----------------------------------------------------------------------------------------------- */

static void run_block(const cst_lowering *l, const tiling *t, const block *b, const cst_lowered *a, const scratch *s)
{
    const size_t c = l->image_channels, m = l->map_channels, n = b->tiles;
    if (a->to_map || a->gweight) transform_image(l, t, b, a->image, s);
    if (a->to_image || a->gweight) transform_map(l, t, b, a->map, s);
    for (size_t e = 0; e < ENTRIES; e++) {
        real *u = s->u + e * m * c, *gu = s->gu + e * m * c, *v = s->v + e * c * n, *w = s->m + e * m * n;
        if (a->gweight) cst_gemm(false, true, m, c, n, 1, w, n, v, n, 1, gu, c);
        if (a->to_map) cst_gemm(false, false, m, n, c, 1, u, c, v, n, 0, w, n);
        if (a->to_image) cst_gemm(true, false, c, n, m, 1, u, c, w, n, 0, v, n);
    }
    if (a->to_map) make_map(l, t, b, a->bias, s, a->to_map);
    if (a->to_image) add_image(l, t, b, s, a->to_image);
}

static void fill_images(const cst_lowering *l, size_t rows, const real *bias, real *image)
{
    const size_t pixels = l->h * l->w;
    for (size_t i = 0; i < rows * l->image_channels; i++, image += pixels) {
        const real value = bias ? bias[i % l->image_channels] : 0;
        for (size_t j = 0; j < pixels; j++) image[j] = value;
    }
}

void cst_winograd_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work)
{
    const tiling t = tiling_of(l, rows);
    const scratch s = cut_work(l, &t, work);
    const size_t pairs = l->map_channels * l->image_channels;
    if (a->to_map || a->to_image) transform_weights(pairs, a->weight, s.u);
    if (a->gweight) memset(s.gu, 0, ENTRIES * pairs * sizeof *s.gu);
    if (a->to_image) fill_images(l, rows, a->bias, a->to_image);
    for (size_t first = 0; first < rows; first += t.images) {
        for (size_t top = 0; top < t.down; top += t.lines) {
            block b = {.first = first, .images = least(t.images, rows - first), .top = top};
            b.lines = least(t.lines, t.down - top);
            b.row = b.images * t.across;
            b.tiles = b.lines * b.row;
            run_block(l, &t, &b, a, &s);
        }
    }
    if (a->gweight) add_weight_gradient(pairs, s.gu, a->scale, a->gweight);
}
