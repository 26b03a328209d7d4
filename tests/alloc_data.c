/* Scenarios of tests/alloc_sweep.h: configs, modules, tensors in files, a solve. */
#include "tests/alloc_sweep.h"

#include "tests/data_files.h"
#include "tests/helpers.h"

#include "core/file.h"
#include "formats/safetensors.h"
#include "models/registry.h"
#include "ode/solve.h"

static cst_status no_memory(cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "out of memory");
}

/* ---- configs ------------------------------------------------------------------------------------------------- */

static const char config_text[] = JSON({
    "name": "a",
    "epochs": 1,
    "data": {"type": "circles", "train_size": 20, "test_size": 5},
    "model": {
        "type": "sequential",
        "layers": [
            {"type": "linear", "out_features": 3}, {
                "type": "ode",
                "field": {"type": "linear", "out_features": 3},
                "t": [0, 0.5, 1],
                "learn_t": true,
                "solver": {"step_t": [0.25], "jump_t": [0.5]},
                "gradient": {"norm": {"combine": "rms", "weights": {"z": 1, "a_z": 0.5}}, "solver": {"jump_t": [0.5]}}
            },
            {"type": "linear", "out_features": 1}
        ]
    },
    "loss": "bce_with_logits",
    "schedule": {"type": "cosine"}
});

static const char *const settings[][2] = {
    {"model.layers[0].out_features", "3"},
    {"...learn_t", "false"},
    {"model...train_size", "1"},
    {"name", "something else"},
    {"seed", "7"},
};

static void write_config(void)
{
    test_write("config.json", config_text, strlen(config_text));
}

static cst_status print(cst_config config, cst_document *document, cst_error *error)
{
    char *line = cst_config_print(config), *lines = cst_document_print(document);
    const cst_status status = line && lines ? CST_OK : no_memory(error);
    free(line);
    free(lines);
    return status;
}

static cst_status change(cst_document *document, cst_error *error)
{
    const cst_config root = cst_document_root(document);
    double *times;
    size_t n;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const cst_status status = cst_document_set(document, settings[i][0], settings[i][1], error);
        if (i == 2 && status == CST_ECONFIG) continue; /* no such key exists below the model */
        CST_TRY(status);
    }
    const cst_config ode = cst_config_item(cst_config_get(cst_config_get(root, "model"), "layers"), 1);
    CST_TRY(cst_config_put(ode, "t", "[0, 1]", error));
    CST_TRY(cst_config_reals(cst_config_get(ode, "t"), &times, &n, error));
    free(times);
    CST_TRY(print(ode, document, error));
    return cst_config_length(cst_config_get(ode, "t")) == 2 ? CST_OK : cst_fail(error, CST_EARG, "t was not set");
}

static cst_status run_config(cst_error *error)
{
    char path[TEST_PATH];
    cst_document *document;
    CST_TRY(cst_document_load(test_path("config.json", path), &document, error));
    const cst_status status = change(document, error);
    cst_document_free(document);
    return status;
}

/* Mistakes of every kind. Without memory a message may lose its place, but the error's status must stay. */
static cst_status run_mistakes(cst_error *error)
{
    static const char *const texts[] = {
        JSON({"type": "linear", "type": 1}),
        JSON({"type": "linear", "out_features": 1e999}),
        JSON({"type": "linear", "out_featurez": 1}),
        JSON({"type": "linear", "out_features": [1, 2, {"a": "b"}]}),
        JSON({"type": "liner"}),
        JSON({"type": "residual", "layers": [{"type": "conv2d", "out_channels": 1, "kernel": 1}]}),
        JSON({"type": "ode", "field": {"type": "concat_time"}}),
    };
    const cst_shape x = cst_shape_1d(4);
    cst_status status = CST_ECONFIG;
    for (size_t i = 0; status == CST_ECONFIG && i < sizeof texts / sizeof texts[0]; i++) {
        cst_module *m;
        status = cst_module_from_json(&cst_all_modules, texts[i], &x, &m, error);
    }
    return status;
}

/* ---- modules and tensors in files ------------------------------------------------------------------------------ */

static cst_status save_and_load(const cst_module *m, cst_error *error)
{
    char path[TEST_PATH];
    const char *const metadata[] = {"format", "pt", NULL};
    static real theta[4096], loaded[4096];
    cst_safetensors *file;
    assert_true(m->n_params <= sizeof theta / sizeof theta[0]);
    for (size_t i = 0; i < m->n_params; i++) theta[i] = (real)i;
    CST_TRY(cst_params_save(test_path("tensors", path), m, theta, metadata, error));
    CST_TRY(cst_safetensors_open(path, &file, error));
    const cst_status status = cst_params_load(file, m, NULL, true, loaded, error);
    cst_safetensors_close(file);
    CST_TRY(status);
    return memcmp(theta, loaded, m->n_params * sizeof *theta) == 0 ? CST_OK
                                                                   : cst_fail(error, CST_EARG, "other numbers");
}

static cst_status run_modules(cst_error *error)
{
    for (size_t i = 0; i < cst_all_modules.n_types; i++) {
        const cst_module_type *type = cst_all_modules.types[i];
        for (size_t j = 0; j < type->n_examples; j++) {
            cst_module *m;
            CST_TRY(cst_module_from_json(&cst_all_modules, type->examples[j].json, &type->examples[j].x, &m, error));
            const cst_status status = j == 0 ? save_and_load(m, error) : CST_OK;
            cst_module_free(m);
            CST_TRY(status);
        }
    }
    return CST_OK;
}

/* A file that exists is either the old one or a complete new one. */
static void check_tensors(cst_status status)
{
    char path[TEST_PATH];
    cst_safetensors *file;
    cst_error error;
    (void)status;
    if (!cst_path_exists(test_path("tensors", path))) return;
    test_assert_ok("tensors", cst_safetensors_open(path, &file, &error), &error);
    cst_safetensors_close(file);
}

/* ---- a solve that is traced ---------------------------------------------------------------------------------- */

static cst_status decay(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)t, (void)scale, (void)q, (void)error;
    dy[0] = -y[0];
    return CST_OK;
}

static cst_status run_trace(cst_error *error)
{
    const cst_block block = {"y", 1, 1};
    const cst_problem problem = {.f = decay, .blocks = &block, .n_blocks = 1};
    const double times[] = {0, 10};
    const real start = 1;
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    options.max_step = 0.01; /* more steps than a trace's first allocation holds */
    static real work[1000], y[2];
    assert_true(cst_solver_work(&problem, &options) <= sizeof work / sizeof work[0]);
    cst_solve_stats stats = {.trace = true};
    const cst_solve_call call = {.work = work, .stats = &stats, .error = error};
    cst_status status = cst_solve(&problem, &options, times, 2, &start, y, &call);
    if (status == CST_OK && stats.n_attempts < 1000) status = cst_fail(error, CST_EARG, "a trace too short");
    cst_solve_stats_clear(&stats);
    return status;
}

/* ---- the scenarios ------------------------------------------------------------------------------------------- */

const alloc_scenario alloc_data_scenarios[] = {
    {"a config, changed and printed", CST_OK, NULL, run_config, NULL},
    {"configs with mistakes", CST_ECONFIG, NULL, run_mistakes, NULL},
    {"modules of every type, saved and loaded", CST_OK, NULL, run_modules, check_tensors},
    {"a solve that is traced", CST_OK, NULL, run_trace, NULL},
    {0},
};

void alloc_data_set_up(void)
{
    write_config();
}
