/* Allocations that fail on request, in a whole program: where TEST_DEFINE_ALLOC is defined before it is included, in one
 * source, this header defines malloc and its like in place of the C library's, for the project as for what it uses (cJSON,
 * zlib, stb, stdio, opendir). Counts what is allocated and not freed, so that leaks show without a sanitizer as well; under
 * AddressSanitizer the blocks are its own, and what it allocates at a thread's start is not counted. Where several threads
 * allocate, which one the k-th is may differ between runs. For glibc. */
#ifndef CST_TESTS_FAILING_ALLOC_H
#define CST_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the k-th allocation fails, and with `lasting` every later one too; 0: none. */
void test_alloc_fail(size_t k, bool lasting);
/* Allocations since then, those that failed included, and how many failed. */
size_t test_alloc_count(void);
size_t test_alloc_failures(void);
/* Blocks that are allocated now. */
size_t test_alloc_live(void);

#ifdef TEST_DEFINE_ALLOC

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#define TEST_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#else
#define TEST_ASAN 0
#endif

#if TEST_ASAN
#define TEST_REAL(name) __interceptor_##name
void *__interceptor_aligned_alloc(size_t alignment, size_t size);
#define TEST_ALIGNED __interceptor_aligned_alloc
#else
#define TEST_REAL(name) __libc_##name
void *__libc_memalign(size_t alignment, size_t size);
#define TEST_ALIGNED __libc_memalign
#endif
void *TEST_REAL(malloc)(size_t size);
void *TEST_REAL(calloc)(size_t n, size_t size);
void *TEST_REAL(realloc)(void *block, size_t size);
void TEST_REAL(free)(void *block);

/* Without AddressSanitizer's checks of the atomic counts: its own start allocates before it can check anything. */
#define TEST_UNCHECKED __attribute__((no_sanitize_address))

/* Whether the allocations of this thread count and may fail. AddressSanitizer allocates at the start of each thread, and
 * OpenBLAS's threads start whenever the system lets them: a thread counts from its own code on. */
static _Thread_local bool test_alloc_counts = !TEST_ASAN;

static struct {
    size_t fail_at;
    atomic_size_t count, failures, live;
    bool lasting;
} test_alloc;

void test_alloc_fail(size_t k, bool lasting)
{
    test_alloc_counts = true;
    test_alloc.fail_at = k;
    test_alloc.lasting = lasting;
    test_alloc.count = test_alloc.failures = 0;
}

size_t test_alloc_count(void)
{
    return test_alloc.count;
}

size_t test_alloc_failures(void)
{
    return test_alloc.failures;
}

size_t test_alloc_live(void)
{
    return test_alloc.live;
}

/* Whether this one is to fail. */
TEST_UNCHECKED static bool test_alloc_fails(void)
{
    if (!test_alloc_counts) return false;
    const size_t count = ++test_alloc.count, k = test_alloc.fail_at;
    if (k == 0 || count < k || (count > k && !test_alloc.lasting)) return false;
    test_alloc.failures++;
    errno = ENOMEM;
    return true;
}

TEST_UNCHECKED static void *test_alloc_made(void *block)
{
    test_alloc.live += block != NULL;
    return block;
}

void *malloc(size_t size)
{
    return test_alloc_fails() ? NULL : test_alloc_made(TEST_REAL(malloc)(size));
}

void *calloc(size_t n, size_t size)
{
    return test_alloc_fails() ? NULL : test_alloc_made(TEST_REAL(calloc)(n, size));
}

TEST_UNCHECKED void *realloc(void *block, size_t size)
{
    if (test_alloc_fails()) return NULL;
    void *moved = TEST_REAL(realloc)(block, size);
    if (!block) return test_alloc_made(moved);
    test_alloc.live -= size == 0 && !moved;
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return test_alloc_fails() ? NULL : test_alloc_made(TEST_ALIGNED(alignment, size));
}

TEST_UNCHECKED void free(void *block)
{
    test_alloc.live -= block != NULL;
    TEST_REAL(free)(block);
}

#if TEST_ASAN
typedef struct test_thread {
    void *(*start)(void *);
    void *context;
} test_thread;

TEST_UNCHECKED static void *test_thread_start(void *context)
{
    const test_thread thread = *(test_thread *)context;
    TEST_REAL(free)(context);
    test_alloc_counts = true;
    return thread.start(thread.context);
}

int TEST_REAL(pthread_create)(pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *), void *context);

TEST_UNCHECKED int pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *),
                                  void *context)
{
    test_thread *thread = TEST_REAL(malloc)(sizeof *thread);
    if (!thread) return EAGAIN;
    *thread = (test_thread){start, context};
    const int code = TEST_REAL(pthread_create)(id, attributes, test_thread_start, thread);
    if (code) TEST_REAL(free)(thread);
    return code;
}
#endif

/* A sanitizer's strdup would not ask our malloc. */
char *strdup(const char *string)
{
    const size_t size = strlen(string) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, string, size) : NULL;
}

#endif
#endif
