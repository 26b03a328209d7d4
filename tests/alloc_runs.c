/* Scenarios of tests/alloc_sweep.h: runs in folders, made, resumed, evaluated, compared and drawn. */
#include "tests/alloc_sweep.h"

#include "run_files.h"
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "analysis/comparison.h"
#include "analysis/gradients.h"
#include "analysis/plot.h"
#include "analysis/sample.h"
#include "core/file.h"
#include "models/registry.h"
#include "train/run.h"

/* An ODE block with inner times, a validation split so that the best weights are kept, dropout, and a smaller last
 * batch. */
static const char config[] =
    "{\"name\": \"tiny\", \"seed\": 5, \"threads\": 1, \"epochs\": 2, \"trace_every\": 2,\n"
    " \"data\": {\"type\": \"spirals\", \"train_size\": 10, \"validation_size\": 4, \"test_size\": 4, \"batch_size\": "
    "4},\n"
    " \"model\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"dropout\", \"p\": 0.1}, {\"type\": \"ode\",\n"
    "  \"solver\": {\"rtol\": 0.1, \"atol\": 0.1}, \"field\": {\"type\": \"sequential\", \"layers\": [\n"
    "  {\"type\": \"concat_time\"}, {\"type\": \"linear\", \"out_features\": 2}, {\"type\": \"tanh\"}]}},\n"
    "  {\"type\": \"linear\", \"out_features\": 2}]}, \"schedule\": {\"type\": \"plateau\"}}";

static char reference[TEST_PATH], splits[TEST_PATH], run_folder[TEST_PATH], comparison[TEST_PATH], stem[TEST_PATH];

/* ---- one run ------------------------------------------------------------------------------------------------- */

static bool stop_in_second_epoch(void *context)
{
    const cst_run *run = context;
    return run->trainer.training.iterations == 4;
}

static cst_status evaluate(cst_run *run, cst_error *error)
{
    cst_evaluation result;
    CST_TRY(cst_trainer_evaluate(&run->trainer, &run->experiment.data.test, &result, error));
    return result.rows == 4 ? CST_OK : cst_fail(error, CST_EARG, "other rows than there are");
}

static cst_status run_in(const char *folder, cst_run_mode mode, bool stop, cst_error *error)
{
    cst_document *document;
    cst_run run;
    cst_summary summary;
    const cst_run_events events = {.context = &run, .interrupted = stop ? stop_in_second_epoch : NULL};
    CST_TRY(cst_document_parse("config", config, sizeof config - 1, &document, error));
    cst_status status = cst_run_init(&run, document, folder, mode, &events, error);
    if (status == CST_OK) {
        const uint64_t before = run.trainer.training.iterations;
        status = mode == CST_RUN_OPEN ? evaluate(&run, error) : cst_run_train(&run, &summary, error);
        if (mode == CST_RUN_RESUME && status == CST_OK && before < 4)
            status = cst_fail(error, CST_EARG, "gone on from iteration %llu", (unsigned long long)before);
        cst_run_clear(&run);
    }
    cst_document_free(document);
    return status;
}

static void no_folder(void)
{
    test_remove(run_folder);
}

static void copy_parts(void)
{
    test_copy_run(splits, run_folder);
}

static void copy_reference(void)
{
    test_copy_run(reference, run_folder);
}

static cst_status run_new(cst_error *error)
{
    return run_in(run_folder, CST_RUN_NEW, false, error);
}

static cst_status run_interrupted(cst_error *error)
{
    return run_in(run_folder, CST_RUN_NEW, true, error);
}

static cst_status run_resumed(cst_error *error)
{
    return run_in(run_folder, CST_RUN_RESUME, false, error);
}

static cst_status run_evaluated(cst_error *error)
{
    return run_in(reference, CST_RUN_OPEN, false, error);
}

/* Every file can be read. A run that succeeded has the results of an undisturbed run. */
static void check_new(cst_status status)
{
    test_check_run(run_folder, false);
    if (status == CST_OK) test_same_run(run_folder, reference);
}

/* A checkpoint that existed before still exists, and training resumed from it has the same end. */
static void check_resumed(cst_status status)
{
    cst_error error;
    assert_true(test_has(run_folder, "checkpoint.safetensors"));
    check_new(status);
    if (status == CST_OK) return;
    test_assert_ok("resumed again", run_resumed(&error), &error);
    test_same_run(run_folder, reference);
}

/* ---- flows
 * --------------------------------------------------------------------------------------------------------- */

