/* Checkpoints as files: contents, files of other experiments and damaged ones, saves that fail, when a save is due.
 * test_trainer.c tests that training resumes from them. */
#include "core/file.h"
#include "core/version.h"
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "train/checkpoint.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#define CONFIG(data, model, rest)                                                                                      \
    "{'name': 'a', 'threads': 1, 'data': {'type': 'circles', 'test_size': 0, " data "}, 'model': " model               \
    ", 'epochs': 3" rest "}"
#define SIZES "'train_size': 12, 'validation_size': 4, 'batch_size': 5"
#define LINEAR JSON({"type": "linear", "out_features": 2})
#define MOMENTUM ", 'optimizer': {'type': 'sgd', 'momentum': 0.9}"

static const char small[] = CONFIG(SIZES, LINEAR, MOMENTUM);

/* A trainer some iterations after its start, with three iterations per epoch. Its training can continue. */
static size_t iterations_left;

static void count_down(void *context, const cst_trainer *trainer)
{
    (void)context, (void)trainer;
    iterations_left--;
}

static bool is_over(void *context)
{
    (void)context;
    return iterations_left == 0;
}

static void run_for(test_run *run, const char *json, size_t iterations)
{
    const cst_trainer_events events = {.iteration = count_down, .interrupted = is_over};
    iterations_left = iterations;
    test_run_init(run, json, &events);
    assert_int_equal(cst_trainer_run(&run->trainer, NULL), CST_EINTERRUPTED);
    assert_int_equal(run->trainer.training.iterations, iterations);
}

static void save_good(const char *path, const cst_trainer *trainer)
{
    cst_error error = {0};
    test_assert_ok("save", cst_checkpoint_save(path, trainer, &error), &error);
}

static cst_safetensors *open_good(const char *path)
{
    cst_safetensors *file = NULL;
    cst_error error = {0};
    int threads = 0;
    test_assert_ok("open", cst_checkpoint_open(path, &file, &threads, &error), &error);
    assert_int_equal(threads, 1);
    return file;
}

/* ---- contents ------------------------------------------------------------------------------------------------ */

static bool holds(const cst_safetensors *file, const char *name)
{
    for (size_t i = 0; i < cst_safetensors_count(file); i++)
        if (strcmp(cst_safetensors_name(file, i), name) == 0) return true;
    return false;
}

