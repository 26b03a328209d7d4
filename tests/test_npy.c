/* NumPy's array files: every type and header, damaged files, writing. */
#include "formats/npy.h"
#include "tests/data_files.h"

/* ---- files --------------------------------------------------------------------------------------------------- */

/* A file of version `major`.0 with this header and n bytes of data. The header is padded and ended as the format
 * demands, unless `raw`. Returns the file's size. */
static size_t make_npy(char *file, int major, const char *header, bool raw, const void *data, size_t n)
{
    char text[400];
    size_t length = (size_t)snprintf(text, sizeof text, "%s", header);
    const size_t prefix = major == 1 ? 10 : 12;
    while (!raw && (prefix + length + 1) % 16 != 0) text[length++] = ' ';
    if (!raw) text[length++] = '\n';
    const uint8_t start[12] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)major, 0, (uint8_t)length, (uint8_t)(length >> 8)};
    memcpy(file, start, prefix);
    memcpy(file + prefix, text, length);
    if (n > 0) memcpy(file + prefix + length, data, n);
    return prefix + length + n;
}

#define HEADER(descr, order, shape) "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }"

static void write_npy(const char *name, const char *header, const void *data, size_t n)
{
    static char file[1 << 16];
    test_write(name, file, make_npy(file, 1, header, false, data, n));
}

static cst_status read_file(const char *name, cst_npy *array, cst_error *error)
{
    char path[TEST_PATH];
    *error = (cst_error){0};
    return cst_npy_read(test_path(name, path), array, error);
}

static void read_ok(const char *name, cst_npy *array)
{
    cst_error error;
    if (read_file(name, array, &error) != CST_OK) fail_msg("%s", error.message);
}

static void fails(const char *name, cst_status expected, const char *const *words)
{
    cst_npy array;
    cst_error error;
    test_assert_failure(read_file(name, &array, &error), expected, &error, words);
    assert_non_null(strstr(error.message, name)); /* every error names the file */
    assert_null(array.data);
}

static void header_fails(const char *header, const char *const *words)
{
    write_npy("header", header, "12345678", 8);
    fails("header", CST_EFORMAT, words);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Every type with its smallest and largest value, or with its special values. */
static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        cst_npy_type type;
        const char *bytes;
        size_t size;
        double value[2];
    } cases[] = {
        {HEADER("|b1", "False", "(2,)"), CST_NPY_BOOL, "\x00\x01", 2, {0, 1}},
        {HEADER("|i1", "False", "(2,)"), CST_NPY_I1, "\x80\x7f", 2, {-128, 127}},
        {HEADER("|u1", "False", "(2,)"), CST_NPY_U1, "\x00\xff", 2, {0, 255}},
        {HEADER("<u1", "False", "(2,)"), CST_NPY_U1, "\x00\xff", 2, {0, 255}},
        {HEADER("<i2", "False", "(2,)"), CST_NPY_I2, "\x00\x80\xff\x7f", 4, {-32768, 32767}},
        {HEADER("<u2", "False", "(2,)"), CST_NPY_U2, "\x01\x00\xff\xff", 4, {1, 65535}},
        {HEADER("<i4", "False", "(2,)"), CST_NPY_I4, "\x00\x00\x00\x80\x15\xcd\x5b\x07", 8, {-0x1p31, 123456789}},
        {HEADER("<u4", "False", "(2,)"), CST_NPY_U4, "\x00\x00\x00\x80\xff\xff\xff\xff", 8, {0x1p31, 0x1p32 - 1}},
        {HEADER("<i8", "False", "(2,)"),
         CST_NPY_I8,
         "\0\0\0\0\0\0\0\x80\xff\xff\xff\xff\xff\xff\xff\xff",
         16,
         {-0x1p63, -1}},
        {HEADER("<u8", "False", "(2,)"), CST_NPY_U8, "\0\0\0\0\0\0\0\x80\x02\0\0\0\0\0\0\0", 16, {0x1p63, 2}},
        {HEADER("<f4", "False", "(2,)"), CST_NPY_F4, "\0\0\x20\x40\0\0\0\x80", 8, {2.5, -0.0}},
        {HEADER("<f8", "False", "(2,)"),
         CST_NPY_F8,
         "\0\0\0\0\0\0\xf8\xbf\x9a\x99\x99\x99\x99\x99\xb9\x3f",
         16,
         {-1.5, 0.1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_npy array;
        write_npy("type", cases[i].header, cases[i].bytes, cases[i].size);
        read_ok("type", &array);
        assert_int_equal(array.type, cases[i].type);
        assert_int_equal(array.shape.rank, 1);
        assert_int_equal(array.shape.dim[0], 2);
        for (size_t k = 0; k < 2; k++) {
            const double got = cst_npy_get(&array, k);
            if (got != cases[i].value[k]) fail_msg("%s: expected %g, got %g", cases[i].header, cases[i].value[k], got);
        }
        cst_npy_clear(&array);
    }
}

static void test_shapes_and_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
        cst_shape shape;
    } cases[] = {
        {HEADER("|u1", "False", "()"), 1, {0, {0}}},
        {HEADER("|u1", "False", "(0,)"), 0, {1, {0}}},
        {HEADER("|u1", "False", "(3, 0, 2)"), 0, {3, {3, 0, 2}}},
        {HEADER("|u1", "False", "(4, 2,)"), 8, {2, {4, 2}}},
        {HEADER("|u1", "False", "(1, 2, 1, 2, 1, 2)"), 8, {6, {1, 2, 1, 2, 1, 2}}},
        {"{\"shape\":(2,1),\"fortran_order\":False,\"descr\":\"|u1\"}", 2, {2, {2, 1}}},
        {"{ 'fortran_order' : False , 'shape' : ( 2 , 1 ) , 'descr' : '|u1' , }", 2, {2, {2, 1}}},
    };
    static char file[1 << 12];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int major = 1; major <= 3; major++) {
            cst_npy array;
            test_write("shape", file, make_npy(file, major, cases[i].header, false, "abcdefgh", cases[i].bytes));
            read_ok("shape", &array);
            assert_true(cst_shape_equal(&array.shape, &cases[i].shape));
            assert_memory_equal(array.data, "abcdefgh", cases[i].bytes);
            cst_npy_clear(&array);
        }
    }
}

