/* Kind "mfcc": cepstral coefficients of a WAV file below the data folder, in double precision whatever `real` is. */
#include "datasets/locate.h"
#include "formats/mfcc.h"
#include "formats/wav.h"
#include "tests/golden.h"

#include <math.h>
#include <stdlib.h>

static const double tolerance = 1e-8; /* relative to the largest entry */

static bool read_options(golden *g, cst_mfcc_options *o)
{
    const struct {
        const char *key;
        size_t *value;
    } sizes[] = {{"n_fft", &o->n_fft}, {"hop", &o->hop}, {"n_mels", &o->n_mels}, {"n_mfcc", &o->n_mfcc}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double value = 0;
        if (!golden_read_number(g, g->root, sizes[i].key, &value)) return false;
        *sizes[i].value = (size_t)value;
    }
    return golden_read_number(g, g->root, "log_offset", &o->log_offset);
}

static bool compare(golden *g, const cst_mfcc *m, const cst_wav *wav, const golden_tensor *expected)
{
    const size_t frames = cst_mfcc_frames(m, wav->n);
    if (!golden_compare_count(g, "frames", frames, (double)expected->shape.dim[0])) return false;
    double *got = golden_keep(g, malloc((expected->n + 1) * sizeof *got)), largest = 0;
    for (size_t i = 0; i < expected->n; i++) largest = fmax(largest, fabs(expected->data[i]));
    return golden_ok(g, "coefficients", cst_mfcc_compute(m, wav->samples, wav->n, got, &g->error)) &&
           golden_compare(g, "mfcc", got, expected->data, expected->n, tolerance, largest);
}

static void run(golden *g, const char *path)
{
    cst_mfcc_options o;
    cst_mfcc *m = NULL;
    cst_wav wav;
    double rate = 0;
    if (!golden_ok(g, "the sound", cst_wav_read(path, &wav, &g->error))) return;
    const golden_tensor expected = golden_read_tensor(g, cst_config_get(g->root, "mfcc"), "mfcc");
    if (expected.data && read_options(g, &o) && golden_read_number(g, g->root, "sample_rate", &rate) &&
        golden_compare_count(g, "sample_rate", wav.rate, rate) &&
        golden_ok(g, "options", cst_mfcc_new(&o, wav.rate, &m, &g->error))) {
        if (expected.shape.rank == 2 && expected.shape.dim[1] == o.n_mfcc)
            compare(g, m, &wav, &expected);
        else
            golden_fail(g, "mfcc is not (frames, n_mfcc)");
    }
    cst_mfcc_free(m);
    cst_wav_clear(&wav);
}

void golden_mfcc(golden *g)
{
    char *path = NULL;
    const char *wav = golden_read_string(g, g->root, "wav");
    if (!wav) return;
    if (cst_locate(&(cst_data_location){.path = wav}, &path, &g->error) == CST_OK)
        run(g, path);
    else
        golden_skip(g, "%s", g->error.message);
    free(path);
}
