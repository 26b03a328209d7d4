/* Files written, read back, and damaged at every byte. With COSTATE_SAFETENSORS_OUT set, write the reference tensors to
 * that file; with COSTATE_SAFETENSORS_IN, expect them in that file (tests/check_safetensors.py is the other side). */
#include "core/file.h"
#include "core/rng.h"
#include "formats/safetensors.h"
#include "tests/tensor_file.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the reference tensors ----------------------------------------------------------------------------------- */

/* An odd number of floats before doubles, an empty tensor, a scalar, and names that need escapes. */
static const float f32[6] = {1.5F, -2, 0, 3.25e-20F, 1e30F, -0.0F};
static const double f64[3] = {0.1, -1e-300, 1e300};
static const uint64_t u64[2] = {0, UINT64_C(18446744073709551615)};
static const float scalar[1] = {7};
static const char *const reference_metadata[] = {"version", "1", "note", "two\nlines, \"quoted\"", NULL};

enum { N_REFERENCE = 5 };
static const cst_save_tensor reference[N_REFERENCE] = {
    {"field.0.weight", CST_F32, {2, {2, 3}}, f32},
    {"double \"x\"\\y", CST_F64, {1, {3}}, f64},
    {"rng", CST_U64, {1, {2}}, u64},
    {"\xc3\xa9t\xc3\xa9", CST_F32, {0, {0}}, scalar},
    {"empty", CST_F64, {2, {4, 0}}, f64},
};

static void save_reference(const char *where)
{
    cst_error error;
    if (cst_safetensors_save(where, reference, N_REFERENCE, reference_metadata, &error) != CST_OK)
        fail_msg("%s", error.message);
}

static void expect_reference(const char *where)
{
    static const size_t bytes[N_REFERENCE] = {sizeof f32, sizeof f64, sizeof u64, sizeof scalar, 0};
    cst_safetensors *file = tensor_file_open(where);
    assert_int_equal(cst_safetensors_count(file), N_REFERENCE);
    for (size_t i = 0; i < N_REFERENCE; i++) {
        unsigned char data[64];
        cst_error error;
        if (cst_safetensors_read(file, reference[i].name, reference[i].dtype, &reference[i].shape, data, &error) !=
            CST_OK) {
            fail_msg("%s", error.message);
        }
        assert_memory_equal(data, reference[i].data, bytes[i]);
    }
    assert_string_equal(cst_safetensors_metadata(file, "note"), reference_metadata[3]);
    assert_string_equal(cst_safetensors_metadata(file, "version"), "1");
    assert_null(cst_safetensors_metadata(file, "Version"));
    assert_string_equal(cst_safetensors_path(file), where);
    cst_safetensors_close(file);
}

static void test_round_trip(void **state)
{
    (void)state;
    const char *out = getenv("COSTATE_SAFETENSORS_OUT"), *in = getenv("COSTATE_SAFETENSORS_IN");
    save_reference(out ? out : tensor_path);
    expect_reference(out ? out : tensor_path);
    if (in) expect_reference(in);
}

static void test_layout(void **state)
{
    (void)state;
    save_reference(tensor_path);
    char *bytes;
    size_t size;
    assert_int_equal(cst_file_read(tensor_path, 10000, &bytes, &size, NULL), CST_OK);
    uint64_t length;
    memcpy(&length, bytes, sizeof length);
    assert_int_equal(length % 8, 0);
    assert_int_equal(bytes[8], '{');
    assert_int_equal(size, 8 + length + sizeof f32 + sizeof f64 + sizeof u64 + sizeof scalar);
    /* eight-byte elements come first, so that all are aligned */
    assert_memory_equal(bytes + 8 + length, f64, sizeof f64);
    assert_memory_equal(bytes + 8 + length + sizeof f64, u64, sizeof u64);
    free(bytes);
}

