/* Functions that tests of whole runs share: read, copy and compare the folder of a run. */
#ifndef CST_TESTS_RUN_FILES_H
#define CST_TESTS_RUN_FILES_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Fail unless each file in a run's folder, or in the folders below it, is in the format that its name says. Files of
 * other names fail the test too, except, with `temporary`, the temporary files that a writer leaves behind. */
void test_check_run(const char *folder, bool temporary);

/* Read a whole file; the caller frees the bytes. A failure fails the test. */
char *test_read_all(const char *folder, const char *name, size_t *size);

/* Fail unless two folders hold the same run bit for bit: weights, optimizer, metrics and summary, except times. */
void test_same_run(const char *folder, const char *expected);

/* Copy the files of a folder without subfolders to a new folder, in place of an existing one. */
void test_copy_run(const char *from, const char *to);

/* True if the folder has a file of this name. */
bool test_has(const char *folder, const char *name);

#endif
