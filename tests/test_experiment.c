/* Configs with one error each and their messages; the result of a valid config. */
#include "core/parallel.h"
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "train/experiment.h"

/* Rows of 2 numbers and 2 classes: 40 to learn from, 8 for validation, 20 for the test. */
#define NAME "'name': 'a'"
#define DATA "'data': {'type': 'circles', 'train_size': 40, 'validation_size': 8, 'test_size': 20, 'batch_size': 16}"
#define MODEL                                                                                                          \
    "'model': {'type': 'sequential', 'layers': [{'type': 'linear', 'out_features': 4}, {'type': 'tanh'}, "             \
    "{'type': 'linear', 'out_features': 2}]}"
#define EPOCHS "'epochs': 3"
static const char good[] = "{" NAME ", " DATA ", " MODEL ", " EPOCHS "}";

/* The text with the temporary folder for every @. */
static void fill_in(const char *text, char filled[4 * TEST_PATH])
{
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        n += (size_t)snprintf(filled + n, 4 * TEST_PATH - n, "%.*s", *c == '@' ? TEST_PATH : 1,
                              *c == '@' ? test_root : c);
        assert_in_range(n, 0, 4 * TEST_PATH - 1);
    }
}

/* The document, with values (JSON) set at paths. */
typedef struct setting {
    const char *path, *value;
} setting;

static cst_document *make_document(const char *json, const setting *settings, size_t n)
{
    cst_document *document = test_parse(json);
    for (size_t i = 0; i < n && settings[i].path; i++) {
        char value[4 * TEST_PATH];
        cst_error error = {0};
        fill_in(settings[i].value, value);
        for (char *c = value; *c; c++) *c = *c == '\'' ? '"' : *c;
        test_assert_ok(settings[i].path, cst_document_set(document, settings[i].path, value, &error), &error);
    }
    return document;
}

