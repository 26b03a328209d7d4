/* Functions that tests of the data set `wav` share: files of tones, and the coefficients that a row must have. */
#ifndef CST_TESTS_WAV_ROWS_H
#define CST_TESTS_WAV_ROWS_H

#include "formats/mfcc.h"
#include "formats/wav.h"
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "wav_bytes.h"

#include <math.h>

enum { MOST = 4000 }; /* samples per clip */

static inline void write_tone(const char *name, uint32_t rate, size_t n, double cycles)
{
    static uint8_t file[WAV_HEADER + 2 * MOST];
    test_write(name, file, wav_tone(file, rate, n, cycles));
}

static const cst_mfcc_options small = {16, 8, 6, 4, 1e-6}; /* keys that most tests use */
#define SMALL "'n_fft': 16, 'hop_length': 8, 'n_mels': 6, 'n_mfcc': 4"

/* Fail unless a row's coefficients, after the time channel, are those of the file, followed by NaN. */
static inline void check_row(const cst_dataset *data, const cst_split *split, size_t row, const char *name)
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
    const real *x = split->values + row * steps * 5;
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

#endif
