#include "layers/im2col.h"

#include "core/arena.h"
#include "core/blas.h"
#include "core/shape.h"
#include "layers/winograd.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

/* A block's columns take at most so many bytes (of a second-level cache of 1 MiB, which holds the BLAS's packed
 * operands as well), and are at most so many and, where that allows, not fewer than a product needs to be efficient. */
enum { BLOCK_BYTES = 512 * 1024, MOST_COLUMNS = 512, FEWEST_COLUMNS = 64 };

/* Images first .. first + images - 1, rows top .. top + lines - 1 of their maps: `columns` pixels of the map. */
typedef struct block {
    size_t first, images, top, lines, columns;
} block;

/* A matrix whose rows are `stride` reals apart. */
typedef struct matrix {
    real *at;
    size_t stride;
} matrix;

static size_t taps(const cst_lowering *l)
{
    return l->kernel * l->kernel;
}

/* ---- geometry ------------------------------------------------------------------------------------------------ */

cst_status cst_lowering_check(const cst_lowering *l, cst_error *error)
{
    const size_t c = l->image_channels, m = l->map_channels;
    if (!c || !m || (!l->h && !l->oh) || (!l->w && !l->ow))
        return cst_fail(error, CST_ESHAPE,
                        "expected channels and pixels, got %zu and %zu channels of (%zu, %zu) pixels", c, m,
                        l->h + l->oh, l->w + l->ow);
    if (!l->kernel || !l->stride || !l->dilation || !l->groups)
        return cst_fail(error, CST_EARG,
                        "expected kernel, stride, dilation and groups of at least 1, got %zu, %zu, %zu and %zu",
                        l->kernel, l->stride, l->dilation, l->groups);
    if (c % l->groups || m % l->groups)
        return cst_fail(error, CST_ESHAPE, "%zu groups do not divide %zu and %zu channels", l->groups, c, m);
    return CST_OK;
}

/* The BLAS counts in int. With these bounds offsets fit into ptrdiff_t as well. */
static cst_status check_sizes(const cst_lowering *l, cst_error *error)
{
    const size_t patch = cst_size_mul(l->image_channels, cst_size_mul(l->kernel, l->kernel));
    const size_t image = cst_size_mul(l->image_channels, cst_size_mul(l->h, l->w));
    const size_t map = cst_size_mul(l->map_channels, cst_size_mul(l->oh, l->ow));
    const size_t reach =
        cst_size_add(cst_size_mul(l->dilation, l->kernel), cst_size_mul(l->stride, cst_size_add(l->oh, l->ow)));
    if (patch > INT_MAX || image > INT_MAX || map > INT_MAX || reach > INT_MAX || l->padding > INT_MAX)
        return cst_fail(error, CST_ESHAPE,
                        "a convolution between (%zu, %zu, %zu) and (%zu, %zu, %zu) with a kernel of %zu is too large",
                        l->image_channels, l->h, l->w, l->map_channels, l->oh, l->ow, l->kernel);
    return CST_OK;
}

static void choose_blocks(cst_lowering *l)
{
    const size_t patch = l->image_channels * taps(l), pixels = l->oh * l->ow;
    size_t columns = cst_size_min(BLOCK_BYTES / sizeof(real) / patch, MOST_COLUMNS);
    if (columns < FEWEST_COLUMNS) columns = FEWEST_COLUMNS;
    l->images = columns / pixels;
    l->lines = l->oh;
    if (l->images > 0) return;
    /* Strips of one image, of equal height if possible. */
    const size_t lines = columns > l->ow ? columns / l->ow : 1, strips = (l->oh + lines - 1) / lines;
    l->images = 1;
    l->lines = (l->oh + strips - 1) / strips;
}

cst_status cst_lowering_init(cst_lowering *l, cst_error *error)
{
    CST_TRY(check_sizes(l, error));
    l->direct = l->kernel == 1 && l->stride == 1 && l->padding == 0 && l->oh == l->h && l->ow == l->w;
    l->shifted = !l->direct && l->stride == 1 && l->oh == l->h && l->ow == l->w &&
                 2 * l->padding == l->dilation * (l->kernel - 1) && l->padding <= l->h && l->padding <= l->w;
    choose_blocks(l);
    return CST_OK;
}

cst_shape cst_lowering_weight(const cst_lowering *l)
{
    return cst_shape_4d(l->map_channels, l->image_channels / l->groups, l->kernel, l->kernel);
}

double cst_lowering_cost(const cst_lowering *l)
{
    return 2.0 * (double)(l->map_channels * l->oh * l->ow) * (double)(l->image_channels / l->groups * taps(l));
}