static void test_contents(void **state)
{
    (void)state;
    char path[TEST_PATH];
    test_path("contents", path);
    for (size_t iterations = 2; iterations <= 5; iterations += 3) { /* in the first epoch, in the second */
        test_run run;
        run_for(&run, small, iterations);
        save_good(path, &run.trainer);
        cst_safetensors *file = open_good(path);
        assert_string_equal(cst_safetensors_metadata(file, "format"), "costate checkpoint 1");
        assert_string_equal(cst_safetensors_metadata(file, "version"), CST_VERSION);
        assert_string_equal(cst_safetensors_metadata(file, "precision"), CST_REAL_NAME);
        assert_true(holds(file, "model.weight") && holds(file, "model.bias") && holds(file, "optimizer.0"));
        assert_true(!holds(file, "optimizer.1") && holds(file, "training.sums.loss") && holds(file, "blocks"));
        assert_int_equal(holds(file, "best.weight"), iterations > 3);
        assert_int_equal(holds(file, "metrics"), iterations > 3);
        real theta[6];
        uint64_t done = 0;
        const cst_shape one = cst_shape_1d(1);
        assert_int_equal(cst_params_load(file, run.experiment.model, "model.", true, theta, NULL), CST_OK);
        test_assert_same_bits("theta", theta, run.trainer.learner.theta, 6);
        assert_int_equal(cst_safetensors_read(file, "training.iterations", CST_U64, &one, &done, NULL), CST_OK);
        assert_int_equal(done, iterations);
        cst_safetensors_close(file);
        test_run_clear(&run);
    }
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

static char *read_small(char path[TEST_PATH], size_t *size)
{
    char *bytes;
    test_run run;
    run_for(&run, small, 5);
    save_good(test_path("damaged", path), &run.trainer);
    test_run_clear(&run);
    assert_int_equal(cst_file_read(path, 100000, &bytes, size, NULL), CST_OK);
    return bytes;
}

static void test_truncated(void **state)
{
    (void)state;
    char path[TEST_PATH];
    size_t size;
    free(read_small(path, &size));
    for (size_t n = size; n-- > 0;) {
        cst_safetensors *file = NULL;
        cst_error error = {0};
        int threads;
        assert_int_equal(truncate(path, (off_t)n), 0);
        assert_int_equal(cst_checkpoint_open(path, &file, &threads, &error), CST_EFORMAT);
        assert_null(file);
        assert_memory_equal(error.message, path, strlen(path));
    }
}

/* Whatever can be read is loaded and trained from. A parameter with a flipped bit is a valid parameter. */
static bool try_to_resume(const char *path, test_run *run)
{
    cst_safetensors *file = NULL;
    cst_error error = {0};
    int threads;
    cst_status status = cst_checkpoint_open(path, &file, &threads, &error);
    if (status == CST_OK) status = cst_checkpoint_load(file, &run->trainer, &error);
    cst_safetensors_close(file);
    if (status != CST_OK) {
        assert_true(status == CST_EFORMAT || status == CST_EUNSUPPORTED);
        assert_memory_equal(error.message, path, strlen(path));
        return false;
    }
    assert_true(run->trainer.training.epoch == run->trainer.training.n_metrics);
    const cst_status ran = cst_trainer_run(&run->trainer, NULL);
    assert_true(ran == CST_OK || ran == CST_ENONFINITE);
    return true;
}

static void test_flipped(void **state)
{
    (void)state;
    char path[TEST_PATH];
    size_t size, resumed = 0;
    char *bytes = read_small(path, &size);
    const cst_rng rng = cst_rng_new(4, CST_RNG_TEST);
    test_run run;
    test_run_init(&run, small, NULL);
    for (size_t i = 0; i < size; i++) {
        test_poke(path, i, (char)(bytes[i] ^ (1 << cst_rng_below(rng, i, 8))));
        resumed += try_to_resume(path, &run);
        test_poke(path, i, bytes[i]);
    }
    assert_in_range(resumed, 1,
                    size - 100); /* some flipped bits go unnoticed, because the number is valid, and others are found */
    free(bytes);
    test_run_clear(&run);
}

/* ---- files of others ----------------------------------------------------------------------------------------- */

static void check_open(const char *path, const char *const *metadata, cst_status expected, const char *message)
{
    static const uint64_t data[1] = {1};
    const cst_save_tensor tensor = {"a", CST_U64, cst_shape_1d(1), data};
    char filled[2 * TEST_PATH];
    cst_safetensors *file = NULL;
    cst_error error = {0};
    int threads;
    assert_int_equal(cst_safetensors_save(path, &tensor, 1, metadata, NULL), CST_OK);
    snprintf(filled, sizeof filled, "%s: %s", path, message);
    test_assert_error(cst_checkpoint_open(path, &file, &threads, &error), expected, &error, filled);
    assert_null(file);
}

static void test_other_formats(void **state)
{
    (void)state;
#define FORMAT "format", "costate checkpoint 1"
    const bool is_double = sizeof(real) == sizeof(double);
    const char *const other = is_double ? "float" : "double";
    const struct {
        const char *metadata[7];
        cst_status status;
        const char *message;
    } cases[] = {
        {{NULL}, CST_EFORMAT, "expected a \"costate checkpoint 1\", got \"\""},
        {{"format", "pt", NULL}, CST_EFORMAT, "expected a \"costate checkpoint 1\", got \"pt\""},
        {{"format", "costate checkpoint 2", "precision", CST_REAL_NAME, "threads", "1", NULL},
         CST_EFORMAT,
         "expected a \"costate checkpoint 1\", got \"costate checkpoint 2\""},
        {{FORMAT, "precision", other, "threads", "1", NULL},
         CST_EUNSUPPORTED,
         is_double ? "saved in float precision; this program is built for double"
                   : "saved in double precision; this program is built for float"},
        {{FORMAT, "threads", "1", NULL}, CST_EFORMAT, "expected a precision in its metadata"},
        {{FORMAT, "precision", CST_REAL_NAME, NULL}, CST_EFORMAT, "expected a number of threads in its metadata"},
        {{FORMAT, "precision", CST_REAL_NAME, "threads", "0", NULL},
         CST_EFORMAT,
         "expected a number of threads in its metadata"},
        {{FORMAT, "precision", CST_REAL_NAME, "threads", "1x", NULL},
         CST_EFORMAT,
         "expected a number of threads in its metadata"},
        {{FORMAT, "precision", CST_REAL_NAME, "threads", "4294967297", NULL},
         CST_EFORMAT,
         "expected a number of threads in its metadata"},
    };
    char path[TEST_PATH];
    test_path("other", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_open(path, cases[i].metadata, cases[i].status, cases[i].message);
    cst_safetensors *file = NULL;
    cst_error error = {0};
    int threads;
    assert_int_equal(cst_checkpoint_open(test_path("absent", path), &file, &threads, &error), CST_EIO);
    assert_memory_equal(error.message, path, strlen(path));
}

/* Checkpoints of other experiments. */
static void test_other_experiments(void **state)
{
    (void)state;
#define LAYERS(layers) "{'type': 'sequential', 'layers': [" layers "]}"
    static const struct {
        const char *saved, *loaded, *message;
    } cases[] = {
        {CONFIG(SIZES, LAYERS("{'type': 'linear', 'out_features': 3}, " LINEAR), ""),
         CONFIG(SIZES, LAYERS("{'type': 'linear', 'out_features': 4}, " LINEAR), ""),
         "tensor \"model.0.weight\": expected shape (4, 2), got (3, 2)"},
        {small, CONFIG(SIZES, LAYERS(LINEAR), MOMENTUM), "has no tensor \"model.0.weight\""},
        {small, CONFIG(SIZES, JSON({"type": "linear", "out_features": 2, "bias": false}), MOMENTUM),
         "tensor \"model.bias\" does not exist in the model"},
        {CONFIG(SIZES, LAYERS(LINEAR), ""), CONFIG(SIZES, LAYERS(LINEAR ", {'type': 'identity'}"), ""),
         "tensor \"blocks\": expected shape (3, 2, 6), got (2, 2, 6)"},
        {CONFIG(SIZES, LINEAR, ", 'optimizer': {'type': 'sgd'}"), small, "has no tensor \"optimizer.0\""},
        {CONFIG(SIZES, LINEAR, ", 'optimizer': {'type': 'adam'}"), CONFIG(SIZES, LINEAR, ""),
         "saved with the optimizer adam; this experiment has adamw"},
        {small, CONFIG("'train_size': 12, 'validation_size': 4, 'batch_size': 12", LINEAR, MOMENTUM),
         "the position in training does not fit the data"},
        {CONFIG("'train_size': 12, 'batch_size': 5", LINEAR, MOMENTUM), small, "has no tensor \"best.weight\""},
    };
    char path[TEST_PATH], expected[2 * TEST_PATH];
    test_path("experiment", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_run saved, loaded;
        cst_error error = {0};
        run_for(&saved, cases[i].saved, 5);
        save_good(path, &saved.trainer);
        test_run_init(&loaded, cases[i].loaded, NULL);
        cst_safetensors *file = open_good(path);
        snprintf(expected, sizeof expected, "%s: %s", path, cases[i].message);
        test_assert_error(cst_checkpoint_load(file, &loaded.trainer, &error), CST_EFORMAT, &error, expected);
        cst_safetensors_close(file);
        test_run_clear(&saved);
        test_run_clear(&loaded);
    }
}

/* A number of epochs that is consistent with itself but not with the metrics. No memory is allocated for it. */
static void test_too_many_epochs(void **state)
{
    (void)state;
    char path[TEST_PATH], expected[2 * TEST_PATH];
    test_run run;
    cst_error error = {0};
    run_for(&run, small, 5);
    run.trainer.training.epoch = UINT64_C(1) << 40;
    save_good(test_path("epochs", path), &run.trainer);
    cst_safetensors *file = open_good(path);
    snprintf(expected, sizeof expected, "%s: tensor \"metrics\": expected shape (1099511627776, %d), got (1, %d)", path,
             CST_N_METRICS, CST_N_METRICS);
    test_assert_error(cst_checkpoint_load(file, &run.trainer, &error), CST_EFORMAT, &error, expected);
    cst_safetensors_close(file);
    test_run_clear(&run);
}

/* ---- saving that fails --------------------------------------------------------------------------------------- */

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (const struct dirent *entry; (entry = readdir(open));) n += entry->d_name[0] != '.';
    closedir(open);
    return n;
}

/* After a failed save to the checkpoint "FOLDER/a", the file is as it was before, and the folder has no other file. */
typedef struct failing_save {
    char folder[TEST_PATH], path[TEST_PATH], *bytes;
    size_t size;
    test_run run;
} failing_save;

static void begin_save(failing_save *f, const char *folder)
{
    test_folder(folder);
    test_path(folder, f->folder);
    snprintf(f->path, sizeof f->path, "%.*s/a", TEST_PATH - 3, f->folder);
    run_for(&f->run, small, 4);
    save_good(f->path, &f->run.trainer);
    assert_int_equal(cst_file_read(f->path, 100000, &f->bytes, &f->size, NULL), CST_OK);
    f->run.trainer.learner.theta[0] += 1; /* the content that the failing save would write */
}

static void end_save(failing_save *f, cst_status status, const cst_error *error, const char *reason)
{
    char expected[2 * TEST_PATH], *bytes;
    size_t size;
    snprintf(expected, sizeof expected, "%s: cannot write: %s", f->path, reason);
    test_assert_error(status, CST_EIO, error, expected);
    assert_int_equal(cst_file_read(f->path, 100000, &bytes, &size, NULL), CST_OK);
    assert_int_equal(size, f->size);
    assert_memory_equal(bytes, f->bytes, size);
    assert_int_equal(files_in(f->folder), 1);
    free(bytes);
    free(f->bytes);
    test_run_clear(&f->run);
}

static void test_unwritable_folder(void **state)
{
    (void)state;
    failing_save f;
    cst_error error = {0};
    begin_save(&f, "unwritable");
    const uid_t user = geteuid();
    assert_int_equal(chmod(f.folder, 0555), 0);
    const bool is_other = user != 0 || seteuid(65534) == 0; /* root can write everywhere */
    const cst_status status = is_other ? cst_checkpoint_save(f.path, &f.run.trainer, &error) : CST_OK;
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(f.folder, 0755), 0);
    if (!is_other) skip();
    end_save(&f, status, &error, "Permission denied");
}

