/* The data set `wav`: folders of sound. */
#include "wav_rows.h"

/* ---- folders ------------------------------------------------------------------------------------------------- */

static void test_train_and_test(void **state)
{
    (void)state;
    const char *json = "{'type': 'wav', 'path': '@/set', " SMALL "}";
    test_folder("set");
    test_folder("set/train");
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/train", "one folder per class"));
    test_folder("set/train/no");
    test_folder("set/train/Yes");
    test_write("set/train/README", "not a class", 11);
    test_write("set/train/no/notes.txt", "no sound", 8);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/train/Yes: expected WAV files in this class, found none"));
    write_tone("set/train/no/b.wav", 8000, 100, 0.1);
    write_tone("set/train/no/a.WAV", 8000, 99, 0.2); /* in upper case, and shorter */
    write_tone("set/train/Yes/a.wav", 8000, 80, 0.3);
    test_load_fails(json, CST_EIO, TEST_WORDS("set/test"));
    test_folder("set/test");
    test_folder("set/test/no"); /* a class may be missing */
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

/* Some of the folders, in an order that is not alphabetical. */
static void test_classes(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok("{'type': 'wav', 'path': '@/set', 'classes': ['no', 'Yes'], " SMALL "}", 0, &data);
    assert_int_equal(data.n_classes, 2);
    assert_int_equal(data.train.labels[0], 0); /* no/a.WAV */
    assert_int_equal(data.train.labels[2], 1); /* Yes/a.wav */
    assert_int_equal(data.test.labels[0], 0);
    check_row(&data, &data.train, 2, "set/train/Yes/a.wav");
    cst_dataset_clear(&data);
    test_load_ok("{'type': 'wav', 'path': '@/set/train', 'classes': ['no'], " SMALL "}", 0, &data);
    assert_int_equal(data.n_classes, 1);
    assert_int_equal(data.train.n, 2);
    cst_dataset_clear(&data);
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": ["no", "perhaps"]}), CST_EFORMAT,
                    TEST_WORDS("set/train: expected the folder \"perhaps\""));
    test_load_fails("{'type': 'wav', 'path': '@/set', 'classes': ['Yes'], " SMALL "}", CST_EFORMAT,
                    TEST_WORDS("set/test: expected a folder of one of the classes, found none"));
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": []}), CST_ECONFIG,
                    TEST_WORDS("test.json: classes: expected at least one name"));
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": ["no", 3]}), CST_ECONFIG,
                    TEST_WORDS("test.json: classes[1]: expected the name of a folder, got 3"));
    test_load_fails(JSON({"type": "wav", "path": "@/set", "classes": ["no", "no"]}), CST_ECONFIG,
                    TEST_WORDS("test.json: classes[1]: expected another class"));
}

/* Clips of another length are left out, here the second of "no". A split with no other clips is an error. */
static void test_samples(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok("{'type': 'wav', 'path': '@/set/train', 'samples': 99, " SMALL "}", 0, &data);
    assert_int_equal(data.train.n, 1);
    assert_int_equal(data.train.labels[0], 1);
    assert_int_equal(data.n_classes, 2);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {13, 5}}));
    check_row(&data, &data.train, 0, "set/train/no/a.WAV");
    cst_dataset_clear(&data);
    test_load_fails("{'type': 'wav', 'path': '@/set/train', 'samples': 98, " SMALL "}", CST_EFORMAT,
                    TEST_WORDS("set/train: expected clips of 98 samples, but all 3 clips"));
    test_load_fails("{'type': 'wav', 'path': '@/set', 'samples': 99, 'classes': ['no'], " SMALL "}", CST_EFORMAT,
                    TEST_WORDS("set/test: expected clips of 99 samples, but all 1 clips"));
    test_load_fails("{'type': 'wav', 'path': '@/set/train', 'samples': 8, " SMALL "}", CST_ECONFIG,
                    TEST_WORDS("test.json: samples: expected more than 8, half of n_fft, got 8"));
}

/* Keys of all series: every second frame, no time; rows drawn for a test split. */
static void test_series_keys(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok("{'type': 'wav', 'path': '@/set/train', 'stride': 2, 'time': 'none', 'test_size': 1, "
                 "'intensity': true, " SMALL "}",
                 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {7, 8}})); /* 13 frames */
    assert_int_equal(data.train.n, 2);
    assert_int_equal(data.test.n, 1);
    cst_dataset_clear(&data);
    test_load_fails("{'type': 'wav', 'path': '@/set/train', 'time': 'file', " SMALL "}", CST_ECONFIG,
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

/* Of several files with errors, the message names the first one, whichever thread reads it. */
static void test_wrong_files(void **state)
{
    (void)state;
    const char *json = "{'type': 'wav', 'path': '@/wrong', " SMALL "}";
    char name[64];
    test_folder("wrong");
    test_folder("wrong/a");
    for (int i = 10; i < 90; i++) {
        snprintf(name, sizeof name, "wrong/a/%d.wav", i);
        write_tone(name, i == 77 ? 16000 : 8000, 50, 0.01 * i);
    }
    test_load_fails(json, CST_EFORMAT,
                    TEST_WORDS("wrong/a/77.wav: expected 8000 samples per second", "wrong/a/10.wav", "found 16000"));
    test_write("wrong/a/78.wav", "RIFF", 4);
    write_tone("wrong/a/34.wav", 8000, 8, 0.1);
    for (int i = 0; i < 20; i++) test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/34.wav: expected more than 8"));
    test_write("wrong/a/12.wav", "RIFF", 4);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/12.wav: byte 0"));
    /* A rate that the filters cannot be made for; samples whose power is not finite. */
    write_tone("wrong/a/10.wav", 1, 50, 0.1);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/10.wav: expected at least 2 samples per second, found 1"));
    uint8_t file[WAV_HEADER + 8 * 50];
    wav_tone(file, 8000, 4 * 50, 0); /* as many bytes as 50 doubles */
    file[20] = 3;
    file[32] = 8;
    file[34] = 64;
    for (size_t i = 0; i < 50; i++) memcpy(file + WAV_HEADER + 8 * i, &(const double){i % 2 ? 1e200 : -1e200}, 8);
    test_write("wrong/a/10.wav", file, sizeof file);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("wrong/a/10.wav: frame 0: expected samples whose power is a finite"));
}

/* ---- words --------------------------------------------------------------------------------------------------- */

/* 40 clips of each of ten words, with the paper's parameters. */
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
        cmocka_unit_test(test_train_and_test), cmocka_unit_test(test_classes), cmocka_unit_test(test_samples),
        cmocka_unit_test(test_series_keys),    cmocka_unit_test(test_options), cmocka_unit_test(test_wrong_files),

        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
