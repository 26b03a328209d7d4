/* Scenarios of tests/alloc_sweep.h: data sets from files and simulators, data written to files. */
#include "tests/alloc_sweep.h"

#include "image_bytes.h"
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "wav_bytes.h"

#include "core/parallel.h"
#include "datasets/dataset_write.h"
#include "formats/png.h"

/* ---- sections and files -------------------------------------------------------------------------------------- */

static const char idx_json[] =
    JSON({"type": "idx", "path": "@/idx", "validation_size": 2, "train_size": 3, "downsample": 2});
static const char cifar_json[] = JSON({"type": "cifar10", "path": "@/cifar", "validation_size": 1});
static const char images_json[] = JSON({"type": "images", "path": "@/images", "test_size": 1});
static const char spirals_json[] = JSON({"type": "spirals", "train_size": 9, "validation_size": 2, "test_size": 3});
static const char nowhere_json[] = JSON({"type": "images", "path": "nowhere"});

static const char csv_json[] =
    JSON({"type": "csv", "train": "@/table.csv", "target": "kind", "ignore": ["id"], "test_size": 2});
static const char regression_json[] = JSON({
    "type": "csv",
    "train": "@/table.csv",
    "test": "@/table.csv",
    "target": ["a", "b"],
    "task": "regression",
    "ignore": ["kind"]
});
static const char npy_json[] = JSON({
    "type": "npy",
    "train_x": "@/x.npy",
    "train_y": "@/y.npy",
    "test_x": "@/x.npy",
    "test_y": "@/y.npy",
    "validation_size": 1
});

/* Half of this n_fft is a prime, for which the transform needs a convolution and more tables. */
static const char wav_json[] = JSON({
    "type": "wav",
    "path": "@/words",
    "classes": ["yes", "no"],
    "n_fft": 34,
    "hop_length": 8,
    "n_mels": 6,
    "n_mfcc": 4,
    "samples": 50,
    "validation_size": 1,
    "cache": "@/cache"
});

static const char pendulum_json[] = JSON(
    {"type": "double_pendulum", "trajectories": 7, "points": 3, "window": 2, "torques": [[1, 0]], "train_size": 5});
static const char trajectories_json[] = JSON({
    "type": "trajectories",
    "path": "@",
    "file": "paths.npy",
    "test_file": "more_paths.npy",
    "window": 2,
    "normalize": true,
    "validation_fraction": 0.5
});

static const char series_npy_json[] = JSON({
    "type": "series_npy",
    "train_x": "@/paths.npy",
    "train_y": "@/steps.npy",
    "test_x": "@/paths.npy",
    "test_y": "@/steps.npy",
    "missing_rate": 0.5,
    "intensity": true,
    "validation_size": 1
});
static const char series_csv_json[] = JSON({
    "type": "series_csv",
    "train": "@/series.csv",
    "test": "@/series.csv",
    "id_column": "id",
    "time_column": "t",
    "target": "kind",
    "validation_size": 1
});
static const char ts_json[] = JSON({"type": "ts", "train": "@/a.ts", "test": "@/b.ts", "test_size": 1});
/* Some lines of a series come after those of another series. The message calls the series by its name. */
static const char series_again_json[] =
    JSON({"type": "series_csv", "train": "@/again.csv", "id_column": "id", "time_column": "t", "target": "kind"});

static void write_series(void)
{
    static const char table[] = "id,t,x,kind\na,0,1,u\na,1,,u\nb,0,2,v\nc,0,3,u\n";
    static const char again[] = "id,t,x,kind\na,0,1,u\nb,0,2,v\na,1,3,u\n";
    static const char pairs[] =
        "@timeStamps true\n@classLabel true u v\n@data\n(0,1),(1,2):(0.5,?),(1,3):u\n(2,3):(2,3):v\n";
    static const char dates[] = "@timeStamps true\n@classLabel true v u\n@data\n"
                                "(2004-02-28 23:59:59,1):(2004-02-29 00:00:00,2):u\n(2004-02-29 00:00:00,2)::v\n";
    static const char steps[] = "\x93NUMPY\x01\x00\x46\x00{'descr': '|i1', 'fortran_order': False, 'shape': (2, 2), }"
                                "          \n\0\1\377";
    test_write("series.csv", table, sizeof table - 1);
    test_write("again.csv", again, sizeof again - 1);
    test_write("a.ts", pairs, sizeof pairs - 1);
    test_write("b.ts", dates, sizeof dates - 1);
    test_write("steps.npy", steps, sizeof steps); /* the last NUL is one of its bytes */
}

