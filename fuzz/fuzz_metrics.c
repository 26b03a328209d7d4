/* Fuzz target: metrics.csv of a run (train/metrics.h). */
#include "fuzz/fuzz.h"

#include "train/metrics.h"

#include <math.h>

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_metrics *rows;
    size_t n;
    CST_TRY(cst_metrics_read(path, &rows, &n, error));
    free(rows);
    return CST_OK;
}

static void fuzz_seeds(void)
{
    cst_error error;
    const cst_metrics rows[] = {{.epoch = 1, .lr = 1e-3, .validation_loss = (double)NAN},
                                {.epoch = 2, .train_loss = -0.25}};
    fuzz_check("seed", cst_metrics_write(fuzz_seed_path("rows"), rows, 2, &error), &error);
}
