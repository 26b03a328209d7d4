#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/* A pool of threads (workers) that sleep until there is a job.
 *
 * Why not OpenMP: its threads wait for each other by spinning. On a machine whose processors have other work as
 * well, a pass of a few microseconds can then take a time slice of the scheduler. Here the other threads run the
 * tasks of a worker that is late, and a thread that waits for longer than spin_nanoseconds goes to sleep.
 * ThreadSanitizer also understands this code.
 *
 * The process has one pool. A caller that finds it in use runs its tasks alone: another thread, or a task that has
 * tasks itself. */

/* How long a thread spins before it sleeps. The gaps between the passes of an adjoint are shorter than this, and
 * waking a thread takes about as long. */
static const long spin_nanoseconds = 100000;

/* The current job. Its number is in the ticket, and claiming a task is a compare-and-swap of the ticket. A worker
 * that is late may read fields of the next job while they are written. It does no harm: its compare-and-swap fails,
 * because the number changed. */
typedef struct job {
    _Atomic(void (*)(void *, size_t)) task;
    _Atomic(void *) context;
    atomic_size_t n, grain;  /* number of tasks; how many are claimed at once */
    atomic_size_t team;      /* workers with a lower index take part */
    _Atomic uint64_t ticket; /* number << 32 | next task to claim; the task is `closed` while the fields change */
    atomic_size_t done;      /* number of finished tasks */
} job;

/* The task of a ticket while nothing can be claimed: it is larger than any n. */
static const uint64_t closed = UINT32_MAX;

static struct pool {
    pthread_mutex_t in_use;   /* held by the caller whose job runs */
    pthread_mutex_t lock;     /* protects the two conditions */
    pthread_cond_t work, end; /* a job has begun; all its tasks are finished */
    atomic_int asleep;        /* number of workers that wait for `work` */
    atomic_bool waiting;      /* whether the caller waits for `end` */
    size_t n_workers;
    job job;
} pool = {.in_use = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .end = PTHREAD_COND_INITIALIZER};

int cst_threads_available(void)
{
    /* The processors in the affinity mask where it is known, otherwise all that are online. */
    long n = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
    return n < 1 ? 1 : n < CST_MAX_THREADS ? (int)n : CST_MAX_THREADS;
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

/* Tell the processor that this is a spinning loop. */
static void pause_processor(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* the instruction yield does not wait on most processors */
#endif
}

static long nanoseconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000000000L + (now.tv_nsec - start->tv_nsec);
}

/* Spin until the condition holds or the time is over. Returns whether it holds. */
static bool spin(bool (*condition)(uint32_t number), uint32_t number)
{
    enum { CHECKS = 64 }; /* of the condition, between two readings of the clock */
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (int i = 0; i < CHECKS; i++) {
            if (condition(number)) return true;
            pause_processor();
        }
    } while (nanoseconds_since(&start) < spin_nanoseconds);
    return condition(number);
}

/* The number of the current job. */
static uint32_t job_number(void)
{
    return (uint32_t)(atomic_load(&pool.job.ticket) >> 32);
}

static bool has_new_job(uint32_t number)
{
    return job_number() != number;
}

static bool has_ended(uint32_t number)
{
    (void)number;
    return atomic_load(&pool.job.done) == atomic_load(&pool.job.n);
}

/* Wait until the current job has another number: spin, then sleep. */
static void wait_for_job(uint32_t number)
{
    if (spin(has_new_job, number)) return;
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.asleep, 1);
    while (!has_new_job(number)) pthread_cond_wait(&pool.work, &pool.lock);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.lock);
}

/* Wait until all tasks of the job are finished: spin, then sleep. */
static void wait_for_end(void)
{
    if (spin(has_ended, 0)) return;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.waiting, true);
    while (!has_ended(0)) pthread_cond_wait(&pool.end, &pool.lock);
    atomic_store(&pool.waiting, false);
    pthread_mutex_unlock(&pool.lock);
}

/* ---- working ------------------------------------------------------------------------------------------------- */

