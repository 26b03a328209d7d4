#include "layers/im2col_internal.h"

#include <string.h>

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

cst_lowering_matrix cst_lowering_take(const cst_lowering_block *b, size_t channels, size_t pixels, size_t width,
                                      const real *x, real *buffer)
{
    const real *from = x + b->first * channels * pixels;
    /* One image: a view that begins at the strip's first row. */
    cst_lowering_matrix view = {.at = buffer, .stride = b->columns};
    if (b->images == 1) {
        from += b->top * width;
        memcpy(&view.at, &from, sizeof view.at);
        view.stride = pixels;
        return view;
    }
    /* Several images: their planes side by side. */
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < b->images; i++)
            copy(buffer + c * b->columns + i * pixels, from + (i * channels + c) * pixels, pixels);
    return view;
}

void cst_lowering_give(const cst_lowering_block *b, size_t channels, size_t pixels, const real *bias,
                       const real *buffer, real *x)
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

/* ---- shifted planes -------------------------------------------------------------------------------------------- */

/* If the stride is 1 and image and map have the same size, pixel p of the map sees pixel p + shift of the image
 * through tap (a, b), where shift depends on the tap alone. Row (c, a, b) of the columns is then plane c, shifted:
 *
 *   for (p = 0; p < pixels; p++) columns[c][a][b][p] = inside(p, a, b) ? plane[c][p + shift(a, b)] : 0;
 *
 * That is one long copy, whatever the width of the image. inside() says whether the pixel lies in the image and not
 * in the padding. It is stored as a mask per tap, (columns) ones or zeros with a margin of zeros on both sides. */
static ptrdiff_t shift_of(const cst_lowering *l, size_t a, size_t b)
{
    const ptrdiff_t padding = (ptrdiff_t)l->padding;
    return ((ptrdiff_t)(a * l->dilation) - padding) * (ptrdiff_t)l->w + (ptrdiff_t)(b * l->dilation) - padding;
}

/* Twice the largest shift. Adding columns visits pixels that far outside of a strip, and from there looks back as
 * far again. */
size_t cst_lowering_margin(const cst_lowering *l)
{
    return l->shifted ? 2 * (l->padding * l->w + l->padding) : 0;
}

size_t cst_lowering_mask_size(const cst_lowering *l, size_t columns)
{
    return columns + 2 * cst_lowering_margin(l);
}

/* Whether pixel i of the map sees a pixel 0 .. size - 1 of the image through tap a, along one side. */
static bool inside(const cst_lowering *l, size_t i, size_t a, size_t size)
{
    const size_t at = i * l->stride + a * l->dilation;
    return at >= l->padding && at - l->padding < size;
}

void cst_lowering_make_masks(const cst_lowering *l, const cst_lowering_block *b, real *masks)
{
    const size_t size = cst_lowering_mask_size(l, b->columns), margin = cst_lowering_margin(l);
    for (size_t tap = 0; tap < cst_lowering_taps(l); tap++, masks += size) {
        const size_t ka = tap / l->kernel, kb = tap % l->kernel;
        real *at = masks + margin;
        fill(masks, 0, size);
        for (size_t i = 0; i < b->images; i++)
            for (size_t y = b->top; y < b->top + b->lines; y++, at += l->w)
                for (size_t x = 0; x < l->w; x++) at[x] = inside(l, y, ka, l->h) && inside(l, x, kb, l->w);
    }
}

