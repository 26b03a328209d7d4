#include "layers/im2col_internal.h"

#include "core/arena.h"
#include "core/blas.h"
#include "layers/winograd.h"

#include <limits.h>
#include <stdint.h>

/* The columns of a block take at most BLOCK_BYTES (of a second-level cache of 1 MiB, which also holds OpenBLAS's
 * packed operands) and at most MOST_COLUMNS columns. If that leaves fewer than FEWEST_COLUMNS, there are so many
 * nevertheless: fewer would make the products inefficient. */
enum { BLOCK_BYTES = 512 * 1024, MOST_COLUMNS = 512, FEWEST_COLUMNS = 64 };

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

/* OpenBLAS counts in int. With these bounds offsets fit into ptrdiff_t as well. */
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

/* As many whole images as a block may hold, or strips of one image. */
static void choose_blocks(cst_lowering *l)
{
    const size_t patch = l->image_channels * cst_lowering_taps(l), pixels = l->oh * l->ow;
    size_t columns = cst_size_min(BLOCK_BYTES / sizeof(real) / patch, MOST_COLUMNS);
    if (columns < FEWEST_COLUMNS) columns = FEWEST_COLUMNS;
    l->images = columns / pixels;
    l->lines = l->oh;
    if (l->images > 0) return;
    /* Not even one: strips of one image, of equal height if possible. */
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
    return 2.0 * (double)(l->map_channels * l->oh * l->ow) *
           (double)(l->image_channels / l->groups * cst_lowering_taps(l));
}

/* ---- products -------------------------------------------------------------------------------------------------- */

/* work_layout = [margin | columns | margin | masks | margin | planes | margin | map]; the last two are empty if a
 * block is one image. work NULL: only the size is wanted. */
static cst_lowering_work_layout cut_work(const cst_lowering *l, size_t rows, real *work)
{
    const size_t images = cst_size_min(l->images, rows), columns = images * l->lines * l->ow;
    const size_t margin = cst_size_align(cst_lowering_margin(l)), side_by_side = images > 1 ? columns : 0;
    cst_lowering_work_layout s = {.size = margin};
    s.columns =
        cst_cut(work, &s.size, cst_size_add(cst_size_mul(l->image_channels * cst_lowering_taps(l), columns), margin));
    s.masks =
        cst_cut(work, &s.size, l->shifted ? cst_size_mul(cst_lowering_taps(l), cst_lowering_mask_size(l, columns)) : 0);
    s.size = cst_size_add(s.size, margin);
    s.planes = cst_cut(work, &s.size, cst_size_add(cst_size_mul(l->image_channels, side_by_side), margin));
    s.map = cst_cut(work, &s.size, cst_size_mul(l->map_channels, side_by_side));
    return s;
}

size_t cst_lowering_work(const cst_lowering *l, size_t rows)
{
    return cst_winograd_suits(l) ? cst_winograd_work(l, rows) : cut_work(l, rows, NULL).size;
}

static void fill(real *to, real value, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = value;
}

/* Every pixel of the block's images = bias; NULL: 0. */
static void fill_with_bias(const cst_lowering_block *b, size_t channels, size_t pixels, const real *bias, real *x)
{
    x += b->first * channels * pixels;
    for (size_t i = 0; i < b->images; i++)
        for (size_t c = 0; c < channels; c++, x += pixels) fill(x, bias ? bias[c] : 0, pixels);
}

/* to_map = W columns(image) + bias for the block */
static void make_map(const cst_lowering *l, const cst_lowering_block *b, const cst_lowered *a,
                     const cst_lowering_matrix *columns, const cst_lowering_work_layout *s)
{
    const size_t m = l->map_channels / l->groups, patch = l->image_channels / l->groups * cst_lowering_taps(l),
                 pixels = l->oh * l->ow;
    const bool view = b->images == 1;
    /* One image: the product goes to its place and adds to the bias. Several: it goes to s->map first. */
    cst_lowering_matrix map = {s->map, b->columns};
    if (view) {
        map = (cst_lowering_matrix){a->to_map + b->first * l->map_channels * pixels + b->top * l->ow, pixels};
        for (size_t c = 0; a->bias && c < l->map_channels; c++) fill(map.at + c * pixels, a->bias[c], b->columns);
    }
    /* map <- W columns (+ map), group by group */
    for (size_t g = 0; g < l->groups; g++)
        cst_gemm(false, false, m, b->columns, patch, 1, a->weight + g * m * patch, patch,
                 columns->at + g * patch * columns->stride, columns->stride, view && a->bias ? 1 : 0,
                 map.at + g * m * map.stride, map.stride);
    if (!view) cst_lowering_give(b, l->map_channels, pixels, a->bias, map.at, a->to_map);
}

