/* WAV files: encodings, other chunks, streams without a length, and damaged files. */
#include "formats/wav.h"
#include "tests/data_files.h"

/* A file under construction. */
typedef struct bytes {
    uint8_t b[512];
    size_t n;
} bytes;

static void put(bytes *f, const void *from, size_t n)
{
    assert_in_range(f->n + n, 0, sizeof f->b);
    memcpy(f->b + f->n, from, n);
    f->n += n;
}

static void put_number(bytes *f, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++, value >>= 8) put(f, &(const uint8_t){(uint8_t)value}, 1);
}

static void put_chunk(bytes *f, const char *name, size_t size)
{
    put(f, name, 4);
    put_number(f, size, 4);
}

static void start(bytes *f)
{
    f->n = 0;
    put_chunk(f, "RIFF", 0); /* its size is set at the end */
    put(f, "WAVE", 4);
}

/* Append the first 16 bytes of a format chunk of `size` bytes. */
static void put_format(bytes *f, size_t size, unsigned encoding, unsigned channels, unsigned bits)
{
    put_chunk(f, "fmt ", size);
    put_number(f, encoding, 2);
    put_number(f, channels, 2);
    put_number(f, 16000, 4);
    put_number(f, 16000 * channels * bits / 8, 4);
    put_number(f, channels * bits / 8, 2);
    put_number(f, bits, 2);
}

static void set_riff_size(bytes *f)
{
    const size_t n = f->n;
    f->n = 4;
    put_number(f, n - 8, 4);
    f->n = n;
}

static void finish(bytes *f, const void *samples, size_t n)
{
    put_chunk(f, "data", n);
    put(f, samples, n);
    if (n % 2 != 0) put_number(f, 0, 1);
    set_riff_size(f);
}

static void make(bytes *f, unsigned encoding, unsigned channels, unsigned bits, const void *samples, size_t n)
{
    start(f);
    put_format(f, 16, encoding, channels, bits);
    finish(f, samples, n);
}

/* Set a byte of the file. */
static const bytes *poked(const bytes *f, size_t at, uint8_t value)
{
    static bytes copy;
    copy = *f;
    copy.b[at] = value;
    return &copy;
}

/* Decode a copy that ends exactly at the end of an allocation, so that a sanitizer sees a read beyond it. */
static cst_status decode(const bytes *f, cst_wav *wav, cst_error *error)
{
    uint8_t *copy = malloc(f->n + 1);
    assert_non_null(copy);
    memcpy(copy + 1, f->b, f->n);
    *error = (cst_error){0};
    const cst_status status = cst_wav_decode("a.wav", copy + 1, f->n, wav, error);
    free(copy);
    return status;
}

static void decodes(const bytes *f, const double *expected, size_t n)
{
    cst_wav wav;
    cst_error error;
    if (decode(f, &wav, &error) != CST_OK) fail_msg("%s", error.message);
    assert_int_equal(wav.rate, 16000);
    assert_int_equal(wav.n, n);
    for (size_t i = 0; i < n; i++) {
        if (wav.samples[i] != expected[i])
            fail_msg("sample %zu: expected %.17g, got %.17g", i, expected[i], wav.samples[i]);
    }
    cst_wav_clear(&wav);
}

static void fails(const bytes *f, const char *message)
{
    cst_wav wav;
    cst_error error;
    char whole[300];
    snprintf(whole, sizeof whole, "a.wav: %s", message);
    test_assert_failure(decode(f, &wav, &error), CST_EFORMAT, &error, TEST_WORDS(message));
    assert_string_equal(error.message, whole);
    assert_null(wav.samples);
}

/* ---- encodings ----------------------------------------------------------------------------------------------- */

enum { PCM = 1, FLOAT = 3, EXTENSIBLE = 0xfffe };
enum { FORMAT = 20, DATA = 44 }; /* offsets of the format and of the samples in the file that `make` makes */

static const struct {
    unsigned encoding, bits;
    const char *samples;
    size_t n;
    double values[4];
} encodings[] = {
    {PCM, 8, "\x00\x80\xff\x81", 4, {-1, 0, 127. / 128, 1. / 128}},
    {PCM, 16, "\x00\x80\x00\x00\xff\x7f\xff\xff", 8, {-1, 0, 32767. / 32768, -1. / 32768}},
    {PCM, 24, "\x00\x00\x80\x00\x00\x00\xff\xff\x7f\xfe\xff\xff", 12, {-1, 0, 8388607. / 8388608, -2. / 8388608}},
    {PCM,
     32,
     "\x00\x00\x00\x80\x00\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\xff",
     16,
     {-1, 0, 2147483647. / 2147483648, -1. / 2147483648}},
    {FLOAT, 32, "\0\0\x20\xc0\0\0\0\0\0\0\x80\x3f\0\0\0\x3f", 16, {-2.5, 0, 1, 0.5}},
    {FLOAT,
     64,
     "\0\0\0\0\0\0\xf8\xbf\0\0\0\0\0\0\0\0\x9a\x99\x99\x99\x99\x99\xb9\x3f\0\0\0\0\0\0\xe0\x3f",
     32,
     {-1.5, 0, 0.1, 0.5}},
};
enum { N_ENCODINGS = sizeof encodings / sizeof encodings[0] };

