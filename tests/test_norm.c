/* Error norms: the results of the table, and the block that limits the step, against the formulas that
 * tests/norm_formulas.c writes out in plain loops. The named norms of the adjoint system: their blocks, weights and error
 * ratios. */
#include "tests/norm_formulas.h"
#include "tests/ode_rig.h"

#include "adjoint/adjoint_norm.h"
#include "ode/norm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_BLOCKS = 6 };

/* ---- inputs -------------------------------------------------------------------------------------------------- */

typedef struct inputs {
    size_t size[N_BLOCKS];
    double weight[N_BLOCKS];
    size_t loud; /* the block with the largest errors; the largest one is negative if `loud` is even */
    size_t slice;
    int threads;
} inputs;

/* Vectors made from inputs, and v as the formula in ode/norm.h says. */
typedef struct vectors {
    test_pool pool;
    size_t n, n_blocks;
    const cst_block *blocks;
    cst_block own[N_BLOCKS];
    real *y0, *y1, *k[2], *values;
    double *v, *partial;
    cst_combination error;
} vectors;

static const double relative = 0.02, absolute = 0.003, coefficients[2] = {1.5, -0.25};

static void make(vectors *m, const inputs *in)
{
    *m = (vectors){.blocks = m->own, .n_blocks = N_BLOCKS};
    for (size_t b = 0; b < N_BLOCKS; m->n += in->size[b++])
        m->own[b] = (cst_block){.name = "block", .size = in->size[b], .weight = in->weight[b]};
    real **arrays[] = {&m->y0, &m->y1, &m->k[0], &m->k[1], &m->values};
    for (size_t i = 0; i < 5; i++) {
        *arrays[i] = test_pool_take(&m->pool, m->n, TEST_NAN);
        if (i < 4) test_random(i, *arrays[i], m->n, 1);
    }
    m->v = calloc(m->n, sizeof *m->v);
    m->partial = calloc(cst_scaled_partials(m->blocks, N_BLOCKS), sizeof *m->partial);
    assert_true(m->v && m->partial);
    /* Either state may be the larger one in magnitude, and either may be negative. */
    for (size_t i = 0; i < m->n; i++) (i % 2 ? m->y0 : m->y1)[i] *= 10;
    /* The loud block has larger errors, and one that is larger than all others. */
    size_t first = 0;
    for (size_t b = 0; b < in->loud; b++) first += in->size[b];
    for (size_t i = 0; i < in->size[in->loud]; i++) m->k[0][first + i] *= 20;
    m->k[0][first + in->size[in->loud] / 2] = in->loud % 2 ? 500 : -500;
    for (size_t j = 0; j < 2; j++) cst_combination_add(&m->error, coefficients[j], m->k[j]);
    for (size_t i = 0; i < m->n; i++) {
        const double error = coefficients[0] * (double)m->k[0][i] + coefficients[1] * (double)m->k[1][i];
        m->v[i] = error / (absolute + relative * fmax(fabs((double)m->y0[i]), fabs((double)m->y1[i])));
    }
}

static void discard(vectors *m)
{
    test_pool_check(&m->pool, "vectors of a norm");
    test_pool_cut(&m->pool, 0);
    free(m->v);
    free(m->partial);
}

/* A callback that no other norm agrees with: the sum of v_i^2, each third entry counted twice. Its formula is in
 * tests/norm_formulas.c. */
static double callback(void *context, const real *v, const cst_block *blocks, size_t n_blocks)
{
    const vectors *m = context;
    double sum = 0;
    assert_true(blocks == m->blocks && n_blocks == m->n_blocks);
    for (size_t i = 0; i < m->n; i++) sum += (double)v[i] * (double)v[i] * (i % 3 ? 1 : 2);
    return sum;
}

/* ---- norms --------------------------------------------------------------------------------------------------- */

static double norm_of(vectors *m, const inputs *in, const cst_norm_ops *ops, size_t *worst)
{
    const cst_norm norm = {.ops = ops, .slice = in->slice, .callback = callback, .context = m};
    const cst_scaled scaled = {.norm = &norm,
                               .blocks = m->blocks,
                               .n_blocks = N_BLOCKS,
                               .rtol = relative,
                               .atol = absolute,
                               .sum = &m->error,
                               .y0 = m->y0,
                               .y1 = m->y1,
                               .values = m->values,
                               .partial = m->partial,
                               .threads = in->threads};
    return cst_scaled_norm(&scaled, worst);
}

