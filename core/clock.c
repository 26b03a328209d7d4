#include "core/clock.h"

#include <time.h>

double cst_clock(void)
{
    /* The origin is usually the start of the machine. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
