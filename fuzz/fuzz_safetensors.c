/* Fuzz target: safetensors files (formats/safetensors.h), and the parameters of a module that are loaded from them. */
#include "fuzz/fuzz.h"

#include "formats/safetensors.h"
#include "models/registry.h"

static const char json[] = "{\"type\": \"sequential\", \"layers\": [{\"type\": \"linear\", \"out_features\": 3}, "
                           "{\"type\": \"linear\", \"out_features\": 1, \"bias\": false}]}";
enum { N_PARAMS = 12 };

static cst_module *make_module(void)
{
    cst_error error;
    cst_module *m;
    const cst_shape x = cst_shape_1d(2);
    fuzz_check("model", cst_module_from_json(&cst_all_modules, json, &x, &m, &error), &error);
    return m;
}

/* Read the tensors as one U64 each until one fits, then the metadata and the parameters of a module. */
static cst_status read_all(const cst_safetensors *file, cst_error *error)
{
    static cst_module *m;
    real theta[N_PARAMS];
    uint64_t number;
    const cst_shape one = cst_shape_1d(1);
    if (!m) m = make_module();
    for (size_t i = 0; i < cst_safetensors_count(file); i++)
        if (cst_safetensors_read(file, cst_safetensors_name(file, i), CST_U64, &one, &number, error) == CST_OK) break;
    (void)cst_safetensors_metadata(file, "format");
    return cst_params_load(file, m, NULL, true, theta, error);
}

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_safetensors *file;
    CST_TRY(cst_safetensors_open(path, &file, error));
    const cst_status status = read_all(file, error);
    cst_safetensors_close(file);
    return status;
}

/* A file of parameters with metadata, and one with a number and an empty tensor. */
static void fuzz_seeds(void)
{
    const real theta[N_PARAMS] = {1, 2, 3};
    const uint64_t number = 7;
    const char *const metadata[] = {"format", "pt", NULL};
    const cst_save_tensor tensors[] = {{"a", CST_U64, {1, {1}}, &number}, {"b", CST_F32, {2, {0, 4}}, theta}};
    cst_error error;
    cst_module *m = make_module();
    fuzz_check("seed", cst_params_save(fuzz_seed_path("params"), m, theta, metadata, &error), &error);
    fuzz_check("seed", cst_safetensors_save(fuzz_seed_path("number"), tensors, 2, NULL, &error), &error);
    cst_module_free(m);
}
