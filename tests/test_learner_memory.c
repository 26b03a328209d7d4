/* Memory of a learner: what is planned is what is used, and a training step allocates nothing. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "tests/learner_rig.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- counting allocations ------------------------------------------------------------------------------------ */

static atomic_size_t n_allocations;

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)

void __sanitizer_malloc_hook(const volatile void *block, size_t size); /* AddressSanitizer calls it */
void __sanitizer_malloc_hook(const volatile void *block, size_t size)
{
    (void)block, (void)size;
    n_allocations++;
}

#else

/* The program's functions come before the C library's for the whole process, threads and OpenBLAS included. */
#define COUNTED(type, name, parameters, arguments)                                                                     \
    type name parameters                                                                                               \
    {                                                                                                                  \
        type(*function) parameters;                                                                                    \
        void *const address = dlsym(RTLD_NEXT, #name);                                                                 \
        memcpy(&function, &address, sizeof function);                                                                  \
        n_allocations++;                                                                                               \
        return function arguments;                                                                                     \
    }

COUNTED(void *, malloc, (size_t size), (size))
COUNTED(void *, calloc, (size_t n, size_t size), (n, size))
COUNTED(void *, realloc, (void *block, size_t size), (block, size))
COUNTED(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
COUNTED(int, posix_memalign, (void **block, size_t alignment, size_t size), (block, alignment, size))

#endif

static rig one; /* too large for a stack */

/* ---- the plan ------------------------------------------------------------------------------------------------ */

static void test_plan(void **state)
{
    (void)state;
    setup s = usual;
    s.optimizer = JSON({"type": "adam"});
    make_rig(&one, &s);
    const size_t few = 32, many = SIZE_MAX / 64;
    cst_learner_options options = {.optimizer = &one.optimizer, .threads = 1, .rows = &few, .n_rows = 1};
    cst_memory_plan plan;
    cst_error error = {0};
    assert_int_equal(cst_learner_plan(one.model, &options, &plan, NULL), CST_OK);
    assert_true(plan.params >= 4 * one.model->n_params && plan.state >= few * 3 * CLASSES && plan.cache > 0);
    assert_int_equal(plan.params + plan.state + plan.cache + plan.work, one.learner.arena.size);
    assert_int_equal(one.learner.arena.used, one.learner.arena.size);
    options.n_rows = 0; /* nothing is planned, and every batch is refused */
    cst_learner none;
    const cst_rng rng = cst_rng_new(1, CST_RNG_INIT);
    const cst_batch batch = batch_of(&one, 1);
    assert_int_equal(cst_learner_init(&none, one.model, &options, rng, NULL), CST_OK);
    assert_int_equal(cst_learner_evaluate(&none, &batch, &(cst_step){0}, NULL), CST_EARG);
    cst_learner_clear(&none);
    options.n_rows = 1;
    options.rows = &many;
    test_assert_error(cst_learner_plan(one.model, &options, &plan, &error), CST_EARG, &error,
                      "the model needs more memory than can be addressed with batches of 288230376151711743 rows");
    assert_int_equal(cst_learner_init(&none, one.model, &options, rng, NULL), CST_EARG);
    clear_rig(&one);
}

/* ---- allocations --------------------------------------------------------------------------------------------- */

/* No allocation after two rounds, in which threads and the BLAS may prepare themselves. */
static void test_allocations(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        setup s = usual;
        s.model = ODE_MODEL("32"); /* wide enough for a batch to be cut */
        s.optimizer = JSON({"type": "adamw"});
        s.clip = 1;
        s.threads = threads;
        s.rows = MAX_ROWS;
        n_allocations = 0;
        make_rig(&one, &s);
        if (n_allocations == 0) skip(); /* the allocator of a tool like valgrind replaces even the program's */
        for (size_t k = 0; k < 2; k++) step_good(&one, MAX_ROWS, 0.01), evaluate_good(&one, MAX_ROWS);
        n_allocations = 0;
        for (size_t k = 0; k < 10; k++) step_good(&one, MAX_ROWS, 0.01), evaluate_good(&one, MAX_ROWS);
        const size_t n = n_allocations;
        if (n != 0) fail_msg("%zu allocations in ten iterations with %d threads", n, threads);
        clear_rig(&one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
