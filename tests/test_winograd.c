/* Convolutions by F(2 x 2, 3 x 3) against the sums that define them. */
#include "tests/helpers.h"

#include "layers/winograd.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct geometry {
    size_t channels, maps, h, w, padding, rows;
} geometry;

/* Odd and even sides, every padding, one image in strips, several images in a block with a remainder. */
static const geometry geometries[] = {
    {16, 16, 6, 6, 1, 3},  {17, 19, 7, 5, 1, 2},   {16, 24, 3, 3, 0, 9},  {32, 16, 4, 9, 2, 2},
    {64, 64, 6, 6, 1, 40}, {24, 16, 33, 41, 1, 2}, {16, 16, 1, 1, 1, 50}, {65, 64, 28, 28, 1, 1},
};
enum { N_GEOMETRIES = sizeof geometries / sizeof geometries[0] };

typedef struct arrays {
    cst_lowering l;
    size_t n_image, n_map, n_weight;
    real *weight, *image, *map, *bias, *made_map, *made_image, *gweight, *work;
    real *expected_map, *expected_image, *expected_gweight;
} arrays;

static void set_up(const geometry *g, test_pool *pool, arrays *a)
{
    cst_error error;
    a->l = (cst_lowering){.image_channels = g->channels,
                          .h = g->h,
                          .w = g->w,
                          .map_channels = g->maps,
                          .oh = g->h + 2 * g->padding - 2,
                          .ow = g->w + 2 * g->padding - 2,
                          .kernel = 3,
                          .stride = 1,
                          .padding = g->padding,
                          .dilation = 1,
                          .groups = 1};
    test_assert_ok("geometry", cst_lowering_init(&a->l, &error), &error);
    assert_true(cst_winograd_suits(&a->l));
    a->n_weight = g->channels * g->maps * 9;
    a->n_image = g->rows * g->channels * g->h * g->w;
    a->n_map = g->rows * g->maps * a->l.oh * a->l.ow;
    const size_t work = cst_winograd_work(&a->l, g->rows);
    const size_t sizes[] = {a->n_weight, a->n_image, a->n_map,    g->maps + g->channels,
                            a->n_map,    a->n_image, a->n_weight, work,
                            a->n_map,    a->n_image, a->n_weight};
    real **const at[] = {&a->weight,          &a->image,   &a->map,  &a->bias,         &a->made_map,
                         &a->made_image,      &a->gweight, &a->work, &a->expected_map, &a->expected_image,
                         &a->expected_gweight};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) *at[i] = test_pool_take(pool, sizes[i], TEST_NAN);
    test_random(1, a->weight, a->n_weight, 0.2);
    test_random(2, a->image, a->n_image, 1);
    test_random(3, a->map, a->n_map, 1);
    test_random(4, a->bias, g->maps + g->channels, 1);
}

/* map = W * image + bias; image' = its transpose of map, + bias; gweight' = 3 + sum of products. */
static void define(const geometry *g, arrays *a)
{
    const cst_lowering *l = &a->l;
    double *sum = calloc(a->n_image + a->n_weight, sizeof *sum);
    assert_non_null(sum);
    for (size_t r = 0; r < g->rows; r++)
        for (size_t m = 0; m < g->maps; m++)
            for (size_t y = 0; y < l->oh; y++)
                for (size_t x = 0; x < l->ow; x++) {
                    const size_t out = ((r * g->maps + m) * l->oh + y) * l->ow + x;
                    double value = (double)a->bias[m];
                    for (size_t c = 0; c < g->channels; c++)
                        for (size_t k = 0; k < 9; k++) {
                            const size_t i = y + k / 3, j = x + k % 3;
                            if (i < l->padding || j < l->padding || i - l->padding >= l->h || j - l->padding >= l->w)
                                continue;
                            const size_t in = ((r * g->channels + c) * l->h + i - l->padding) * l->w + j - l->padding;
                            const size_t w = (m * g->channels + c) * 9 + k;
                            value += (double)a->weight[w] * (double)a->image[in];
                            sum[in] += (double)a->weight[w] * (double)a->map[out];
                            sum[a->n_image + w] += (double)a->image[in] * (double)a->map[out];
                        }
                    a->expected_map[out] = (real)value;
                }
    for (size_t i = 0; i < a->n_image; i++) {
        const size_t c = i / (g->h * g->w) % g->channels;
        a->expected_image[i] = (real)(sum[i] + (double)a->bias[g->maps + c]);
    }
    for (size_t i = 0; i < a->n_weight; i++) a->expected_gweight[i] = (real)(3 + 0.5 * sum[a->n_image + i]);
    free(sum);
}

static void agrees_with_its_definition(void **state)
{
    (void)state;
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-14 : 1e-5;
    for (size_t i = 0; i < N_GEOMETRIES; i++) {
        const geometry *g = &geometries[i];
        test_pool pool = {0};
        arrays a;
        char what[64];
        set_up(g, &pool, &a);
        define(g, &a);
        for (size_t k = 0; k < a.n_weight; k++) a.gweight[k] = 3;
        cst_winograd_run(&a.l, g->rows,
                         &(cst_lowered){.weight = a.weight, .image = a.image, .bias = a.bias, .to_map = a.made_map},
                         a.work);
        cst_winograd_run(&a.l, g->rows,
                         &(cst_lowered){.weight = a.weight,
                                        .image = a.image,
                                        .map = a.map,
                                        .bias = a.bias + g->maps,
                                        .to_image = a.made_image,
                                        .gweight = a.gweight,
                                        .scale = (real)0.5},
                         a.work);
        test_pool_check(&pool, "winograd");
        snprintf(what, sizeof what, "geometry %zu", i);
        test_assert_close(what, a.made_map, a.expected_map, a.n_map, tolerance);
        test_assert_close(what, a.made_image, a.expected_image, a.n_image, tolerance);
        test_assert_close(what, a.gweight, a.expected_gweight, a.n_weight, tolerance);
        test_pool_cut(&pool, 0);
        free(pool.arrays);
    }
}

static void other_geometries_do_not_suit(void **state)
{
    (void)state;
    const cst_lowering good = {
        .image_channels = 16, .map_channels = 16, .kernel = 3, .stride = 1, .padding = 1, .dilation = 1, .groups = 1};
    assert_true(cst_winograd_suits(&good));
    cst_lowering bad[] = {good, good, good, good, good, good, good};
    bad[0].kernel = 5, bad[1].stride = 2, bad[2].dilation = 2, bad[3].groups = 2, bad[4].padding = 3;
    bad[5].image_channels = 3, bad[6].map_channels = 8;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(cst_winograd_suits(&bad[i]));
}

/* The last batch of an epoch is smaller than the planned one, and may be cut into other blocks. */
static void work_for_many_rows_suffices_for_few(void **state)
{
    (void)state;
    enum { MOST_ROWS = 64 };
    for (size_t i = 0; i < N_GEOMETRIES; i++) {
        const geometry *g = &geometries[i];
        test_pool pool = {0};
        arrays a;
        set_up(g, &pool, &a);
        size_t before = 0;
        for (size_t rows = 1; rows <= MOST_ROWS; rows++) {
            const size_t work = cst_winograd_work(&a.l, rows);
            if (work < before)
                fail_msg("(%zu, %zu, %zu): work for %zu rows is %zu, for one row less %zu", g->channels, g->h, g->w,
                         rows, work, before);
            before = work;
        }
        test_pool_cut(&pool, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_its_definition),
        cmocka_unit_test(other_geometries_do_not_suit),
        cmocka_unit_test(work_for_many_rows_suffices_for_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
