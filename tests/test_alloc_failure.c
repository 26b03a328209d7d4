/* Allocations that fail, some of each scenario's: tests/test_slow_alloc_failure.c has all of them. */
#define TEST_DEFINE_ALLOC
#include "tests/alloc_sweep.h"
#include "tests/failing_alloc.h"

int main(void)
{
    return alloc_sweep(50);
}