/* ---- planes of a block ----------------------------------------------------------------------------------------- */

static void copy(real *restrict to, const real *restrict from, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static void fill(real *to, real value, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = value;
}

/* A block's part of x (rows, channels, pixels) as (channels, columns): a view where that is possible, otherwise a copy
 * in `buffer` with the images side by side. Views are only read, or written by who made the block's part. */
static matrix take(const block *b, size_t channels, size_t pixels, size_t width, const real *x, real *buffer)
{
    const real *from = x + b->first * channels * pixels;
    matrix view = {.at = buffer, .stride = b->columns};
    if (b->images == 1) {
        from += b->top * width;
        memcpy(&view.at, &from, sizeof view.at);
        view.stride = pixels;
        return view;
    }
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < b->images; i++)
            copy(buffer + c * b->columns + i * pixels, from + (i * channels + c) * pixels, pixels);
    return view;
}

/* The opposite, from side by side to x, plus bias. */
static void give(const block *b, size_t channels, size_t pixels, const real *bias, const real *buffer, real *x)
{
    x += b->first * channels * pixels;
    for (size_t i = 0; i < b->images; i++) {
        for (size_t c = 0; c < channels; c++, x += pixels) {
            const real *restrict from = buffer + c * b->columns + i * pixels;
            const real add = bias ? bias[c] : 0;
            real *restrict to = x;
#pragma omp simd
            for (size_t j = 0; j < pixels; j++) to[j] = from[j] + add;
        }
    }
}

/* Every pixel of the block's images = bias. */
static void fill_with_bias(const block *b, size_t channels, size_t pixels, const real *bias, real *x)
{
    x += b->first * channels * pixels;
    for (size_t i = 0; i < b->images; i++)
        for (size_t c = 0; c < channels; c++, x += pixels) fill(x, bias ? bias[c] : 0, pixels);
}

/* ---- shifted planes -------------------------------------------------------------------------------------------- */

/* Where stride is 1 and image and map have the same size, entry p of row (c, a, b) of the columns is pixel p + shift of
 * plane c, or 0 if that lies outside of the image, as a mask tells: rows of columns are long copies, whatever the
 * image's width. The mask of tap (a, b) is (columns), 1 or 0, with a margin of zeros on both sides. */
static ptrdiff_t shift_of(const cst_lowering *l, size_t a, size_t b)
{
    const ptrdiff_t padding = (ptrdiff_t)l->padding;
    return ((ptrdiff_t)(a * l->dilation) - padding) * (ptrdiff_t)l->w + (ptrdiff_t)(b * l->dilation) - padding;
}

/* Twice the farthest that a shift reaches (into the columns' neighbours or out of them): adding columns visits pixels
 * that far outside of a strip and looks back as far again. */
static size_t margin_of(const cst_lowering *l)
{
    return l->shifted ? 2 * (l->padding * l->w + l->padding) : 0;
}

static size_t mask_size(const cst_lowering *l, size_t columns)
{
    return columns + 2 * margin_of(l);
}

/* Is position i + a dilation - padding one of 0 .. size - 1? */
static bool inside(const cst_lowering *l, size_t i, size_t a, size_t size)
{
    const size_t at = i * l->stride + a * l->dilation;
    return at >= l->padding && at - l->padding < size;
}

static void make_masks(const cst_lowering *l, const block *b, real *masks)
{
    const size_t size = mask_size(l, b->columns), margin = margin_of(l);
    for (size_t tap = 0; tap < taps(l); tap++, masks += size) {
        const size_t ka = tap / l->kernel, kb = tap % l->kernel;
        real *at = masks + margin;
        fill(masks, 0, size);
        for (size_t i = 0; i < b->images; i++)
            for (size_t y = b->top; y < b->top + b->lines; y++, at += l->w)
                for (size_t x = 0; x < l->w; x++) at[x] = inside(l, y, ka, l->h) && inside(l, x, kb, l->w);
    }
}

/* to[p] = plane[p + shift] under the mask, p < n, where plane has entries low .. high - 1. */
static void shift_plane(const real *restrict plane, ptrdiff_t low, ptrdiff_t high, ptrdiff_t shift, size_t n,
                        const real *restrict mask, real *restrict to)
{
    ptrdiff_t begin = low - shift, end = high - shift;
    if (begin < 0) begin = 0;
    if (end > (ptrdiff_t)n) end = (ptrdiff_t)n;
    if (end < begin) end = begin = 0;
    const real *from = plane + shift;
    fill(to, 0, (size_t)begin);
    /* The read is unconditional, so that it can be vectorized everywhere, and the product would not do: 0 x inf. */
#pragma omp simd
    for (ptrdiff_t p = begin; p < end; p++) {
        const real value = from[p];
        to[p] = mask[p] != 0 ? value : 0;
    }
    fill(to + end, 0, n - (size_t)end);
}

