/* Data parallelism: run a fixed number of tasks on a number of threads. This is the only place that starts threads. */
#ifndef CST_CORE_PARALLEL_H
#define CST_CORE_PARALLEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest number of threads that cst_threads_available returns, and of shards into which a pass of a module is
 * cut. */
enum { CST_MAX_THREADS = 64 };

/* Returns the number of processors that this process may use: at least 1, at most CST_MAX_THREADS. */
int cst_threads_available(void);

/* Call task(context, i) once for each i in 0 .. n-1, on up to `threads` threads, and return when all calls have
 * returned. The calling thread works, too.
 *
 * Which thread runs which task is not defined, so results are reproducible only if each task writes to memory of its
 * own. All tasks run in the calling thread if threads or n is at most 1. They also do if the process's pool of threads
 * is in use already, by another thread or by a task that calls this function. */
void cst_parallel(int threads, size_t n, void (*task)(void *context, size_t i), void *context);

#ifdef __cplusplus
}
#endif
#endif
