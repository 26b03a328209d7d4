/* The data set `wav`: folders of sound, and the cache of its coefficients. */
#include "data_files.h"
#include "formats/mfcc.h"
#include "formats/npy.h"
#include "formats/wav.h"
#include "tests/helpers.h"
#include "wav_bytes.h"

#include <fcntl.h>
#include <math.h>

enum { MOST = 4000 }; /* samples of a clip */

static void write_tone(const char *name, uint32_t rate, size_t n, double cycles)
{
    static uint8_t file[WAV_HEADER + 2 * MOST];
    test_write(name, file, wav_tone(file, rate, n, cycles));
}

static const cst_mfcc_options small = {16, 8, 6, 4, 1e-6}; /* what most tests use: */
#define SMALL "\"n_fft\": 16, \"hop_length\": 8, \"n_mels\": 6, \"n_mfcc\": 4"

/* A row's coefficients, behind the time channel, are those of the file; NaN follows. */
static void check_row(const cst_dataset *data, const cst_part *part, size_t row, const char *name)
{
    char path[TEST_PATH];
    cst_wav wav;
    cst_mfcc *m;
    cst_error error = {0};
    double y[4 * (1 + MOST / 8)];
    test_assert_ok(name, cst_wav_read(test_path(name, path), &wav, &error), &error);
    test_assert_ok(name, cst_mfcc_new(&small, wav.rate, &m, &error), &error);
    test_assert_ok(name, cst_mfcc_compute(m, wav.samples, wav.n, y, &error), &error);
    const size_t frames = cst_mfcc_frames(m, wav.n), steps = data->x.dim[0];
    assert_in_range(frames, 1, steps);
    const real *x = part->values + row * steps * 5;
    for (size_t i = 0; i < steps; i++, x += 5) {
        for (size_t c = 0; c < 4; c++) {
            if (i < frames ? x[1 + c] != (real)y[4 * i + c] : !isnan(x[1 + c]))
                fail_msg("%s: frame %zu of %zu, coefficient %zu: got %g", name, i, frames, c, (double)x[1 + c]);
        }
        assert_true(i < frames ? x[0] == (real)i : isnan(x[0]));
    }
    cst_mfcc_free(m);
    cst_wav_clear(&wav);
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

static void test_train_and_test(void **state)
{
    (void)state;
    const char *json = "{\"type\": \"wav\", \"path\": \"@/set\", " SMALL "}";
    test_folder("set");
    test_folder("set/train");
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/train", "one a class"));
    test_folder("set/train/no");
    test_folder("set/train/Yes");
    test_write("set/train/README", "not a class", 11);
    test_write("set/train/no/notes.txt", "no sound", 8);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/train/Yes: no WAV files in this class"));
    write_tone("set/train/no/b.wav", 8000, 100, 0.1);
    write_tone("set/train/no/a.WAV", 8000, 99, 0.2); /* in upper case, and shorter */
    write_tone("set/train/Yes/a.wav", 8000, 80, 0.3);
    test_load_fails(json, CST_EIO, TEST_WORDS("set/test"));
    test_folder("set/test");
    test_folder("set/test/no"); /* not every class need be there */
    write_tone("set/test/no/c.Wav", 8000, 120, 0.4);
    cst_dataset data;
    test_load_ok(json, 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {16, 5}})); /* 1 + 120 / 8 frames */
    assert_int_equal(data.n_classes, 2);
    assert_int_equal(data.n_channels, 5);
    assert_int_equal(data.train.n, 3);
    assert_int_equal(data.test.n, 1);
    const int labels[] = {0, 1, 1};
    for (size_t i = 0; i < 3; i++) assert_int_equal(data.train.labels[i], labels[i]);
    assert_int_equal(data.test.labels[0], 1);
    check_row(&data, &data.train, 0, "set/train/Yes/a.wav");
    check_row(&data, &data.train, 1, "set/train/no/a.WAV");
    check_row(&data, &data.train, 2, "set/train/no/b.wav");
    check_row(&data, &data.test, 0, "set/test/no/c.Wav");
    cst_dataset_clear(&data);
    test_folder("set/test/maybe");
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/test", "class \"maybe\""));
}

