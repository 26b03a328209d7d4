/* Data sets in general: cutting off splits, gathering rows, normalization, the sections of a config, locating data. */
#include "core/rng.h"
#include "datasets/locate.h"
#include "datasets/registry.h"
#include "datasets/split.h"
#include "tests/data_files.h"

#include <math.h>

enum { N_TRAIN = 100, N_TEST = 40, CHANNELS = 2, LENGTH = 6, ROW = CHANNELS * LENGTH, N_TARGETS = 3 };

/* Rows that identify themselves: values, label and targets all begin with the row's number. */
static void make_part(cst_split *split, cst_split_kind kind, size_t n)
{
    assert_int_equal(cst_split_init(split, kind, n, ROW, NULL), CST_OK);
    split->targets = malloc(n * N_TARGETS * sizeof *split->targets);
    assert_non_null(split->targets);
    const cst_rng rng = cst_rng_new(n, CST_RNG_TEST);
    for (size_t i = 0; i < n; i++) {
        split->labels[i] = (int32_t)i;
        for (size_t j = 0; j < N_TARGETS; j++) split->targets[i * N_TARGETS + j] = (real)(i + 1000 * j);
        for (size_t j = 0; j < ROW; j++) {
            const double u = cst_rng_uniform(rng, i * ROW + j);
            if (split->bytes) split->bytes[i * ROW + j] = (uint8_t)(j == 0 ? (double)i : u * (j < LENGTH ? 90 : 250));
            if (split->values) split->values[i * ROW + j] = (real)(j == 0 ? (double)i : u * (j < LENGTH ? 90 : 250));
        }
    }
}

static void make_data(cst_dataset *data, cst_split_kind kind)
{
    *data = (cst_dataset){.x = {.rank = 2, .dim = {CHANNELS, LENGTH}}, .n_targets = N_TARGETS, .n_channels = CHANNELS};
    make_part(&data->train, kind, N_TRAIN);
    make_part(&data->test, kind, N_TEST);
}

/* ---- cutting ------------------------------------------------------------------------------------------------- */

/* Read the sizes from a document, so that errors have a place. */
static cst_status cut(cst_dataset *data, size_t train, size_t validation, size_t test, uint64_t seed, cst_error *error)
{
    const char json[] = JSON({"train_size": 1, "validation_size": 2, "test_size": 3});
    cst_document *document;
    assert_int_equal(cst_document_parse("test.json", json, strlen(json), &document, error), CST_OK);
    const cst_dataset_options options = {.train_size = train, .validation_size = validation, .test_size = test};
    const cst_status status = cst_dataset_split(cst_document_root(document), &options, seed, data, error);
    cst_document_free(document);
    return status;
}

/* Fail unless values, label and targets moved together and rows are in order; mark the rows as seen. */
static void check_rows(const cst_split *split, int seen[N_TRAIN])
{
    for (size_t i = 0; i < split->n; i++) {
        const int32_t row = split->labels[i];
        if (i > 0) assert_true(row > split->labels[i - 1]);
        seen[row]++;
        if (split->bytes) assert_int_equal(split->bytes[i * ROW], row);
        if (split->values) assert_true(split->values[i * ROW] == (real)row);
        assert_true(split->targets[i * N_TARGETS] == (real)row);
        assert_true(split->targets[i * N_TARGETS + 2] == (real)(row + 2000));
    }
}

static void test_cut(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        cst_dataset data;
        cst_error error = {0};
        make_data(&data, (cst_split_kind)kind);
        if (cut(&data, 0, 30, 10, 7, &error) != CST_OK) fail_msg("%s", error.message);
        assert_int_equal(data.train.n, 70);
        assert_int_equal(data.validation.n, 30);
        assert_int_equal(data.test.n, 10);
        int seen[N_TRAIN] = {0}, in_test[N_TRAIN] = {0};
        check_rows(&data.train, seen);
        check_rows(&data.validation, seen);
        check_rows(&data.test, in_test);
        for (size_t i = 0; i < N_TRAIN; i++) assert_int_equal(seen[i], 1);
        cst_dataset_clear(&data);
    }
}

