/* Cepstral coefficients against a direct transform, written from the formulas of formats/mfcc.h in another way, and
 * against closed forms. tests/golden_mfcc.c has torchaudio's. */
#include "core/parallel.h"
#include "core/rng.h"
#include "formats/mfcc.h"
#include "tests/data_files.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static cst_mfcc *mfcc_new(const cst_mfcc_options *o, size_t rate)
{
    cst_mfcc *m;
    cst_error error = {0};
    if (cst_mfcc_new(o, rate, &m, &error) != CST_OK) fail_msg("%s", error.message);
    return m;
}

static double *compute(const cst_mfcc *m, const cst_mfcc_options *o, const double *samples, size_t n)
{
    cst_error error = {0};
    double *y = malloc((cst_mfcc_frames(m, n) * o->n_mfcc + 1) * sizeof *y);
    assert_non_null(y);
    y[cst_mfcc_frames(m, n) * o->n_mfcc] = 12345;
    if (cst_mfcc_compute(m, samples, n, y, &error) != CST_OK) fail_msg("%s", error.message);
    assert_true(y[cst_mfcc_frames(m, n) * o->n_mfcc] == 12345);
    return y;
}

/* ---- the direct transform ------------------------------------------------------------------------------------ */

static double mel(double f)
{
    return 2595 * log10(1 + f / 700);
}

static double corner(size_t i, size_t n_mels, double top)
{
    return 700 * (pow(10, mel(top) * (double)i / (double)(n_mels + 1) / 2595) - 1);
}

/* L_m of the frame around sample `centre`, by a DFT of O(n^2). */
static double direct_log(const cst_mfcc_options *o, double rate, const double *x, long n, long centre, size_t m)
{
    const long width = (long)o->n_fft;
    const double low = corner(m, o->n_mels, rate / 2), middle = corner(m + 1, o->n_mels, rate / 2),
                 high = corner(m + 2, o->n_mels, rate / 2);
    double energy = 0;
    for (long k = 0; k <= width / 2; k++) {
        const double f = rate * (double)k / (double)width;
        if (f <= low || f >= high) continue;
        double re = 0, im = 0;
        for (long j = 0; j < width; j++) {
            long i = labs(centre + j - width / 2);
            if (i > n - 1) i = n - 1 - (i - (n - 1));
            const double window = pow(sin(pi * (double)j / (double)width), 2);
            re += window * x[i] * cos(2 * pi * (double)(j * k % width) / (double)width);
            im -= window * x[i] * sin(2 * pi * (double)(j * k % width) / (double)width);
        }
        energy += (re * re + im * im) * (f <= middle ? (f - low) / (middle - low) : (high - f) / (high - middle));
    }
    return log(energy + o->log_offset);
}

/* y_c of one frame. */
static void direct_frame(const cst_mfcc_options *o, double rate, const double *x, long n, long centre, double *y)
{
    for (size_t c = 0; c < o->n_mfcc; c++) y[c] = 0;
    for (size_t m = 0; m < o->n_mels; m++) {
        const double value = direct_log(o, rate, x, n, centre, m);
        for (size_t c = 0; c < o->n_mfcc; c++)
            y[c] += value * cos(pi * (double)c * (2 * (double)m + 1) / (2 * (double)o->n_mels)) *
                    sqrt((c > 0 ? 2 : 1) / (double)o->n_mels);
    }
}

static void check_direct(const cst_mfcc_options *o, size_t rate, size_t n)
{
    double x[1000], expected[64];
    assert_in_range(n, 1, 1000);
    const cst_rng rng = cst_rng_new(n, 0);
    for (size_t i = 0; i < n; i++) x[i] = 2 * cst_rng_uniform(rng, i) - 1;
    cst_mfcc *m = mfcc_new(o, rate);
    double *y = compute(m, o, x, n);
    for (size_t f = 0; f < 1 + n / o->hop; f++) {
        direct_frame(o, (double)rate, x, (long)n, (long)(f * o->hop), expected);
        for (size_t c = 0; c < o->n_mfcc; c++)
            test_assert_near("coefficient", y[f * o->n_mfcc + c], expected[c], 1e-10);
    }
    free(y);
    cst_mfcc_free(m);
}

static void test_direct(void **state)
{
    (void)state;
    check_direct(&cst_mfcc_defaults, 16000, 777);
    check_direct(&cst_mfcc_defaults, 16000, 101); /* the shortest, mirrored at both ends in one frame */
    check_direct(&(cst_mfcc_options){64, 17, 10, 10, 1e-3}, 8000, 200);
    check_direct(&(cst_mfcc_options){22, 50, 3, 1, 1}, 44100, 333); /* of samples between frames */
    check_direct(&(cst_mfcc_options){2, 1, 1, 1, 1e-6}, 10, 5);
}

/* ---- closed forms -------------------------------------------------------------------------------------------- */

