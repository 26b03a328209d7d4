#include "layers/winograd_internal.h"

#include "core/arena.h"
#include "core/blas.h"

#include <string.h>

/* ENTRIES: a transformed tile has 4 x 4 entries. BLOCK_BYTES: the transformed tiles of a block, of image and map,
 * should stay in a second-level cache of 1 MiB. FEWEST_TILES: fewer would make the products inefficient.
 * FEWEST_CHANNELS: with fewer, the products gain less than the transforms cost (measured). VECTOR: images from which
 * on the lanes of a block are images. */
enum { ENTRIES = 16, BLOCK_BYTES = 640 * 1024, FEWEST_TILES = 32, FEWEST_CHANNELS = 16, VECTOR = 8 };

/* How the map is cut: into down x across tiles of 2 x 2 pixels; a block has `lines` rows of tiles of `images` maps. */
typedef struct tiling {
    size_t down, across, images, lines;
} tiling;

static tiling tiling_of(const cst_lowering *l, size_t rows)
{
    tiling t = {.down = (l->oh + 1) / 2, .across = (l->ow + 1) / 2, .images = 1};
    size_t tiles = BLOCK_BYTES / sizeof(real) / ENTRIES / (l->image_channels + l->map_channels);
    if (tiles < FEWEST_TILES) tiles = FEWEST_TILES;
    /* Whole images if some fit, in whole vectors if there are enough of them. */
    const size_t whole = tiles / (t.down * t.across);
    if (rows >= VECTOR && tiles >= t.across * VECTOR)
        t.images = cst_size_min(whole > VECTOR ? whole / VECTOR * VECTOR : VECTOR, rows);
    else if (whole > 0)
        t.images = cst_size_min(whole, rows > 0 ? rows : 1);
    /* Otherwise strips of equal height, if possible. */
    const size_t row = t.images * t.across, lines = tiles > row ? tiles / row : 1;
    const size_t strips = (t.down + lines - 1) / lines;
    t.lines = (t.down + strips - 1) / strips;
    return t;
}