/* Some of the folders, in an order of their own. */
static void test_classes(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok("{\"type\": \"wav\", \"path\": \"@/set\", \"classes\": [\"no\", \"Yes\"], " SMALL "}", 0, &data);
    assert_int_equal(data.n_classes, 2);
    assert_int_equal(data.train.labels[0], 0); /* no/a.WAV */
    assert_int_equal(data.train.labels[2], 1); /* Yes/a.wav */
    assert_int_equal(data.test.labels[0], 0);
    check_row(&data, &data.train, 2, "set/train/Yes/a.wav");
    cst_dataset_clear(&data);
    test_load_ok("{\"type\": \"wav\", \"path\": \"@/set/train\", \"classes\": [\"no\"], " SMALL "}", 0, &data);
    assert_int_equal(data.n_classes, 1);
    assert_int_equal(data.train.n, 2);
    cst_dataset_clear(&data);
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": ["no", "perhaps"]}), CST_EFORMAT,
                    TEST_WORDS("set/train: no folder \"perhaps\""));
    test_load_fails("{\"type\": \"wav\", \"path\": \"@/set\", \"classes\": [\"Yes\"], " SMALL "}", CST_EFORMAT,
                    TEST_WORDS("set/test: no folder of one of the classes"));
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": []}), CST_ECONFIG,
                    TEST_WORDS("test.json: classes: expected at least one name"));
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": ["no", 3]}), CST_ECONFIG,
                    TEST_WORDS("test.json: classes[1]: expected the name of a folder, got 3"));
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": ["no", "no"]}), CST_ECONFIG,
                    TEST_WORDS("test.json: classes[1]: expected another class"));
}

/* Clips of another length are left out, here the second of "no"; a part without any other ones is an error. */
static void test_samples(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok("{\"type\": \"wav\", \"path\": \"@/set/train\", \"samples\": 99, " SMALL "}", 0, &data);
    assert_int_equal(data.train.n, 1);
    assert_int_equal(data.train.labels[0], 1);
    assert_int_equal(data.n_classes, 2);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {13, 5}}));
    check_row(&data, &data.train, 0, "set/train/no/a.WAV");
    cst_dataset_clear(&data);
    test_load_fails("{\"type\": \"wav\", \"path\": \"@/set/train\", \"samples\": 98, " SMALL "}", CST_EFORMAT,
                    TEST_WORDS("set/train: expected clips of 98 samples, but all 3 clips"));
    test_load_fails("{\"type\": \"wav\", \"path\": \"@/set\", \"samples\": 99, \"classes\": [\"no\"], " SMALL "}",
                    CST_EFORMAT, TEST_WORDS("set/test: expected clips of 99 samples, but all 1 clips"));
    test_load_fails("{\"type\": \"wav\", \"path\": \"@/set/train\", \"samples\": 8, " SMALL "}", CST_ECONFIG,
                    TEST_WORDS("test.json: samples: expected more than 8, half of n_fft, got 8"));
}

/* What all series have: every second frame, no time; rows drawn for a test. */
static void test_series_keys(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok("{\"type\": \"wav\", \"path\": \"@/set/train\", \"stride\": 2, \"time\": \"none\", \"test_size\": 1, "
                 "\"intensity\": true, " SMALL "}",
                 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {7, 8}})); /* 13 frames */
    assert_int_equal(data.train.n, 2);
    assert_int_equal(data.test.n, 1);
    cst_dataset_clear(&data);
    test_load_fails("{\"type\": \"wav\", \"path\": \"@/set/train\", \"time\": \"file\", " SMALL "}", CST_ECONFIG,
                    TEST_WORDS("test.json: time"));
}

static void test_options(void **state)
{
    (void)state;
    const char *const odd = JSON({"type": "wav", "path": "@/set/train", "n_fft": 17}),
                      *const many = JSON({"type": "wav", "path": "@/set/train", "n_mels": 6, "n_mfcc": 7}),
                      *const none = JSON({"type": "wav", "path": "@/set/train", "log_offset": 0});
    test_load_fails(odd, CST_ECONFIG, TEST_WORDS("test.json: ", "n_fft: expected an even number", "got 17"));
    test_load_fails(many, CST_ECONFIG, TEST_WORDS("test.json: ", "n_mfcc: expected a number from 1 to 6", "got 7"));
    test_load_fails(none, CST_ECONFIG, TEST_WORDS("test.json: log_offset"));
    test_load_fails(JSON({"type": "wav", "path": "nowhere"}), CST_EIO, TEST_WORDS("test.json", "nowhere"));
    test_load_fails(JSON({"type": "wav", "path": "@/set/train", "n_fft": 200}), CST_EFORMAT,
                    TEST_WORDS("set/train/Yes/a.wav: expected more than 100 samples", "found 80"));
}