/* An existing validation split is reduced like a test split, and takes nothing from the training split. */
static void test_cut_of_three_splits(void **state)
{
    (void)state;
    cst_dataset data;
    cst_error error = {0};
    for (size_t size = 0; size <= N_TEST / 2; size += N_TEST / 2) {
        make_data(&data, CST_SPLIT_VALUES);
        make_part(&data.validation, CST_SPLIT_VALUES, N_TEST);
        if (cut(&data, 0, size, 0, 7, &error) != CST_OK) fail_msg("%s", error.message);
        assert_int_equal(data.train.n, N_TRAIN);
        assert_int_equal(data.validation.n, size > 0 ? size : N_TEST);
        assert_int_equal(data.test.n, N_TEST);
        int seen[N_TRAIN] = {0};
        check_rows(&data.validation, seen);
        cst_dataset_clear(&data);
    }
    make_data(&data, CST_SPLIT_VALUES);
    make_part(&data.validation, CST_SPLIT_VALUES, N_TEST);
    test_assert_failure(cut(&data, 0, N_TEST + 1, 0, 7, &error), CST_ECONFIG, &error,
                        TEST_WORDS("test.json: validation_size", "at most 40", "got 41"));
    cst_dataset_clear(&data);
}

static void test_cut_is_reproducible(void **state)
{
    (void)state;
    const struct {
        size_t train;
        uint64_t seed;
    } cases[] = {{0, 7}, {0, 7}, {20, 7}, {0, 8}};
    cst_dataset data[4];
    for (size_t i = 0; i < 4; i++) {
        make_data(&data[i], CST_SPLIT_BYTES);
        assert_int_equal(cut(&data[i], cases[i].train, 30, 0, cases[i].seed, NULL), CST_OK);
        assert_int_equal(data[i].test.n, N_TEST);
    }
    assert_memory_equal(data[0].train.bytes, data[1].train.bytes, 70 * ROW);
    assert_memory_equal(data[0].validation.bytes, data[1].validation.bytes, 30 * ROW);
    assert_int_equal(data[2].train.n, 20);
    assert_memory_equal(data[0].validation.labels, data[2].validation.labels, 30 * sizeof(int32_t));
    assert_memory_not_equal(data[0].validation.labels, data[3].validation.labels, 30 * sizeof(int32_t));
    for (size_t i = 0; i < 4; i++) cst_dataset_clear(&data[i]);
}

/* Over many seeds, every row is drawn as often as any other. */
static void test_draws_are_uniform(void **state)
{
    (void)state;
    enum { SEEDS = 400, DRAWN = 25 };
    size_t counts[N_TEST] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        cst_dataset data;
        make_data(&data, CST_SPLIT_BYTES);
        assert_int_equal(cut(&data, 0, 0, DRAWN, seed, NULL), CST_OK);
        for (size_t i = 0; i < DRAWN; i++) counts[data.test.labels[i]]++;
        cst_dataset_clear(&data);
    }
    const double p = (double)DRAWN / N_TEST, deviation = sqrt(SEEDS * p * (1 - p));
    for (size_t i = 0; i < N_TEST; i++) test_assert_near("draws of a row", (double)counts[i], SEEDS * p, 5 * deviation);
}

static void cut_fails(bool with_test, size_t train, size_t validation, size_t test, const char *const *words)
{
    cst_dataset data;
    cst_error error = {0};
    make_data(&data, CST_SPLIT_BYTES);
    if (!with_test) cst_split_clear(&data.test);
    test_assert_failure(cut(&data, train, validation, test, 0, &error), CST_ECONFIG, &error, words);
    cst_dataset_clear(&data);
}

static void test_sizes_too_large(void **state)
{
    (void)state;
    cut_fails(true, 101, 0, 0, TEST_WORDS("test.json: train_size", "at most 100", "got 101"));
    cut_fails(true, 71, 30, 0, TEST_WORDS("test.json: train_size", "at most 70", "got 71"));
    cut_fails(true, 0, 100, 0, TEST_WORDS("test.json: validation_size", "at most 99"));
    cut_fails(true, 0, SIZE_MAX, 0, TEST_WORDS("test.json: validation_size"));
    cut_fails(true, 0, 0, 41, TEST_WORDS("test.json: test_size", "at most 40"));
    cut_fails(false, 0, 50, 50, TEST_WORDS("test.json: test_size", "at most 49"));
    cut_fails(false, 31, 30, 40, TEST_WORDS("test.json: train_size", "at most 30"));
}

/* ---- normalization and gathering ----------------------------------------------------------------------------- */

static double raw(const cst_split *split, size_t i)
{
    return split->bytes ? split->bytes[i] / 255.0 : (double)split->values[i];
}