static void write_trajectories(void)
{
    static const char singles[] =
        "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 1), }"
        "       \n\0\0\0\0\0\0\x80\x3f\0\0\0\0\0\0\0";
    static const char doubles[] =
        "\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 1), }"
        "       \n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    test_write("paths.npy", singles, sizeof singles); /* the last NULs are bytes of it */
    test_write("more_paths.npy", doubles, sizeof doubles);
}

static void write_tables(void)
{
    static const char table[] = "id,a,kind,b\n1,0.5,\"x \"\"y\"\"\",2\n2,1e3,z,3\n3,-7,z,4\n4,8,w,5\n";
    test_write("table.csv", table, sizeof table - 1);
    /* An array (4, 2) in Fortran order, which is transposed while it is read, and labels of two bytes. */
    static const char x[] = "\x93NUMPY\x01\x00\x46\x00{'descr': '|u1', 'fortran_order': True, 'shape': (4, 2), }"
                            "           \n12345678";
    static const char y[] = "\x93NUMPY\x01\x00\x46\x00{'descr': '<i2', 'fortran_order': False, 'shape': (4,), }"
                            "            \n\0\0\1\0\0\0\1";
    test_write("x.npy", x, sizeof x - 1);
    test_write("y.npy", y, sizeof y); /* the last NUL is one of its bytes */
}

static void write_idx(void)
{
    /* Six images of 2 x 2 with labels, two for the test; compressed and plain. */
    uint8_t images[16 + 24] = {0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 2},
                        labels[8 + 6] = {0, 0, 8, 1, 0, 0, 0, 6};
    for (size_t i = 0; i < 24; i++) images[16 + i] = (uint8_t)(9 * i);
    for (size_t i = 0; i < 6; i++) labels[8 + i] = i % 2;
    test_folder("idx");
    test_write_gz("idx/train-images-idx3-ubyte.gz", images, sizeof images);
    test_write_gz("idx/train-labels-idx1-ubyte.gz", labels, sizeof labels);
    images[7] = labels[7] = 2;
    test_write("idx/t10k-images-idx3-ubyte", images, 16 + 8);
    test_write("idx/t10k-labels-idx1-ubyte", labels, 8 + 2);
}

static void write_cifar(void)
{
    enum { RECORD = 3073 };
    static uint8_t records[3 * RECORD];
    for (size_t i = 0; i < sizeof records; i++) records[i] = (uint8_t)(i % RECORD ? i : i / RECORD);
    test_folder("cifar");
    test_write("cifar/data_batch_1.bin", records, 3 * RECORD);
    test_write("cifar/data_batch_3.bin", records, RECORD);
    test_write("cifar/test_batch.bin", records, 2 * RECORD);
}

static void write_images(void)
{
    const char *const folders[] = {"images",         "images/train",   "images/test",
                                   "images/train/a", "images/train/b", "images/test/b"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) test_folder(folders[i]);
    test_write("images/train/a/1.png", rgb_png, sizeof rgb_png);
    test_write("images/train/a/2.jpg", flat_jpeg, sizeof flat_jpeg);
    test_write("images/train/b/1.jpg", flat_jpeg, sizeof flat_jpeg);
    test_write("images/test/b/1.png", rgb_png, sizeof rgb_png);
}

static void write_words(void)
{
    static const struct {
        const char *name;
        size_t samples;
    } words[] = {{"words/train/no/1.wav", 50},  {"words/train/no/2.wav", 49}, {"words/train/no/3.wav", 50},
                 {"words/train/yes/1.wav", 50}, {"words/test/yes/1.wav", 50}, {"words/test/yes/2.wav", 50}};
    const char *const folders[] = {"words",          "words/train",     "words/test",
                                   "words/train/no", "words/train/yes", "words/test/yes"};
    uint8_t file[WAV_HEADER + 2 * 50];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) test_folder(folders[i]);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        test_write(words[i].name, file, wav_tone(file, 8000, words[i].samples, 0.02 * (double)(i + 1)));
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

/* Load the data set, and check its number of rows and their sum. */
static cst_status load(const char *json, const size_t n[3], cst_error *error)
{
    cst_dataset data;
    CST_TRY(test_load(json, 0, &data, error));
    const bool right = data.train.n == n[0] && data.validation.n == n[1] && data.test.n == n[2];
    cst_dataset_clear(&data);
    return right ? CST_OK : cst_fail(error, CST_EARG, "other rows than there are");
}