/* Of several files that are wrong the first one is named, whichever thread reads it. */
static void test_wrong_files(void **state)
{
    (void)state;
    const char *json = "{\"type\": \"wav\", \"path\": \"@/wrong\", " SMALL "}";
    char name[64];
    test_folder("wrong");
    test_folder("wrong/a");
    for (int i = 10; i < 90; i++) {
        snprintf(name, sizeof name, "wrong/a/%d.wav", i);
        write_tone(name, i == 77 ? 16000 : 8000, 50, 0.01 * i);
    }
    test_load_fails(json, CST_EFORMAT,
                    TEST_WORDS("wrong/a/77.wav: expected 8000 samples a second", "wrong/a/10.wav", "found 16000"));
    test_write("wrong/a/78.wav", "RIFF", 4);
    write_tone("wrong/a/34.wav", 8000, 8, 0.1);
    for (int i = 0; i < 20; i++) test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/34.wav: expected more than 8"));
    test_write("wrong/a/12.wav", "RIFF", 4);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/12.wav: byte 0"));
    /* A rate that filters cannot be made for; samples whose power is not finite. */
    write_tone("wrong/a/10.wav", 1, 50, 0.1);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/10.wav: expected at least 2 samples a second, found 1"));
    uint8_t file[WAV_HEADER + 8 * 50];
    wav_tone(file, 8000, 4 * 50, 0); /* as many bytes as 50 doubles have */
    file[20] = 3;
    file[32] = 8;
    file[34] = 64;
    for (size_t i = 0; i < 50; i++) memcpy(file + WAV_HEADER + 8 * i, &(const double){i % 2 ? 1e200 : -1e200}, 8);
    test_write("wrong/a/10.wav", file, sizeof file);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/10.wav: frame 0: expected samples whose power is a finite"));
}

/* ---- the cache ----------------------------------------------------------------------------------------------- */

