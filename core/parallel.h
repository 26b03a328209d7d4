/* Parallelism, in one file: a fixed number of tasks on a number of threads. */
#ifndef CST_CORE_PARALLEL_H
#define CST_CORE_PARALLEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_THREADS = 64 };

/* The number of processors this process may use, at most CST_MAX_THREADS. */
int cst_threads_available(void);

/* Call task(context, i) once for each i in 0 .. n-1, on up to `threads` threads; returns when all are done. Which
 * thread runs which task does not matter to a result: a task writes only what is its own. Runs in the calling thread
 * alone where threads or n is 1. */
void cst_parallel(int threads, size_t n, void (*task)(void *context, size_t i), void *context);

#ifdef __cplusplus
}
#endif
#endif
