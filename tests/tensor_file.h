/* One file of tensors in a temporary folder of its own, for tests of formats/safetensors.h. Including this header
 * includes cmocka. */
#ifndef CST_TESTS_TENSOR_FILE_H
#define CST_TESTS_TENSOR_FILE_H

/* cmocka.h needs these headers before it, in this order. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "formats/safetensors.h"

/* The folder, and a file in it that the tests write; both exist between the two functions below. */
extern char tensor_folder[], tensor_path[];

/* Group set-up and tear-down. The folder's removal fails if a test has left any other file in it. */
int tensor_folder_make(void **state);
int tensor_folder_remove(void **state);

/* Open a file, which the caller closes; an error fails the test. */
cst_safetensors *tensor_file_open(const char *path);

#endif
