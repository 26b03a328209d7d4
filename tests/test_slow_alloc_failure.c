/* Allocations that fail, every single one. */
#define TEST_DEFINE_ALLOC
#include "tests/alloc_sweep.h"
#include "tests/failing_alloc.h"

int main(void)
{
    return alloc_sweep(0);
}
