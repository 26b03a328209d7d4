/* Samples of trained flows: the same in every run, in the data's units, and with the flow's density; their files and
 * pictures. */
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "analysis/sample.h"
#include "core/file.h"
#include "formats/image.h"
#include "models/flow.h"

#include <math.h>

/* Normalized data, so that units matter; two cnfs. */
#define PLANE(epochs)                                                                                                  \
    "{'name': 'plane', 'epochs': " epochs                                                                              \
    ", 'threads': 1, 'seed': 7, 'loss': 'nll', 'optimizer': {'type': 'adam', 'lr': 0.01},"                             \
    " 'data': {'type': 'density', 'name': 'moons', 'normalize': true, 'train_size': 256, 'test_size': 100, "           \
    "  'batch_size': 64, 'eval_batch_size': 64},"                                                                      \
    " 'model': {'type': 'flow', 'layers': ["                                                                           \
    "  {'type': 'cnf', 'divergence': 'exact', 'solver': {'rtol': 1e-5, 'atol': 1e-5}, 'field': {'type': 'field_net', " \
    "'hidden': [8]}},"                                                                                                 \
    "  {'type': 'cnf', 't': [0.5, 2], 'divergence': 'exact', 'solver': {'rtol': 1e-5, 'atol': 1e-5}, 'field': "        \
    "{'type': "                                                                                                        \
    "'field_net', 'hidden': [8]}}]}}"
static const char plane[] = PLANE("1"), learnt[] = PLANE("40");

static const char images[] = JSON({
    "name": "images",
    "epochs": 1,
    "threads": 1,
    "loss": "nll",
    "data": {"type": "idx", "path": "@", "normalize": false, "batch_size": 4, "eval_batch_size": 4},
    "model": {
        "type": "flow",
        "layers": [
            {"type": "dequantize"}, {"type": "logit", "alpha": 0.05},
            {"type": "cnf", "solver": {"rtol": 1e-2, "atol": 1e-2}, "field": {"type": "field_net", "hidden": [2]}}
        ]
    }
});

static const char no_flow[] = JSON({
    "name": "none",
    "epochs": 1,
    "threads": 1,
    "data": {"type": "circles", "train_size": 8, "test_size": 4},
    "model": {"type": "linear", "out_features": 2}
});

typedef struct trained {
    cst_document *document;
    cst_run run;
    char folder[TEST_PATH];
} trained;