/* The names in a folder, in order, each followed by a blank. */
static void list(const char *folder, char *names, size_t room)
{
    char path[TEST_PATH];
    struct dirent **entries;
    names[0] = '\0';
    const int n = scandir(test_path(folder, path), &entries, NULL, alphasort);
    assert_true(n >= 2);
    for (int i = 0; i < n; i++) {
        const size_t used = strlen(names);
        if (entries[i]->d_name[0] != '.') snprintf(names + used, room - used, "%s ", entries[i]->d_name);
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

#define CACHED(more) "{\"type\": \"wav\", \"path\": \"@/clips\", \"cache\": \"@/kept/in\", " SMALL more "}"

/* That the three clips give what they give, wherever it comes from. */
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

/* The one file of the cache, before any other test of it. */
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

/* Whether that is read. */
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
    /* As its header says. */
    cst_npy array;
    cst_error error = {0};
    test_assert_ok("the cache", cst_npy_read(cache_path(path), &array, &error), &error);
    assert_int_equal(array.type, CST_NPY_REAL);
    assert_true(cst_shape_equal(&array.shape, &(cst_shape){3, {3, 13, 4}}));
    cst_npy_clear(&array);
    /* The second time it is read, and not written. */
    check_clips(CACHED());
    mark_cache();
    assert_true(reads_mark(CACHED()));
    assert_true(reads_mark(CACHED()));                                     /* still */
    assert_true(reads_mark(CACHED(", \"stride\": 2, \"batch_size\": 1"))); /* keys that coefficients do not depend on */
    list("clips/a", names, sizeof names);
    assert_string_equal(names, "1.wav 2.wav ");
}

/* A byte of each clip's sample rate; their times of last change, so much later. */
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

/* With any option changed, or any file, it is another cache; without the key there is none. */
static void test_cache_of_others(void **state)
{
    (void)state;
    static const char *const others[] = {
        CACHED(", \"log_offset\": 1e-5"),
        CACHED(", \"samples\": 100"),
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
        CACHED(", \"classes\": [\"a\"]"),
    };
    char names[800], path[TEST_PATH];
    assert_true(reads_mark(CACHED()));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(reads_mark(others[i]));
        list("kept/in", names, sizeof names);
        assert_int_equal(count(names), 2 + i);
    }
    assert_false(reads_mark("{\"type\": \"wav\", \"path\": \"@/clips\", " SMALL "}"));
    /* Files of another rate, as large and as old; the files as they were; and younger ones. */
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

/* A file that is not what was written is made anew. */
static void test_damaged_cache(void **state)
{
    (void)state;
    static char good[4096];
    char names[1600], path[TEST_PATH], name[100];
    test_remove(test_path("kept", path));
    check_clips(CACHED());
    list("kept/in", names, sizeof names);
    snprintf(cache_name, sizeof cache_name, "%.*s", (int)strlen(names) - 1, names);
    snprintf(name, sizeof name, "kept/in/%s", cache_name);
    const size_t size = test_read(name, good, sizeof good), element = sizeof(real);
    const real nan_value = (real)NAN, gap[2] = {nan_value, nan_value}, number = 1, infinite = (real)INFINITY;
    const size_t first = size - 3 * 13 * 4 * element; /* of the clips, 13, 9 and 12 frames */
    const struct {
        size_t at, n;
        const void *bytes;
    } damages[] = {
        {0, 1, "x"},                                          /* no array */
        {first, element, &gap},                               /* a gap in a frame */
        {first + (21 * 4 + 2) * element, 2 * element, &gap},  /* half of the second clip's last frame */
        {first + (13 + 10) * 4 * element, element, &number},  /* a number behind the end */
        {first + (13 + 9) * 4 * element, element, &infinite}, /* another thing there */
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
    for (size_t n = 0; n < size; n += 1 + size / 7) { /* cut off */
        test_write(name, good, n);
        check_clips(CACHED());
    }
    /* Arrays of other shapes and types; with more steps than any clip has; without a clip, though `samples` is not set. */
    real values[3 * 14 * 4];
    cst_error error = {0};
    for (size_t i = 0; i < 3 * 14 * 4; i++) values[i] = number;
    const cst_shape shapes[] = {{3, {2, 13, 4}}, {3, {3, 13, 3}}, {2, {3, 52}}, {3, {3, 0, 4}}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        test_assert_ok("writing", cst_npy_write(cache_path(path), CST_NPY_REAL, &shapes[i], values, &error), &error);
        check_clips(CACHED());
    }
    const cst_shape right = {3, {3, 13, 4}}, longer = {3, {3, 14, 4}};
    test_assert_ok("writing", cst_npy_write(path, CST_NPY_I4, &right, values, &error), &error);
    check_clips(CACHED());
    for (size_t i = 0; i < 3 * 14 * 4; i++) values[i] = i / 4 % 14 == 13 ? nan_value : number;
    test_assert_ok("writing", cst_npy_write(path, CST_NPY_REAL, &longer, values, &error), &error);
    check_clips(CACHED());
    for (size_t i = 0; i < 3 * 14 * 4; i++) values[i] = i / (13 * 4) == 1 ? nan_value : number;
    test_assert_ok("writing", cst_npy_write(path, CST_NPY_REAL, &right, values, &error), &error);
    check_clips(CACHED());
}

static void test_cache_that_cannot_be(void **state)
{
    (void)state;
    char path[TEST_PATH];
    test_write("blocked", "", 0);
    test_load_fails("{\"type\": \"wav\", \"path\": \"@/clips\", \"cache\": \"@/blocked\", " SMALL "}", CST_EIO,
                    TEST_WORDS("blocked"));
    unlink(test_path("blocked", path));
    /* Of a run that was ended while it wrote: removed. */
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

/* ---- words --------------------------------------------------------------------------------------------------- */

/* 40 clips of ten words each, with the paper's parameters. */
static void test_real(void **state)
{
    (void)state;
    cst_dataset data;
    cst_error error = {0};
    const cst_status status =
        test_load(JSON({
                      "type": "wav",
                      "path": "speech_commands_wav",
                      "samples": 16000,
                      "test_size": 100,
                      "classes": ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
                  }),
                  0, &data, &error);
    if (status == CST_EIO) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    if (status != CST_OK) fail_msg("%s", error.message);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {161, 21}}));
    assert_int_equal(data.n_classes, 10);
    assert_int_equal(data.train.n, 300);
    assert_int_equal(data.test.n, 100);
    size_t of_class[10] = {0};
    for (size_t i = 0; i < 300; i++) of_class[data.train.labels[i]]++;
    for (size_t i = 0; i < 100; i++) of_class[data.test.labels[i]]++;
    for (size_t c = 0; c < 10; c++) assert_int_equal(of_class[c], 40);
    for (size_t i = 0; i < 300 * 161 * 21; i++) assert_true(isfinite(data.train.values[i]));
    test_assert_near("mean of the times", data.mean[0], 80, 1e-9);
    assert_in_range((size_t)-data.mean[1], 10, 110); /* 8 log(1e-6) = -110 is silence */
    cst_dataset_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_and_test), cmocka_unit_test(test_classes),
        cmocka_unit_test(test_samples),        cmocka_unit_test(test_series_keys),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_cache),          cmocka_unit_test(test_cache_of_others),
        cmocka_unit_test(test_damaged_cache),  cmocka_unit_test(test_cache_that_cannot_be),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