static void compare(vectors *m, const inputs *in, const cst_norm_ops *ops)
{
    size_t worst = SIZE_MAX, expected_worst = SIZE_MAX;
    const norm_input input = {m->n, m->n_blocks, m->blocks, m->v};
    const double got = norm_of(m, in, ops, &worst), expected = norm_formula_of(ops)(&input, in->slice, &expected_worst);
    if (!(fabs(got - expected) <= 200 * (double)CST_REAL_EPSILON * expected) || worst != expected_worst) {
        print_error("norm %s, rtol %g, atol %g, slice %zu, threads %d, largest errors in block %zu; blocks (weight):",
                    ops->name, relative, absolute, in->slice, in->threads, in->loud);
        for (size_t b = 0; b < N_BLOCKS; b++) print_error(" %zu (%g)", in->size[b], in->weight[b]);
        print_error("\n");
        fail_msg("norm %s: got %.12g in block %zu, expected %.12g in block %zu", ops->name, got, worst, expected,
                 expected_worst);
    }
}

/* Unequal blocks and weights, one block without a weight and one without entries; slices that straddle blocks, end with
 * the state, or are longer. The second state is long enough for threads to share its blocks, and one block is far the
 * largest. */
static void norms_follow_their_formulas(void **state)
{
    (void)state;
    static const size_t sizes[2][N_BLOCKS] = {{5, 1, 300, 0, 2, 40}, {2053, 3, 90000, 0, 1, 5000}};
    static const size_t slices[2][5] = {{4, 100, 200, 348, 1000}, {1000, 2055, 50000, 97057, 1 << 20}};
    static const double weights[2][N_BLOCKS] = {{0.5, 2, 0.1, 1, 0, 3}, {0, 0.5, 0.1, 1, 2, 0.7}};
    for (size_t c = 0; c < 2 * N_BLOCKS; c++) {
        const size_t set = c / N_BLOCKS;
        inputs in = {.loud = c % N_BLOCKS};
        memcpy(in.size, sizes[set], sizeof in.size);
        memcpy(in.weight, weights[set], sizeof in.weight);
        if (in.size[in.loud] == 0) continue;
        vectors m;
        make(&m, &in);
        for (in.threads = 1; in.threads <= 3; in.threads += 2)
            for (size_t i = 0; i < 5; i++) {
                in.slice = slices[set][i];
                for (size_t j = 0; cst_norms[j]; j++) compare(&m, &in, cst_norms[j]);
            }
        discard(&m);
    }
}

static const inputs small = {
    .size = {5, 1, 300, 0, 2, 40}, .weight = {0.5, 2, 0.1, 1, 0, 3}, .loud = 2, .slice = 100, .threads = 1};

/* A norm of {0} is the largest RMS. */
static void default_is_max_rms(void **state)
{
    (void)state;
    vectors m;
    size_t worst = 0;
    make(&m, &small);
    assert_true(norm_of(&m, &small, NULL, NULL) == norm_of(&m, &small, &cst_norm_max_rms, &worst));
    discard(&m);
}

/* Entries that are not finite make a norm infinite or NaN, except in a block that it leaves out. (A callback judges for
 * itself.) */
static void norms_see_what_is_not_finite(void **state)
{
    (void)state;
    enum { IN_BLOCK_2 = 10, IN_BLOCK_4 = 306 }; /* of weight 0.1, and of weight 0 */
    static const real bad[] = {(real)NAN, (real)INFINITY, -(real)INFINITY};
    for (size_t i = 0; cst_norms[i]; i++)
        for (size_t j = 0; j < 6 && cst_norms[i] != &cst_norm_callback; j++) {
            vectors m;
            size_t worst = 0;
            make(&m, &small);
            real *v = j < 3 ? m.y1 : m.k[1];
            const double clean = norm_of(&m, &small, cst_norms[i], NULL);
            v[IN_BLOCK_4] = bad[j % 3];
            const double left_out = norm_of(&m, &small, cst_norms[i], NULL);
            v[IN_BLOCK_2] = bad[j % 3];
            const double got = norm_of(&m, &small, cst_norms[i], &worst);
            if (left_out != clean || isfinite(got) || worst != 2)
                fail_msg("norm %s, bad value %zu: %g, %g in a block that is left out, %g in block %zu",
                         cst_norms[i]->name, j, clean, left_out, got, worst);
            discard(&m);
        }
}