/* forward: map = W columns, so gW += scale map columns^T, where map is its cotangent. */
static void add_weight_gradient(const cst_lowering *l, const cst_lowering_block *b, const cst_lowered *a,
                                const cst_lowering_matrix *map, const cst_lowering_matrix *columns)
{
    const size_t m = l->map_channels / l->groups, patch = l->image_channels / l->groups * cst_lowering_taps(l);
    /* gW <- gW + scale map columns^T, group by group */
    for (size_t g = 0; g < l->groups; g++)
        cst_gemm(false, true, m, patch, b->columns, a->scale, map->at + g * m * map->stride, map->stride,
                 columns->at + g * patch * columns->stride, columns->stride, 1, a->gweight + g * m * patch, patch);
}

/* to_image = columns^T(W^T map) + bias for the block */
static void make_image(const cst_lowering *l, const cst_lowering_block *b, const cst_lowered *a,
                       const cst_lowering_matrix *map, const cst_lowering_work_layout *s)
{
    const size_t m = l->map_channels / l->groups, patch = l->image_channels / l->groups * cst_lowering_taps(l),
                 pixels = l->h * l->w;
    const bool in_place = l->direct && b->images == 1, overwrites = b->images > 1 && (l->direct || l->shifted);
    cst_lowering_matrix columns = {s->columns, b->columns};
    if (in_place)
        columns = (cst_lowering_matrix){a->to_image + b->first * l->image_channels * pixels + b->top * l->w, pixels};
    if (!overwrites && b->top == 0) fill_with_bias(b, l->image_channels, pixels, a->bias, a->to_image);
    /* columns <- W^T map (+ columns), group by group */
    for (size_t g = 0; g < l->groups; g++)
        cst_gemm(true, false, patch, b->columns, m, 1, a->weight + g * m * patch, patch, map->at + g * m * map->stride,
                 map->stride, in_place ? 1 : 0, columns.at + g * patch * columns.stride, columns.stride);
    if (in_place) return;
    if (l->direct)
        cst_lowering_give(b, l->image_channels, pixels, a->bias, columns.at, a->to_image);
    else
        cst_lowering_add_columns(l, b, a->bias, s, a->to_image);
}

static void run_block(const cst_lowering *l, const cst_lowering_block *b, const cst_lowered *a,
                      const cst_lowering_work_layout *s)
{
    cst_lowering_matrix columns = {0}, map = {0};
    if (a->gweight || a->to_map) columns = cst_lowering_columns(l, b, a->image, s);
    if (a->gweight || a->to_image) map = cst_lowering_take(b, l->map_channels, l->oh * l->ow, l->ow, a->map, s->map);
    /* make_map and make_image overwrite the map and the columns, so the weight gradient comes first. */
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
    const cst_lowering_work_layout s = cut_work(l, rows, work);
    cst_lowering_block masked = {0}; /* the block that the masks were made for */
    for (size_t first = 0; first < rows; first += l->images) {
        for (size_t top = 0; top < l->oh; top += l->lines) {
            cst_lowering_block b = {.first = first, .images = cst_size_min(l->images, rows - first), .top = top};
            b.lines = cst_size_min(l->lines, l->oh - top);
            b.columns = b.images * b.lines * l->ow;
            if (l->shifted && (b.columns != masked.columns || b.top != masked.top)) {
                cst_lowering_make_masks(l, &b, s.masks);
                masked = b;
            }
            run_block(l, &b, a, &s);
        }
    }
}
