/* Fuzz target: idx files, plain and gzipped (datasets/idx.h). */
#include "fuzz/fuzz.h"

#include "datasets/idx.h"
#include "datasets/split.h"

#include <zlib.h>

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_idx idx;
    cst_shape x = {0};
    cst_split split;
    CST_TRY(cst_idx_read(path, &idx, error));
    free(idx.bytes);
    /* The same file as images and as labels: labels must be one-dimensional and images must not, so one of them is
     * refused. */
    CST_TRY(cst_idx_read_split(path, path, 10, &x, &split, error));
    cst_split_clear(&split);
    return CST_OK;
}

/* Images of two rows of 1 x 3, their labels, and images with a dimension of channels. */
static void fuzz_seeds(void)
{
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};
    static const uint8_t planes[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2};
    fuzz_seed("images", images, sizeof images);
    fuzz_seed("labels", labels, sizeof labels);
    fuzz_seed("planes", planes, sizeof planes);
    gzFile file = gzopen(fuzz_seed_path("images.gz"), "wb");
    if (!file || gzwrite(file, images, sizeof images) != (int)sizeof images || gzclose(file) != Z_OK) abort();
}