/* ---- norms of the adjoint system ----------------------------------------------------------------------------- */

#define LINEAR(n) "{\"type\": \"linear\", \"out_features\": " n "}, "
#define FIELD                                                                                                          \
    "{\"type\": \"sequential\", \"layers\": [" LINEAR("40") "{\"type\": \"tanh\"}, " LINEAR(                           \
        "40") "{\"type\": \"tanh\"}, " LINEAR("3") "{\"type\": \"identity\"}]}"

enum { D = 3, N = 4, NZ = N * D };
enum { P = 120 + 40 + 1600 + 40 + 120 + 3 }; /* the second layer's weight is far larger than the other tensors */

/* The named norms, written out: the blocks of the adjoint's state with their weights. */
typedef struct named_norm {
    const char *name;
    const cst_norm_ops *ops;
    size_t n_blocks;
    cst_block blocks[9];
} named_norm;

static const named_norm named[] = {
    {"default", &cst_norm_max_rms, 4, {{"z", NZ, 1}, {"a_z", NZ, 1}, {"a_theta", P, 1}, {"a_t", 1, 1}}},
    {"default_per_tensor",
     &cst_norm_max_rms,
     9,
     {{"z", NZ, 1},
      {"a_z", NZ, 1},
      {"a_theta", 120, 1},
      {"a_theta", 40, 1},
      {"a_theta", 1600, 1},
      {"a_theta", 40, 1},
      {"a_theta", 120, 1},
      {"a_theta", 3, 1},
      {"a_t", 1, 1}}},
    {"seminorm", &cst_norm_max_rms, 2, {{"z", NZ, 1}, {"a_z", NZ, 1}}},
    {"rms", &cst_norm_rms, 4, {{"z", NZ, 1}, {"a_z", NZ, 1}, {"a_theta", P, 1}, {"a_t", 1, 1}}},
    {"max", &cst_norm_max, 4, {{"z", NZ, 1}, {"a_z", NZ, 1}, {"a_theta", P, 1}, {"a_t", 1, 1}}},
};
enum { N_NAMED = sizeof named / sizeof named[0] };

/* A callback that expects the blocks written out above, and applies the formula written out further above. */
static double named_by_hand(void *context, const real *v, const cst_block *blocks, size_t n_blocks)
{
    const named_norm *expected = *(const named_norm **)context;
    norm_input m = {.n_blocks = n_blocks, .blocks = expected->blocks};
    if (n_blocks != expected->n_blocks) fail_msg("norm %s: %zu blocks", expected->name, n_blocks);
    for (size_t b = 0; b < n_blocks; m.n += blocks[b++].size) {
        const cst_block *is = &blocks[b], *should = &expected->blocks[b];
        if (strcmp(is->name, should->name) != 0 || is->size != should->size || is->weight != should->weight)
            fail_msg("norm %s, block %zu: got %s, %zu entries, weight %g; expected %s, %zu, %g", expected->name, b,
                     is->name, is->size, is->weight, should->name, should->size, should->weight);
    }
    double *values = malloc(m.n * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < m.n; i++) values[i] = (double)v[i];
    m.v = values;
    size_t worst = 0;
    const double norm = norm_formula_of(expected->ops)(&m, 0, &worst);
    free(values);
    return norm;
}

/* One forward and backward pass under a named norm, or under the same by hand. */
static void run(const named_norm *norm, bool by_hand, ode_rig *r)
{
    cst_ode_options o;
    cst_error error;
    cst_ode_options_init(&o);
    o.forward.rtol = o.forward.atol = o.backward.rtol = 1e-3;
    o.backward.atol = 1e-5;
    test_assert_ok(norm->name, cst_adjoint_norm_init(&o.norm, norm->name, &error), &error);
    for (size_t i = 0; i < CST_MAX_INTEGRALS; i++) assert_true(o.norm.integral[i] == 1 && o.norm.a_integral[i] == 1);
    if (by_hand) o.norm.norm = (cst_norm){.ops = &cst_norm_callback, .callback = named_by_hand, .context = &norm};
    test_assert_ok(norm->name, ode_rig_build_block(r, FIELD, &o, cst_shape_1d(D), N, 1), &r->error);
    for (size_t i = 0; i < P; i++) r->theta[i] *= 3;
    ode_rig_run(r);
    assert_true(r->seen.n_attempts[1] > 0);
}

