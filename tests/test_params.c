/* A module's parameters saved by name and loaded again. */
#include "core/rng.h"
#include "formats/safetensors.h"
#include "tests/tensor_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cst_module_ops no_ops = {.name = "test"};

/* weight (2, 3), bias (2) and a child "0" with weight (4). */
static cst_module *make_module(void)
{
    const cst_shape x = cst_shape_1d(3);
    cst_module *m, *child;
    assert_int_equal(cst_module_new(sizeof *m, &no_ops, &x, &m, NULL), CST_OK);
    cst_module_add_tensor(m, "weight", (cst_shape){2, {2, 3}});
    cst_module_add_tensor(m, "bias", cst_shape_1d(2));
    assert_int_equal(cst_module_new(sizeof *child, &no_ops, &x, &child, NULL), CST_OK);
    cst_module_add_tensor(child, "weight", cst_shape_1d(4));
    assert_int_equal(cst_module_add_child(m, "0", child, NULL), CST_OK);
    assert_int_equal(m->n_params, 12);
    return m;
}

static void test_params(void **state)
{
    (void)state;
    cst_module *m = make_module();
    real theta[12], back[12] = {0};
    cst_rng_fill_normal(cst_rng_new(9, CST_RNG_TEST), theta, 12, 1);
    assert_int_equal(cst_params_save(tensor_path, m, theta, NULL, NULL), CST_OK);
    cst_safetensors *file = tensor_file_open(tensor_path);
    assert_int_equal(cst_safetensors_count(file), 3);
    cst_error error;
    if (cst_params_load(file, m, "", true, back, &error) != CST_OK) fail_msg("%s", error.message);
    assert_memory_equal(back, theta, sizeof theta);
    memset(back, 0, sizeof back);
    const cst_shape four = cst_shape_1d(4);
    double child[4];
    assert_int_equal(cst_safetensors_read(file, "0.weight", CST_F64, &four, child, NULL), CST_OK);
    for (size_t i = 0; i < 4; i++) assert_true((real)child[i] == theta[8 + i]);
    char expected[200];
    assert_int_equal(cst_params_load(file, m, "model.", false, back, &error), CST_EFORMAT);
    snprintf(expected, sizeof expected, "%s: has no tensor \"model.weight\"", tensor_path);
    assert_string_equal(error.message, expected);
    cst_safetensors_close(file);
    cst_module_free(m);
}

static void test_params_exact(void **state)
{
    (void)state;
    cst_module *m = make_module();
    static const double zeros[6] = {0}, ones[6] = {1, 1, 1, 1, 1, 1};
    const cst_save_tensor tensors[] = {
        {"model.weight", CST_F64, {2, {2, 3}}, ones},  {"model.bias", CST_F64, {1, {2}}, ones},
        {"model.0.weight", CST_F64, {1, {4}}, ones},   {"other.weight", CST_F64, {1, {1}}, zeros},
        {"model.0.weight2", CST_F64, {1, {4}}, zeros},
    };
    real theta[12] = {0};
    cst_error error;
    char expected[200];
    /* tensors under another prefix do not matter */
    assert_int_equal(cst_safetensors_save(tensor_path, tensors, 4, NULL, NULL), CST_OK);
    cst_safetensors *file = tensor_file_open(tensor_path);
    assert_int_equal(cst_params_load(file, m, "model.", true, theta, NULL), CST_OK);
    for (size_t i = 0; i < 12; i++) assert_true(theta[i] == 1);
    cst_safetensors_close(file);
    memset(theta, 0, sizeof theta);
    assert_int_equal(cst_safetensors_save(tensor_path, tensors, 5, NULL, NULL), CST_OK);
    file = tensor_file_open(tensor_path);
    assert_int_equal(cst_params_load(file, m, "model.", true, theta, &error), CST_EFORMAT);
    snprintf(expected, sizeof expected, "%s: tensor \"model.0.weight2\" does not exist in the model", tensor_path);
    assert_string_equal(error.message, expected);
    for (size_t i = 0; i < 12; i++) assert_true(theta[i] == 0);
    assert_int_equal(cst_params_load(file, m, "model.", false, theta, NULL), CST_OK);
    assert_true(theta[11] == 1);
    cst_safetensors_close(file);
    /* the last tensor is missing: none of the first ones is loaded */
    memset(theta, 0, sizeof theta);
    assert_int_equal(cst_safetensors_save(tensor_path, tensors, 2, NULL, NULL), CST_OK);
    file = tensor_file_open(tensor_path);
    assert_int_equal(cst_params_load(file, m, "model.", false, theta, &error), CST_EFORMAT);
    for (size_t i = 0; i < 12; i++) assert_true(theta[i] == 0);
    cst_safetensors_close(file);
    cst_module_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_params_exact),
    };
    return cmocka_run_group_tests(tests, tensor_folder_make, tensor_folder_remove);
}