/* A limit on the size of files takes the place of a full disk. */
static void test_full_disk(void **state)
{
    (void)state;
    failing_save f;
    cst_error error = {0};
    struct rlimit before, little;
    begin_save(&f, "full");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    const cst_status status = cst_checkpoint_save(f.path, &f.run.trainer, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_true(f.size > 1000);
    end_save(&f, status, &error, "File too large");
}

/* ---- when they are due --------------------------------------------------------------------------------------- */

static cst_status count_save(void *context, const cst_trainer *trainer, cst_error *error)
{
    (void)error;
    uint64_t *saves = context; /* one bit for each epoch after which a checkpoint was requested */
    *saves |= UINT64_C(1) << trainer->training.epoch;
    return CST_OK;
}

static void test_due(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint64_t saves;
    } cases[] = {
        {CONFIG(SIZES, LINEAR, ""), 1 << 1 | 1 << 2 | 1 << 3},
        {CONFIG(SIZES, LINEAR, ", 'save_every': 2"), 1 << 2 | 1 << 3},
        {CONFIG(SIZES, LINEAR, ", 'save_every': 3"), 1 << 3},
        {CONFIG(SIZES, LINEAR, ", 'save_every': 0"), 1 << 3},
        /* Training ends after the second epoch, because no epoch improves on the first by that much. */
        {CONFIG(SIZES, LINEAR, ", 'save_every': 0, 'early_stopping': {'patience': 1, 'min_delta': 10}"), 1 << 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t saves = 0;
        const cst_trainer_events events = {.context = &saves, .checkpoint = count_save};
        test_run run;
        test_run_init(&run, cases[i].json, &events);
        assert_int_equal(cst_trainer_run(&run.trainer, NULL), CST_OK);
        assert_int_equal(saves, cases[i].saves);
        test_run_clear(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),          cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),           cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_other_experiments), cmocka_unit_test(test_due),
        cmocka_unit_test(test_unwritable_folder), cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_too_many_epochs),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