static void train(const char *config, const char *name, trained *t)
{
    char text[4 * TEST_PATH];
    size_t n = 0;
    for (const char *c = config; *c; c++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", *c == '@' ? TEST_PATH : 1, *c == '@' ? test_root : c);
    assert_in_range(n, 1, sizeof text - 1);
    cst_error error;
    cst_summary summary;
    t->document = test_parse(text);
    test_path(name, t->folder);
    test_assert_ok("run", cst_run_init(&t->run, t->document, t->folder, CST_RUN_NEW, NULL, &error), &error);
    test_assert_ok("train", cst_run_train(&t->run, &summary, &error), &error);
}

static void clear(trained *t)
{
    cst_run_clear(&t->run);
    cst_document_free(t->document);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static void samples_follow_from_the_seed(void **state)
{
    (void)state;
    enum { N = 70, FEW = 64 }; /* one batch of the evaluation's size, and six rows */
    trained t;
    cst_error error;
    real *x, *few, *other;
    train(plane, "seeds", &t);
    cst_sampler s = {.run = &t.run, .seed = 5};
    test_assert_ok("draw", cst_sample_draw(&s, N, &x, &error), &error);
    test_assert_ok("draw again", cst_sample_draw(&s, FEW, &few, &error), &error);
    assert_memory_equal(x, few, FEW * 2 * sizeof *x);
    s.seed = 6;
    test_assert_ok("draw others", cst_sample_draw(&s, FEW, &other, &error), &error);
    assert_true(memcmp(few, other, FEW * 2 * sizeof *few) != 0);
    for (size_t i = 0; i < N; i++) assert_true(fabs((double)x[2 * i]) < 100);
    for (size_t i = 2 * FEW; i < 2 * N;
         i++) /* batches share no rows, so results differ by the error of the steps only */
        assert_true(fabs((double)(x[i] - x[i - 2 * FEW])) > 1e-3);
    free(x);
    free(few);
    free(other);
    clear(&t);
}

/* The path ends in the sample and begins at the base's draw. In the middle, only the second cnf has moved the point. */
static void paths_end_at_the_samples(void **state)
{
    (void)state;
    enum { N = 5, FRAMES = 6 };
    trained t;
    cst_error error;
    real *x, path[FRAMES * N * 2], through[3 * N * 2];
    train(plane, "paths", &t);
    const cst_sampler s = {.run = &t.run, .seed = 5};
    test_assert_ok("draw", cst_sample_draw(&s, N, &x, &error), &error);
    test_assert_ok("path", cst_sample_path(&s, N, FRAMES, path, &error), &error);
    test_assert_close("end", path + (FRAMES - 1) * N * 2, x, (size_t)N * 2, 1e-3);
    test_assert_ok("another path", cst_sample_path(&s, N, 3, through, &error), &error);
    assert_memory_equal(path, through, N * 2 * sizeof *path);
    test_assert_close("end of both", through + 2 * N * 2, x, (size_t)N * 2, 1e-3);
    double moved = 0;
    for (size_t i = 0; i < (size_t)N * 2; i++) moved += fabs((double)(path[i] - through[N * 2 + i]));
    assert_true(moved > 1e-3);
    free(x);
    clear(&t);
}

/* ---- likelihood -------------------------------------------------------------------------------------------------- */

/* Read n numbers from the script: from the line that is `line` lines after `begin`. */
static void numbers_at(const char *script, const char *begin, size_t line, size_t n, double *numbers)
{
    const char *at = strstr(script, begin);
    assert_non_null(at);
    at += strlen(begin);
    for (; line > 0; line--) {
        at = strchr(at, '\n');
        assert_non_null(at++);
    }
    for (size_t i = 0; i < n; i++) {
        char *end;
        at += strspn(at, "[: ");
        numbers[i] = strtod(at, &end);
        assert_true(end > at);
        at = end;
    }
}

/* In the data's units, the density integrates to one. */
static void densities_have_the_units_of_the_data(void **state)
{
    (void)state;
    enum { SIDE = 80, N = SIDE * SIDE };
    trained t;
    cst_error error;
    train(learnt, "density", &t);
    const cst_training *training = &t.run.trainer.training;
    /* Without training the density is almost the base's, under which normalized data have the loss log 2 pi + 1. */
    assert_true(training->metrics[training->n_metrics - 1].train_loss < 2.84 - 0.3);
    assert_true(t.run.experiment.data.std[0] > 1.2); /* units matter */
    const cst_sampler s = {.run = &t.run};
    real *x = malloc(N * 2 * sizeof *x), *logp = malloc(N * sizeof *logp);
    assert_true(x && logp);
    for (size_t i = 0; i < N; i++) {
        x[2 * i] = (real)(0.3 * ((double)(i % SIDE) - SIDE / 2 + 0.5));
        x[2 * i + 1] = (real)(0.3 * ((double)(i / SIDE) - SIDE / 2 + 0.5));
    }
    test_assert_ok("density", cst_sample_log_likelihood(&s, N, x, logp, &error), &error);
    double sum = 0;
    for (size_t i = 0; i < N; i++) sum += 0.09 * exp((double)logp[i]);
    test_assert_near("integral", sum, 1, 5e-3);
    /* Rows of a split in two ways: through the units, or gathered. */
    const cst_split *split = &t.run.experiment.data.test;
    real *again = malloc(split->n * sizeof *again);
    assert_non_null(again);
    cst_sample_data(&t.run.experiment.data, split, split->n, x);
    test_assert_close("data", x, split->values, 2 * split->n, 1e-5);
    test_assert_ok("rows", cst_sample_log_likelihood(&s, split->n, x, logp, &error), &error);
    test_assert_ok("part", cst_sample_likelihood(&s, split, again, &error), &error);
    test_assert_close("log p", again, logp, split->n, 1e-3);
    free(x);
    free(logp);
    free(again);
    clear(&t);
}

/* The script that draws: points as they are, and the density at each middle of a grid of squares. */
static void pictures_of_points_show_the_density(void **state)
{
    (void)state;
    enum { N = 70, SIDE = 120 };
    trained t;
    cst_error error;
    real *x, data[2], at[4], logp[2];
    char path[TEST_PATH], *script;
    size_t size;
    double range[2], got[3];
    train(plane, "points", &t);
    const cst_split *split = &t.run.experiment.data.test;
    const cst_sampler s = {.run = &t.run, .seed = 5};
    test_assert_ok("draw", cst_sample_draw(&s, N, &x, &error), &error);
    const cst_status status = cst_sample_picture(&s, split, N, x, t.folder, &error);
    if (status != CST_EUNSUPPORTED)
        test_assert_ok("picture", status, &error); /* without gnuplot, the script is the only output */
    test_assert_ok("script", cst_file_read(test_path("points/samples.gp", path), 1 << 24, &script, &size, &error),
                   &error);
    cst_sample_data(&t.run.experiment.data, split, 1, data);
    numbers_at(script, "$data << END\n", 0, 2, got);
    for (size_t i = 0; i < 2; i++) test_assert_near("data", got[i], (double)data[i], 1e-3);
    numbers_at(script, "$samples << END\n", N - 1, 2, got);
    for (size_t i = 0; i < 2; i++) test_assert_near("sample", got[i], (double)x[2 * (N - 1) + i], 1e-3);
    numbers_at(script, "set xrange ", 0, 2, range);
    static const size_t squares[2][2] = {{30, 70}, {75, 50}};
    for (size_t i = 0; i < 4; i++)
        at[i] = (real)(range[0] + (range[1] - range[0]) * ((double)squares[i / 2][i % 2] + 0.5) / SIDE);
    test_assert_ok("density", cst_sample_log_likelihood(&s, 2, at, logp, &error), &error);
    for (size_t i = 0; i < 2; i++) {
        numbers_at(script, "$density << END\n", squares[i][1] * SIDE + squares[i][0], 3, got);
        for (size_t k = 0; k < 2; k++) test_assert_near("middle", got[k], (double)at[2 * i + k], 1e-3);
        test_assert_near("log p", log(got[2]), (double)logp[i], 1e-2);
    }
    free(script);
    free(x);
    clear(&t);
}

/* Bytes in the plane: a density over their values. Under a flow that dequantizes, it has one number for each pair of
 * values. The picture covers the domain of the density only. */
static void bytes_have_units(void **state)
{
    (void)state;
    enum { N = 65536 };
    static const char *const layers[] = {"", "{'type': 'dequantize'}, {'type': 'logit', 'alpha': 1e-3}, "};
    const cst_shape shape = {2, {40, 2}};
    uint8_t bytes[80];
    char path[TEST_PATH], config[4 * TEST_PATH];
    real *x = malloc(N * 2 * sizeof *x), *logp = malloc(N * sizeof *logp);
    assert_true(x && logp);
    for (size_t i = 0; i < 80; i++) bytes[i] = (uint8_t)(i * 151);
    assert_int_equal(cst_npy_write(test_path("bytes.npy", path), CST_NPY_U1, &shape, bytes, NULL), CST_OK);
    for (size_t k = 0; k < 2; k++) {
        trained t;
        cst_error error;
        snprintf(config, sizeof config,
                 "{'name': 'bytes', 'epochs': 1, 'threads': 1, 'loss': 'nll', 'data': {'type': 'npy', 'path': '@', "
                 "'train_x': "
                 "'bytes.npy', 'normalize': %s, 'eval_batch_size': 4096}, 'model': {'type': 'flow', 'layers': [%s"
                 "{'type': 'cnf', 'divergence': 'exact', 'field': {'type': 'field_net', 'hidden': [4]}}]}}",
                 k == 0 ? "true" : "false", layers[k]);
        train(config, k == 0 ? "values" : "levels", &t);
        const cst_sampler s = {.run = &t.run};
        const double step = k == 0 ? 4 : 1, first = k == 0 ? 128 - 512 : 0;
        for (size_t i = 0; i < N; i++) {
            x[2 * i] = (real)(first + step * (double)(i % 256));
            x[2 * i + 1] = (real)(first + step * (double)(i / 256));
        }
        test_assert_ok("density", cst_sample_log_likelihood(&s, N, x, logp, &error), &error);
        double sum = 0;
        for (size_t i = 0; i < N; i++) sum += step * step * exp((double)logp[i]);
        test_assert_near(k == 0 ? "values" : "levels", sum, 1, 1e-2);
        const cst_status status = cst_sample_picture(&s, &t.run.experiment.data.train, 20, x, t.folder, &error);
        if (status != CST_EUNSUPPORTED) test_assert_ok("picture", status, &error);
        clear(&t);
    }
    free(x);
    free(logp);
}

/* Coordinates in different units each fill their side of the picture. */
static void different_units_both_fill_the_picture(void **state)
{
    (void)state;
    const cst_shape shape = {2, {40, 2}};
    double values[80], x[2], y[2];
    char path[TEST_PATH], *script;
    size_t size;
    trained t;
    cst_error error;
    for (size_t i = 0; i < 40; i++) values[2 * i] = 100 + (double)i, values[2 * i + 1] = 0.01 * (double)(i * 7 % 40);
    assert_int_equal(cst_npy_write(test_path("unlike.npy", path), CST_NPY_F8, &shape, values, NULL), CST_OK);
    train(JSON({
              "name": "unlike",
              "epochs": 1,
              "threads": 1,
              "loss": "nll",
              "data": {"type": "npy", "path": "@", "train_x": "unlike.npy"},
              "model": {"type": "flow", "layers": [{"type": "cnf", "field": {"type": "field_net", "hidden": [2]}}]}
          }),
          "unlike", &t);
    const cst_sampler s = {.run = &t.run};
    real samples[4];
    cst_sample_data(&t.run.experiment.data, &t.run.experiment.data.train, 2, samples);
    const cst_status status = cst_sample_picture(&s, &t.run.experiment.data.train, 2, samples, t.folder, &error);
    if (status != CST_EUNSUPPORTED) test_assert_ok("picture", status, &error);
    test_assert_ok("script", cst_file_read(test_path("unlike/samples.gp", path), 1 << 24, &script, &size, &error),
                   &error);
    numbers_at(script, "set xrange ", 0, 2, x);
    numbers_at(script, "set yrange ", 0, 2, y);
    test_assert_near("x from", x[0], 100 - 0.05 * 39, 1e-2);
    test_assert_near("x to", x[1], 139 + 0.05 * 39, 1e-2);
    test_assert_near("y from", y[0], -0.05 * 0.39, 1e-3);
    test_assert_near("y to", y[1], 0.39 + 0.05 * 0.39, 1e-3);
    free(script);
    clear(&t);
}

static void write_images(void)
{
    uint8_t bytes[16 + 8 * 16] = {0, 0, 8, 3, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 4},
                           labels[16] = {0, 0, 8, 1, 0, 0, 0, 8};
    for (size_t i = 0; i < 8 * 16; i++) bytes[16 + i] = (uint8_t)(i * 67);
    test_write("train-images-idx3-ubyte", bytes, sizeof bytes);
    test_write("train-labels-idx1-ubyte", labels, sizeof labels);
    bytes[7] = labels[7] = 6;
    test_write("t10k-images-idx3-ubyte", bytes, 16 + 6 * 16);
    test_write("t10k-labels-idx1-ubyte", labels, 8 + 6);
}

/* Pictures in one row, each pixel 14 x 14 large, with gaps of 2: compare the middle of each pixel. */
static void expect_picture(const char *name, size_t n, const real *x)
{
    char path[TEST_PATH], *bytes;
    size_t size;
    uint8_t *planes;
    cst_shape shape;
    cst_error error;
    test_assert_ok("png", cst_file_read(test_path(name, path), 1 << 20, &bytes, &size, &error), &error);
    test_assert_ok("decode", cst_image_decode("png", (uint8_t *)bytes, size, 1, &planes, &shape, &error), &error);
    const size_t h = shape.dim[1], w = shape.dim[2];
    assert_true(h == 2 + 58 && w == 2 + n * 58);
    for (size_t i = 0; i < n * 16; i++) {
        const size_t py = 2 + i / 4 % 4 * 14 + 7, px = 2 + i / 16 * 58 + i % 4 * 14 + 7;
        assert_int_equal(planes[py * w + px], (int)x[i]);
    }
    free(bytes);
    free(planes);
}

/* Bytes stay bytes; the mean likelihood is that of the evaluation; the pictures show all samples. */
static void images_are_pixels(void **state)
{
    (void)state;
    enum { N = 7 };
    trained t;
    cst_error error;
    cst_evaluation result;
    real *x, logp[6];
    write_images();
    train(images, "images", &t);
    cst_dataset *data = &t.run.experiment.data;
    const cst_sampler s = {.run = &t.run, .seed = 1};
    test_assert_ok("draw", cst_sample_draw(&s, N, &x, &error), &error);
    for (size_t i = 0; i < (size_t)N * 16; i++)
        if (!(x[i] >= 0 && x[i] <= 255 && x[i] == (real)floor((double)x[i]))) fail_msg("a pixel is %g", (double)x[i]);
    test_assert_ok("likelihood", cst_sample_likelihood(&s, &data->test, logp, &error), &error);
    test_assert_ok("evaluate", cst_trainer_evaluate(&t.run.trainer, &data->test, &result, &error), &error);
    double sum = 0;
    for (size_t i = 0; i < 6; i++) sum += (double)logp[i] / 6;
    test_assert_near("mean", sum, -result.loss, 1e-4 * fabs(result.loss));
    test_assert_ok("write", cst_sample_write(&s, N, x, t.folder, &error), &error);
    test_assert_ok("picture", cst_sample_picture(&s, &data->test, N, x, t.folder, &error), &error);
    char path[TEST_PATH];
    cst_npy array;
    test_assert_ok("read", cst_npy_read(test_path("images/samples.npy", path), &array, &error), &error);
    assert_true(array.type == CST_NPY_U1 && array.shape.rank == 4 && array.shape.dim[0] == N);
    for (size_t i = 0; i < (size_t)N * 16; i++) assert_true(cst_npy_get(&array, i) == (double)x[i]);
    cst_npy_clear(&array);
    expect_picture("images/samples.png", N, x);
    real shown[6 * 16];
    for (size_t i = 0; i < (size_t)6 * 16; i++) shown[i] = (real)(uint8_t)(i * 67);
    expect_picture("images/data.png", 6, shown);
    free(x);
    clear(&t);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static bool stop(void *context, const char *what, size_t done, size_t total)
{
    size_t *last = context;
    assert_non_null(what);
    assert_in_range(done, *last + 1, total);
    *last = done;
    return done < 128;
}

static void impossible_requests_have_messages(void **state)
{
    (void)state;
    trained t;
    cst_error error;
    real *x, path[16];
    train(no_flow, "none", &t);
    cst_sampler s = {.run = &t.run};
    test_assert_failure(cst_sample_draw(&s, 2, &x, &error), CST_EUNSUPPORTED, &error,
                        TEST_WORDS("none: expected a model of type flow", "got linear"));
    assert_null(x);
    clear(&t);
    train(plane, "stopped", &t);
    size_t last = 0;
    const cst_sample_events events = {.context = &last, .progress = stop};
    s.events = &events;
    assert_int_equal(cst_sample_draw(&s, 200, &x, &error), CST_EINTERRUPTED);
    assert_null(x);
    assert_int_equal(last, 128);
    clear(&t);
    write_images();
    train(images, "squeezed", &t);
    s = (cst_sampler){.run = &t.run};
    test_assert_failure(cst_sample_path(&s, 1, 2, path, &error), CST_EUNSUPPORTED, &error,
                        TEST_WORDS("expected a flow of cnfs alone to draw its path, got a dequantize in it"));
    clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_follow_from_the_seed),
        cmocka_unit_test(paths_end_at_the_samples),
        cmocka_unit_test(densities_have_the_units_of_the_data),
        cmocka_unit_test(pictures_of_points_show_the_density),
        cmocka_unit_test(bytes_have_units),
        cmocka_unit_test(different_units_both_fill_the_picture),
        cmocka_unit_test(images_are_pixels),
        cmocka_unit_test(impossible_requests_have_messages),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
