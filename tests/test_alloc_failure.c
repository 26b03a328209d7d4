/* Failing allocations, a selection per scenario. tests/test_slow_alloc_failure.c tests all of them. */
#include "tests/alloc_sweep.h"
#include "tests/failing_alloc.inc"

int main(void)
{
    return alloc_sweep(50);
}
