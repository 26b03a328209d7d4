/* Functions that several tests share: memory between guards, random numbers, modules from JSON, comparisons. Including
 * this header includes cmocka. */
#ifndef CST_TESTS_HELPERS_H
#define CST_TESTS_HELPERS_H

/* cmocka.h needs these headers before it, in this order. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "core/config.h"
#include "core/module.h"
#include "core/real.h"
#include "core/registry.h"
#include "tests/json_text.h"
#include "train/trainer.h"

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* Bytes to fill memory with. Reals made of them are NaN, or about 1e209 (double) and 3e26 (float). */
enum { TEST_NAN = 0xff, TEST_HUGE = 0x6b };

/* A pool of arrays, each on a 64-byte boundary between two guards. Zero-initialize it. */
typedef struct test_pool {
    struct test_array *arrays;
    size_t n, capacity;
} test_pool;

/* Returns n reals filled with the byte `fill`, valid until test_pool_cut removes them. */
real *test_pool_take(test_pool *pool, size_t n, int fill);
void test_pool_check(const test_pool *pool, const char *what); /* fail the test if a guard was written to */
void test_pool_cut(test_pool *pool, size_t n);                 /* free all arrays after the first n */

/* n numbers of a standard normal distribution times `deviation`; each tag has its own stream. */
void test_random(uint64_t tag, real *x, size_t n, double deviation);

/* FNV-1a of n reals, to find out whether they have been written to. */
uint64_t test_checksum(const real *x, size_t n);

/* ---- comparisons --------------------------------------------------------------------------------------------- */

/* Fail unless |got - expected| <= tolerance (1 + max |expected|) in every component; a failure prints the worst one.
 * The second function compares bits. */
void test_assert_close(const char *what, const real *got, const real *expected, size_t n, double tolerance);
void test_assert_same_bits(const char *what, const real *got, const real *expected, size_t n);

/* Counts of a test that compares a derivative with differences, component by component. Such a test proves nothing if
 * every component is zero, or if both sides have the same bits, as when an array is compared with itself. */
typedef struct test_derivative {
    size_t n;        /* components */
    size_t not_zero; /* components whose derivative is not 0 */
    size_t not_same; /* components whose two values differ in a bit */
} test_derivative;

/* Count component i, and fail unless |got - expected| <= allowed. `what` may be any text that names the derivative. */
void test_derivative_compare(test_derivative *seen, const char *what, size_t i, double got, double expected,
                             double allowed);

/* Fail if the comparison proved nothing; one without components passes. With `zero`, the derivative is known to be
 * zero, and it fails if any component is not. */
void test_derivative_end(const test_derivative *seen, const char *what, bool zero);

/* Fail with the error's message unless status is CST_OK. */
void test_assert_ok(const char *what, cst_status status, const cst_error *error);

/* Fail unless status is `expected`, which is not CST_OK, and the error has it and exactly this message. */
void test_assert_error(cst_status status, cst_status expected, const cst_error *error, const char *message);

/* ---- files --------------------------------------------------------------------------------------------------- */

/* Change one byte of a file in place. Writing the whole file again would wait for the disk. */
void test_poke(const char *path, size_t offset, char byte);

/* ---- documents ----------------------------------------------------------------------------------------------- */

/* Parse JSON text, in which ' stands for ", as a document that messages call "test.json". Malformed text fails the
 * test. The caller frees the document. */
cst_document *test_parse(const char *json);

/* ---- modules ------------------------------------------------------------------------------------------------- */

/* Build a module from JSON text, in which ' stands for ", through cst_all_modules. The document is freed before the
 * return; the caller frees *m. */
cst_status test_module_new(const char *json, const cst_shape *x, cst_module **m, cst_error *error);

/* Draw theta (P): the initial values plus a small random number each, so that no bias is 0 and no weight is 1. Times
 * (parameters "t") change very little. */
void test_module_theta(const cst_module *m, uint64_t tag, real *theta);

/* ---- training ------------------------------------------------------------------------------------------------ */

/* A trainer with the document and the experiment that it is made from. */
typedef struct test_run {
    cst_document *document;
    cst_experiment experiment;
    cst_trainer trainer;
} test_run;

/* Make a trainer from JSON as test_parse takes it; an invalid config fails the test. `events` may be NULL. */
void test_run_init(test_run *run, const char *json, const cst_trainer_events *events);
void test_run_clear(test_run *run);

/* Fail unless two trainers are equal bit for bit: parameters, optimizer, position, counts, and metrics except
 * seconds. */
void test_assert_same_training(const char *what, const cst_trainer *got, const cst_trainer *expected);

#endif
