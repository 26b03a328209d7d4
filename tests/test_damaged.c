/* Files of every format, cut at any byte, with any byte changed, or with a byte after their end. The reader returns
 * either contents or an error that names the file; sanitizers see anything worse. (test_safetensors.c,
 * test_checkpoint.c and test_metrics.c do the same for tensors, checkpoints and metrics.) */
#include "image_bytes.h"
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "analysis/plot.h"
#include "core/file.h"
#include "core/rng.h"
#include "datasets/cifar10.h"
#include "datasets/idx.h"
#include "datasets/image_folder.h"
#include "datasets/split.h"
#include "train/summary.h"
#include "train/trace.h"

typedef struct format {
    const char *name; /* of the file */
    void (*write)(void);
    cst_status (*read)(const char *path, cst_error *error);
    int slack;     /* a cut that removes more bytes than this must be an error; negative: it need not be */
    uint64_t bits; /* flipped a byte */
    size_t stride; /* distance between the bytes that are damaged; 0: 1 */
    bool tail;     /* bytes after the end are ignored, as gzip does */
} format;

/* ---- configs and runs ------------------------------------------------------------------------------------------ */

static const char config[] =
    "{\"name\": \"tiny\", \"seed\": 5, \"threads\": 1, \"epochs\": 2, \"clip_grad_norm\": 1e3, \"monitor\": \"auto\",\n"
    " \"data\": {\"type\": \"spirals\", \"train_size\": 20, \"validation_size\": 5, \"test_size\": 4, \"noise\": "
    "0.1},\n"
    " \"model\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"ode\", \"t\": [0, 0.5, 1], \"learn_t\": true,\n"
    "  \"solver\": {\"method\": \"dopri5\", \"jump_t\": [0.5]}, \"gradient\": {\"norm\": {\"combine\": \"max\",\n"
    "  \"weights\": {\"z\": 1}}}, \"field\": {\"type\": \"linear\", \"out_features\": 2}},\n"
    "  {\"type\": \"linear\", \"out_features\": 2, \"bias\": true}]}, \"loss\": \"cross_entropy\",\n"
    " \"optimizer\": {\"type\": \"adamw\", \"betas\": [0.9, 0.99]}, \"schedule\": {\"type\": \"cosine\"},\n"
    " \"early_stopping\": {\"patience\": 2}, \"on_failure\": \"skip\"}";

static void write_config(void)
{
    test_write("config.json", config, sizeof config - 1);
}

static cst_status read_config(const char *path, cst_error *error)
{
    cst_document *document;
    cst_experiment e;
    CST_TRY(cst_document_load(path, &document, error));
    const cst_status status = cst_experiment_new(document, &e, error);
    if (status == CST_OK) cst_experiment_clear(&e);
    cst_document_free(document);
    return status;
}

/* An experiment with a trainer after one epoch. */
static cst_document *document;
static cst_experiment experiment;
static cst_trainer trained;

static void make_trainer(void)
{
    cst_error error;
    test_assert_ok("parse", cst_document_parse("config", config, sizeof config - 1, &document, &error), &error);
    test_assert_ok("experiment", cst_experiment_new(document, &experiment, &error), &error);
    experiment.epochs = 1;
    test_assert_ok("trainer", cst_trainer_init(&trained, &experiment, NULL, &error), &error);
    test_assert_ok("training", cst_trainer_run(&trained, &error), &error);
}

static void write_summary(void)
{
    char path[TEST_PATH];
    cst_error error;
    cst_summary summary;
    test_assert_ok("summary", cst_summary_make(&trained, &summary, &error), &error);
    test_assert_ok("write", cst_summary_write(test_path("summary.json", path), &trained, &summary, &error), &error);
}

static cst_status read_summary(const char *path, cst_error *error)
{
    cst_summary summary;
    return cst_summary_read(path, &summary, error);
}

static void write_trace(void)
{
    char path[TEST_PATH];
    cst_error error;
    FILE *stream;
    cst_attempt attempts[] = {{.t = 0, .dt = 0.5, .ratio = 2, .block = "z"},
                              {.t = 0, .dt = 0.25, .ratio = 0.5, .accepted = true, .block = "a_z"}};
    cst_trace_start start = {0};
    const cst_solve_stats stats = {
        .method = "dopri5", .attempts = attempts, .n_attempts = 2, .starts = &start, .n_starts = 1};
    test_assert_ok("trace", cst_trace_open(test_path("trace.csv", path), 0, &stream, &error), &error);
    cst_trace_write(stream, 17, "1.field", true, &stats);
    assert_int_equal(fclose(stream), 0);
}

static void count_row(void *context, const cst_trace_row *row)
{
    *(size_t *)context += strlen(row->block) + strlen(row->method) + strlen(row->decided_by) > 0;
}

static cst_status read_trace(const char *path, cst_error *error)
{
    size_t n = 0;
    return cst_trace_read(path, count_row, &n, error);
}

static void write_comparison(void)
{
    static const char text[] = "{\"variants\": [\n  {\"label\": \"a=1\", \"runs\": [\"a-1/seed-0\", \"a-1/seed-1\"]},\n"
                               "  {\"label\": \"a=2\", \"runs\": []}\n]}\n";
    test_write("comparison.json", text, sizeof text - 1);
}

static cst_status read_comparison(const char *path, cst_error *error)
{
    (void)path;
    cst_plot plot = {0};
    const cst_status status = cst_plot_add(&plot, test_root, error);
    cst_plot_clear(&plot);
    return status;
}

/* ---- data sets ------------------------------------------------------------------------------------------------- */