static void shift_columns(const cst_lowering *l, const block *b, const real *image, const real *masks, real *planes,
                          real *columns)
{
    const size_t pixels = l->h * l->w, n = b->columns, size = mask_size(l, n);
    const matrix x = take(b, l->image_channels, pixels, l->w, image, planes);
    /* A strip's plane begins at its first line: there are pixels before and after. Side by side there is something to
     * read around every plane. */
    const size_t before = b->images == 1 ? b->top * l->w : margin_of(l),
                 whole = b->images == 1 ? pixels : n + 2 * before;
    for (size_t c = 0; c < l->image_channels; c++) {
        for (size_t tap = 0; tap < taps(l); tap++, columns += n)
            shift_plane(x.at + c * x.stride, -(ptrdiff_t)before, (ptrdiff_t)(whole - before),
                        shift_of(l, tap / l->kernel, tap % l->kernel), n, masks + tap * size + margin_of(l), columns);
    }
}

static void add_masked(size_t n, const real *restrict from, const real *restrict mask, real *restrict sum)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real value = from[i];
        sum[i] += mask[i] != 0 ? value : 0;
    }
}

/* Three neighbours, so that a kernel of 3 reads and writes the sum a third as often. */
static void add_masked_3(size_t n, const real *restrict from_0, const real *restrict from_1,
                         const real *restrict from_2, const real *restrict mask_0, const real *restrict mask_1,
                         const real *restrict mask_2, real *restrict sum)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real value_0 = from_0[i], value_1 = from_1[i], value_2 = from_2[i];
        const real left = mask_0[i] != 0 ? value_0 : 0, middle = mask_1[i] != 0 ? value_1 : 0;
        const real right = mask_2[i] != 0 ? value_2 : 0;
        sum[i] += (left + middle) + right;
    }
}

/* sum[i] += all taps' columns at i - shift, begin <= i < end. Taps are added at the same i: a sum that began elsewhere
 * for each tap would wait for the stores of the tap before. */
static void add_taps(const cst_lowering *l, size_t n, const real *columns, const real *masks, ptrdiff_t begin,
                     ptrdiff_t end, real *sum)
{
    const size_t size = mask_size(l, n), count = (size_t)(end - begin), step = l->kernel == 3 ? 3 : 1;
    masks += margin_of(l);
    for (size_t tap = 0; tap < taps(l); tap += step) {
        const ptrdiff_t at = begin - shift_of(l, tap / l->kernel, tap % l->kernel), next = (ptrdiff_t)l->dilation;
        const real *from = columns + tap * n + at, *mask = masks + tap * size + at;
        if (step == 3)
            add_masked_3(count, from, from + n - next, from + 2 * n - 2 * next, mask, mask + size - next,
                         mask + 2 * size - 2 * next, sum + begin);
        else
            add_masked(count, from, mask, sum + begin);
    }
}

/* Adjoint of shift_columns. Whole images are summed side by side and overwrite; a strip adds to its image. */
static void add_shifted(const cst_lowering *l, const block *b, const real *columns, const real *masks, const real *bias,
                        real *sum, real *image)
{
    const size_t pixels = l->h * l->w, n = b->columns, reach = margin_of(l) / 2;
    image += b->first * l->image_channels * pixels;
    for (size_t c = 0; c < l->image_channels; c++, columns += taps(l) * n) {
        if (b->images == 1) {
            const size_t before = b->top * l->w;
            add_taps(l, n, columns, masks, -(ptrdiff_t)cst_size_min(reach, before),
                     (ptrdiff_t)cst_size_min(n + reach, pixels - before), image + c * pixels + before);
            continue;
        }
        fill(sum, bias ? bias[c] : 0, n);
        add_taps(l, n, columns, masks, 0, (ptrdiff_t)n, sum);
        for (size_t i = 0; i < b->images; i++)
            copy(image + (i * l->image_channels + c) * pixels, sum + i * pixels, pixels);
    }
}

/* ---- any geometry ---------------------------------------------------------------------------------------------- */

/* Pixels first .. end - 1 of a row of the map see the image through tap b; pixel i sees its row's pixel i stride + b
 * dilation - padding. */
typedef struct range {
    size_t first, end;
} range;