/* Logarithms from all coefficients, as the DCT is orthonormal. */
static double log_of(const double *y, size_t n, size_t m)
{
    double sum = 0;
    for (size_t c = 0; c < n; c++)
        sum += y[c] * sqrt((c > 0 ? 2 : 1) / (double)n) * cos(pi * (double)c * ((double)m + 0.5) / (double)n);
    return sum;
}

/* Silence has log_offset in every filter: c_0 = sqrt(n_mels) log(log_offset), and nothing else. */
static void test_silence(void **state)
{
    (void)state;
    const cst_mfcc_options *o = &cst_mfcc_defaults;
    static const double x[1000];
    cst_mfcc *m = mfcc_new(o, 16000);
    double *y = compute(m, o, x, 1000);
    for (size_t i = 0; i < 11 * o->n_mfcc; i++)
        test_assert_near("silence", y[i], i % o->n_mfcc == 0 ? 8 * log(1e-6) : 0, 1e-12);
    free(y);
    cst_mfcc_free(m);
}

/* The window's spectrum is n_fft / 2 at 0 and -n_fft / 4 beside it, so a constant is in these frequencies alone: P_1 =
 * (n_fft / 4)^2, and P_0 is in no filter. In every frame, as the mirrored ends are constant too. */
static void test_constant(void **state)
{
    (void)state;
    const cst_mfcc_options o = {40, 10, 6, 6, 1e-9};
    double x[100];
    for (size_t i = 0; i < 100; i++) x[i] = 0.5;
    cst_mfcc *m = mfcc_new(&o, 8000);
    double *y = compute(m, &o, x, 100);
    const double f = 200, low = corner(0, 6, 4000), middle = corner(1, 6, 4000), high = corner(2, 6, 4000);
    const double power = pow(0.5 * 40 / 4, 2);
    assert_true(low < f && f < middle && middle < high); /* in the rising side of the first filter, and in no other */
    for (size_t frame = 0; frame < 11; frame++) {
        for (size_t k = 0; k < 6; k++) {
            const double energy = k == 0 ? power * (f - low) / (middle - low) : 0;
            test_assert_near("logarithm", log_of(y + frame * 6, 6, k), log(energy + 1e-9), 1e-9);
        }
    }
    free(y);
    cst_mfcc_free(m);
}

/* An impulse at a frame's middle, where the window is 1, has the same power at all frequencies: a filter's energy is
 * the sum of its weights. */
static void test_impulse(void **state)
{
    (void)state;
    const cst_mfcc_options o = {40, 20, 6, 6, 1e-9};
    double x[100] = {0};
    x[60] = 3;
    cst_mfcc *m = mfcc_new(&o, 8000);
    double *y = compute(m, &o, x, 100);
    for (size_t k = 0; k < 6; k++) {
        double sum = 0;
        for (size_t bin = 0; bin <= 20; bin++) {
            const double f = 200 * (double)bin, low = corner(k, 6, 4000), middle = corner(k + 1, 6, 4000),
                         high = corner(k + 2, 6, 4000);
            if (f > low && f < high) sum += f < middle ? (f - low) / (middle - low) : (high - f) / (high - middle);
        }
        test_assert_near("energy", exp(log_of(y + 3 * 6, 6, k)), 9 * sum + 1e-9, 1e-9);
        test_assert_near("energy one frame off", exp(log_of(y + 2 * 6, 6, k)), 1e-9, 1e-12); /* the window is 0 there */
    }
    free(y);
    cst_mfcc_free(m);
}

/* A tone's energy is highest in the filter whose middle is nearest to it. */
static void test_tone(void **state)
{
    (void)state;
    const cst_mfcc_options o = {400, 160, 23, 23, 1e-6};
    static double x[4000];
    cst_mfcc *m = mfcc_new(&o, 16000);
    for (size_t k = 2; k < 23; k += 5) {
        const double f = corner(k + 1, 23, 8000);
        for (size_t i = 0; i < 4000; i++) x[i] = sin(2 * pi * f * (double)i / 16000);
        double *y = compute(m, &o, x, 4000);
        size_t best = 0;
        for (size_t i = 1; i < 23; i++) {
            if (log_of(y + 12 * 23, 23, i) > log_of(y + 12 * 23, 23, best)) best = i;
        }
        assert_int_equal(best, k);
        free(y);
    }
    cst_mfcc_free(m);
}

/* ---- frames, filters, options -------------------------------------------------------------------------------- */

