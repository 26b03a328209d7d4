/* The idx format of MNIST (http://yann.lecun.com/exdb/mnist), plain or gzipped, and the data sets in it: `mnist`,
 * `fashion_mnist` (Xiao, Rasul, Vollgraf, arXiv:1708.07747), and `idx` for any other data.
 *
 * A file consists of two zero bytes, a byte for the type (0x08, unsigned bytes, is the only one supported), the rank as a byte,
 * the dimensions as big-endian 32-bit numbers, and the elements in row-major order. Images (n, h, w) give rows (1, h, w).
 * `idx` also accepts images (n, c, h, w), which give rows (c, h, w), and vectors (n, d), which give rows (d). Labels are (n). */
#ifndef CST_DATASETS_IDX_H
#define CST_DATASETS_IDX_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_IDX_MAX_RANK = 4 };

/* The contents of a file. */
typedef struct cst_idx {
    size_t rank;
    size_t dim[CST_IDX_MAX_RANK];
    uint8_t *bytes; /* (dim[0], ...) */
} cst_idx;

/* Read a file; the caller frees idx->bytes. Memory grows with the bytes that are read, so a wrong header alone allocates no
 * more than 1 MiB. Errors, which name the file: CST_EIO if it cannot be read; CST_EFORMAT if it is not an idx file of bytes, has
 * fewer or more bytes than its header says, or if the compressed stream is truncated or damaged; CST_ENOMEM. Like gzip, it
 * ignores bytes after the compressed stream that are not another stream. */
CST_MUST_CHECK cst_status cst_idx_read(const char *path, cst_idx *idx, cst_error *error);

/* Read a file of images and a file of labels as one split. *x is the shape of a row: if its rank is 0 it is set, otherwise the
 * images must have this shape. Labels must be below n_classes, unless that is 0. On failure the split is empty. Errors: those
 * of cst_idx_read; CST_EFORMAT, naming the file, if counts, ranks, shapes or labels do not match. */
CST_MUST_CHECK cst_status cst_idx_read_split(const char *images, const char *labels, size_t n_classes, cst_shape *x,
                                             cst_split *split, cst_error *error);

extern const cst_dataset_type cst_mnist_type, cst_fashion_mnist_type, cst_idx_type;

#ifdef __cplusplus
}
#endif
#endif