/* The block that begins at image `first` and tile row `top`; the last ones are smaller. */
static cst_winograd_block block_of(const tiling *t, size_t rows, size_t first, size_t top)
{
    cst_winograd_block b = {.first = first, .images = cst_size_min(t->images, rows - first), .top = top};
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

/* The work_layout of a run; work NULL: only the size is wanted. */
static cst_winograd_work_layout cut_work(const cst_lowering *l, const tiling *t, real *work)
{
    const size_t weights = cst_size_mul(ENTRIES, cst_size_mul(l->map_channels, l->image_channels));
    const size_t tiles = t->lines * t->images * t->across;
    cst_winograd_work_layout s = {0};
    s.u = cst_cut(work, &s.size, weights);
    s.gu = cst_cut(work, &s.size, weights);
    s.v = cst_cut(work, &s.size, cst_size_mul(ENTRIES, cst_winograd_step(l->image_channels, tiles)));
    s.m = cst_cut(work, &s.size, cst_size_mul(ENTRIES, cst_winograd_step(l->map_channels, tiles)));
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

/* to = G w for three numbers w, where G is (4, 3) with rows (1 0 0), (1 1 1)/2, (1 -1 1)/2, (0 0 1). */
static void expand(const real *w, size_t step, real *to, size_t to_step)
{
    const real sum = (real)0.5 * (w[0] + w[2 * step]), middle = (real)0.5 * w[step];
    to[0] = w[0];
    to[to_step] = sum + middle;
    to[2 * to_step] = sum - middle;
    to[3 * to_step] = w[2 * step];
}

/* The adjoint: to += scale G^T from, three numbers from four. */
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

/* forward: u = G w G^T, so gw += scale G^T gu G. */
static void add_weight_gradient(size_t pairs, const real *gu, real scale, real *gw)
{
    for (size_t i = 0; i < pairs; i++, gw += 9, gu++) {
        real t[12] = {0}; /* (4, 3) */
        for (size_t p = 0; p < 4; p++) contract(gu + 4 * p * pairs, pairs, 1, t + 3 * p, 1);
        for (size_t b = 0; b < 3; b++) contract(t + b, 3, scale, gw + b, 3);
    }
}

/* ---- the three maps ---------------------------------------------------------------------------------------------- */

/* The textbook loop for to_map, over all tiles of all images; * is entry by entry:
 *
 *   for (o = 0; o < M; o++)
 *       for (c = 0; c < C; c++) u[o][c] = G w[o][c] G^T;
 *   for each tile {
 *       for (c = 0; c < C; c++) v[c] = B^T (4 x 4 pixels of image channel c) B;
 *       for (o = 0; o < M; o++) {
 *           m[o] = 0;
 *           for (c = 0; c < C; c++) m[o] += u[o][c] * v[c];
 *           2 x 2 pixels of map channel o = bias[o] + A^T m[o] A;
 *       }
 *   }
 *
 * Here each entry of u, v and m is a matrix over channels and tiles, so that the two inner loops are 16 products of
 * matrices. */

/* Transform, multiply entry by entry, and transform back. */
static void run_block(const cst_lowering *l, const cst_winograd_block *b, const cst_lowered *a,
                      const cst_winograd_work_layout *s)
{
    const size_t c = l->image_channels, m = l->map_channels, n = b->tiles;
    const size_t v_step = cst_winograd_step(c, n), m_step = cst_winograd_step(m, n);
    if (a->to_map || a->gweight) cst_winograd_exchange(CST_WINOGRAD_TRANSFORM_IMAGE, l, b, a->image, NULL, s->v, s);
    if (a->to_image || a->gweight) cst_winograd_exchange(CST_WINOGRAD_WIDEN_MAP, l, b, a->map, NULL, s->m, s);
    for (size_t e = 0; e < ENTRIES; e++) {
        real *u = s->u + e * m * c, *gu = s->gu + e * m * c, *v = s->v + e * v_step, *w = s->m + e * m_step;
        /* gu <- gu + m v^T */
        if (a->gweight) cst_gemm(false, true, m, c, n, 1, w, n, v, n, 1, gu, c);
        /* m <- u v */
        if (a->to_map) cst_gemm(false, false, m, n, c, 1, u, c, v, n, 0, w, n);
        /* v <- u^T m */
        if (a->to_image) cst_gemm(true, false, c, n, m, 1, u, c, w, n, 0, v, n);
    }
    if (a->to_map) cst_winograd_exchange(CST_WINOGRAD_NARROW_MAP, l, b, NULL, a->to_map, s->m, s);
    if (a->to_image) cst_winograd_exchange(CST_WINOGRAD_ADD_IMAGE, l, b, NULL, a->to_image, s->v, s);
}

/* to (rows, channels, size) = bias (channels); NULL: 0 */
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
    const cst_winograd_work_layout s = cut_work(l, &t, work);
    const size_t pairs = l->map_channels * l->image_channels;
    if (a->to_map || a->to_image) transform_weights(pairs, a->weight, s.u);
    if (a->gweight) memset(s.gu, 0, ENTRIES * pairs * sizeof *s.gu);
    if (a->to_map) fill(rows, l->map_channels, l->oh * l->ow, a->bias, a->to_map);
    if (a->to_image) fill(rows, l->image_channels, l->h * l->w, a->bias, a->to_image);
    /* Blocks add their tiles to the bias. */
    for (size_t first = 0; first < rows; first += t.images) {
        for (size_t top = 0; top < t.down; top += t.lines) {
            const cst_winograd_block b = block_of(&t, rows, first, top);
            run_block(l, &b, a, &s);
        }
    }
    if (a->gweight) add_weight_gradient(pairs, s.gu, a->scale, a->gweight);
}