static void test_conversion(void **state)
{
    (void)state;
    enum { N = 10001 }; /* more than one block of the conversion */
    float *single = malloc(N * sizeof *single), *single_back = malloc(N * sizeof *single);
    double *twice = malloc(N * sizeof *twice), *twice_back = malloc(N * sizeof *twice);
    const cst_rng rng = cst_rng_new(5, CST_RNG_TEST);
    for (size_t i = 0; i < N; i++) {
        twice[i] = cst_rng_normal(rng, i);
        single[i] = (float)twice[i];
    }
    const cst_shape shape = cst_shape_1d(N);
    const cst_save_tensor tensors[] = {{"s", CST_F32, shape, single}, {"t", CST_F64, shape, twice}};
    assert_int_equal(cst_safetensors_save(tensor_path, tensors, 2, NULL, NULL), CST_OK);
    cst_safetensors *file = tensor_file_open(tensor_path);
    assert_null(cst_safetensors_metadata(file, "version"));
    assert_int_equal(cst_safetensors_read(file, "t", CST_F32, &shape, single_back, NULL), CST_OK);
    assert_int_equal(cst_safetensors_read(file, "s", CST_F64, &shape, twice_back, NULL), CST_OK);
    for (size_t i = 0; i < N; i++) {
        if (single_back[i] != single[i] || twice_back[i] != (double)single[i]) fail_msg("element %zu", i);
    }
    cst_safetensors_close(file);
    free(single), free(single_back), free(twice), free(twice_back);
}

static void test_read_errors(void **state)
{
    (void)state;
    save_reference(tensor_path);
    cst_safetensors *file = tensor_file_open(tensor_path);
    static const struct {
        const char *name;
        cst_dtype dtype;
        cst_shape shape;
        const char *message;
    } cases[] = {
        {"field.0.bias", CST_F32, {1, {3}}, "has no tensor \"field.0.bias\""},
        {"field.0.weight", CST_F32, {2, {3, 2}}, "tensor \"field.0.weight\": expected shape (3, 2), got (2, 3)"},
        {"field.0.weight", CST_F64, {1, {6}}, "tensor \"field.0.weight\": expected shape (6), got (2, 3)"},
        {"field.0.weight", CST_U64, {2, {2, 3}}, "tensor \"field.0.weight\": expected U64, got F32"},
        {"rng", CST_F64, {1, {2}}, "tensor \"rng\": expected F32 or F64, got U64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[200], data[64];
        cst_error error;
        snprintf(expected, sizeof expected, "%s: %s", tensor_path, cases[i].message);
        assert_int_equal(cst_safetensors_read(file, cases[i].name, cases[i].dtype, &cases[i].shape, data, &error),
                         CST_EFORMAT);
        assert_int_equal(error.status, CST_EFORMAT);
        assert_string_equal(error.message, expected);
    }
    /* without an array it only checks */
    assert_int_equal(cst_safetensors_read(file, "rng", CST_U64, &reference[2].shape, NULL, NULL), CST_OK);
    cst_safetensors_close(file);
    cst_safetensors_close(NULL);
}

/* ---- files of others, and broken ones ------------------------------------------------------------------------ */

static void write_file(const void *bytes, size_t size)
{
    FILE *file = fopen(tensor_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Write a file of this header and `data` zero bytes. */
static void write_header(const char *header, size_t data)
{
    char bytes[2000] = "";
    const uint64_t length = strlen(header);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + 8, header, length);
    write_file(bytes, 8 + length + data);
}

/* A header, the number of bytes after it, and the message that refuses them; NULL if the file is valid. */
static const struct {
    const char *header;
    size_t data;
    const char *message; /* NULL: the file is valid */
} headers[] = {
    {"{}", 0, NULL},
    {"{}", 1, ": its tensors have 0 bytes, but 1 follow the header"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}   ", 8, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
     ": its tensors have 8 bytes, but 7 follow the header"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9,
     ": its tensors have 8 bytes, but 9 follow the header"},
    {"{\"a\":{\"dtype\":\"BF16\",\"shape\":[2,1,1,1,1,1,1,2],\"data_offsets\":[0,8],\"more\":1}}", 8, NULL},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[0,3]}}", 3, NULL},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
     ": tensor \"a\": offsets 0 to 1 do not fit 3 elements of F4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
     ": tensor \"a\": offsets 0 to 8 do not fit 3 elements of F32"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8,
     ": tensor \"a\": offsets 8 to 0 do not fit 2 elements of F32"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
     ": tensor \"a\": offsets 0 to 0 do not fit 18446744073709551615 elements of F32"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
     ": tensor \"a\": expected non-negative integers in its shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
     ": tensor \"a\": expected non-negative integers in its shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", 8,
     ": tensor \"a\": expected non-negative integers in its shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8,
     ": tensor \"a\": expected a shape, a list of integers"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, ": tensor \"a\": expected a shape, a list of integers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8,
     ": tensor \"a\": expected data_offsets, two integers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, ": tensor \"a\": expected data_offsets, two integers"},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ": tensor \"a\": unknown dtype F31"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ": tensor \"a\": expected a dtype, a string"},
    {"{\"a\":3}", 0, ": tensor \"a\": expected an object"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
     "offsets\":[0,2]}}",
     3, ": tensor \"b\" begins at byte 1 of the data, inside the tensor that ends at 2"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
     "offsets\":[0,2]}}",
     4, ": tensor \"b\" begins at byte 3 of the data, after a hole from 2"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
     "offsets\":[0,2]}}",
     3, NULL},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_"
     "offsets\":[0,0]}}",
     0, ":1:54: duplicate key \"a\""},
    {"{\"__metadata__\":{\"a\":\"b\"}}", 0, NULL},
    {"{\"__metadata__\":{\"a\":1}}", 0, ": __metadata__: \"a\" is not a string"},
    {"{\"__metadata__\":[]}", 0, ": __metadata__: expected an object of strings"},
    {"[]", 0, ": expected an object, got []"},
    {"", 0, ":1:1: expected a value, got the end of the text"},
    {"{\"a\":}", 0, ":1:6: expected a value, got '}'"},
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        write_header(headers[i].header, headers[i].data);
        cst_safetensors *file = NULL;
        cst_error error;
        const cst_status status = cst_safetensors_open(tensor_path, &file, &error);
        if (!headers[i].message) {
            if (status != CST_OK) fail_msg("%s", error.message);
            cst_safetensors_close(file);
            continue;
        }
        char expected[300];
        snprintf(expected, sizeof expected, "%s%s", tensor_path, headers[i].message);
        assert_int_equal(status, CST_EFORMAT);
        assert_int_equal(error.status, CST_EFORMAT);
        assert_string_equal(error.message, expected);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3, 100000001, UINT64_MAX, UINT64_MAX - 7};
    cst_safetensors *file = NULL;
    cst_error error;
    char expected[200];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char bytes[10] = "12345678{}";
        memcpy(bytes, &lengths[i], 8);
        write_file(bytes, sizeof bytes);
        assert_int_equal(cst_safetensors_open(tensor_path, &file, &error), CST_EFORMAT);
        snprintf(expected, sizeof expected,
                 "%s: expected a header inside the file of 10 bytes, found one of %" PRIu64 " bytes", tensor_path,
                 lengths[i]);
        assert_string_equal(error.message, expected);
    }
    assert_int_equal(cst_safetensors_open("/nonexistent/a", &file, &error), CST_EIO);
    assert_string_equal(error.message, "/nonexistent/a: cannot open: No such file or directory");
    assert_int_equal(cst_safetensors_open("/", &file, &error), CST_EIO);
    assert_string_equal(error.message, "/: cannot open: not a regular file");
}