/* One ODE block for training and for evaluation; scales of images. */
static cst_status run_flows(cst_error *error)
{
    static const char learnt[] =
        "{\"name\": \"flow\", \"threads\": 1, \"epochs\": 1, \"loss\": \"nll\",\n"
        " \"data\": {\"type\": \"density\", \"name\": \"moons\", \"train_size\": 4, \"test_size\": 2},\n"
        " \"model\": {\"type\": \"flow\", \"layers\": [{\"type\": \"cnf\", \"kinetic\": 0.1, \"field\":\n"
        "  {\"type\": \"field_net\", \"hidden\": [2]}, \"evaluation\": {\"divergence\": \"exact\"}}]}}";
    static const char scales[] = JSON({
        "type": "flow",
        "layers": [{"type": "dequantize"}, {"type": "logit"}],
        "blocks": [[1, 1], [1]],
        "cnf": {"type": "cnf", "field": {"type": "field_net", "hidden": [2]}}
    });
    const cst_shape image = cst_shape_3d(1, 4, 4);
    cst_document *document;
    cst_experiment e;
    cst_module *m;
    CST_TRY(cst_document_parse("config", learnt, sizeof learnt - 1, &document, error));
    cst_status status = cst_experiment_new(document, &e, error);
    if (status == CST_OK) cst_experiment_clear(&e);
    cst_document_free(document);
    CST_TRY(status);
    CST_TRY(cst_module_from_json(&cst_all_modules, scales, &image, &m, error));
    cst_module_free(m);
    return CST_OK;
}

/* Images, that is npy and png files. */
static cst_status draw(cst_run *run, cst_error *error)
{
    enum { N = 3 };
    real *x, logp[2];
    const cst_split *test = &run->experiment.data.test;
    const cst_sampler s = {.run = run, .seed = 1};
    CST_TRY(cst_sample_likelihood(&s, test, logp, error));
    CST_TRY(cst_sample_draw(&s, N, &x, error));
    cst_status status = cst_sample_write(&s, N, x, run_folder, error);
    if (status == CST_OK) status = cst_sample_picture(&s, test, N, x, run_folder, error);
    free(x);
    return status;
}

static cst_status run_samples(cst_error *error)
{
    char text[2 * TEST_PATH];
    const int n = snprintf(
        text, sizeof text,
        "{\"name\": \"images\", \"threads\": 1, \"epochs\": 1, \"loss\": \"nll\",\n"
        " \"data\": {\"type\": \"npy\", \"path\": \"%s\", \"train_x\": \"images.npy\", \"test_size\": 2, "
        "\"normalize\": false},\n"
        " \"model\": {\"type\": \"flow\", \"layers\": [{\"type\": \"dequantize\"}, {\"type\": \"logit\"}, {\"type\": "
        "\"cnf\",\n"
        "  \"solver\": {\"rtol\": 0.1, \"atol\": 0.1}, \"field\": {\"type\": \"field_net\", \"hidden\": [1]}}]}}",
        test_root);
    assert_in_range(n, 1, sizeof text - 1);
    cst_document *document;
    cst_run run;
    cst_summary summary;
    CST_TRY(cst_document_parse("config", text, (size_t)n, &document, error));
    cst_status status = cst_run_init(&run, document, run_folder, CST_RUN_NEW, NULL, error);
    if (status == CST_OK) {
        status = cst_run_train(&run, &summary, error);
        if (status == CST_OK) status = draw(&run, error);
        cst_run_clear(&run);
    }
    cst_document_free(document);
    return status;
}

static void check_samples(cst_status status)
{
    if (status == CST_OK) assert_true(test_has(run_folder, "samples.npy") && test_has(run_folder, "samples.png"));
}

/* ---- a comparison, drawn --------------------------------------------------------------------------------------- */

static void no_comparison(void)
{
    test_remove(comparison);
}

static cst_status tables(const cst_comparison *c, cst_error *error)
{
    for (int format = CST_TABLE_TEXT; format <= CST_TABLE_CSV; format++) {
        char *table = cst_comparison_table(c, (cst_table_format)format);
        if (!table) return cst_fail(error, CST_ENOMEM, "out of memory");
        const bool whole = strstr(table, "norm=default") && strstr(table, "norm=seminorm");
        free(table);
        if (!whole) return cst_fail(error, CST_EARG, "a table without its variants");
    }
    return CST_OK;
}

static cst_status compare(cst_document *document, const cst_varied *varied, cst_error *error)
{
    cst_comparison c;
    const cst_comparison_events events = {0};
    CST_TRY(cst_document_set(document, "epochs", "1", error));
    CST_TRY(cst_comparison_init(&c, document, comparison, varied, 1, 1, error));
    cst_status status = cst_comparison_run(&c, &events, error);
    if (status == CST_OK) status = tables(&c, error);
    cst_comparison_clear(&c);
    return status;
}