static range seeing(const cst_lowering *l, size_t b, size_t count, size_t size)
{
    const size_t offset = b * l->dilation, limit = size + l->padding;
    const size_t first = offset < l->padding ? (l->padding - offset + l->stride - 1) / l->stride : 0;
    const size_t end = limit > offset ? cst_size_min((limit - offset - 1) / l->stride + 1, count) : 0;
    return (range){cst_size_min(first, end), end};
}

/* Row (c, a, b) of the columns, or its adjoint into the plane: `add`. */
static void plane_columns(const cst_lowering *l, const block *b, size_t tap, const real *restrict plane,
                          real *restrict to)
{
    const size_t ka = tap / l->kernel, kb = tap % l->kernel, stride = l->stride;
    const range r = seeing(l, kb, l->ow, l->w);
    for (size_t y = b->top; y < b->top + b->lines; y++, to += l->ow) {
        if (!inside(l, y, ka, l->h)) {
            fill(to, 0, l->ow);
            continue;
        }
        const real *restrict from = plane + (y * stride + ka * l->dilation - l->padding) * l->w + kb * l->dilation;
        fill(to, 0, r.first);
        if (stride == 1) {
            copy(to + r.first, from + r.first - l->padding, r.end - r.first);
        } else {
#pragma omp simd
            for (size_t x = r.first; x < r.end; x++) to[x] = from[x * stride - l->padding];
        }
        fill(to + r.end, 0, l->ow - r.end);
    }
}

static void add_plane(const cst_lowering *l, const block *b, size_t tap, const real *restrict from,
                      real *restrict plane)
{
    const size_t ka = tap / l->kernel, kb = tap % l->kernel, stride = l->stride;
    const range r = seeing(l, kb, l->ow, l->w);
    for (size_t y = b->top; y < b->top + b->lines; y++, from += l->ow) {
        if (!inside(l, y, ka, l->h)) continue;
        real *restrict to = plane + (y * stride + ka * l->dilation - l->padding) * l->w + kb * l->dilation;
#pragma omp simd
        for (size_t x = r.first; x < r.end; x++) to[x * stride - l->padding] += from[x];
    }
}

static void any_columns(const cst_lowering *l, const block *b, const real *image, real *columns)
{
    const size_t pixels = l->h * l->w, strip = b->lines * l->ow;
    image += b->first * l->image_channels * pixels;
    for (size_t c = 0; c < l->image_channels; c++)
        for (size_t tap = 0; tap < taps(l); tap++, columns += b->columns)
            for (size_t i = 0; i < b->images; i++)
                plane_columns(l, b, tap, image + (i * l->image_channels + c) * pixels, columns + i * strip);
}

static void add_any(const cst_lowering *l, const block *b, const real *columns, real *image)
{
    const size_t pixels = l->h * l->w, strip = b->lines * l->ow;
    image += b->first * l->image_channels * pixels;
    for (size_t c = 0; c < l->image_channels; c++)
        for (size_t tap = 0; tap < taps(l); tap++, columns += b->columns)
            for (size_t i = 0; i < b->images; i++)
                add_plane(l, b, tap, columns + i * strip, image + (i * l->image_channels + c) * pixels);
}

/* ---- products -------------------------------------------------------------------------------------------------- */

/* work = [margin | columns (C kernel^2, columns) | margin | masks | planes of the images (C, columns) | map (M, columns)],
 * the last two where there are several images in a block. */
typedef struct scratch {
    real *columns, *masks, *planes, *map;
    size_t size;
} scratch;

static scratch cut_work(const cst_lowering *l, size_t rows, real *work)
{
    const size_t images = cst_size_min(l->images, rows), columns = images * l->lines * l->ow;
    const size_t margin = cst_size_align(margin_of(l)), side_by_side = images > 1 ? columns : 0;
    scratch s = {.size = margin};
    s.columns = cst_cut(work, &s.size, cst_size_add(cst_size_mul(l->image_channels * taps(l), columns), margin));
    s.masks = cst_cut(work, &s.size, l->shifted ? cst_size_mul(taps(l), mask_size(l, columns)) : 0);
    s.size = cst_size_add(s.size, margin);
    s.planes = cst_cut(work, &s.size, cst_size_add(cst_size_mul(l->image_channels, side_by_side), margin));
    s.map = cst_cut(work, &s.size, cst_size_mul(l->map_channels, side_by_side));
    return s;
}

size_t cst_lowering_work(const cst_lowering *l, size_t rows)
{
    return cst_winograd_suits(l) ? cst_winograd_work(l, rows) : cut_work(l, rows, NULL).size;
}

