/* core: status, shape, arena, rng, parallel. */
#include "core/arena.h"
#include "core/blas.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "core/shape.h"
#include "core/status.h"
#include "tests/helpers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- status -------------------------------------------------------------------------------------------------- */

static void statuses_have_names_and_texts(void **state)
{
    (void)state;
    assert_string_equal(cst_status_name(CST_OK), "CST_OK");
    assert_string_equal(cst_status_name(CST_ESHAPE), "CST_ESHAPE");
    for (int i = 0; i < CST_N_STATUS; i++) {
        assert_int_equal(strncmp(cst_status_name((cst_status)i), "CST_", 4), 0);
        assert_true(strlen(cst_status_text((cst_status)i)) > 1);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(cst_status_name((cst_status)i), cst_status_name((cst_status)j));
    }
    assert_non_null(cst_status_name(CST_N_STATUS)); /* not a status: still a text */
    assert_non_null(cst_status_text((cst_status)1000));
}

static void failures_say_where(void **state)
{
    (void)state;
    cst_error error = {0};
    const int line = __LINE__ + 1;
    assert_int_equal(cst_fail(&error, CST_EARG, "expected %d, got \"%s\"", 3, "x"), CST_EARG);
    assert_int_equal(error.status, CST_EARG);
    assert_string_equal(error.message, "expected 3, got \"x\"");
    assert_int_equal(error.line, line);
    assert_non_null(strstr(error.file, "test_core.c"));
    assert_int_equal(cst_fail(NULL, CST_EIO, "nobody asks"), CST_EIO);
    char longer[2 * sizeof error.message];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(cst_fail(&error, CST_EIO, "%s", longer), CST_EIO);
    assert_true(strlen(error.message) < sizeof error.message);
}

/* ---- shape --------------------------------------------------------------------------------------------------- */

static void sizes_saturate(void **state)
{
    (void)state;
    const size_t half = SIZE_MAX / 2 + 1;
    assert_true(cst_size_mul(3, 5) == 15);
    assert_true(cst_size_mul(0, SIZE_MAX) == 0);
    assert_true(cst_size_mul(half, 2) == SIZE_MAX);
    assert_true(cst_size_mul(SIZE_MAX, SIZE_MAX) == SIZE_MAX);
    assert_true(cst_size_mul(SIZE_MAX, 1) == SIZE_MAX);
    assert_true(cst_size_add(3, 5) == 8);
    assert_true(cst_size_add(half, half) == SIZE_MAX);
    assert_true(cst_size_add(SIZE_MAX, 1) == SIZE_MAX);
    assert_true(cst_size_align(SIZE_MAX) == SIZE_MAX);
    assert_true(cst_size_align(0) == 0);
    for (size_t n = 1; n < 100; n++) {
        const size_t aligned = cst_size_align(n);
        assert_true(aligned >= n && (aligned - n) * sizeof(real) < 64 && aligned * sizeof(real) % 64 == 0);
    }
}

static void shapes_have_sizes_and_texts(void **state)
{
    (void)state;
    char text[CST_SHAPE_TEXT];
    const cst_shape vector = cst_shape_1d(7), image = cst_shape_3d(2, 3, 4), weight = cst_shape_4d(5, 2, 3, 3),
                    scalar = {0};
    assert_true(cst_shape_size(&vector) == 7 && cst_shape_size(&image) == 24 && cst_shape_size(&weight) == 90);
    assert_true(cst_shape_size(&scalar) == 1);
    assert_string_equal(cst_shape_text(&image, text), "(2, 3, 4)");
    assert_true(cst_shape_equal(&image, &(cst_shape){3, {2, 3, 4}}));
    assert_false(cst_shape_equal(&image, &(cst_shape){3, {2, 4, 3}}));
    assert_false(cst_shape_equal(&vector, &(cst_shape){2, {7, 1}}));
    const cst_shape huge = cst_shape_4d(SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX);
    assert_true(cst_shape_size(&huge) == SIZE_MAX);
    const cst_shape most = {CST_MAX_RANK, {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX}};
    assert_true(strlen(cst_shape_text(&most, text)) < CST_SHAPE_TEXT);
}

/* ---- arena --------------------------------------------------------------------------------------------------- */

static void arenas_hand_out_aligned_zeros(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 17, 64, 3, 0, 5};
    size_t total = 0;
    for (size_t i = 0; i < 6; i++) total += cst_size_align(sizes[i]);
    cst_arena arena;
    cst_error error = {0};
    test_assert_ok("arena", cst_arena_init(&arena, total, &error), &error);
    const real *end = arena.base;
    for (size_t i = 0; i < 6; i++) {
        real *taken = cst_arena_take(&arena, sizes[i]);
        assert_non_null(taken);
        assert_true((uintptr_t)taken % 64 == 0 && taken >= end);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_true(taken[j] == 0);
            taken[j] = 1;
        }
        end = taken + sizes[i];
    }
    assert_null(cst_arena_take(&arena, 1));
    assert_null(cst_arena_take(&arena, SIZE_MAX));
    cst_arena_clear(&arena);
    assert_null(arena.base);
    cst_arena_clear(&arena);
}