static void check_moments(const cst_dataset *data, const real *x, const int32_t *labels)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < N_TRAIN; i++) {
            assert_int_equal(labels[i], N_TRAIN - 1 - i);
            for (size_t j = c * LENGTH; j < (c + 1) * LENGTH; j++) {
                const double got = (double)x[i * ROW + j];
                const double from = raw(&data->train, (N_TRAIN - 1 - i) * ROW + j);
                test_assert_near("x", got, (from - data->mean[c]) / data->std[c], 20 * (double)CST_REAL_EPSILON);
                sum += got;
                squares += got * got;
            }
        }
        test_assert_near("mean", sum / (N_TRAIN * LENGTH), 0, 10 * (double)CST_REAL_EPSILON);
        test_assert_near("variance", squares / (N_TRAIN * LENGTH), 1, 10 * (double)CST_REAL_EPSILON);
    }
}

static void test_gather_normalized(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        static real x[N_TRAIN * ROW], targets[N_TRAIN * N_TARGETS];
        int32_t labels[N_TRAIN];
        size_t rows[N_TRAIN];
        for (size_t i = 0; i < N_TRAIN; i++) rows[i] = N_TRAIN - 1 - i;
        cst_dataset data;
        make_data(&data, (cst_split_kind)kind);
        assert_int_equal(cst_dataset_normalize(&data, true, NULL), CST_OK);
        cst_dataset_gather(&data, &data.train, rows, N_TRAIN, x, labels, targets);
        check_moments(&data, x, labels);
        for (size_t j = 0; j < N_TARGETS; j++) assert_true(targets[j] == (real)(N_TRAIN - 1 + 1000 * j));
        /* The test split is normalized by the training split. Labels and targets may be NULL. */
        cst_dataset_gather(&data, &data.test, &(size_t){5}, 1, x, NULL, NULL);
        test_assert_near("test x", (double)x[0], (raw(&data.test, 5 * ROW) - data.mean[0]) / data.std[0],
                         20 * (double)CST_REAL_EPSILON);
        cst_dataset_clear(&data);
    }
}

static void test_gather_as_is(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        for (size_t n_channels = 0; n_channels <= CHANNELS; n_channels += CHANNELS) {
            real x[2 * ROW];
            cst_dataset data;
            make_data(&data, (cst_split_kind)kind);
            data.n_channels = n_channels;
            assert_int_equal(cst_dataset_normalize(&data, false, NULL), CST_OK);
            cst_dataset_gather(&data, &data.train, (size_t[]){42, 3}, 2, x, NULL, NULL);
            for (size_t j = 0; j < ROW; j++) {
                const double expected[] = {raw(&data.train, 42 * ROW + j), raw(&data.train, 3 * ROW + j)};
                for (size_t i = 0; i < 2; i++) {
                    test_assert_near("x", (double)x[i * ROW + j], expected[i],
                                     2 * (double)CST_REAL_EPSILON * (1 + expected[i]));
                }
            }
            cst_dataset_clear(&data);
        }
    }
}

static void test_constant_channel(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        cst_dataset data;
        real x[ROW];
        make_data(&data, (cst_split_kind)kind);
        for (size_t i = 0; i < N_TRAIN; i++) {
            for (size_t j = 0; j < LENGTH; j++) {
                if (data.train.bytes) data.train.bytes[i * ROW + j] = 77;
                if (data.train.values) data.train.values[i * ROW + j] = (real)0.1;
            }
        }
        assert_int_equal(cst_dataset_normalize(&data, true, NULL), CST_OK);
        assert_true(data.std[0] == 1);
        assert_true(data.std[1] != 1);
        cst_dataset_gather(&data, &data.train, &(size_t){9}, 1, x, NULL, NULL);
        test_assert_near("x", (double)x[3], 0, (double)CST_REAL_EPSILON);
        cst_dataset_clear(&data);
    }
}

