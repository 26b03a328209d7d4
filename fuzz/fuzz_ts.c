/* Fuzz target: sktime's .ts files (datasets/ts.h). */
#include "fuzz/fuzz.h"

#include "datasets/ts.h"

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_series series = {0};
    cst_ts_classes classes = {0};
    const cst_status status = cst_ts_read(path, &classes, &series, error);

    /* Read every number of the series. */
    volatile double sum = 0; /* volatile: the compiler must not drop the reads */
    size_t times = 0;
    for (size_t i = 0; status == CST_OK && i < series.n; i++) {
        times += series.lengths[i];
        sum = sum + (series.labelled ? (double)series.labels[i] : (double)series.targets[i]);
    }
    for (size_t i = 0; status == CST_OK && i < times * series.channels; i++) sum = sum + (double)series.values[i];
    for (size_t i = 0; status == CST_OK && series.timed && i < times; i++) sum = sum + (double)series.times[i];
    cst_series_clear(&series);
    free(classes.names);
    return status;
}

/* Series with classes and gaps, with pairs of time and value and a target, and with dates as times. */
static void fuzz_seeds(void)
{
    static const char labels[] = "# a comment\n@timeStamps false\n@dimensions 2\n@classLabel true a b\n@data\n"
                                 "1,?,3:4,5,NaN:a\n-1e1:.5:b\r\n";
    static const char pairs[] =
        "@timeStamps true\n@targetLabel true\n@data\n(0,1),(2,2):(1,10) , (2,?):0.5\n:(-1.5,3):2\n";
    static const char dates[] = "@timeStamps true\n@univariate true\n@classLabel true a\n@data\n"
                                "(2004-02-28 23:59:59,1),(2004-02-29 00:00:00,2):a\n";
    fuzz_seed("labels", labels, sizeof labels - 1);
    fuzz_seed("pairs", pairs, sizeof pairs - 1);
    fuzz_seed("dates", dates, sizeof dates - 1);
}