static void check_failure(cst_document *document, cst_status expected, const char *message)
{
    char filled[4 * TEST_PATH];
    fill_in(message, filled);
    cst_experiment e;
    cst_error error = {0};
    test_assert_error(cst_experiment_new(document, &e, &error), expected, &error, filled);
    assert_true(!e.model && e.data.train.n == 0 && !e.data.train.values && !e.data.train.bytes); /* nothing is kept */
    cst_document_free(document);
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

static void test_missing(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{" DATA ", " MODEL ", " EPOCHS "}", "test.json: missing key \"name\": expected a string"},
        {"{" NAME ", " MODEL ", " EPOCHS "}", "test.json: missing key \"data\": expected an object"},
        {"{" NAME ", " DATA ", " EPOCHS "}", "test.json: missing key \"model\": expected an object"},
        {"{" NAME ", " DATA ", " MODEL "}",
         "test.json: missing key \"epochs\": expected an integer from 1 to 1000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_failure(test_parse(cases[i].json), CST_ECONFIG, cases[i].message);
}

typedef struct mistake {
    setting settings[3];
    const char *message;
} mistake;

static void check_mistakes(const mistake *mistakes, size_t n, cst_status expected)
{
    for (size_t i = 0; i < n; i++)
        check_failure(make_document(good, mistakes[i].settings, 3), expected, mistakes[i].message);
}

#define NAME_EXPECTED                                                                                                  \
    "test.json: name: expected a name for a folder (1 to 200 bytes without '/' or control characters, not beginning "  \
    "with '.' or '-'), got "
#define TEN "0123456789"

static const mistake root_mistakes[] = {
    {{{"epoch", "1"}}, "test.json: epoch: unknown key; the nearest known one is \"epochs\""},
    {{{"type", "1"}}, "test.json: type: unknown key; the nearest known one is \"name\""},
    {{{"name", "3"}}, "test.json: name: expected a string, got 3"},
    {{{"name", "''"}}, NAME_EXPECTED "\"\""},
    {{{"name", "'.a'"}}, NAME_EXPECTED "\".a\""},
    {{{"name", "'..'"}}, NAME_EXPECTED "\"..\""},
    {{{"name", "'-a'"}}, NAME_EXPECTED "\"-a\""},
    {{{"name", "'a/b'"}}, NAME_EXPECTED "\"a/b\""},
    {{{"name", "'a\\u001b[31mb'"}}, NAME_EXPECTED "\"a\\u001b[31mb\""},
    {{{"name", "'a\\nb'"}}, NAME_EXPECTED "\"a\\nb\""},
    {{{"name", "'a\\u007fb'"}}, NAME_EXPECTED "\"a\\u007fb\""},
    {{{"name", "'a\\u009bb'"}}, NAME_EXPECTED "\"a\\u009bb\""},
    {{{"name", "'" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "x'"}},
     NAME_EXPECTED "\"" TEN TEN TEN TEN TEN TEN "..."},
    {{{"seed", "-1"}}, "test.json: seed: expected a non-negative integer, got -1"},
    {{{"seed", "1.5"}}, "test.json: seed: expected a non-negative integer, got 1.5"},
    {{{"seed", "1e16"}}, "test.json: seed: expected an integer from 0 to 9007199254740992, got 1e+16"},
    {{{"threads", "65"}}, "test.json: threads: expected an integer from 0 to 64, got 65"},
    {{{"epochs", "0"}}, "test.json: epochs: expected an integer from 1 to 1000000000, got 0"},
    {{{"clip_grad_norm", "-1"}}, "test.json: clip_grad_norm: expected a non-negative number, got -1"},
    {{{"save_every", "null"}}, "test.json: save_every: expected an integer from 0 to 1000000000, got null"},
    {{{"on_failure", "'retry'"}}, "test.json: on_failure: expected one of \"stop\", \"skip\", got \"retry\""},
    {{{"monitor", "'test_loss'"}},
     "test.json: monitor: expected one of \"auto\", \"train_loss\", \"validation_loss\", "
     "\"validation_accuracy\", got \"test_loss\""},
    {{{"monitor", "'validation_loss'"}, {"data.validation_size", "0"}},
     "test.json: monitor: expected a validation split, got none; set data.validation_size"},
    {{{"monitor", "'validation_accuracy'"}, {"data.validation_size", "0"}},
     "test.json: monitor: expected a validation split, got none; set data.validation_size"},
    {{{"early_stopping", "3"}}, "test.json: early_stopping: expected an object, got 3"},
    {{{"early_stopping", "{}"}},
     "test.json: early_stopping: missing key \"patience\": expected an integer from 1 to 1000000000"},
    {{{"early_stopping", JSON({"patience": 0})}},
     "test.json: early_stopping.patience: expected an integer from 1 to 1000000000, got 0"},
    {{{"early_stopping", JSON({"patience": 2, "min_delta": -0.1})}},
     "test.json: early_stopping.min_delta: expected a non-negative number, got -0.1"},
    {{{"early_stopping", JSON({"patience": 2, "delta": 0})}},
     "test.json: early_stopping.delta: unknown key; the nearest known one is \"min_delta\""},
};

static const mistake section_mistakes[] = {
    {{{"optimizer", "'adam'"}}, "test.json: optimizer: expected an object, got \"adam\""},
    {{{"optimizer", "null"}}, "test.json: optimizer: expected an object, got null"},
    {{{"optimizer", JSON({"type": "adam", "lr": -1})}}, "test.json: optimizer.lr: expected a positive number, got -1"},
    {{{"schedule", "null"}}, "test.json: schedule: expected an object, got null"},
    {{{"schedule", JSON({"type": "exponential", "gamma": 0})}},
     "test.json: schedule.gamma: expected a positive number, got 0"},
    {{{"data", "'mnist'"}}, "test.json: data: expected an object, got \"mnist\""},
    {{{"data", "{}"}}, "test.json: data: missing key \"type\": expected the name of a data set"},
    {{{"data", JSON({"type": "circle"})}},
     "test.json: data.type: expected the name of a data set (the nearest is \"circles\"), got \"circle\""},
    {{{"data.batch_size", "0"}}, "test.json: data.batch_size: expected a positive integer, got 0"},
    {{{"data.eval_batch_size", "0.5"}}, "test.json: data.eval_batch_size: expected a positive integer, got 0.5"},
    {{{"data.train_size", "0"}}, "test.json: data.train_size: expected an integer from 1 to 10000000, got 0"},
    {{{"data.dimension", "17"}}, "test.json: data.dimension: expected an integer from 1 to 16, got 17"},
    {{{"data.normalize", "1"}}, "test.json: data.normalize: expected true or false, got 1"},
    {{{"data.turns", "1"}}, "test.json: data.turns: unknown key; the nearest known one is \"type\""},
    {{{"data", JSON({"type": "images"})}}, "test.json: data: missing key \"path\": expected a string"},
    {{{"data", JSON({"type": "idx", "train_images": "a"})}},
     "test.json: data: missing key \"path\" or \"train_labels\": expected a string"},
    {{{"data", JSON({"type": "idx", "path": "@/idx", "validation_size": 6})}},
     "test.json: data.validation_size: expected at most 5, the rows that can be spared, got 6"},
    {{{"data", JSON({"type": "idx", "path": "@/idx", "validation_size": 2, "train_size": 5})}},
     "test.json: data.train_size: expected at most 4, the rows there are, got 5"},
    {{{"data", JSON({"type": "idx", "path": "@/idx", "test_size": 4})}},
     "test.json: data.test_size: expected at most 3, the rows there are, got 4"},
};

static const mistake model_mistakes[] = {
    {{{"model", "'linear'"}}, "test.json: model: expected an object, got \"linear\""},
    {{{"model", "{}"}}, "test.json: model: missing key \"type\": expected the name of a module"},
    {{{"model.layers[1].type", "'tahn'"}},
     "test.json: model.layers[1].type: expected the name of a module (the nearest is \"tanh\"), got \"tahn\""},
    {{{"model.layers[0].out_features", "0"}},
     "test.json: model.layers[0].out_features: expected an integer from 1 to 1000000000, got 0"},
    {{{"model.layers[1]", JSON({"type": "conv2d", "out_channels": 1, "kernel": 3})}},
     "test.json: model.layers[1]: expected rows of 3 dimensions (C, H, W), got (4)"},
    {{{"model.layers", "[]"}}, "test.json: model.layers: expected at least one layer, got none"},
    {{{"model.layers[2].out_features", "3"}},
     "test.json: model: expected 2 outputs, one per class, got rows of shape (3)"},
    {{{"loss", "'cross-entropy'"}},
     "test.json: loss: expected one of cross_entropy, mse, l1, bce_with_logits, nll, got "
     "\"cross-entropy\""},
    {{{"loss", "1"}}, "test.json: loss: expected a string, got 1"},
    {{{"loss", "'nll'"}},
     "test.json: model: nll expects a model of type flow, whose output is a log-likelihood, got sequential"},
    {{{"loss", "'mse'"}}, "test.json: loss: mse expects data with values as targets, got 2 classes"},
    {{{"loss", "'l1'"}}, "test.json: loss: l1 expects data with values as targets, got 2 classes"},
    {{{"loss", "'bce_with_logits'"}},
     "test.json: model: bce_with_logits expects 2 classes and one output, got 2 classes "
     "and rows of shape (2)"},
    {{{"loss", "'bce_with_logits'"},
      {"model.layers[2].out_features", "1"},
      {"data", JSON({"type": "spirals", "classes": 3})}},
     "test.json: model: bce_with_logits expects 2 classes and one output, got 3 classes and rows of shape (1)"},
    {{{"model.layers[0].out_features", "1000000000"},
      {"model.layers[1]", JSON({"type": "linear", "out_features": 1000000000})}},
     "test.json: model: the model needs more memory than can be addressed with batches of 40 rows"},
};

#define CHECK(mistakes) check_mistakes(mistakes, sizeof mistakes / sizeof mistakes[0], CST_ECONFIG)

static void test_root_keys(void **state)
{
    (void)state;
    CHECK(root_mistakes);
}

static void test_sections(void **state)
{
    (void)state;
    CHECK(section_mistakes);
}

static void test_models(void **state)
{
    (void)state;
    CHECK(model_mistakes);
}

/* ---- data in files ------------------------------------------------------------------------------------------- */

/* n images of 2 x 2 and their labels 0, 1, 0, ... */
static void write_idx(const char *images, const char *labels, unsigned char n)
{
    unsigned char x[16 + 4 * 255] = {0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 2, 0, 0, 0, 2},
                             y[8 + 255] = {0, 0, 8, 1, 0, 0, 0, n};
    for (size_t i = 0; i < n; i++) {
        x[16 + 4 * i] = (unsigned char)(10 * i);
        y[8 + i] = i % 2;
    }
    test_write(images, x, 16 + 4 * (size_t)n);
    test_write(labels, y, 8 + (size_t)n);
}

static int make_files(void **state)
{
    if (test_make_root(state) != 0) return -1;
    test_folder("idx");
    test_folder("short");
    write_idx("idx/train-images-idx3-ubyte", "idx/train-labels-idx1-ubyte", 6);
    write_idx("idx/t10k-images-idx3-ubyte", "idx/t10k-labels-idx1-ubyte", 3);
    write_idx("short/train-images-idx3-ubyte", "short/train-labels-idx1-ubyte", 6);
    write_idx("short/other", "short/t10k-labels-idx1-ubyte", 3);
    write_idx("short/t10k-images-idx3-ubyte", "short/another", 4);
    return 0;
}

static void test_files(void **state)
{
    (void)state;
    static const mistake absent = {{{"data", JSON({"type": "idx", "path": "@/nowhere"})}},
                                   "test.json: data: no data found: tried @/nowhere"},
                         misfit = {{{"data", JSON({"type": "idx", "path": "@/short"})}},
                                   "@/short/t10k-labels-idx1-ubyte: expected 4 labels, one per image, "
                                   "found 3"},
                         /* Errors that cost nothing to find are found first. */
        both = {{{"data", JSON({"type": "idx", "path": "@/short"})}, {"optimizer", JSON({"type": "adm"})}},
                "test.json: optimizer.type: expected the name of an optimizer (the nearest is "
                "\"adam\"), got \"adm\""};
    check_mistakes(&absent, 1, CST_EIO);
    check_mistakes(&misfit, 1, CST_EFORMAT);
    check_mistakes(&both, 1, CST_ECONFIG);
}

/* ---- good ones ----------------------------------------------------------------------------------------------- */

static cst_document *make_good(const setting *settings, size_t n, cst_experiment *e)
{
    cst_error error = {0};
    cst_document *document = make_document(good, settings, n);
    test_assert_ok(n > 0 ? settings[0].value : "good", cst_experiment_new(document, e, &error), &error);
    return document;
}

static void clear(cst_document *document, cst_experiment *e)
{
    cst_experiment_clear(e);
    assert_null(e->model);
    cst_document_free(document);
}

static void test_defaults(void **state)
{
    (void)state;
    cst_experiment e;
    cst_document *document = make_good(NULL, 0, &e);
    assert_string_equal(e.name, "a");
    assert_int_equal(e.seed, 0);
    assert_int_equal(e.threads, cst_threads_available());
    assert_true(e.epochs == 3 && e.save_every == 1 && e.clip_grad_norm == 0);
    assert_true(e.on_failure == CST_ON_FAILURE_STOP && !e.early_stopping.enabled);
    assert_string_equal(e.loss->name, "cross_entropy");
    assert_string_equal(e.optimizer.type->name, "adamw");
    assert_int_equal(e.schedule.kind, CST_SCHEDULE_CONSTANT);
    assert_true(e.data.train.n == 40 && e.data.validation.n == 8 && e.data.test.n == 20);
    assert_int_equal(e.model->n_params, 2 * 4 + 4 + 4 * 2 + 2);
    /* The document gets the defaults of missing keys. */
    double number;
    assert_true(cst_config_number(cst_config_get(cst_config_get(e.config, "optimizer"), "weight_decay"), &number));
    assert_true(number == 0.01);
    assert_string_equal(cst_config_string(cst_config_get(e.config, "on_failure")), "stop");
    clear(document, &e);
}

static void test_values(void **state)
{
    (void)state;
    static const setting settings[] = {{"seed", "9007199254740991"},
                                       {"threads", "3"},
                                       {"clip_grad_norm", "0.5"},
                                       {"on_failure", "'skip'"},
                                       {"save_every", "0"},
                                       {"early_stopping", JSON({"patience": 4, "min_delta": 0.01})},
                                       {"loss", "'bce_with_logits'"},
                                       {"model.layers[2].out_features", "1"},
                                       {"optimizer", JSON({"type": "sgd", "momentum": 0.9})},
                                       {"schedule", JSON({"type": "cosine"})}};
    cst_experiment e;
    cst_document *document = make_good(settings, sizeof settings / sizeof settings[0], &e);
    assert_true(e.seed == 9007199254740991 && e.threads == 3 && e.clip_grad_norm == 0.5 && e.save_every == 0);
    assert_int_equal(e.on_failure, CST_ON_FAILURE_SKIP);
    assert_true(e.early_stopping.enabled && e.early_stopping.patience == 4 && e.early_stopping.min_delta == 0.01);
    assert_string_equal(e.loss->name, "bce_with_logits");
    assert_true(e.optimizer.momentum == 0.9 && e.schedule.T_max == 3);
    clear(document, &e);
}

/* The monitored value, and whether the best weights are kept, without and with a validation split. */
static void test_monitor(void **state)
{
    (void)state;
    static const struct {
        const char *monitor, *validation;
        cst_monitor expected;
        bool keep_best;
    } cases[] = {{"'auto'", "0", CST_MONITOR_TRAIN_LOSS, false},
                 {"'auto'", "8", CST_MONITOR_VALIDATION_ACCURACY, true},
                 {"'train_loss'", "0", CST_MONITOR_TRAIN_LOSS, true},
                 {"'train_loss'", "8", CST_MONITOR_TRAIN_LOSS, true},
                 {"'validation_loss'", "8", CST_MONITOR_VALIDATION_LOSS, true},
                 {"'validation_accuracy'", "8", CST_MONITOR_VALIDATION_ACCURACY, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const setting settings[] = {{"monitor", cases[i].monitor}, {"data.validation_size", cases[i].validation}};
        cst_experiment e;
        cst_document *document = make_good(settings, 2, &e);
        assert_int_equal(e.monitor, cases[i].expected);
        assert_int_equal(e.keep_best, cases[i].keep_best);
        clear(document, &e);
    }
}

/* Full batches and the remaining smaller one, in training and in the evaluation of every split. */
static void test_batch_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *batch, *eval_batch;
        size_t rows[CST_BATCH_SIZES], n, iterations;
    } cases[] = {{"16", "256", {16, 8, 8, 20, 40}, 5, 3},
                 {"7", "6", {7, 5, 6, 2, 6, 2, 6, 4}, 8, 6},
                 {"40", "4", {40, 4, 4, 4}, 4, 1},
                 {"41", "8", {40, 8, 8, 4, 8}, 5, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const setting settings[] = {{"data.batch_size", cases[i].batch}, {"data.eval_batch_size", cases[i].eval_batch}};
        cst_experiment e;
        size_t rows[CST_BATCH_SIZES];
        cst_document *document = make_good(settings, 2, &e);
        assert_int_equal(cst_experiment_rows(&e, rows), cases[i].n);
        for (size_t k = 0; k < cases[i].n; k++) assert_int_equal(rows[k], cases[i].rows[k]);
        assert_int_equal(cst_experiment_iterations(&e), cases[i].iterations);
        const cst_learner_options o = cst_experiment_learner(&e, rows, cases[i].n);
        assert_true(o.loss == e.loss && o.optimizer == &e.optimizer && o.threads == e.threads && o.rows == rows);
        clear(document, &e);
    }
}

/* The seed selects the rows. A resolved document means the same as the document that it was made from. */
static void test_resolved_document(void **state)
{
    (void)state;
    static const setting seeds[] = {{"seed", "1"}, {"seed", "1"}, {"seed", "2"}};
    cst_experiment e[4];
    cst_document *documents[4];
    for (size_t i = 0; i < 3; i++) documents[i] = make_good(&seeds[i], 1, &e[i]);
    char *text = cst_document_print(documents[0]);
    assert_non_null(text);
    documents[3] = test_parse(text);
    cst_error error = {0};
    test_assert_ok(text, cst_experiment_new(documents[3], &e[3], &error), &error);
    char *again = cst_document_print(documents[3]);
    assert_string_equal(again, text);
    for (size_t i = 1; i < 4; i++) {
        const bool same = memcmp(e[0].data.train.values, e[i].data.train.values, 80 * sizeof(real)) == 0;
        assert_int_equal(same, i != 2);
    }
    free(text);
    free(again);
    for (size_t i = 0; i < 4; i++) clear(documents[i], &e[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),     cmocka_unit_test(test_root_keys),
        cmocka_unit_test(test_sections),    cmocka_unit_test(test_models),
        cmocka_unit_test(test_files),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),      cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_batch_sizes), cmocka_unit_test(test_resolved_document),
    };
    return cmocka_run_group_tests(tests, make_files, test_remove_root);
}