/* to[p] = mask[p] ? plane[p + shift] : 0 for p < n. Only plane[low] .. plane[high - 1] may be read. */
static void shift_plane(const real *restrict plane, ptrdiff_t low, ptrdiff_t high, ptrdiff_t shift, size_t n,
                        const real *restrict mask, real *restrict to)
{
    /* p from begin to end - 1 reads what may be read; the mask is 0 for the others. */
    ptrdiff_t begin = low - shift, end = high - shift;
    if (begin < 0) begin = 0;
    if (end > (ptrdiff_t)n) end = (ptrdiff_t)n;
    if (end < begin) end = begin = 0;
    const real *from = plane + shift;
    fill(to, 0, (size_t)begin);
    /* The read is unconditional, so that it can be vectorized on every processor. mask * value would not do: 0 * inf
     * is NaN. */
#pragma omp simd
    for (ptrdiff_t p = begin; p < end; p++) {
        const real value = from[p];
        to[p] = mask[p] != 0 ? value : 0;
    }
    fill(to + end, 0, n - (size_t)end);
}

/* All columns of the block. */
static void shift_columns(const cst_lowering *l, const cst_lowering_block *b, const real *image, const real *masks,
                          real *planes, real *columns)
{
    const size_t pixels = l->h * l->w, n = b->columns, size = cst_lowering_mask_size(l, n);
    const cst_lowering_matrix x = cst_lowering_take(b, l->image_channels, pixels, l->w, image, planes);
    /* What may be read around plane c: for a strip the rest of its image, for images side by side the margins. */
    const size_t before = b->images == 1 ? b->top * l->w : cst_lowering_margin(l),
                 whole = b->images == 1 ? pixels : n + 2 * before;
    for (size_t c = 0; c < l->image_channels; c++) {
        for (size_t tap = 0; tap < cst_lowering_taps(l); tap++, columns += n)
            shift_plane(x.at + c * x.stride, -(ptrdiff_t)before, (ptrdiff_t)(whole - before),
                        shift_of(l, tap / l->kernel, tap % l->kernel), n, masks + tap * size + cst_lowering_margin(l),
                        columns);
    }
}

/* sum[i] += mask[i] ? from[i] : 0 */
static void add_masked(size_t n, const real *restrict from, const real *restrict mask, real *restrict sum)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real value = from[i];
        sum[i] += mask[i] != 0 ? value : 0;
    }
}

/* The same for three neighbouring taps at once: a kernel of 3 then reads and writes the sum a third as often. */
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

/* The adjoint of the shifted copies, for one plane: for every tap, sum[i] += mask[i - shift] ? columns[i - shift] :
 * 0, where begin <= i < end. Every tap begins at the same i. If each began at its own, its loads would wait for the
 * stores of the tap before. */
static void add_taps(const cst_lowering *l, size_t n, const real *columns, const real *masks, ptrdiff_t begin,
                     ptrdiff_t end, real *sum)
{
    const size_t size = cst_lowering_mask_size(l, n), count = (size_t)(end - begin), step = l->kernel == 3 ? 3 : 1;
    masks += cst_lowering_margin(l);
    for (size_t tap = 0; tap < cst_lowering_taps(l); tap += step) {
        const ptrdiff_t at = begin - shift_of(l, tap / l->kernel, tap % l->kernel), next = (ptrdiff_t)l->dilation;
        const real *from = columns + tap * n + at, *mask = masks + tap * size + at;
        if (step == 3)
            add_masked_3(count, from, from + n - next, from + 2 * n - 2 * next, mask, mask + size - next,
                         mask + 2 * size - 2 * next, sum + begin);
        else
            add_masked(count, from, mask, sum + begin);
    }
}