static void test_encodings(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ENCODINGS; i++) {
        bytes f;
        make(&f, encodings[i].encoding, 1, encodings[i].bits, encodings[i].samples, encodings[i].n);
        decodes(&f, encodings[i].values, 4);
    }
}

static void make_extensible(bytes *f, unsigned encoding, unsigned bits, const void *samples, size_t n)
{
    start(f);
    put_format(f, 40, EXTENSIBLE, 1, bits);
    put_number(f, 22, 2);   /* bytes that follow */
    put_number(f, bits, 2); /* valid bits */
    put_number(f, 4, 4);    /* loudspeaker mask: front centre */
    put_number(f, encoding, 2);
    put(f, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
    finish(f, samples, n);
}

static void test_extensible(void **state)
{
    (void)state;
    bytes f;
    for (size_t i = 0; i < N_ENCODINGS; i++) {
        make_extensible(&f, encodings[i].encoding, encodings[i].bits, encodings[i].samples, encodings[i].n);
        decodes(&f, encodings[i].values, 4);
    }
    make_extensible(&f, 85, 16, "1234", 4);
    fails(&f, "byte 44: expected PCM (1) or IEEE floats (3), not compressed, found format 85 (MPEG layer 3)");
    make_extensible(&f, PCM, 16, "1234", 4);
    fails(poked(&f, 50, 1), "byte 44: expected the GUID of PCM or of IEEE floats, found another one, which begins with "
                            "00000001");
    make(&f, EXTENSIBLE, 1, 16, "1234", 4);
    fails(&f, "byte 16: expected an extensible format of at least 40 bytes, found 16");
}

static void test_refused_formats(void **state)
{
    (void)state;
    static const struct {
        unsigned encoding, channels, bits;
        const char *message;
    } cases[] = {
        {PCM, 2, 16, "byte 22: expected 1 channel, got 2"},
        {PCM, 0, 16, "byte 22: expected 1 channel, got 0"},
        {PCM, 1, 12, "byte 34: expected PCM in 8, 16, 24 or 32 bits, found 12 bits"},
        {PCM, 1, 0, "byte 34: expected PCM in 8, 16, 24 or 32 bits, found 0 bits"},
        {PCM, 1, 64, "byte 34: expected PCM in 8, 16, 24 or 32 bits, found 64 bits"},
        {FLOAT, 1, 16, "byte 34: expected floats of 32 or 64 bits, found 16 bits"},
        {2, 1, 4, "byte 20: expected PCM (1) or IEEE floats (3), not compressed, found format 2 (Microsoft ADPCM)"},
        {6, 1, 8, "byte 20: expected PCM (1) or IEEE floats (3), not compressed, found format 6 (A-law)"},
        {7, 1, 8, "byte 20: expected PCM (1) or IEEE floats (3), not compressed, found format 7 (mu-law)"},
        {999, 1, 8, "byte 20: expected PCM (1) or IEEE floats (3), not compressed, found format 999"},
    };
    bytes f;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(&f, cases[i].encoding, cases[i].channels, cases[i].bits, "12345678", 8);
        fails(&f, cases[i].message);
    }
    make(&f, PCM, 1, 16, "12345678", 8);
    fails(poked(&f, FORMAT + 12, 4), "byte 32: expected 2 bytes per sample of 16 bits, found 4");
    f.b[FORMAT + 4] = f.b[FORMAT + 5] = 0;
    fails(&f, "byte 24: expected a sample rate, found 0");
    make(&f, PCM, 1, 16, "123", 3);
    fails(&f, "byte 40: expected whole samples of 2 bytes, found 3 bytes of them");
    make(&f, FLOAT, 1, 32, "\0\0\0\0\0\0\x80\x7f", 8);
    fails(&f, "byte 48: expected a finite sample, found inf");
}

/* ---- chunks -------------------------------------------------------------------------------------------------- */

static const char four[] = "\x00\x80\x00\x00\xff\x7f\xff\xff"; /* samples of 16 bits */
static const double four_values[] = {-1, 0, 32767. / 32768, -1. / 32768};

/* Other chunks around the needed ones, one of an odd size with its padding; a longer format chunk. */
static void test_other_chunks(void **state)
{
    (void)state;
    bytes f;
    start(&f);
    put_chunk(&f, "LIST", 3);
    put(&f, "abc", 4); /* its NUL is the padding */
    put_format(&f, 18, PCM, 1, 16);
    put_number(&f, 0, 2);
    put_chunk(&f, "fact", 4);
    put_number(&f, 4, 4);
    put_chunk(&f, "junk", 0);
    finish(&f, four, 8);
    put_chunk(&f, "data", 100); /* bytes after the samples do not matter */
    decodes(&f, four_values, 4);
}

