/* Parts of a data set as arrays: making them, and taking some of their rows away. */
#ifndef CST_DATASETS_SPLIT_H
#define CST_DATASETS_SPLIT_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for n rows of `row` bytes (CST_SPLIT_BYTES) or reals, and their labels. CST_ENOMEM, and the part is empty, if
 * there is no room or the product is too large. */
typedef enum cst_split_kind { CST_SPLIT_BYTES, CST_SPLIT_VALUES } cst_split_kind;
CST_MUST_CHECK cst_status cst_split_init(cst_split *split, cst_split_kind kind, size_t n, size_t row, cst_error *error);
void cst_split_clear(cst_split *split);

/* Copy the `count` rows i of a part of data with pick[i] == value to a new part, in order. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_split_copy(const cst_dataset *data, const cst_split *split, const uint8_t *pick,
                                         uint8_t value, size_t count, cst_split *copy, cst_error *error);
/* Keep only these rows, in place. */
void cst_split_keep(const cst_dataset *data, cst_split *split, const uint8_t *pick, uint8_t value);

#ifdef __cplusplus
}
#endif
#endif