/* Element (i, j, k) of a (2, 3, 4) array is 100 i + 10 j + k, whatever the order in the file. */
static void test_fortran_order(void **state)
{
    (void)state;
    int16_t values[24];
    cst_npy array;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++) values[i + 2 * (j + 3 * k)] = (int16_t)(100 * i + 10 * j + k);
    write_npy("fortran", HEADER("<i2", "True", "(2, 3, 4)"), values, sizeof values);
    read_ok("fortran", &array);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                assert_true(cst_npy_get(&array, (size_t)((i * 3 + j) * 4 + k)) == 100 * i + 10 * j + k);
    cst_npy_clear(&array);
    write_npy("fortran", HEADER("<i2", "True", "(3,)"), values, 6);
    read_ok("fortran", &array);
    assert_memory_equal(array.data, values, 6);
    cst_npy_clear(&array);
    write_npy("fortran", HEADER("<i2", "True", "(3, 0)"), NULL, 0);
    read_ok("fortran", &array);
    cst_npy_clear(&array);
}

/* ---- files that are wrong ------------------------------------------------------------------------------------ */

static void test_cut_off_anywhere(void **state)
{
    (void)state;
    char file[400];
    for (int major = 1; major <= 2; major++) {
        const size_t size =
            make_npy(file, major, HEADER("<f4", "False", "(2, 3)"), false, "0123456789abcdef01234567", 24);
        for (size_t n = 0; n < size; n++) {
            test_write("cut", file, n);
            fails("cut", CST_EFORMAT, TEST_WORDS("expected", "found"));
        }
        file[size] = 'x';
        test_write("long", file, size + 1);
        fails("long", CST_EFORMAT, TEST_WORDS("expected 24 bytes", "f4 of shape (2, 3)", "found more"));
    }
    test_write("cut", file, 5);
    fails("cut", CST_EFORMAT, TEST_WORDS("found a file of 5 bytes"));
    write_npy("cut", HEADER("<f4", "False", "(2, 3)"), "0123456789", 10);
    fails("cut", CST_EFORMAT, TEST_WORDS("expected 24 bytes after the header", "found 10"));
}

/* With any byte changed, a file is either read or refused. It is refused if the byte is in the magic, the version, or
 * almost anywhere in the header. */
static void test_flipped_anywhere(void **state)
{
    (void)state;
    char file[400];
    const char *header = HEADER("|b1", "False", "(2, 3)");
    const size_t size = make_npy(file, 1, header, false, "\1\1\0\0\1\1", 6);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            cst_npy array;
            cst_error error;
            file[i] = (char)(file[i] ^ 1 << bit);
            test_write("flipped", file, size);
            const cst_status status = read_file("flipped", &array, &error);
            if (status != CST_OK) assert_int_equal(status, CST_EFORMAT);
            if (i < 8 || (i >= size - 6 && bit > 0)) assert_int_equal(status, CST_EFORMAT);
            if (status == CST_OK) cst_npy_clear(&array);
            file[i] = (char)(file[i] ^ 1 << bit);
        }
    }
}

