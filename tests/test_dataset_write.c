/* Data sets written to files and read again: labels, images, trajectories, and failures. */
#include "datasets/dataset_write.h"
#include "tests/data_files.h"

/* The files that callbacks named, one per line. */
static void note(void *context, const char *name, cst_npy_type type, const cst_shape *shape)
{
    char text[CST_SHAPE_TEXT];
    cst_text_printf(context, "%s %s %s\n", name, cst_npy_type_name(type), cst_shape_text(shape, text));
}

/* Write to a folder of that name; `expected` lists the files that the callback must name. */
static void write_data(const cst_dataset *data, const char *folder, const char *expected)
{
    char path[TEST_PATH];
    cst_text told = {0};
    cst_error error = {0};
    test_folder(folder);
    if (cst_dataset_write(data, test_path(folder, path), note, &told, &error) != CST_OK) fail_msg("%s", error.message);
    assert_string_equal(told.data, expected);
    free(told.data);
}

static void same_array(const void *a, const void *b, size_t bytes)
{
    assert_true(!a == !b);
    if (a) assert_memory_equal(a, b, bytes);
}

static void same_part(const cst_dataset *data, const cst_split *a, const cst_split *b, bool trajectories)
{
    const size_t x = cst_shape_size(&data->x);
    assert_int_equal(a->n, b->n);
    same_array(a->bytes, b->bytes, a->n * x);
    same_array(a->values, b->values, a->n * x * sizeof(real));
    same_array(a->labels, b->labels, a->n * sizeof(int32_t));
    same_array(a->targets, b->targets, a->n * data->n_targets * sizeof(real));
    if (!trajectories) return;
    assert_int_equal(a->n_trajectories, b->n_trajectories);
    assert_int_equal(a->n_points, b->n_points);
    same_array(a->trajectories, b->trajectories, a->n_trajectories * a->n_points * x * sizeof(real));
}

/* Loading the section reads the same data. */
static void read_back(const cst_dataset *data, const char *json, bool trajectories)
{
    cst_dataset read;
    test_load_ok(json, 0, &read);
    assert_true(cst_shape_equal(&read.x, &data->x));
    assert_int_equal(read.n_classes, data->n_classes);
    assert_int_equal(read.n_targets, data->n_targets);
    same_part(data, &data->train, &read.train, trajectories);
    same_part(data, &data->validation, &read.validation, trajectories);
    same_part(data, &data->test, &read.test, trajectories);
    cst_dataset_clear(&read);
}

#define X_Y(split) "'" split "_x': '" split "_x.npy', '" split "_y': '" split "_y.npy'"

static void test_labels(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok(JSON({
                     "type": "circles",
                     "dimension": 3,
                     "train_size": 9,
                     "validation_size": 4,
                     "test_size": 5,
                     "normalize": true
                 }),
                 0, &data);
    write_data(&data, "circles",
               sizeof(real) == sizeof(float)
                   ? "train_x.npy f4 (9, 3)\ntrain_y.npy i4 (9)\nvalidation_x.npy f4 (4, 3)\nvalidation_y.npy i4 (4)\n"
                     "test_x.npy f4 (5, 3)\ntest_y.npy i4 (5)\n"
                   : "train_x.npy f8 (9, 3)\ntrain_y.npy i4 (9)\nvalidation_x.npy f8 (4, 3)\nvalidation_y.npy i4 (4)\n"
                     "test_x.npy f8 (5, 3)\ntest_y.npy i4 (5)\n");
    read_back(&data, "{'type': 'npy', 'path': '@/circles', " X_Y("train") ", " X_Y("validation") ", " X_Y("test") "}",
              false);
    cst_dataset_clear(&data);
}

static void test_images(void **state)
{
    (void)state;
    uint8_t records[4 * 3073];
    cst_dataset data;
    for (size_t i = 0; i < sizeof records; i++) records[i] = (uint8_t)(i % 3073 ? i * i >> 3 : i / 3073 % 3 * 4 + 1);
    test_folder("cifar");
    for (char i = '1'; i <= '5'; i++) {
        char name[32];
        snprintf(name, sizeof name, "cifar/data_batch_%c.bin", i);
        test_write(name, records, sizeof records);
    }
    test_write("cifar/test_batch.bin", records, 3073);
    test_load_ok(JSON({"type": "cifar10", "path": "@/cifar", "validation_size": 3, "train_size": 6}), 0, &data);
    write_data(&data, "images",
               "train_x.npy u1 (6, 3, 32, 32)\ntrain_y.npy i4 (6)\nvalidation_x.npy u1 (3, 3, 32, 32)\n"
               "validation_y.npy i4 (3)\ntest_x.npy u1 (1, 3, 32, 32)\ntest_y.npy i4 (1)\n");
    read_back(
        &data,
        "{'type': 'npy', 'path': '@/images', 'classes': 10, " X_Y("train") ", " X_Y("validation") ", " X_Y("test") "}",
        false);
    cst_dataset_clear(&data);
}

static void test_trajectories(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok(JSON({"type": "pendulum", "trajectories": 8, "points": 6, "window": 4, "torques": [1, 2]}), 0, &data);
    write_data(
        &data, "pendulum",
        sizeof(real) == sizeof(float)
            ? "train_x.npy f4 (30, 4)\ntrain_y.npy f4 (30, 16)\ntrain_trajectories.npy f4 (10, 6, 4)\n"
              "validation_x.npy f4 (6, 4)\nvalidation_y.npy f4 (6, 16)\nvalidation_trajectories.npy f4 (2, 6, 4)\n"
              "test_x.npy f4 (12, 4)\ntest_y.npy f4 (12, 16)\ntest_trajectories.npy f4 (4, 6, 4)\n"
            : "train_x.npy f8 (30, 4)\ntrain_y.npy f8 (30, 16)\ntrain_trajectories.npy f8 (10, 6, 4)\n"
              "validation_x.npy f8 (6, 4)\nvalidation_y.npy f8 (6, 16)\nvalidation_trajectories.npy f8 (2, 6, 4)\n"
              "test_x.npy f8 (12, 4)\ntest_y.npy f8 (12, 16)\ntest_trajectories.npy f8 (4, 6, 4)\n");
    read_back(&data, "{'type': 'npy', 'path': '@/pendulum', " X_Y("train") ", " X_Y("validation") ", " X_Y("test") "}",
              false);
    read_back(&data, JSON({
        "type": "trajectories",
        "path": "@/pendulum",
        "file": "train_trajectories.npy",
        "validation_file": "validation_trajectories.npy",
        "test_file": "test_trajectories.npy",
        "window": 4
    }),
              true);
    cst_dataset_clear(&data);
}

static void test_failures(void **state)
{
    (void)state;
    char path[TEST_PATH];
    cst_error error = {0};
    real value = 1;
    cst_dataset data = {.x = {6, {1, 1, 1, 1, 1, 1}}, .train = {.n = 1, .values = &value}};
    assert_int_equal(cst_dataset_write(&data, test_path("none", path), NULL, NULL, &error), CST_EUNSUPPORTED);
    test_assert_failure(CST_EUNSUPPORTED, CST_EUNSUPPORTED, &error, TEST_WORDS("at most 5 dimensions, got 6"));
    data.x.rank = 1;
    test_assert_failure(cst_dataset_write(&data, path, NULL, NULL, &error), CST_EIO, &error,
                        TEST_WORDS("none/train_x.npy", "cannot write"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_trajectories),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