static matrix make_columns(const cst_lowering *l, const block *b, const real *image, const scratch *s)
{
    if (l->direct) return take(b, l->image_channels, l->h * l->w, l->w, image, s->columns);
    if (l->shifted)
        shift_columns(l, b, image, s->masks, s->planes, s->columns);
    else
        any_columns(l, b, image, s->columns);
    return (matrix){s->columns, b->columns};
}

/* to_map = W columns + bias */
static void make_map(const cst_lowering *l, const block *b, const cst_lowered *a, const matrix *columns,
                     const scratch *s)
{
    const size_t m = l->map_channels / l->groups, patch = l->image_channels / l->groups * taps(l),
                 pixels = l->oh * l->ow;
    const bool view = b->images == 1;
    matrix map = {s->map, b->columns};
    if (view) {
        map = (matrix){a->to_map + b->first * l->map_channels * pixels + b->top * l->ow, pixels};
        for (size_t c = 0; a->bias && c < l->map_channels; c++) fill(map.at + c * pixels, a->bias[c], b->columns);
    }
    for (size_t g = 0; g < l->groups; g++)
        cst_gemm(false, false, m, b->columns, patch, 1, a->weight + g * m * patch, patch,
                 columns->at + g * patch * columns->stride, columns->stride, view && a->bias ? 1 : 0,
                 map.at + g * m * map.stride, map.stride);
    if (!view) give(b, l->map_channels, pixels, a->bias, map.at, a->to_map);
}

/* gW += scale map columns^T */
static void add_weight_gradient(const cst_lowering *l, const block *b, const cst_lowered *a, const matrix *map,
                                const matrix *columns)
{
    const size_t m = l->map_channels / l->groups, patch = l->image_channels / l->groups * taps(l);
    for (size_t g = 0; g < l->groups; g++)
        cst_gemm(false, true, m, patch, b->columns, a->scale, map->at + g * m * map->stride, map->stride,
                 columns->at + g * patch * columns->stride, columns->stride, 1, a->gweight + g * m * patch, patch);
}

/* to_image = columns^T(W^T map) + bias */
static void make_image(const cst_lowering *l, const block *b, const cst_lowered *a, const matrix *map, const scratch *s)
{
    const size_t m = l->map_channels / l->groups, patch = l->image_channels / l->groups * taps(l), pixels = l->h * l->w;
    const bool in_place = l->direct && b->images == 1, overwrites = b->images > 1 && (l->direct || l->shifted);
    matrix columns = {s->columns, b->columns};
    if (in_place) columns = (matrix){a->to_image + b->first * l->image_channels * pixels + b->top * l->w, pixels};
    if (!overwrites && b->top == 0) fill_with_bias(b, l->image_channels, pixels, a->bias, a->to_image);
    for (size_t g = 0; g < l->groups; g++)
        cst_gemm(true, false, patch, b->columns, m, 1, a->weight + g * m * patch, patch, map->at + g * m * map->stride,
                 map->stride, in_place ? 1 : 0, columns.at + g * patch * columns.stride, columns.stride);
    if (in_place) return;
    if (l->direct)
        give(b, l->image_channels, pixels, a->bias, columns.at, a->to_image);
    else if (l->shifted)
        add_shifted(l, b, columns.at, s->masks, a->bias, s->planes, a->to_image);
    else
        add_any(l, b, columns.at, a->to_image);
}

static void run_block(const cst_lowering *l, const block *b, const cst_lowered *a, const scratch *s)
{
    matrix columns = {0}, map = {0};
    if (a->gweight || a->to_map) columns = make_columns(l, b, a->image, s);
    if (a->gweight || a->to_image) map = take(b, l->map_channels, l->oh * l->ow, l->ow, a->map, s->map);
    /* Last what overwrites the columns or the map. */
    if (a->gweight) add_weight_gradient(l, b, a, &map, &columns);
    if (a->to_map) make_map(l, b, a, &columns, s);
    if (a->to_image) make_image(l, b, a, &map, s);
}

void cst_lowering_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work)
{
    if (cst_winograd_suits(l)) {
        cst_winograd_run(l, rows, a, work);
        return;
    }
    const scratch s = cut_work(l, rows, work);
    block masked = {0}; /* the masks are this block's */
    for (size_t first = 0; first < rows; first += l->images) {
        for (size_t top = 0; top < l->oh; top += l->lines) {
            block b = {.first = first, .images = cst_size_min(l->images, rows - first), .top = top};
            b.lines = cst_size_min(l->lines, l->oh - top);
            b.columns = b.images * b.lines * l->ow;
            if (l->shifted && (b.columns != masked.columns || b.top != masked.top)) {
                make_masks(l, &b, s.masks);
                masked = b;
            }
            run_block(l, &b, a, &s);
        }
    }
}