static void test_promises_too_much(void **state)
{
    (void)state;
    write_npy("promise", HEADER("<f8", "False", "(100000000, 1000)"), "12345678", 8);
    fails("promise", CST_EFORMAT, TEST_WORDS("expected 800000000000 bytes", "found 8"));
    write_npy("promise", HEADER("<f8", "False", "(4294967296, 4294967296)"), "12345678", 8);
    fails("promise", CST_EFORMAT, TEST_WORDS("(4294967296, 4294967296)", "found more than fits into memory"));
    write_npy("promise", HEADER("<f8", "False", "(99999999999999999999,)"), "12345678", 8);
    fails("promise", CST_EFORMAT, TEST_WORDS("a dimension that fits into memory", "found 99999999999999999999,)"));
    char file[64] = "\x93NUMPY\2\0\xff\xff\xff\xff{}";
    test_write("promise", file, sizeof file);
    fails("promise", CST_EFORMAT, TEST_WORDS("a header of at most 65536 bytes", "found one of 4294967295"));
}

static void test_headers_that_are_wrong(void **state)
{
    (void)state;
    header_fails("", TEST_WORDS("expected a dict at byte", "of the header, found ?"));
    header_fails("[1]", TEST_WORDS("expected a dict at byte 0 of the header, found [1]"));
    header_fails("{'descr': '>f8', 'fortran_order': False, 'shape': (1,)}",
                 TEST_WORDS("expected a type, little-endian, of b1, i1", "at byte 10", "found '>f8', 'fortran"));
    header_fails(HEADER("<f2", "False", "(1,)"), TEST_WORDS("expected a type", "found '<f2'"));
    header_fails(HEADER("|f8", "False", "(1,)"), TEST_WORDS("expected a type", "found '|f8'"));
    header_fails(HEADER("<c16", "False", "(1,)"), TEST_WORDS("expected a type", "found '<c16'"));
    header_fails("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
                 TEST_WORDS("expected a type", "found [('a', '<f4')]"));
    header_fails("{'descr': '<f\\x38', 'fortran_order': False, 'shape': (1,)}", TEST_WORDS("expected a type"));
    header_fails(HEADER("<f8", "0", "(1,)"), TEST_WORDS("expected True or False", "found 0, 'shape'"));
    header_fails(HEADER("<f8", "Falsely", "(1,)"), TEST_WORDS("expected a comma or a closing brace", "found ly, "));
    header_fails(HEADER("<f8", "False", "1"), TEST_WORDS("expected a shape such as (3, 4)", "found 1, }"));
    header_fails(HEADER("<f8", "False", "(1)"), TEST_WORDS("expected a comma, which makes a tuple", "found ), }"));
    header_fails(HEADER("<f8", "False", "(1 1)"), TEST_WORDS("expected a comma, which", "found 1), }"));
    header_fails(HEADER("<f8", "False", "(1, 1 1)"), TEST_WORDS("expected a comma or a closing parenthesis"));
    header_fails(HEADER("<f8", "False", "(,)"), TEST_WORDS("expected a dimension", "found ,), }"));
    header_fails(HEADER("<f8", "False", "(-1,)"), TEST_WORDS("expected a dimension", "found -1,), }"));
    header_fails(HEADER("<f8", "False", "(01,)"), TEST_WORDS("expected a dimension", "found 01,), }"));
    header_fails(HEADER("<f8", "False", "(1,"), TEST_WORDS("expected a dimension", "found , }"));
    header_fails(HEADER("<f8", "False", "(1, 1, 1, 1, 1, 1, 1)"), TEST_WORDS("expected at most 6 dimensions"));
    header_fails("{'descr': '<f8', 'fortran_order': False}", TEST_WORDS("expected 'shape' in the header"));
    header_fails("{'descr': '<f8', 'shape': (1,)}", TEST_WORDS("expected 'fortran_order' in the header"));
    header_fails("{}", TEST_WORDS("expected 'descr' in the header"));
    header_fails("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",
                 TEST_WORDS("'shape', once each, at byte 17", "found 'descr': '<f8'"));
    header_fails("{'type': '<f8', 'fortran_order': False, 'shape': (1,)}", TEST_WORDS("once each", "found 'type'"));
    header_fails("{descr: '<f8'}", TEST_WORDS("expected a key", "found descr"));
    header_fails("{'descr", TEST_WORDS("expected a key", "found 'descr"));
    header_fails("{'descr' '<f8'}", TEST_WORDS("expected a colon", "found '<f8'}"));
    header_fails("{'descr': '<f8' 'shape': (1,)}", TEST_WORDS("expected a comma or a closing brace"));
    header_fails(HEADER("<f8", "False", "(1,)") "x", TEST_WORDS("expected blanks and a newline", "found x"));
    char file[400];
    test_write("header", file, make_npy(file, 1, HEADER("<f8", "False", "(1,)"), true, "12345678", 8));
    fails("header", CST_EFORMAT, TEST_WORDS("expected blanks and a newline", "found its end"));
}