/* As in tables, each column is a channel. */
static void test_many_channels(void **state)
{
    (void)state;
    enum { COLUMNS = 300, ROWS = 4 };
    cst_dataset data = {.x = cst_shape_1d(COLUMNS), .n_channels = COLUMNS};
    real x[COLUMNS];
    assert_int_equal(cst_split_init(&data.train, CST_SPLIT_VALUES, ROWS, COLUMNS, NULL), CST_OK);
    for (size_t i = 0; i < ROWS; i++) { /* column j: j - 1, j + 1, j - 1, j + 1 */
        for (size_t j = 0; j < COLUMNS; j++) data.train.values[i * COLUMNS + j] = (real)(j + 2 * (i % 2)) - 1;
    }
    assert_int_equal(cst_dataset_normalize(&data, true, NULL), CST_OK);
    for (size_t j = 0; j < COLUMNS; j++) {
        assert_true(data.mean[j] == (double)j);
        assert_true(data.std[j] == 1);
    }
    cst_dataset_gather(&data, &data.train, &(size_t){3}, 1, x, NULL, NULL);
    for (size_t j = 0; j < COLUMNS; j++) assert_true(x[j] == 1);
    cst_dataset_clear(&data);
    assert_null(data.mean);
}

/* ---- sections and places ------------------------------------------------------------------------------------- */

static void test_sections(void **state)
{
    (void)state;
    test_load_fails("{}", CST_ECONFIG, TEST_WORDS("test.json", "\"type\""));
    test_load_fails(JSON({"type": "mnits"}), CST_ECONFIG, TEST_WORDS("test.json: type", "\"mnist\""));
    test_load_fails(JSON({"type": "spirals", "batchsize": 3}), CST_ECONFIG,
                    TEST_WORDS("test.json: batchsize", "unknown key", "\"batch_size\""));
    test_load_fails(JSON({"type": "spirals", "batch_size": 0}), CST_ECONFIG,
                    TEST_WORDS("test.json: batch_size", "positive"));
    test_load_fails(JSON({"type": "images"}), CST_ECONFIG, TEST_WORDS("missing key \"path\""));
    for (size_t i = 0; cst_dataset_types[i]; i++) { /* names are unique */
        for (size_t j = 0; j < i; j++) {
            assert_true(strcmp(cst_dataset_types[i]->name, cst_dataset_types[j]->name) != 0);
        }
    }
}

static cst_status locate(const cst_data_location where, char **found)
{
    *found = NULL;
    return cst_locate(&where, found, NULL);
}

static void test_places(void **state)
{
    (void)state;
    char *found, path[TEST_PATH];
    cst_error error = {0};
    assert_int_equal(setenv("COSTATE_DATA", test_root, 1), 0);
    test_folder("place");
    test_write("packed.gz", "x", 1);
    /* A relative path is below the data root. An absolute path is used as it is. */
    assert_int_equal(locate((cst_data_location){.path = "place"}, &found), CST_OK);
    assert_string_equal(found, test_path("place", path));
    free(found);
    assert_int_equal(locate((cst_data_location){.path = path}, &found), CST_OK);
    assert_string_equal(found, path);
    free(found);
    assert_int_equal(locate((cst_data_location){.path = "/place"}, &found), CST_EIO);
    assert_int_equal(locate((cst_data_location){.path = "packed", .compressed = true}, &found), CST_OK);
    assert_string_equal(found, test_path("packed.gz", path));
    free(found);
    assert_int_equal(locate((cst_data_location){.path = "packed"}, &found), CST_EIO);
    /* By name: the system's folder is tried first. */
    assert_int_equal(locate((cst_data_location){.name = "place", .system = "/nowhere/at/all"}, &found), CST_OK);
    free(found);
    assert_int_equal(locate((cst_data_location){.name = "place", .system = test_root}, &found), CST_OK);
    assert_string_equal(found, test_root);
    free(found);
    const cst_data_location nowhere = {.name = "no-such-data", .system = "/nowhere/at/all", .package = "the-package"};
    test_assert_failure(
        cst_locate(&nowhere, &found, &error), CST_EIO, &error,
        TEST_WORDS("/nowhere/at/all", test_path("no-such-data", path), "../shared/data/no-such-data", "the-package"));
    assert_int_equal(unsetenv("COSTATE_DATA"), 0);
    assert_int_equal(locate((cst_data_location){.path = "place"}, &found), CST_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_of_three_splits),
        cmocka_unit_test(test_cut_is_reproducible),
        cmocka_unit_test(test_draws_are_uniform),
        cmocka_unit_test(test_sizes_too_large),
        cmocka_unit_test(test_gather_normalized),
        cmocka_unit_test(test_gather_as_is),
        cmocka_unit_test(test_constant_channel),
        cmocka_unit_test(test_many_channels),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