static cst_status run_idx(cst_error *error)
{
    return load(idx_json, (const size_t[]){3, 2, 2}, error);
}

static cst_status run_cifar(cst_error *error)
{
    return load(cifar_json, (const size_t[]){3, 1, 2}, error);
}

static cst_status run_images(cst_error *error)
{
    return load(images_json, (const size_t[]){3, 0, 1}, error);
}

static cst_status run_spirals(cst_error *error)
{
    return load(spirals_json, (const size_t[]){9, 2, 3}, error);
}

static cst_status run_tables(cst_error *error)
{
    CST_TRY(load(csv_json, (const size_t[]){2, 0, 2}, error));
    return load(regression_json, (const size_t[]){4, 0, 4}, error);
}

static cst_status run_npy(cst_error *error)
{
    return load(npy_json, (const size_t[]){3, 1, 4}, error);
}

static void nothing(void *context, size_t i)
{
    (void)context, (void)i;
}

/* Remove the cache, and let the pool of threads make the allocations that it keeps. */
static void prepare_wav(void)
{
    cst_parallel(cst_threads_available(), CST_MAX_THREADS, nothing, NULL);
    char path[TEST_PATH];
    test_remove(test_path("cache", path));
}

/* The first load computes the features, the second reads them from the cache. */
static cst_status run_wav(cst_error *error)
{
    CST_TRY(load(wav_json, (const size_t[]){2, 1, 2}, error));
    return load(wav_json, (const size_t[]){2, 1, 2}, error);
}

static cst_status run_trajectories(cst_error *error)
{
    CST_TRY(load(pendulum_json, (const size_t[]){5, 2, 4}, error));
    return load(trajectories_json, (const size_t[]){1, 1, 1}, error);
}

static cst_status run_series(cst_error *error)
{
    CST_TRY(load(series_npy_json, (const size_t[]){1, 1, 2}, error));
    CST_TRY(load(series_csv_json, (const size_t[]){2, 1, 3}, error));
    return load(ts_json, (const size_t[]){2, 0, 1}, error);
}

static cst_status run_series_again(cst_error *error)
{
    return load(series_again_json, (const size_t[]){0, 0, 0}, error);
}

static cst_status run_write(cst_error *error)
{
    cst_dataset data;
    CST_TRY(test_load(pendulum_json, 0, &data, error));
    const cst_status status = cst_dataset_write(&data, test_root, NULL, NULL, error);
    cst_dataset_clear(&data);
    return status;
}

static cst_status run_picture(cst_error *error)
{
    char path[TEST_PATH];
    const cst_shape shape = cst_shape_3d(1, 2, 2);
    const uint8_t pixels[] = {0, 50, 200, 255, 255, 0, 7, 8};
    const cst_png_grid grid = {.across = 2, .zoom = 3, .gap = 1, .background = 90};
    return cst_png_write_grid(test_path("picture.png", path), &grid, pixels, 2, &shape, error);
}

static cst_status run_nowhere(cst_error *error)
{
    return load(nowhere_json, (const size_t[]){0, 0, 0}, error);
}

/* ---- the scenarios ------------------------------------------------------------------------------------------- */

const alloc_scenario alloc_dataset_scenarios[] = {
    {"idx files, plain and gzipped", CST_OK, NULL, run_idx, NULL},
    {"CIFAR-10", CST_OK, NULL, run_cifar, NULL},
    {"folders of images", CST_OK, NULL, run_images, NULL},
    {"generated points", CST_OK, NULL, run_spirals, NULL},
    {"tables", CST_OK, NULL, run_tables, NULL},
    {"NumPy's arrays", CST_OK, NULL, run_npy, NULL},
    {"sound, computed and from a cache", CST_OK, prepare_wav, run_wav, NULL},
    {"trajectories, simulated and in files", CST_OK, NULL, run_trajectories, NULL},
    {"time series", CST_OK, NULL, run_series, NULL},
    {"a series whose lines are apart", CST_EFORMAT, NULL, run_series_again, NULL},
    {"data written to files", CST_OK, NULL, run_write, NULL},
    {"a picture", CST_OK, NULL, run_picture, NULL},
    {"missing data", CST_EIO, NULL, run_nowhere, NULL},
    {0},
};

void alloc_datasets_set_up(void)
{
    write_tables();
    write_trajectories();
    write_series();
    write_idx();
    write_cifar();
    write_images();
    write_words();
}
