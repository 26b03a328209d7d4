/* Allocations that fail on request, in a whole program. The one source of the program that includes failing_alloc.inc
 * defines malloc and the other allocators in place of the C library's, for the project and for the libraries that it
 * uses (cJSON, zlib, stb, stdio, opendir). They also count the blocks that have been allocated and not freed, so that a
 * leak shows without a sanitizer.
 *
 * Under AddressSanitizer the blocks come from its allocator, and its allocations at the start of a thread are not
 * counted. Where several threads allocate, the k-th allocation may be another one in each run. Needs glibc. */
#ifndef CST_TESTS_FAILING_ALLOC_H
#define CST_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Start counting: the k-th allocation from now on fails, and with `lasting` every later one too. k = 0: none fails. */
void test_alloc_fail(size_t k, bool lasting);

/* Allocations since test_alloc_fail, failed ones included, and the number of those that failed. */
size_t test_alloc_count(void);
size_t test_alloc_failures(void);

/* The number of blocks that are allocated now. */
size_t test_alloc_live(void);

#endif
