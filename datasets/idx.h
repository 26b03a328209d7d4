/* The idx format of MNIST (http://yann.lecun.com/exdb/mnist), plain or gzipped, and the data sets that come in it:
 * `mnist`, `fashion_mnist` (Xiao, Rasul, Vollgraf, arXiv:1708.07747), and `idx` for any other.
 *
 * A file is: two zero bytes, a type byte (0x08: unsigned bytes, the only one read here), the rank, each dimension as a
 * big-endian 32-bit number, and the elements in row-major order. Images are (n, h, w), giving rows of (1, h, w);
 * `idx` also takes (n, c, h, w), giving rows of (c, h, w), and (n, d), giving rows of (d). Labels are (n). */
#ifndef CST_DATASETS_IDX_H
#define CST_DATASETS_IDX_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_IDX_MAX_RANK = 4 };

typedef struct cst_idx {
    size_t rank;
    size_t dim[CST_IDX_MAX_RANK];
    uint8_t *bytes; /* (dim[0], ...), malloc'ed */
} cst_idx;

/* Read a file. Memory grows with what is read, so that a header's promise alone allocates no more than 1 MiB.
 * Errors, each naming the file: CST_EIO if it cannot be read; CST_EFORMAT if it is no idx file of bytes, holds fewer
 * or more bytes than its header says, or its compressed stream is cut off or damaged; CST_ENOMEM. What follows a
 * compressed stream without being one itself is ignored, as gzip does. */
CST_MUST_CHECK cst_status cst_idx_read(const char *path, cst_idx *idx, cst_error *error);

/* Images and labels as one part, whose row shape is *x; *x must be the same for every part, so rank 0 stands for "not
 * known yet". n_classes 0: any label will do. CST_EFORMAT naming the file if counts, ranks, shapes or labels do not
 * fit. */
CST_MUST_CHECK cst_status cst_idx_read_split(const char *images, const char *labels, size_t n_classes, cst_shape *x,
                                             cst_split *split, cst_error *error);

extern const cst_dataset_type cst_mnist_type, cst_fashion_mnist_type, cst_idx_type;

#ifdef __cplusplus
}
#endif
#endif
