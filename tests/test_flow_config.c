/* Sections of flows, and data, that are errors. */
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "formats/npy.h"
#include "layers/squeeze.h"
#include "models/flow.h"

#include <stdio.h>
#include <string.h>

static void bad_sections_are_refused(void **state)
{
    (void)state;
#define NET "'cnf': {'type': 'cnf', 'field': {'type': 'field_net', 'hidden': [2]}}"
    static const struct {
        const char *json, *message;
    } cases[] = {
        {JSON({"type": "flow"}), "model: expected at least one layer"},
        {JSON({"type": "flow", "layers": [{"type": "tanh"}]}),
         "model: layers[0]: tanh has no inverse and no log-determinant: expected a cnf, squeeze, logit or dequantize"},
        {JSON({"type": "flow", "layers": [{"type": "logit", "alpha": 0.5}]}), "model: layers[0].alpha: expected"},
        {JSON({"type": "flow", "layers": [{"type": "logit"}, {"type": "logit"}]}),
         "model: layers[1]: logit expects numbers from 0 to 1, but the logit before it gives others"},
        {JSON({"type": "flow", "layers": [{"type": "squeeze"}, {"type": "dequantize"}, {"type": "dequantize"}]}),
         "model: layers[2]: dequantize expects numbers from 0 to 1, but the dequantize before it gives others"},
        {JSON({"type": "flow", "blocks": [[1]]}), "expected both \"blocks\" and \"cnf\", or neither"},
        {"{'type': 'flow', " NET "}", "expected both \"blocks\" and \"cnf\", or neither"},
        {"{'type': 'flow', 'blocks': [[1, 1, 1]], " NET "}",
         "model: blocks[0][2]: expected images (C, H, W) with H and W even to squeeze, got (12, 2, 3)"},
        {"{'type': 'flow', 'blocks': [[1], [1]], " NET "}", "model: blocks[0]: expected a layer, and after it an even "
                                                            "number of channels to factor out half of, got (3, 4, 6)"},
        {"{'type': 'flow', 'blocks': [[1.5]], " NET "}", "model: blocks[0][0]: expected a whole number"},
        {"{'type': 'flow', 'blocks': [2], " NET "}", "model: blocks[0]: expected a list"},
        {JSON({"type": "flow", "blocks": [[1]], "cnf": {"type": "squeeze"}}), "expected a section of type cnf"},
        {JSON({"type": "field_net", "hidden": [0]}), "model: hidden[0]: expected"},
        {JSON({"type": "field_net", "hidden": [4], "kernel": 2}), "model: kernel: expected an odd number"},
    };
    const cst_shape x = cst_shape_3d(3, 4, 6);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_module *m = NULL;
        cst_error error;
        const cst_status status = test_module_new(cases[i].json, &x, &m, &error);
        if (status != CST_ECONFIG || !strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s: %s", i, cst_status_name(status), status == CST_OK ? "" : error.message);
    }
    /* A layer for rows of another shape. */
    cst_module *m = NULL, *layer = NULL;
    cst_error error;
    const cst_shape other = cst_shape_3d(1, 2, 2), none = {.rank = 1, .dim = {0}};
    test_assert_ok("flow", cst_flow_new(&x, &m, &error), &error);
    test_assert_ok("squeeze", cst_squeeze_new(&other, &layer, &error), &error);
    test_assert_error(cst_flow_add(m, layer, &error), CST_ESHAPE, &error,
                      "layer 0 of a flow: expected one for rows (3, 4, 6), got one for (1, 2, 2)");
    cst_module_free(m);
    assert_int_equal(cst_flow_new(&none, &m, &error), CST_ESHAPE);
}