static cst_status run_comparison(cst_error *error)
{
    cst_document *document;
    cst_varied varied;
    CST_TRY(cst_varied_parse("model...norm=default,seminorm", &varied, error));
    cst_status status = cst_document_parse("config", config, sizeof config - 1, &document, error);
    if (status == CST_OK) {
        status = compare(document, &varied, error);
        cst_document_free(document);
    }
    cst_varied_clear(&varied);
    return status;
}

static void check_comparison(cst_status status)
{
    test_check_run(comparison, false);
    if (status == CST_OK) assert_true(test_has(comparison, "comparison.md") && test_has(comparison, "comparison.csv"));
}

/* gnuplot is not on the PATH, so that the script is the only output */
static cst_status run_plot(cst_error *error)
{
    cst_plot plot = {0};
    cst_status status = cst_plot_add(&plot, comparison, error);
    if (status == CST_OK) status = cst_plot_add(&plot, reference, error);
    if (status == CST_OK) status = cst_plot_draw(&plot, stem, error);
    cst_plot_clear(&plot);
    return status;
}

static cst_status run_steps_plot(cst_error *error)
{
    bool drawn;
    cst_plot plot = {0};
    cst_status status = cst_plot_add(&plot, comparison, error);
    if (status == CST_OK) status = cst_plot_draw_steps(&plot, stem, &drawn, error);
    cst_plot_clear(&plot);
    return status;
}

static void check_plot(cst_status status)
{
    if (status != CST_EUNSUPPORTED) return;
    size_t n;
    char *script = test_read_all(test_root, "plot.gp", &n);
    assert_non_null(strstr(script, "unset multiplot\nunset output\n"));
    free(script);
}

/* ---- gradients ----------------------------------------------------------------------------------------------- */

static const char many_steps[] = JSON({"method": "euler", "step_size": 0.01});

static cst_status run_gradients(cst_error *error)
{
    cst_document *document;
    cst_experiment e;
    cst_gradient_row rows[CST_GRADIENT_ROWS];
    CST_TRY(cst_document_parse("config", config, sizeof config - 1, &document, error));
    /* Take more than 64 steps, so that the copy of a solve grows while it is filled. */
    cst_status status = cst_document_set(document, "model.layers[1].solver", many_steps, error);
    if (status == CST_OK) status = cst_experiment_new(document, &e, error);
    if (status == CST_OK) {
        status = cst_gradients_compare(&e, rows, error);
        cst_experiment_clear(&e);
    }
    cst_document_free(document);
    return status;
}

/* ---- the scenarios ------------------------------------------------------------------------------------------- */

const alloc_scenario alloc_run_scenarios[] = {
    {"a run", CST_OK, no_folder, run_new, check_new},
    {"a run that is interrupted", CST_EINTERRUPTED, no_folder, run_interrupted, check_new},
    {"a run resumed in the midst of an epoch", CST_OK, copy_parts, run_resumed, check_resumed},
    {"a run resumed after its end", CST_OK, copy_reference, run_resumed, check_resumed},
    {"a run evaluated", CST_OK, NULL, run_evaluated, NULL},
    {"flows", CST_OK, NULL, run_flows, NULL},
    {"samples", CST_OK, no_folder, run_samples, check_samples},
    {"a comparison", CST_OK, no_comparison, run_comparison, check_comparison},
    {"gradients compared", CST_OK, NULL, run_gradients, NULL},
    {"a plot's script", CST_EUNSUPPORTED, NULL, run_plot, check_plot},
    {"a script of solver steps", CST_EUNSUPPORTED, NULL, run_steps_plot, check_plot},
    {0},
};

void alloc_runs_set_up(void)
{
    cst_error error;
    test_path("reference", reference);
    test_path("parts", splits);
    test_path("run", run_folder);
    test_path("comparison", comparison);
    test_path("plot", stem);
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    uint8_t pixels[4 * 4];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(16 * i);
    char path[TEST_PATH];
    const cst_shape images = {4, {4, 1, 2, 2}};
    test_assert_ok("images", cst_npy_write(test_path("images.npy", path), CST_NPY_U1, &images, pixels, &error), &error);
    test_assert_ok("reference", run_in(reference, CST_RUN_NEW, false, &error), &error);
    assert_int_equal(run_in(splits, CST_RUN_NEW, true, &error), CST_EINTERRUPTED);
    test_assert_ok("comparison", run_comparison(&error), &error);
}
