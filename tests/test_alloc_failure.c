/* Allocations that fail, some of each scenario's: tests/test_slow_alloc_failure.c has all of them. */
#include "tests/alloc_sweep.h"
#include "tests/failing_alloc.inc"

int main(void)
{
    return alloc_sweep(50);
}