static void arenas_too_large_are_an_error(void **state)
{
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX / sizeof(real), PTRDIFF_MAX};
    for (size_t i = 0; i < 3; i++) {
        cst_arena arena;
        cst_error error = {0};
        assert_int_equal(cst_arena_init(&arena, sizes[i], &error), CST_ENOMEM);
        assert_null(arena.base);
        assert_true(error.message[0] != '\0');
        cst_arena_clear(&arena);
    }
}

/* ---- rng ----------------------------------------------------------------------------------------------------- */

/* Philox4x32-10, written a second time from the paper's figure: rounds of two multiplications, a permutation and two
 * keys. */
static void reference_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k[2] = {key[0], key[1]};
    memcpy(out, counter, 4 * sizeof *out);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = 0xD2511F53ULL * out[0], b = 0xCD9E8D57ULL * out[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ out[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ out[3] ^ k[1],
                                  (uint32_t)a};
        memcpy(out, next, sizeof next);
        k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u;
    }
}

/* The reference agrees with Random123's kat_vectors, and the library agrees with the reference. */
static void draws_are_philox(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}},
        {{0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu},
         {0xffffffffu, 0xffffffffu},
         {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}},
        {{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
         {0xa4093822u, 0x299f31d0u},
         {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}},
    };
    uint32_t out[4];
    for (size_t i = 0; i < 3; i++) {
        reference_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
    assert_true(cst_rng_bits(0, 0) == 0xe169c58d6627e8d5u);
    for (uint64_t i = 0; i < 200; i++) {
        const uint64_t key = i * 0x9e3779b97f4a7c15u, index = i * i * 0x2545f4914f6cdd1du + i;
        const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, 0},
                       k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
        reference_philox(counter, k, out);
        assert_true(cst_rng_bits(key, index) == ((uint64_t)out[1] << 32 | out[0]));
    }
}

static void streams_differ(void **state)
{
    (void)state;
    enum { PURPOSES = CST_RNG_TEST + 1, SPLITS = 64 };
    cst_rng keys[PURPOSES + SPLITS];
    for (int i = 0; i < PURPOSES; i++) keys[i] = cst_rng_new(3, (cst_purpose)i);
    for (uint64_t i = 0; i < SPLITS; i++) keys[PURPOSES + i] = cst_rng_split(keys[0], i);
    for (size_t i = 0; i < PURPOSES + SPLITS; i++)
        for (size_t j = 0; j < i; j++) assert_true(keys[i] != keys[j]);
    assert_true(cst_rng_new(3, CST_RNG_INIT) != cst_rng_new(4, CST_RNG_INIT));
    assert_true(cst_rng_split(keys[0], 0) != cst_rng_bits(keys[0], 0));
}

/* The moments of n draws lie within 5 of their standard deviations. */
static void draws_have_their_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    real *x = malloc(N * sizeof *x);
    assert_non_null(x);
    double sum = 0, squares = 0, fourth = 0, neighbours = 0;
    cst_rng_fill_normal(cst_rng_new(1, CST_RNG_TEST), x, N, 2);
    for (size_t i = 0; i < N; i++) {
        const double v = (double)x[i] / 2;
        assert_true(isfinite(v));
        sum += v, squares += v * v, fourth += v * v * v * v;
        neighbours += i ? v * (double)x[i - 1] / 2 : 0;
    }
    const double n = N, root = sqrt(n);
    assert_true(fabs(sum) / root < 5);
    assert_true(fabs(squares - n) / (root * sqrt(2)) < 5);
    assert_true(fabs(fourth - 3 * n) / (root * sqrt(96)) < 5);
    assert_true(fabs(neighbours) / root < 5);
    cst_rng_fill_uniform(cst_rng_new(2, CST_RNG_TEST), x, N, -1, 3);
    size_t bins[16] = {0};
    for (size_t i = 0; i < N; i++) {
        assert_true(x[i] >= -1 && x[i] <= 3);
        const size_t bin = (size_t)(4 * ((double)x[i] + 1));
        bins[bin < 16 ? bin : 15]++;
    }
    double chi = 0;
    for (size_t i = 0; i < 16; i++) chi += ((double)bins[i] - n / 16) * ((double)bins[i] - n / 16) / (n / 16);
    assert_true(chi < 15 + 5 * sqrt(30)); /* 15 degrees of freedom */
    free(x);
}