static void test_frames(void **state)
{
    (void)state;
    cst_mfcc *m = mfcc_new(&cst_mfcc_defaults, 16000);
    const size_t counts[][2] = {{16000, 161}, {15999, 160}, {16099, 161}, {101, 2}, {100, 0}, {0, 0}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        assert_int_equal(cst_mfcc_frames(m, counts[i][0]), counts[i][1]);
    static const double x[100];
    double y[40];
    cst_error error = {0};
    test_assert_failure(cst_mfcc_compute(m, x, 100, y, &error), CST_EARG, &error,
                        TEST_WORDS("expected more than 100 samples", "got 100"));
    cst_mfcc_free(m);
    cst_mfcc_free(NULL);
}

/* At 16 kHz the paper's frequencies are 80 Hz apart, its lowest filters less than 60 Hz wide. */
static void test_empty_filters(void **state)
{
    (void)state;
    size_t expected = 0;
    for (size_t k = 0; k < 64; k++) {
        size_t caught = 0;
        for (size_t bin = 0; bin <= 100; bin++)
            caught += 80. * (double)bin > corner(k, 64, 8000) && 80. * (double)bin < corner(k + 2, 64, 8000);
        expected += caught == 0;
    }
    assert_in_range(expected, 1, 20);
    cst_mfcc *m = mfcc_new(&cst_mfcc_defaults, 16000);
    assert_int_equal(cst_mfcc_empty_filters(m), expected);
    cst_mfcc_free(m);
    m = mfcc_new(&(cst_mfcc_options){400, 100, 23, 13, 1e-6}, 16000);
    assert_int_equal(cst_mfcc_empty_filters(m), 0);
    cst_mfcc_free(m);
}

static void refused(const cst_mfcc_options *o, size_t rate, const char *const *words)
{
    cst_mfcc *m;
    cst_error error = {0};
    test_assert_failure(cst_mfcc_new(o, rate, &m, &error), CST_EARG, &error, words);
    assert_null(m);
}

static void test_options(void **state)
{
    (void)state;
    refused(&(cst_mfcc_options){201, 100, 64, 20, 1e-6}, 16000, TEST_WORDS("n_fft", "even", "201"));
    refused(&(cst_mfcc_options){0, 100, 64, 20, 1e-6}, 16000, TEST_WORDS("n_fft", "got 0"));
    refused(&(cst_mfcc_options){1 << 21, 100, 64, 20, 1e-6}, 16000, TEST_WORDS("n_fft", "2097152"));
    refused(&(cst_mfcc_options){200, 0, 64, 20, 1e-6}, 16000, TEST_WORDS("hop"));
    refused(&(cst_mfcc_options){200, 100, 0, 20, 1e-6}, 16000, TEST_WORDS("n_mels"));
    refused(&(cst_mfcc_options){200, 100, 5000, 20, 1e-6}, 16000, TEST_WORDS("n_mels"));
    refused(&(cst_mfcc_options){200, 100, 64, 65, 1e-6}, 16000, TEST_WORDS("n_mfcc", "from 1 to 64", "got 65"));
    refused(&(cst_mfcc_options){200, 100, 64, 0, 1e-6}, 16000, TEST_WORDS("n_mfcc"));
    refused(&(cst_mfcc_options){200, 100, 64, 20, 0}, 16000, TEST_WORDS("log_offset"));
    refused(&(cst_mfcc_options){200, 100, 64, 20, (double)INFINITY}, 16000, TEST_WORDS("log_offset"));
    refused(&(cst_mfcc_options){200, 100, 64, 20, (double)NAN}, 16000, TEST_WORDS("log_offset"));
    refused(&cst_mfcc_defaults, 1, TEST_WORDS("sample rate", "got 1"));
}

/* ---- threads ------------------------------------------------------------------------------------------------- */

enum { CLIPS = 16, SAMPLES = 1600, NUMBERS = 17 * 20 };

typedef struct job {
    const cst_mfcc *m;
    double x[SAMPLES + CLIPS], y[CLIPS][NUMBERS];
} job;

static void task(void *context, size_t i)
{
    job *j = context;
    if (cst_mfcc_compute(j->m, j->x + i, SAMPLES, j->y[i], NULL) != CST_OK) j->y[i][0] = (double)NAN;
}

/* Clips that lie differently in memory, by one thread and by several. */
static void test_threads(void **state)
{
    (void)state;
    static job one, several;
    cst_mfcc *m = mfcc_new(&cst_mfcc_defaults, 16000);
    for (size_t i = 0; i < SAMPLES + CLIPS; i++) one.x[i] = several.x[i] = sin(0.1 * (double)i);
    one.m = several.m = m;
    cst_parallel(1, CLIPS, task, &one);
    cst_parallel(4, CLIPS, task, &several);
    assert_true(isfinite(one.y[0][0]));
    assert_memory_equal(one.y, several.y, sizeof one.y);
    cst_mfcc_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_direct),        cmocka_unit_test(test_silence), cmocka_unit_test(test_constant),
        cmocka_unit_test(test_impulse),       cmocka_unit_test(test_tone),    cmocka_unit_test(test_frames),
        cmocka_unit_test(test_empty_filters), cmocka_unit_test(test_options), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