/* Every attempt of the adjoint's solve has the error ratio that the formula gives for the blocks of the list. */
static void named_norms_are_the_listed_ones(void **state)
{
    (void)state;
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-6 : 1e-2;
    double first_ratio[N_NAMED];
    for (size_t i = 0; i < N_NAMED; i++) {
        static ode_rig a, b;
        assert_string_equal(cst_adjoint_norms[i].name, named[i].name);
        run(&named[i], false, &a);
        run(&named[i], true, &b);
        const size_t n = a.seen.n_attempts[1];
        for (size_t j = 0; j < n && j < b.seen.n_attempts[1]; j++) {
            const double got = a.seen.attempts[1][j].ratio, expected = b.seen.attempts[1][j].ratio;
            if (!(fabs(got - expected) <= tolerance * (1 + expected)))
                fail_msg("norm %s, attempt %zu: ratio %.9g, expected %.9g", named[i].name, j, got, expected);
        }
        if (n != b.seen.n_attempts[1])
            fail_msg("norm %s: %zu attempts, expected %zu", named[i].name, n, b.seen.n_attempts[1]);
        /* The norms have different values here, so that none can be tested with another's numbers. */
        first_ratio[i] = a.seen.attempts[1][0].ratio;
        for (size_t j = 0; j < i; j++)
            if (fabs(first_ratio[i] - first_ratio[j]) < 0.01 * first_ratio[i])
                fail_msg("norms %s and %s have the same error ratio, %g", named[i].name, named[j].name, first_ratio[i]);
        ode_rig_clear(&a);
        ode_rig_clear(&b);
    }
    assert_null(cst_adjoint_norms[N_NAMED].name);
}

static void unknown_name_lists_the_known(void **state)
{
    (void)state;
    cst_error error;
    cst_adjoint_norm norm;
    test_assert_error(cst_adjoint_norm_init(&norm, "semi", &error), CST_EARG, &error,
                      "expected a norm (default, default_per_tensor, seminorm, rms, max), got \"semi\"");
}

/* Configs without a name: slices, weights and how to combine them. */
static void configs_describe_norms(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const cst_norm_ops *ops;
        double weight[CST_N_BLOCKS];
        size_t slice, slice_of_z;
        bool per_tensor;
    } cases[] = {
        {"{'norm': 'seminorm', 'a_theta': 0.1, 'a_z': 2}", &cst_norm_max_rms, {1, 2, 0.1, 0}, 0, 0, false},
        {"{'norm': 'default_per_tensor', 'z': 0.5}", &cst_norm_max_rms, {0.5, 1, 1, 1}, 0, 0, true},
        {"{'weights': {'z': 0.5}}", &cst_norm_max_rms, {0.5, 0, 0, 0}, 0, 0, false},
        {"{'combine': 'max', 'weights': {'a_t': 2}}", &cst_norm_max_rms, {0, 0, 0, 2}, 0, 0, false},
        {"{'combine': 'rms', 'weights': {'z': 0.5, 'a_theta': 3}}", &cst_norm_rms, {0.5, 0, 3, 0}, 0, 0, false},
        {"{'slices': 12}", &cst_norm_slices, {1, 1, 1, 0}, 12, 0, false},
        {"{'slices': '8z'}", &cst_norm_slices, {1, 1, 1, 0}, 0, 8, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_error error;
        cst_adjoint_norm norm;
        cst_document *document = test_parse(cases[i].json);
        test_assert_ok(cases[i].json, cst_adjoint_norm_read(cst_document_root(document), NULL, 0, &norm, &error),
                       &error);
        if (norm.norm.ops != cases[i].ops || norm.norm.slice != cases[i].slice ||
            norm.slice_of_z != cases[i].slice_of_z || norm.per_tensor != cases[i].per_tensor ||
            memcmp(norm.weight, cases[i].weight, sizeof norm.weight) != 0)
            fail_msg("%s: norm %s, weights %g %g %g %g, slice %zu, slice_of_z %zu, per_tensor %d", cases[i].json,
                     norm.norm.ops->name, norm.weight[0], norm.weight[1], norm.weight[2], norm.weight[3],
                     norm.norm.slice, norm.slice_of_z, norm.per_tensor);
        cst_document_free(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_follow_their_formulas),  cmocka_unit_test(default_is_max_rms),
        cmocka_unit_test(norms_see_what_is_not_finite), cmocka_unit_test(named_norms_are_the_listed_ones),
        cmocka_unit_test(unknown_name_lists_the_known), cmocka_unit_test(configs_describe_norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