static void integers_are_uniform(void **state)
{
    (void)state;
    const cst_rng rng = cst_rng_new(5, CST_RNG_TEST);
    size_t counts[7] = {0};
    for (uint64_t i = 0; i < 70000; i++) {
        const uint64_t v = cst_rng_below(rng, i, 7);
        assert_true(v < 7);
        counts[v]++;
    }
    for (size_t i = 0; i < 7; i++) assert_true(fabs((double)counts[i] - 10000) < 5 * sqrt(10000));
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(cst_rng_below(rng, i, 1) == 0);
        const uint64_t n = (uint64_t)1 << 40, v = cst_rng_below(rng, i, n);
        assert_true(v == cst_rng_bits(rng, i) >> 24); /* floor(bits n / 2^64) */
    }
}

static void permutations_are_permutations(void **state)
{
    (void)state;
    enum { N = 1000 };
    size_t order[N], again[N], seen[N] = {0}, fixed = 0;
    cst_rng_permutation(cst_rng_new(8, CST_RNG_SHUFFLE), order, N);
    cst_rng_permutation(cst_rng_new(8, CST_RNG_SHUFFLE), again, N);
    assert_memory_equal(order, again, sizeof order);
    for (size_t i = 0; i < N; i++) {
        assert_true(order[i] < N);
        seen[order[i]]++;
        fixed += order[i] == i;
    }
    for (size_t i = 0; i < N; i++) assert_true(seen[i] == 1);
    assert_true(fixed < 10); /* a random permutation has one fixed point on average */
    size_t first[3] = {0};
    for (uint64_t i = 0; i < 3000; i++) {
        size_t three[3];
        cst_rng_permutation(cst_rng_split(cst_rng_new(9, CST_RNG_SHUFFLE), i), three, 3);
        first[three[0]]++;
    }
    for (size_t i = 0; i < 3; i++) assert_true(fabs((double)first[i] - 1000) < 5 * sqrt(1000 * 2.0 / 3));
    cst_rng_permutation(0, order, 0);
}

/* ---- parallel ------------------------------------------------------------------------------------------------ */

typedef struct tasks {
    int runs[100];
} tasks;

static void run_task(void *context, size_t i)
{
    tasks *t = context;
    t->runs[i]++;
}

static void tasks_run_once_each(void **state)
{
    (void)state;
    assert_in_range(cst_threads_available(), 1, CST_MAX_THREADS);
    const size_t counts[] = {0, 1, 2, 7, 100};
    for (int threads = 0; threads <= 5; threads++)
        for (size_t i = 0; i < 5; i++) {
            tasks t = {{0}};
            cst_parallel(threads, counts[i], run_task, &t);
            for (size_t j = 0; j < 100; j++) assert_int_equal(t.runs[j], j < counts[i]);
        }
}

/* ---- blas ---------------------------------------------------------------------------------------------------- */

/* C = alpha op(A) op(B) + beta C for every op, with rows farther apart than they are long. */
static void products_are_right(void **state)
{
    (void)state;
    enum { M = 5, N = 7, K = 6, LD = 9 };
    real a[LD * LD], b[LD * LD], c[LD * LD], start[LD * LD], expected[LD * LD];
    test_random(30, a, LD * LD, 1);
    test_random(31, b, LD * LD, 1);
    test_random(32, start, LD * LD, 1);
    for (int op = 0; op < 8; op++) {
        const bool ta = op & 1, tb = op & 2;
        const real alpha = (real)-0.5, beta = op & 4 ? (real)0.75 : 0;
        memcpy(expected, start, sizeof start);
        memcpy(c, start, sizeof start);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                double sum = 0;
                for (size_t k = 0; k < K; k++)
                    sum += (double)(ta ? a[k * LD + i] : a[i * LD + k]) * (double)(tb ? b[j * LD + k] : b[k * LD + j]);
                expected[i * LD + j] = (real)((double)alpha * sum + (double)beta * (double)start[i * LD + j]);
                if (op & 4) continue;
                c[i * LD + j] = (real)NAN; /* not read */
            }
        cst_gemm(ta, tb, M, N, K, alpha, a, LD, b, LD, beta, c, LD);
        test_assert_close("gemm", c, expected, LD * LD, 20 * (double)CST_REAL_EPSILON);
    }
    assert_true(strlen(cst_blas_name()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_have_names_and_texts),
        cmocka_unit_test(failures_say_where),
        cmocka_unit_test(sizes_saturate),
        cmocka_unit_test(shapes_have_sizes_and_texts),
        cmocka_unit_test(arenas_hand_out_aligned_zeros),
        cmocka_unit_test(arenas_too_large_are_an_error),
        cmocka_unit_test(draws_are_philox),
        cmocka_unit_test(streams_differ),
        cmocka_unit_test(draws_have_their_moments),
        cmocka_unit_test(integers_are_uniform),
        cmocka_unit_test(permutations_are_permutations),
        cmocka_unit_test(tasks_run_once_each),
        cmocka_unit_test(products_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