/* The adjoint of shift_columns. Whole images are summed side by side and then overwrite `image`; a strip adds to it. */
static void add_shifted(const cst_lowering *l, const cst_lowering_block *b, const real *columns, const real *masks,
                        const real *bias, real *sum, real *image)
{
    const size_t pixels = l->h * l->w, n = b->columns, reach = cst_lowering_margin(l) / 2;
    image += b->first * l->image_channels * pixels;
    for (size_t c = 0; c < l->image_channels; c++, columns += cst_lowering_taps(l) * n) {
        if (b->images == 1) {
            /* Pixels above and below the strip get a share too, as far as a shift reaches. */
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

/* The textbook loop for one image, with image = 0 in the padding:
 *
 *   for (c = 0; c < C; c++)
 *       for (a = 0; a < kernel; a++)
 *           for (b = 0; b < kernel; b++)
 *               for (i = 0; i < OH; i++)
 *                   for (j = 0; j < OW; j++)
 *                       columns[c][a][b][i][j] = image[c][i * stride + a * dilation - padding]
 *                                                        [j * stride + b * dilation - padding];
 *
 * Below, the innermost loop runs over those j only that see the image, and zeros are filled in on both sides. */

/* Pixels first .. end - 1 along a row of the map. */
typedef struct range {
    size_t first, end;
} range;

/* The pixels, of `count`, that see one of `size` pixels of the image through tap b. */
static range seeing(const cst_lowering *l, size_t b, size_t count, size_t size)
{
    const size_t offset = b * l->dilation, limit = size + l->padding;
    const size_t first = offset < l->padding ? (l->padding - offset + l->stride - 1) / l->stride : 0;
    const size_t end = limit > offset ? cst_size_min((limit - offset - 1) / l->stride + 1, count) : 0;
    return (range){cst_size_min(first, end), end};
}

/* to = row (c, a, b) of the columns, from plane c of one image. */
static void plane_columns(const cst_lowering *l, const cst_lowering_block *b, size_t tap, const real *restrict plane,
                          real *restrict to)
{
    const size_t ka = tap / l->kernel, kb = tap % l->kernel, stride = l->stride;
    const range r = seeing(l, kb, l->ow, l->w);
    for (size_t y = b->top; y < b->top + b->lines; y++, to += l->ow) {
        /* The tap's row of the image may lie in the padding. */
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

/* The adjoint: plane += row (c, a, b) of the columns. */
static void add_plane(const cst_lowering *l, const cst_lowering_block *b, size_t tap, const real *restrict from,
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

/* All columns of the block. */
static void any_columns(const cst_lowering *l, const cst_lowering_block *b, const real *image, real *columns)
{
    const size_t pixels = l->h * l->w, strip = b->lines * l->ow;
    image += b->first * l->image_channels * pixels;
    for (size_t c = 0; c < l->image_channels; c++)
        for (size_t tap = 0; tap < cst_lowering_taps(l); tap++, columns += b->columns)
            for (size_t i = 0; i < b->images; i++)
                plane_columns(l, b, tap, image + (i * l->image_channels + c) * pixels, columns + i * strip);
}

/* The adjoint: image += columns^T. */
static void add_any(const cst_lowering *l, const cst_lowering_block *b, const real *columns, real *image)
{
    const size_t pixels = l->h * l->w, strip = b->lines * l->ow;
    image += b->first * l->image_channels * pixels;
    for (size_t c = 0; c < l->image_channels; c++)
        for (size_t tap = 0; tap < cst_lowering_taps(l); tap++, columns += b->columns)
            for (size_t i = 0; i < b->images; i++)
                add_plane(l, b, tap, columns + i * strip, image + (i * l->image_channels + c) * pixels);
}

/* ---- all geometries ---------------------------------------------------------------------------------------------- */

cst_lowering_matrix cst_lowering_columns(const cst_lowering *l, const cst_lowering_block *b, const real *image,
                                         const cst_lowering_work_layout *s)
{
    if (l->direct) return cst_lowering_take(b, l->image_channels, l->h * l->w, l->w, image, s->columns);
    if (l->shifted)
        shift_columns(l, b, image, s->masks, s->planes, s->columns);
    else
        any_columns(l, b, image, s->columns);
    return (cst_lowering_matrix){s->columns, b->columns};
}

void cst_lowering_add_columns(const cst_lowering *l, const cst_lowering_block *b, const real *bias,
                              const cst_lowering_work_layout *s, real *image)
{
    if (l->shifted)
        add_shifted(l, b, s->columns, s->masks, bias, s->planes, image);
    else
        add_any(l, b, s->columns, image);
}
