/* Failing allocations, every single one. */
#include "tests/alloc_sweep.h"
#include "tests/failing_alloc.inc"

int main(void)
{
    return alloc_sweep(0);
}
