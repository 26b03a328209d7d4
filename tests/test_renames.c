/* Messages about names that have changed: keys and values of configs, and numbers in a run's files. */
#include "core/renames.h"
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "train/difference.h"
#include "train/metrics.h"
#include "train/summary.h"

#include <stdlib.h>
#include <string.h>

typedef struct section {
    size_t every;
    int monitor;
} section;

static const char *const monitors[] = {"auto", "validation_loss", NULL};

/* Sections with one of the two new names of "every", and one section with neither. */
static const cst_key series_keys[] = {
    {.name = "stride", .kind = CST_KEY_SIZE, .offset = offsetof(section, every), .fallback = "1"}, {.name = NULL}};
static const cst_key plateau_keys[] = {
    {.name = "check_every", .kind = CST_KEY_SIZE, .offset = offsetof(section, every), .fallback = "1"}, {.name = NULL}};
static const cst_key root_keys[] = {
    {.name = "monitor", .kind = CST_KEY_CHOICE, .offset = offsetof(section, monitor), .choices = monitors},
    {.name = NULL}};

static void refuses(const char *json, const cst_key *keys, const char *set_path, const char *set_value,
                    const char *message)
{
    section s = {0};
    cst_error error = {0};
    cst_document *document = test_parse(json);
    if (set_path) test_assert_ok(set_path, cst_document_set(document, set_path, set_value, &error), &error);
    const cst_status status = cst_config_read(cst_document_root(document), keys, true, &s, &error);
    test_assert_error(status, CST_ECONFIG, &error, message);
    cst_document_free(document);
}

static void test_keys(void **state)
{
    (void)state;
    refuses("{'every': 2}", series_keys, NULL, NULL, "test.json: every: unknown key; it is called \"stride\" now");
    refuses("{'every': 2}", plateau_keys, NULL, NULL,
            "test.json: every: unknown key; it is called \"check_every\" now");
    refuses("{'every': 2, 'monitor': 'auto'}", root_keys, NULL, NULL,
            "test.json: every: unknown key; the nearest known one is \"type\"");
    refuses("{}", series_keys, "every", "2", "test.json: every: unknown key; it is called \"stride\" now");
}

static void test_values(void **state)
{
    (void)state;
    refuses("{'monitor': 'val_loss'}", root_keys, NULL, NULL,
            "test.json: monitor: \"val_loss\" is called \"validation_loss\" now");
    refuses("{'monitor': 'val_accuracy'}", root_keys, NULL, NULL,
            "test.json: monitor: expected one of \"auto\", \"validation_loss\", got \"val_accuracy\"");
}

static void test_new_names(void **state)
{
    (void)state;
    size_t i = 0;
    assert_string_equal(cst_new_name("every", &i), "stride");
    assert_string_equal(cst_new_name("every", &i), "check_every");
    assert_null(cst_new_name("every", &i));
    i = 0;
    assert_null(cst_new_name("stride", &i));
    assert_null(cst_new_name_among("val_accuracy", monitors));
}

/* A run's config from before the change and one from now. */
static void test_difference(void **state)
{
    (void)state;
    char *path = NULL;
    cst_document *before = test_parse("{'data': {'every': 1}}"), *now = test_parse("{'data': {'stride': 1}}");
    cst_error error = {0};
    const cst_status status =
        cst_config_difference(cst_document_root(before), cst_document_root(now), NULL, &path, &error);
    test_assert_ok("difference", status, &error);
    assert_string_equal(path, "data.every, now stride");
    free(path);
    cst_document_free(before);
    cst_document_free(now);
}

static void test_metrics(void **state)
{
    (void)state;
    char path[TEST_PATH], message[TEST_PATH + 80];
    cst_metrics *rows;
    size_t n;
    cst_error error = {0};
    static const char text[] = "epoch,val_loss,lr\n1,0.5,0.1\n";
    test_write("metrics.csv", text, sizeof text - 1);
    const cst_status status = cst_metrics_read(test_path("metrics.csv", path), &rows, &n, &error);
    snprintf(message, sizeof message, "%s: line 1: column \"val_loss\" is called \"validation_loss\" now", path);
    test_assert_error(status, CST_EFORMAT, &error, message);
    assert_true(!rows && n == 0);
}

static void test_summary(void **state)
{
    (void)state;
    char path[TEST_PATH], message[TEST_PATH + 80];
    cst_summary summary;
    cst_error error = {0};
    static const char text[] = "{\"name\": \"x\", \"test_bits\": 3}\n";
    test_write("summary.json", text, sizeof text - 1);
    const cst_status status = cst_summary_read(test_path("summary.json", path), &summary, &error);
    snprintf(message, sizeof message, "%s: \"test_bits\" is called \"test_bits_per_dim\" now", path);
    test_assert_error(status, CST_EFORMAT, &error, message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_values),  cmocka_unit_test(test_new_names),
        cmocka_unit_test(test_difference), cmocka_unit_test(test_metrics), cmocka_unit_test(test_summary),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
