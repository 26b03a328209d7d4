/* Files that tests of data sets write and read: a temporary folder, plain and gzipped files in it, sections of a config
 * to load. Including this header includes cmocka. */
#ifndef CST_TESTS_DATA_FILES_H
#define CST_TESTS_DATA_FILES_H

/* cmocka.h needs these headers before it, in this order. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "core/text.h"
#include "datasets/dataset.h"
#include "datasets/registry.h"
#include "tests/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { TEST_PATH = 512 };

/* ---- folders and files --------------------------------------------------------------------------------------- */

/* The temporary folder below TMPDIR or /tmp. Each name below is relative to it, may contain '/', and no file or folder
 * of this header is outside of it. A call that fails fails the test. */
extern char test_root[TEST_PATH];

/* Group set-up and tear-down: make the folder; remove it with all that is in it. */
int test_make_root(void **state);
int test_remove_root(void **state);

/* The full path of a name, in the caller's array; returns that array. */
const char *test_path(const char *name, char path[TEST_PATH]);

/* Remove a file, or a folder with all that is in it, by its full path. A path that does not exist is a no-op. */
void test_remove(const char *path);

/* Make a folder. It must not exist yet. */
void test_folder(const char *name);

/* Write a file of n bytes, plain or gzipped, in place of an existing one. */
void test_write(const char *name, const void *bytes, size_t n);
void test_write_gz(const char *name, const void *bytes, size_t n);

/* Read a whole file of fewer than `capacity` bytes; returns its size. */
size_t test_read(const char *name, void *bytes, size_t capacity);

/* ---- expectations -------------------------------------------------------------------------------------------- */

/* Fail unless status is `expected`, one that is not CST_OK, and each of the words is part of the message. TEST_WORDS
 * makes the list of words, which ends with NULL. */
void test_assert_failure(cst_status status, cst_status expected, const cst_error *error, const char *const *words);
#define TEST_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Load the data set of a section {"type": ..., ...}, JSON text in which ' stands for " and every @ for the temporary
 * folder. Messages call the text "test.json". The caller clears the data set after CST_OK. */
cst_status test_load(const char *json, uint64_t seed, cst_dataset *data, cst_error *error);
void test_load_ok(const char *json, uint64_t seed, cst_dataset *data);

/* Fail unless loading fails in this way and leaves no rows. */
void test_load_fails(const char *json, cst_status expected, const char *const *words);

/* Fail unless |got - expected| <= tolerance. */
void test_assert_near(const char *what, double got, double expected, double tolerance);

#endif
