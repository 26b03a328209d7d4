/* Splits of a data set as arrays: allocating them, and selecting some of their rows. */
#ifndef CST_DATASETS_SPLIT_H
#define CST_DATASETS_SPLIT_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the rows are bytes (images) or reals. */
typedef enum cst_split_kind { CST_SPLIT_BYTES, CST_SPLIT_VALUES } cst_split_kind;

/* Allocate n rows of `row` bytes or reals, and n labels, all uninitialized. On failure the split is empty. Errors:
 * CST_ENOMEM, also if the size overflows. */
CST_MUST_CHECK cst_status cst_split_init(cst_split *split, cst_split_kind kind, size_t n, size_t row, cst_error *error);

/* Free the arrays and zero the struct. */
void cst_split_clear(cst_split *split);

/* Copy the rows i of a split of data with pick[i] == value, `count` in number, to a new split, in order. `pick` has one entry
 * per row. On failure the copy is empty. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_split_copy(const cst_dataset *data, const cst_split *split, const uint8_t *pick,
                                         uint8_t value, size_t count, cst_split *copy, cst_error *error);

/* Keep only the rows i with pick[i] == value, in place and in order. Trajectories stay as they are. */
void cst_split_keep(const cst_dataset *data, cst_split *split, const uint8_t *pick, uint8_t value);

#ifdef __cplusplus
}
#endif
#endif
