#include "core/parallel.h"

#include <omp.h>

int cst_threads_available(void)
{
    const int n = omp_get_num_procs();
    return n < CST_MAX_THREADS ? n : CST_MAX_THREADS;
}

void cst_parallel(int threads, size_t n, void (*task)(void *context, size_t i), void *context)
{
    if (threads <= 1 || n <= 1) {
        for (size_t i = 0; i < n; i++) task(context, i);
        return;
    }
    const int team = (size_t)threads < n ? threads : (int)n;
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (size_t i = 0; i < n; i++) task(context, i);
}