/* Tensors of other types can be opened but not read. */
static void test_foreign_types(void **state)
{
    (void)state;
    write_header("{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                 "\"b\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[4,8]}}",
                 8);
    cst_safetensors *file = tensor_file_open(tensor_path);
    char expected[200];
    real data[8];
    cst_error error;
    cst_shape shape = cst_shape_1d(2);
    assert_string_equal(cst_safetensors_name(file, 0), "a");
    assert_int_equal(cst_safetensors_read(file, "a", CST_F32, &shape, data, &error), CST_EFORMAT);
    snprintf(expected, sizeof expected, "%s: tensor \"a\": expected F32 or F64, got BF16", tensor_path);
    assert_string_equal(error.message, expected);
    assert_int_equal(cst_safetensors_read(file, "b", CST_F32, &shape, data, &error), CST_EFORMAT);
    snprintf(expected, sizeof expected, "%s: tensor \"b\": expected shape (2), got one of 7 dimensions", tensor_path);
    assert_string_equal(error.message, expected);
    cst_safetensors_close(file);
}

/* Read all that can be read from a file that may have any content. */
static void try_all(void)
{
    cst_safetensors *file = NULL;
    const cst_status status = cst_safetensors_open(tensor_path, &file, NULL);
    assert_true(status == CST_OK || status == CST_EFORMAT);
    if (status != CST_OK) return;
    for (size_t i = 0; i < N_REFERENCE; i++) {
        unsigned char data[64];
        const cst_status read =
            cst_safetensors_read(file, reference[i].name, reference[i].dtype, &reference[i].shape, data, NULL);
        assert_true(read == CST_OK || read == CST_EFORMAT);
    }
    cst_safetensors_close(file);
}

