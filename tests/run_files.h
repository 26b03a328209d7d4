/* What tests of whole runs share: a run's folder looked into, copied and compared. */
#ifndef CST_TESTS_RUN_FILES_H
#define CST_TESTS_RUN_FILES_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Fail unless each file in the folder of a run, or of runs in folders below it, can be read as what its name says. Files of
 * other names, such as those that a writer leaves behind, are a failure too, unless `temporary` and they are such. */
void test_check_run(const char *folder, bool temporary);

/* A file as bytes, to be freed; fails if it cannot be read. */
char *test_read_all(const char *folder, const char *name, size_t *size);

/* Whether two folders' runs came to the same, bit for bit: weights, optimizer, metrics and summary but for times. */
void test_same_run(const char *folder, const char *expected);

/* Copy the files of a folder, which has no folders in it, to a new one in the place of what is there. */
void test_copy_run(const char *from, const char *to);

bool test_has(const char *folder, const char *name);

#endif