static const uint8_t idx[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static void write_idx(void)
{
    test_write("idx", idx, sizeof idx);
}

static void write_idx_gz(void)
{
    test_write_gz("idx.gz", idx, sizeof idx);
}

static cst_status read_idx(const char *path, cst_error *error)
{
    cst_idx read;
    CST_TRY(cst_idx_read(path, &read, error));
    free(read.bytes);
    return CST_OK;
}

static void write_cifar(void)
{
    static uint8_t records[2 * 3073];
    test_write("cifar.bin", records, sizeof records);
}

static cst_status read_cifar(const char *path, cst_error *error)
{
    cst_split split = {0};
    const cst_status status = cst_cifar10_read(path, &split, error);
    cst_split_clear(&split);
    return status;
}

static void write_png(void)
{
    test_write("classes/a/1.png", rgb_png, sizeof rgb_png);
}

static void write_grey_png(void)
{
    test_write("classes/a/1.png", grey_png, sizeof grey_png);
}

static void write_jpeg(void)
{
    test_write("classes/a/1.png", flat_jpeg, sizeof flat_jpeg);
}

static cst_status read_images(const char *path, cst_error *error)
{
    (void)path;
    char folder[TEST_PATH];
    cst_dataset data = {0};
    const cst_status status = cst_image_folder_read(test_path("classes", folder), NULL, 3, &data, error);
    cst_dataset_clear(&data);
    return status;
}

/* ---- damaging -------------------------------------------------------------------------------------------------- */

static const format formats[] = {
    {"config.json", write_config, read_config, .bits = 3},
    {"summary.json", write_summary, read_summary, .slack = 1, .bits = 2},
    {"trace.csv", write_trace, read_trace, .slack = -1, .bits = 4},
    {"comparison.json", write_comparison, read_comparison, .slack = 1, .bits = 4},
    {"idx", write_idx, read_idx, .bits = 8},
    {"idx.gz", write_idx_gz, read_idx, .bits = 8, .tail = true},
    {"cifar.bin", write_cifar, read_cifar, .bits = 1, .stride = 61},
    {"classes/a/1.png", write_png, read_images, .slack = -1, .bits = 8},
    {"classes/a/1.png", write_grey_png, read_images, .slack = -1, .bits = 8},
    {"classes/a/1.png", write_jpeg, read_images, .slack = -1, .bits = 8},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

/* Read a damaged file: the result is either contents or an error that names it. */
static cst_status try(const format *f, const char *bytes, size_t size, const char *how, size_t where)
{
    char path[TEST_PATH];
    cst_error error = {0};
    test_write(f->name, bytes, size);
    const cst_status status = f->read(test_path(f->name, path), &error);
    if (status != CST_OK && status != CST_EFORMAT && status != CST_ECONFIG && status != CST_EIO &&
        status != CST_EUNSUPPORTED)
        fail_msg("%s, %s %zu: %s: %s", f->name, how, where, cst_status_name(status), error.message);
    const char *base = strrchr(f->name, '/') ? strrchr(f->name, '/') + 1 : f->name;
    if (status != CST_OK && (error.status != status || !strstr(error.message, base)))
        fail_msg("%s, %s %zu: %s without the file's name: %s", f->name, how, where, cst_status_name(status),
                 error.message);
    return status;
}

static void damaged_files_are_errors_or_contents(void **state)
{
    const format *f = *state;
    char *bytes, path[TEST_PATH];
    const size_t stride = f->stride > 0 ? f->stride : 1;
    size_t size, errors = 0, tries = 0;
    cst_error error;
    f->write();
    test_assert_ok(f->name, f->read(test_path(f->name, path), &error), &error);
    test_assert_ok(f->name, cst_file_read(path, 1 << 20, &bytes, &size, &error), &error);
    for (size_t n = 0; n < size; n += stride, tries++) {
        const cst_status status = try(f, bytes, n, "cut off at", n);
        errors += status != CST_OK;
        const bool must = n == 0 || (f->slack >= 0 && size - n > (size_t)f->slack);
        if (must && status == CST_OK) fail_msg("%s, cut off at %zu of %zu, was read", f->name, n, size);
    }
    const cst_rng rng = cst_rng_new(7, CST_RNG_TEST);
    for (size_t i = 0; i < size; i += stride) {
        const char kept = bytes[i];
        for (uint64_t k = 0; k < f->bits; k++, tries++) {
            const uint64_t bit = f->bits == 8 ? k : cst_rng_below(rng, 8 * i + k, 8);
            bytes[i] = (char)(kept ^ (1 << bit));
            errors += try(f, bytes, size, "a bit flipped at", i) != CST_OK;
        }
        bytes[i] = kept;
    }
    bytes[size] = 'x'; /* in place of a NUL */
    if (try(f, bytes, size + 1, "longer than", size) == CST_OK && f->slack >= 0 && !f->tail)
        fail_msg("%s, with a byte more, was read", f->name);
    print_message("%s: %zu bytes, %zu tries, %zu errors\n", f->name, size, tries, errors);
    assert_true(errors > 0);
    free(bytes);
    test_remove(path);
}

static int set_up(void **state)
{
    if (test_make_root(state) != 0) return -1;
    test_folder("classes");
    test_folder("classes/a");
    make_trainer();
    return 0;
}

static int tear_down(void **state)
{
    cst_trainer_clear(&trained);
    cst_experiment_clear(&experiment);
    cst_document_free(document);
    return test_remove_root(state);
}

int main(void)
{
    static struct CMUnitTest tests[N_FORMATS];
    for (size_t i = 0; i < N_FORMATS; i++) {
        tests[i] = (struct CMUnitTest){.name = formats[i].name, .test_func = damaged_files_are_errors_or_contents};
        memcpy(&tests[i].initial_state, &(const format *){&formats[i]}, sizeof tests[i].initial_state); /* const */
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