static void test_no_samples(void **state)
{
    (void)state;
    bytes f;
    make(&f, PCM, 1, 16, "", 0);
    decodes(&f, NULL, 0);
    put_chunk(&f, "LIST", 2); /* within the size that "RIFF" states */
    put(&f, "ab", 2);
    set_riff_size(&f);
    decodes(&f, NULL, 0);
}

/* The sizes of "RIFF" and "data" that a program writes if it cannot seek back. */
static void test_streamed(void **state)
{
    (void)state;
    const uint32_t sizes[][2] = {
        {0, 0},
        {UINT32_MAX, UINT32_MAX},
        {0, UINT32_MAX},
        {UINT32_MAX, 0},
        {36, 0},                  /* a header written before any samples */
        {0x7ffff024, 0x7ffff000}, /* sox */
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bytes f;
        make(&f, PCM, 1, 16, four, 8);
        f.n = 4;
        put_number(&f, sizes[i][0], 4);
        f.n = DATA - 4;
        put_number(&f, sizes[i][1], 4);
        f.n = DATA + 8;
        decodes(&f, four_values, 4);
        f.n--;
        fails(&f, "byte 40: expected whole samples of 2 bytes, found 7 bytes of them");
    }
}

static void test_other_files(void **state)
{
    (void)state;
    bytes f;
    make(&f, PCM, 1, 16, four, 8);
    fails(poked(&f, 3, 'X'), "byte 0: expected \"RIFF\" of a WAV file, found \"RIFX\"");
    fails(poked(&f, 0, 0xff), "byte 0: expected \"RIFF\" of a WAV file, found \"?IFF\"");
    fails(poked(&f, 8, 'w'), "byte 8: expected \"WAVE\" of a WAV file, found \"wAVE\"");
    fails(poked(&f, 12, 'F'), "byte 36: expected chunk \"fmt \" before the samples, found \"data\"");
    fails(poked(&f, 36, 'D'), "byte 52: expected chunk \"data\", found the file's end");
    fails(poked(&f, 16, 200), "byte 20: expected the 200 bytes of chunk \"fmt \", found 32: the file is cut off");
    fails(poked(&f, 16, 14), "byte 16: expected a format of at least 16 bytes, found 14");
    fails(poked(&f, 41, 1), "byte 44: expected 264 bytes of samples, found 8: the file is cut off");
    f.n = 12;
    fails(&f, "byte 12: expected chunk \"fmt \", found the file's end");
}

/* A file cut at any byte is refused. With any byte changed it is read or refused; sanitizers see anything worse. */
static void test_damaged(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ENCODINGS; i++) {
        bytes f, cut;
        make_extensible(&f, encodings[i].encoding, encodings[i].bits, encodings[i].samples, encodings[i].n);
        cst_wav wav;
        cst_error error;
        for (cut = f, cut.n = 0; cut.n < f.n; cut.n++) {
            if (decode(&cut, &wav, &error) != CST_EFORMAT) fail_msg("cut off at %zu it was read", cut.n);
            assert_non_null(strstr(error.message, "a.wav: byte "));
        }
        for (size_t at = 0; at < f.n; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                if (decode(poked(&f, at, (uint8_t)(f.b[at] ^ 1U << bit)), &wav, &error) != CST_OK)
                    assert_non_null(strstr(error.message, "a.wav: byte "));
                cst_wav_clear(&wav);
            }
        }
    }
}

static void test_files(void **state)
{
    (void)state;
    bytes f;
    char path[TEST_PATH];
    cst_wav wav;
    cst_error error = {0};
    make(&f, PCM, 1, 16, four, 8);
    test_write("good.wav", f.b, f.n);
    if (cst_wav_read(test_path("good.wav", path), &wav, &error) != CST_OK) fail_msg("%s", error.message);
    assert_int_equal(wav.n, 4);
    assert_true(wav.samples[3] == four_values[3]);
    cst_wav_clear(&wav);
    test_write("cut.wav", f.b, f.n - 2);
    test_assert_failure(cst_wav_read(test_path("cut.wav", path), &wav, &error), CST_EFORMAT, &error,
                        TEST_WORDS("cut.wav: byte 44: expected 8 bytes of samples, found 6"));
    test_assert_failure(cst_wav_read(test_path("none.wav", path), &wav, &error), CST_EIO, &error,
                        TEST_WORDS("none.wav"));
    test_assert_failure(cst_wav_read(test_root, &wav, &error), CST_EIO, &error, TEST_WORDS(test_root));
    assert_null(wav.samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodings),    cmocka_unit_test(test_extensible), cmocka_unit_test(test_refused_formats),
        cmocka_unit_test(test_other_chunks), cmocka_unit_test(test_no_samples), cmocka_unit_test(test_streamed),
        cmocka_unit_test(test_other_files),  cmocka_unit_test(test_damaged),    cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