/* Data that are not pixels are found before training begins, */
static void data_out_of_range_are_refused(void **state)
{
    (void)state;
    cst_document *document = test_parse(JSON({
        "name": "a",
        "epochs": 1,
        "loss": "nll",
        "data": {"type": "circles", "train_size": 8, "test_size": 4},
        "model": {
            "type": "flow",
            "layers": [{"type": "logit"}, {"type": "cnf", "field": {"type": "field_net", "hidden": [2]}}]
        }
    }));
    cst_experiment e;
    cst_error error;
    assert_int_equal(cst_experiment_new(document, &e, &error), CST_ECONFIG);
    if (!strstr(error.message, "model: a flow that begins with pixels expects numbers from 0 to 1, got -") ||
        !strstr(error.message, "data.normalize"))
        fail_msg("%s", error.message);
    cst_document_free(document);
}

/* in whichever split they are. */
static void each_split_is_checked(void **state)
{
    (void)state;
    static const char *const files[] = {"train.npy", "validation.npy", "test.npy"};
    const cst_shape shape = {2, {3, 2}};
    char path[TEST_PATH], text[2 * TEST_PATH];
    snprintf(
        text, sizeof text, JSON({
            "name": "a",
            "epochs": 1,
            "loss": "nll",
            "data": {
                "type": "npy",
                "path": "%s",
                "normalize": false,
                "train_x": "train.npy",
                "validation_x": "validation.npy",
                "test_x": "test.npy"
            },
            "model": {
                "type": "flow",
                "layers":
                    [{"type": "logit", "alpha": 0.05}, {"type": "cnf", "field": {"type": "field_net", "hidden": [2]}}]
            }
        }),
        test_root);
    for (size_t bad = 0; bad < 4; bad++) { /* 3: in no split */
        for (size_t i = 0; i < 3; i++) {
            double x[6] = {0, 0.25, 0.5, 0.75, 1, 0.125};
            if (i == bad) x[3] = 1.5;
            assert_int_equal(cst_npy_write(test_path(files[i], path), CST_NPY_F8, &shape, x, NULL), CST_OK);
        }
        cst_document *document = test_parse(text);
        cst_experiment e;
        cst_error error;
        const cst_status status = cst_experiment_new(document, &e, &error);
        if (bad == 3) {
            test_assert_ok("all in range", status, &error);
            cst_experiment_clear(&e);
        } else if (status != CST_ECONFIG || !strstr(error.message, "got 1.5 in row 1 of the data, entry 1")) {
            fail_msg("%s: %s: %s", files[bad], cst_status_name(status), status == CST_OK ? "" : error.message);
        }
        cst_document_free(document);
    }
}

static void levels_come_from_the_data(void **state)
{
    (void)state;
    static const int levels[] = {9, 17, 5, 256}; /* multiples of an eighth are also multiples of a sixteenth */
    const double x[3] = {0, 0.125, 1};
    const cst_shape shape = cst_shape_1d(3);
    char path[TEST_PATH], text[2 * TEST_PATH];
    assert_int_equal(cst_npy_write(test_path("eighths.npy", path), CST_NPY_F8, &shape, x, NULL), CST_OK);
    for (size_t i = 0; i < 4; i++) {
        snprintf(
            text, sizeof text,
            "{'name': 'a', 'epochs': 1, 'loss': 'nll', 'data': {'type': 'npy', 'normalize': false, 'train_x': '%s'}, "
            "'model': {'type': 'flow', 'layers': [{'type': 'dequantize', 'levels': %d}]}}",
            path, levels[i]);
        cst_document *document = test_parse(text);
        cst_experiment e;
        cst_error error;
        const cst_status status = cst_experiment_new(document, &e, &error);
        if (status == CST_OK) cst_experiment_clear(&e);
        if (i < 2) test_assert_ok("levels", status, &error);
        if (i >= 2 && (status != CST_ECONFIG || !strstr(error.message, "levels are multiples of 1/") ||
                       !strstr(error.message, "got 0.125 in row 1 of the data, entry 0")))
            fail_msg("%s: %s", cst_status_name(status), status == CST_OK ? "" : error.message);
        cst_document_free(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_sections_are_refused),
        cmocka_unit_test(data_out_of_range_are_refused),
        cmocka_unit_test(each_split_is_checked),
        cmocka_unit_test(levels_come_from_the_data),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