static void test_damaged(void **state)
{
    (void)state;
    save_reference(tensor_path);
    char *bytes;
    size_t size;
    assert_int_equal(cst_file_read(tensor_path, 10000, &bytes, &size, NULL), CST_OK);
    for (size_t n = 0; n < size; n++) {
        write_file(bytes, n);
        cst_safetensors *file = NULL;
        assert_int_equal(cst_safetensors_open(tensor_path, &file, NULL), CST_EFORMAT);
    }
    const cst_rng rng = cst_rng_new(3, CST_RNG_TEST);
    for (size_t i = 0; i < size; i++) {
        const char kept = bytes[i];
        for (uint64_t k = 0; k < 4; k++) {
            const int flipped = kept ^ (1 << cst_rng_below(rng, 4 * i + k, 8));
            bytes[i] = (char)(k < 3 ? flipped : (int)cst_rng_below(rng, 4 * i + k, 256));
            write_file(bytes, size);
            try_all();
        }
        bytes[i] = kept;
    }
    free(bytes);
}

/* ---- writing that fails -------------------------------------------------------------------------------------- */

static size_t files_in_folder(void)
{
    size_t n = 0;
    DIR *dir = opendir(tensor_folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void test_save_errors(void **state)
{
    (void)state;
    cst_error error;
    char expected[200];
    assert_int_equal(cst_safetensors_save("/nonexistent/a", reference, 1, NULL, &error), CST_EIO);
    assert_string_equal(error.message, "/nonexistent/a: cannot write: No such file or directory");
    assert_int_equal(cst_safetensors_save(tensor_folder, reference, 1, NULL, &error),
                     CST_EIO); /* a folder of that name */
    snprintf(expected, sizeof expected, "%s: cannot write: Is a directory", tensor_folder);
    assert_string_equal(error.message, expected);
    snprintf(expected, sizeof expected, "%s.tmp%ld-0", tensor_folder, (long)getpid());
    assert_int_not_equal(access(expected, F_OK), 0);
    const cst_save_tensor twice[] = {reference[0], reference[0]};
    assert_int_equal(cst_safetensors_save(tensor_path, twice, 2, NULL, &error), CST_EARG);
    assert_non_null(strstr(error.message, "duplicate key \"field.0.weight\""));
    const cst_save_tensor bad[] = {{"\xff", CST_F32, {1, {2}}, f32},
                                   {"__metadata__", CST_F32, {1, {2}}, f32},
                                   {"a", CST_F64, {2, {SIZE_MAX / 4, 1}}, f32}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cst_safetensors_save(tensor_path, &bad[i], 1, NULL, &error), CST_EARG);
}

/* A limit on the size of files takes the place of a full disk: the old file stays, and no other file does. */
static void test_save_is_atomic(void **state)
{
    (void)state;
    save_reference(tensor_path);
    assert_int_equal(files_in_folder(), 1);
    enum { N = 100000 };
    float *large = calloc(N, sizeof *large);
    const cst_save_tensor tensor = {"large", CST_F32, cst_shape_1d(N), large};
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 65536;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    cst_error error;
    const cst_status status = cst_safetensors_save(tensor_path, &tensor, 1, NULL, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, CST_EIO);
    char expected[200];
    snprintf(expected, sizeof expected, "%s: cannot write: File too large", tensor_path);
    assert_string_equal(error.message, expected);
    assert_int_equal(files_in_folder(), 1);
    expect_reference(tensor_path);
    assert_int_equal(cst_safetensors_save(tensor_path, &tensor, 1, NULL, NULL), CST_OK);
    assert_int_equal(files_in_folder(), 1);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_layout),  cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_read_errors),    cmocka_unit_test(test_headers), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_foreign_types),  cmocka_unit_test(test_damaged), cmocka_unit_test(test_save_errors),
        cmocka_unit_test(test_save_is_atomic),
    };
    return cmocka_run_group_tests(tests, tensor_folder_make, tensor_folder_remove);
}
