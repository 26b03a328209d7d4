/* The cache of the data set `wav`: files of coefficients. */
#include "formats/npy.h"
#include "wav_rows.h"

#include <dirent.h>
#include <fcntl.h>

/* The names in a folder in order, each followed by a blank. */
static void list(const char *folder, char *names, size_t capacity)
{
    char path[TEST_PATH];
    struct dirent **entries;
    names[0] = '\0';
    const int n = scandir(test_path(folder, path), &entries, NULL, alphasort);
    assert_true(n >= 2);
    for (int i = 0; i < n; i++) {
        const size_t used = strlen(names);
        if (entries[i]->d_name[0] != '.') snprintf(names + used, capacity - used, "%s ", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static size_t count(const char *names)
{
    size_t n = 0;
    for (; *names; names++) n += *names == ' ';
    return n;
}

#define CACHED(more) "{'type': 'wav', 'path': '@/clips', 'cache': '@/kept/in', " SMALL more "}"

/* Fail unless the three clips have their coefficients, computed or from the cache. */
static void check_clips(const char *json)
{
    cst_dataset data;
    test_load_ok(json, 0, &data);
    assert_int_equal(data.train.n, 3);
    check_row(&data, &data.train, 0, "clips/a/1.wav");
    check_row(&data, &data.train, 1, "clips/a/2.wav");
    check_row(&data, &data.train, 2, "clips/b/1.wav");
    cst_dataset_clear(&data);
}

/* The name of the cache's only file, as the first test finds it. */
static char cache_name[64];

static const char *cache_path(char path[TEST_PATH])
{
    char name[100];
    snprintf(name, sizeof name, "kept/in/%s", cache_name);
    return test_path(name, path);
}

/* Write 1000 for the first clip's first coefficient into the cache. */
static void mark_cache(void)
{
    char path[TEST_PATH];
    cst_npy array;
    cst_error error = {0};
    test_assert_ok("the cache", cst_npy_read(cache_path(path), &array, &error), &error);
    ((real *)array.data)[0] = 1000;
    test_assert_ok("the cache", cst_npy_write(path, array.type, &array.shape, array.data, &error), &error);
    cst_npy_clear(&array);
}

/* True if loading reads the mark from the cache. */
static bool reads_mark(const char *json)
{
    cst_dataset data;
    test_load_ok(json, 0, &data);
    bool marked = false;
    for (size_t i = 0; i < data.x.dim[1]; i++) marked = marked || data.train.values[i] == 1000;
    cst_dataset_clear(&data);
    return marked;
}

static void test_cache(void **state)
{
    (void)state;
    char names[400], path[TEST_PATH];
    test_folder("clips");
    test_folder("clips/a");
    test_folder("clips/b");
    write_tone("clips/a/1.wav", 8000, 100, 0.1);
    write_tone("clips/a/2.wav", 8000, 64, 0.2);
    write_tone("clips/b/1.wav", 8000, 90, 0.3);
    check_clips(CACHED());
    list("kept/in", names, sizeof names);
    assert_int_equal(count(names), 1);
    assert_int_equal(strncmp(names, "mfcc-", 5), 0);
    snprintf(cache_name, sizeof cache_name, "%.*s", (int)strlen(names) - 1, names);
    /* The file is as datasets/wav_features.h says. */
    cst_npy array;
    cst_error error = {0};
    test_assert_ok("the cache", cst_npy_read(cache_path(path), &array, &error), &error);
    assert_int_equal(array.type, CST_NPY_REAL);
    assert_true(cst_shape_equal(&array.shape, &(cst_shape){3, {3, 13, 4}}));
    cst_npy_clear(&array);
    /* The second load reads the cache and does not write it. */
    check_clips(CACHED());
    mark_cache();
    assert_true(reads_mark(CACHED()));
    assert_true(reads_mark(CACHED()));                                 /* still the mark */
    assert_true(reads_mark(CACHED(", 'stride': 2, 'batch_size': 1"))); /* keys that the coefficients do not depend on */
    list("clips/a", names, sizeof names);
    assert_string_equal(names, "1.wav 2.wav ");
}

/* Set a byte of each clip's sample rate, and move the clips' times of last change by some nanoseconds. */
static void set_rates(char byte, long nanoseconds)
{
    static const char *const clips[] = {"clips/a/1.wav", "clips/a/2.wav", "clips/b/1.wav"};
    for (size_t i = 0; i < 3; i++) {
        char path[TEST_PATH];
        struct stat about;
        assert_int_equal(stat(test_path(clips[i], path), &about), 0);
        test_poke(path, 24, byte);
        const struct timespec times[2] = {about.st_atim,
                                          {about.st_mtim.tv_sec, (about.st_mtim.tv_nsec + nanoseconds) % 1000000000}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
}

/* Sections with one option changed: each needs a cache of its own. */
static const char *const other_options[] = {
    CACHED(", 'log_offset': 1e-5"),
    CACHED(", 'samples': 100"),
    JSON({
        "type": "wav",
        "path": "@/clips",
        "cache": "@/kept/in",
        "n_fft": 18,
        "hop_length": 8,
        "n_mels": 6,
        "n_mfcc": 4
    }),
    JSON({
        "type": "wav",
        "path": "@/clips",
        "cache": "@/kept/in",
        "n_fft": 16,
        "hop_length": 9,
        "n_mels": 6,
        "n_mfcc": 4
    }),
    JSON({
        "type": "wav",
        "path": "@/clips",
        "cache": "@/kept/in",
        "n_fft": 16,
        "hop_length": 8,
        "n_mels": 5,
        "n_mfcc": 4
    }),
    JSON({
        "type": "wav",
        "path": "@/clips",
        "cache": "@/kept/in",
        "n_fft": 16,
        "hop_length": 8,
        "n_mels": 6,
        "n_mfcc": 3
    }),
    CACHED(", 'classes': ['a']"),
};

/* A change of any option or any file selects another cache. Without the key, no cache exists. */
static void test_other_options_have_other_caches(void **state)
{
    (void)state;
    char names[800], path[TEST_PATH];
    assert_true(reads_mark(CACHED()));
    for (size_t i = 0; i < sizeof other_options / sizeof other_options[0]; i++) {
        assert_false(reads_mark(other_options[i]));
        list("kept/in", names, sizeof names);
        assert_int_equal(count(names), 2 + i);
    }
    assert_false(reads_mark("{'type': 'wav', 'path': '@/clips', " SMALL "}"));
    /* Files of another rate with the same sizes and times; the original files; and younger files. */
    set_rates(0x41, 0);
    assert_false(reads_mark(CACHED()));
    set_rates(0x40, 0);
    assert_true(reads_mark(CACHED()));
    set_rates(0x40, 1);
    assert_false(reads_mark(CACHED()));
    check_clips(CACHED());
    write_tone("clips/b/2.wav", 8000, 90, 0.3);
    assert_false(reads_mark(CACHED()));
    unlink(test_path("clips/b/2.wav", path));
}

/* Compute the cache from the beginning and keep its name in cache_name. */
static void fill_cache(void)
{
    char names[1600], path[TEST_PATH];
    test_remove(test_path("kept", path));
    check_clips(CACHED());
    list("kept/in", names, sizeof names);
    snprintf(cache_name, sizeof cache_name, "%.*s", (int)strlen(names) - 1, names);
}

/* A cache file whose bytes have changed, or of which the end is missing, is recomputed. */
static void test_damaged_cache(void **state)
{
    (void)state;
    static char good[4096];
    char name[100];
    fill_cache();
    snprintf(name, sizeof name, "kept/in/%s", cache_name);
    const size_t size = test_read(name, good, sizeof good), element = sizeof(real);
    const real gap[2] = {(real)NAN, (real)NAN}, number = 1, infinite = (real)INFINITY;
    const size_t first = size - 3 * 13 * 4 * element; /* of the clips, which have 13, 9 and 12 frames */
    const struct {
        size_t at, n;
        const void *bytes;
    } damages[] = {
        {0, 1, "x"},                                          /* not an array any more */
        {first, element, &gap},                               /* a gap in a frame */
        {first + (21 * 4 + 2) * element, 2 * element, &gap},  /* half of the second clip's last frame */
        {first + (13 + 10) * 4 * element, element, &number},  /* a number after the end of the second clip */
        {first + (13 + 9) * 4 * element, element, &infinite}, /* another number at this position */
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        char bad[sizeof good];
        memcpy(bad, good, size);
        memcpy(bad + damages[i].at, damages[i].bytes, damages[i].n);
        test_write(name, bad, size);
        check_clips(CACHED());
        assert_int_equal(test_read(name, bad, sizeof bad), size);
        assert_memory_equal(bad, good, size);
    }
    /* Cut off at eight places. */
    for (size_t n = 0; n < size; n += 1 + size / 7) {
        test_write(name, good, n);
        check_clips(CACHED());
    }
}

/* A cache file that holds another array is recomputed. */
static void test_foreign_cache(void **state)
{
    (void)state;
    char path[TEST_PATH];
    real values[3 * 14 * 4];
    const real nan_value = (real)NAN, number = 1;
    cst_error error = {0};
    fill_cache();
    /* Arrays of other shapes. */
    for (size_t i = 0; i < 3 * 14 * 4; i++) values[i] = number;
    const cst_shape shapes[] = {{3, {2, 13, 4}}, {3, {3, 13, 3}}, {2, {3, 52}}, {3, {3, 0, 4}}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        test_assert_ok("writing", cst_npy_write(cache_path(path), CST_NPY_REAL, &shapes[i], values, &error), &error);
        check_clips(CACHED());
    }
    /* The right shape, but integers. */
    const cst_shape right = {3, {3, 13, 4}}, longer = {3, {3, 14, 4}};
    test_assert_ok("writing", cst_npy_write(path, CST_NPY_I4, &right, values, &error), &error);
    check_clips(CACHED());
    /* One step more than the longest clip has. */
    for (size_t i = 0; i < 3 * 14 * 4; i++) values[i] = i / 4 % 14 == 13 ? nan_value : number;
    test_assert_ok("writing", cst_npy_write(path, CST_NPY_REAL, &longer, values, &error), &error);
    check_clips(CACHED());
    /* The second clip is missing, although `samples` is not set. */
    for (size_t i = 0; i < 3 * 14 * 4; i++) values[i] = i / (13 * 4) == 1 ? nan_value : number;
    test_assert_ok("writing", cst_npy_write(path, CST_NPY_REAL, &right, values, &error), &error);
    check_clips(CACHED());
}

static void test_unwritable_cache_and_leftovers(void **state)
{
    (void)state;
    char path[TEST_PATH];
    test_write("blocked", "", 0);
    test_load_fails("{'type': 'wav', 'path': '@/clips', 'cache': '@/blocked', " SMALL "}", CST_EIO,
                    TEST_WORDS("blocked"));
    unlink(test_path("blocked", path));
    /* A temporary file of a run that died while it wrote it: removed. */
    test_remove(test_path("kept", path));
    check_clips(CACHED());
    char names[400], name[200], left[TEST_PATH];
    list("kept/in", names, sizeof names);
    snprintf(name, sizeof name, "kept/in/%.*s.tmp%ld-7", (int)strlen(names) - 1, names, (long)getpid());
    test_write(name, "", 0);
    snprintf(name, sizeof name, "kept/in/%.*s", (int)strlen(names) - 1, names);
    unlink(test_path(name, left));
    check_clips(CACHED());
    list("kept/in", names, sizeof names);
    assert_int_equal(count(names), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_other_options_have_other_caches),
        cmocka_unit_test(test_damaged_cache),
        cmocka_unit_test(test_foreign_cache),
        cmocka_unit_test(test_unwritable_cache_and_leftovers),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
