/* Runs that are killed at some moments. tests/test_slow_kill.c has more. */
#define TEST_DEFINE_IO
#include "tests/failing_io.h"
#include "tests/run_kills.h"

int main(void)
{
    return run_kills(10, 4);
}