/* Claim and run tasks of the job with this number until all are claimed. */
static void run_tasks(uint32_t number)
{
    job *j = &pool.job;
    uint64_t ticket = atomic_load(&j->ticket);
    while (ticket >> 32 == number) {
        /* Read the job first. If the ticket is still the same afterwards, the fields belonged to this job. */
        const size_t i = (size_t)(ticket & UINT32_MAX), n = atomic_load(&j->n), grain = atomic_load(&j->grain);
        void (*task)(void *, size_t) = atomic_load(&j->task);
        void *context = atomic_load(&j->context);
        if (i >= n) return;
        if (!atomic_compare_exchange_weak(&j->ticket, &ticket, ticket + grain)) continue;
        /* Tasks i .. end - 1 are claimed: run them, and wake the caller after the last one of the job. */
        const size_t end = n - i < grain ? n : i + grain;
        for (size_t k = i; k < end; k++) task(context, k);
        if (atomic_fetch_add(&j->done, end - i) + (end - i) == n && atomic_load(&pool.waiting)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.end);
            pthread_mutex_unlock(&pool.lock);
        }
        ticket = atomic_load(&j->ticket);
    }
}

/* A worker's thread, which never ends. */
static void *work(void *index)
{
    const size_t worker = (size_t)(uintptr_t)index;
    for (uint32_t number = 0;;) {
        wait_for_job(number);
        number = job_number();
        if (worker < atomic_load(&pool.job.team)) run_tasks(number);
    }
    return NULL;
}

/* Called in the child after a fork, which has none of its parent's threads: start with an empty pool. */
static void reset_pool(void)
{
    pthread_mutex_init(&pool.in_use, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.end, NULL);
    atomic_store(&pool.asleep, 0);
    atomic_store(&pool.waiting, false);
    pool.n_workers = 0;
}

/* Start workers until the pool has `wanted` of them. If the system refuses one, the pool stays smaller: the threads
 * that exist run all tasks. All signals are blocked in workers, so that the program's own threads receive them. */
static void start_workers(size_t wanted)
{
    if (pool.n_workers >= wanted) return;
    static bool registered;
    if (!registered) registered = pthread_atfork(NULL, NULL, reset_pool) == 0;
    /* A thread inherits the signal mask of the one that starts it. */
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_attr_init(&attributes) != 0) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    while (pool.n_workers < wanted &&
           pthread_create(&thread, &attributes, work, (void *)(uintptr_t)pool.n_workers) == 0)
        pool.n_workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void cst_parallel(int threads, size_t n, void (*task)(void *context, size_t i), void *context)
{
    enum { PORTIONS = 8 }; /* each thread claims its share of the tasks in this many portions, if it has enough */
    /* Run alone if one thread is enough or the pool is in use. */
    if (threads <= 1 || n <= 1 || n >= UINT32_MAX / 2 || pthread_mutex_trylock(&pool.in_use) != 0) {
        for (size_t i = 0; i < n; i++) task(context, i);
        return;
    }
    job *j = &pool.job;
    const size_t team = (size_t)threads < n ? (size_t)threads : n;
    start_workers(team - 1);
    /* Publish the job under a new number. While its fields change, the ticket has a number of its own and no tasks. */
    const uint32_t number = job_number() + 2;
    atomic_store(&j->ticket, (uint64_t)(number - 1) << 32 | closed);
    atomic_store(&j->task, task);
    atomic_store(&j->context, context);
    atomic_store(&j->n, n);
    atomic_store(&j->grain, n / (team * PORTIONS) > 1 ? n / (team * PORTIONS) : 1);
    atomic_store(&j->team, team - 1);
    atomic_store(&j->done, 0);
    atomic_store(&j->ticket, (uint64_t)number << 32); /* from here on tasks can be claimed */
    /* Wake sleeping workers, take part, and wait for the others. */
    if (atomic_load(&pool.asleep) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    run_tasks(number);
    wait_for_end();
    pthread_mutex_unlock(&pool.in_use);
}