static void test_other_files(void **state)
{
    (void)state;
    test_write("text", "hello, world", 12);
    fails("text", CST_EFORMAT, TEST_WORDS("expected a NumPy array", "93 4e 55", "found 68 65 6c 6c 6f 2c"));
    char file[100];
    make_npy(file, 1, HEADER("|u1", "False", "(0,)"), false, NULL, 0);
    file[6] = 4;
    test_write("version", file, sizeof file);
    fails("version", CST_EFORMAT, TEST_WORDS("expected format version 1.0, 2.0 or 3.0", "found 4.0"));
    file[6] = 1, file[7] = 1;
    test_write("version", file, sizeof file);
    fails("version", CST_EFORMAT, TEST_WORDS("found 1.1"));
    write_npy("bool", HEADER("|b1", "False", "(2, 2)"), "\0\1\2\1", 4);
    fails("bool", CST_EFORMAT, TEST_WORDS("element 2", "expected a bool", "found 2"));
    fails("absent", CST_EIO, TEST_WORDS("cannot open"));
    test_folder("a_folder");
    fails("a_folder", CST_EIO, TEST_WORDS("cannot read"));
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static void test_write_and_read(void **state)
{
    (void)state;
    const float f4[6] = {0, -1.5F, 3e38F, 1e-40F, 5, 6};
    const double f8[2] = {0.1, -1e300};
    const int32_t i4[3] = {-5, 0, 2147483647};
    char path[TEST_PATH], file[400];
    cst_npy array;
    cst_error error = {0};
    test_path("written", path);
    assert_int_equal(cst_npy_write(path, CST_NPY_F4, &(cst_shape){2, {2, 3}}, f4, &error), CST_OK);
    read_ok("written", &array);
    assert_int_equal(array.type, CST_NPY_F4);
    assert_true(cst_shape_equal(&array.shape, &(cst_shape){2, {2, 3}}));
    assert_memory_equal(array.data, f4, sizeof f4);
    cst_npy_clear(&array);
    /* Except for blanks, the bytes that NumPy writes. */
    static const char header[] = "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    assert_int_equal(test_read("written", file, sizeof file), 128 + sizeof f4);
    assert_memory_equal(file, header, sizeof header - 1);
    assert_int_equal(file[127], '\n');
    assert_int_equal(cst_npy_write(path, CST_NPY_F8, &(cst_shape){1, {2}}, f8, &error), CST_OK);
    read_ok("written", &array);
    assert_true(array.shape.rank == 1 && array.shape.dim[0] == 2);
    assert_memory_equal(array.data, f8, sizeof f8);
    cst_npy_clear(&array);
    assert_int_equal(cst_npy_write(path, CST_NPY_I4, &(cst_shape){3, {3, 1, 1}}, i4, &error), CST_OK);
    read_ok("written", &array);
    assert_memory_equal(array.data, i4, sizeof i4);
    cst_npy_clear(&array);
    assert_int_equal(cst_npy_write(path, CST_NPY_U1, &(cst_shape){0, {0}}, "x", &error), CST_OK);
    read_ok("written", &array);
    assert_true(array.shape.rank == 0 && cst_npy_get(&array, 0) == 'x');
    cst_npy_clear(&array);
    test_path("no/such/folder", path);
    test_assert_failure(cst_npy_write(path, CST_NPY_F4, &(cst_shape){1, {6}}, f4, &error), CST_EIO, &error,
                        TEST_WORDS("no/such/folder", "cannot write"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_shapes_and_spellings),
        cmocka_unit_test(test_fortran_order),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_flipped_anywhere),
        cmocka_unit_test(test_promises_too_much),
        cmocka_unit_test(test_headers_that_are_wrong),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_write_and_read),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
