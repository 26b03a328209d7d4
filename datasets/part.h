/* Parts of a data set as arrays: making them, and taking some of their rows away. */
#ifndef CST_DATASETS_PART_H
#define CST_DATASETS_PART_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for n rows of `row` bytes (CST_PART_BYTES) or reals, and their labels. CST_ENOMEM, and the part is empty, if
 * there is no room or the product is too large. */
typedef enum cst_part_kind { CST_PART_BYTES, CST_PART_VALUES } cst_part_kind;
CST_MUST_CHECK cst_status cst_part_init(cst_part *part, cst_part_kind kind, size_t n, size_t row, cst_error *error);
void cst_part_clear(cst_part *part);

/* Copy the `count` rows i of a part of data with pick[i] == value to a new part, in order. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_part_copy(const cst_dataset *data, const cst_part *part, const uint8_t *pick,
                                        uint8_t value, size_t count, cst_part *copy, cst_error *error);
/* Keep only these rows, in place. */
void cst_part_keep(const cst_dataset *data, cst_part *part, const uint8_t *pick, uint8_t value);

#ifdef __cplusplus
}
#endif
#endif
