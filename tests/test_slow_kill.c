/* Runs that are killed before every step of writing and at 100 random moments. */
#define TEST_DEFINE_IO
#include "tests/failing_io.h"
#include "tests/run_kills.h"

int main(void)
{
    return run_kills(100, 1);
}
