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

/* A pool of threads that sleep until there is work. Why not OpenMP: its threads wait for each other by spinning, so that on
 * a machine whose processors have other work as well a pass of microseconds takes a scheduler's time slice. Here a thread
 * that is late leaves its tasks to those that are there, and who waits for long sleeps. Besides, ThreadSanitizer sees
 * through it.
 *
 * The process has one pool; whoever finds it in use (another thread, or a task of its own) runs its tasks alone. */

/* How long to look for work, or for the end of it, before sleeping: the gaps between an adjoint's passes are shorter, and
 * waking a thread takes about as long. */
static const long spin_nanoseconds = 100000;

/* The job at hand. A worker that is late may read these fields while the next job's are written: it finds out when it tries
 * to claim a task, as the ticket has another number then. */
typedef struct job {
    _Atomic(void (*)(void *, size_t)) task;
    _Atomic(void *) context;
    atomic_size_t n, grain;  /* tasks; how many are claimed at once */
    atomic_size_t team;      /* workers with a lower index take part */
    _Atomic uint64_t ticket; /* number << 32 | next task to be claimed; `closed` while there is no job */
    atomic_size_t done;      /* tasks */
} job;

static const uint64_t closed = UINT32_MAX; /* as a ticket's task: no n is larger */

static struct pool {
    pthread_mutex_t in_use; /* held by who has a job */
    pthread_mutex_t lock;   /* of the two conditions */
    pthread_cond_t work, end;
    atomic_int asleep;   /* workers waiting for `work` */
    atomic_bool waiting; /* for `end` */
    size_t n_workers;
    job job;
} pool = {.in_use = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .end = PTHREAD_COND_INITIALIZER};

int cst_threads_available(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
    return n < 1 ? 1 : n < CST_MAX_THREADS ? (int)n : CST_MAX_THREADS;
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static void pause_processor(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* yield returns at once on most processors */
#endif
}

static long nanoseconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000000000L + (now.tv_nsec - start->tv_nsec);
}

/* Look at `come` until it is true or the time is over; returns what it was last. */
static bool spin(bool (*come)(uint32_t number), uint32_t number)
{
    enum { LOOKS = 64 }; /* between two looks at the clock */
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (come(number)) return true;
            pause_processor();
        }
    } while (nanoseconds_since(&start) < spin_nanoseconds);
    return come(number);
}

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

/* Sleep until there is a job other than that of this number. */
static void wait_for_job(uint32_t number)
{
    if (spin(has_new_job, number)) return;
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.asleep, 1);
    while (!has_new_job(number)) pthread_cond_wait(&pool.work, &pool.lock);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.lock);
}

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

/* Claim and run tasks of the job of this number until there are none. */
static void run_tasks(uint32_t number)
{
    job *j = &pool.job;
    uint64_t ticket = atomic_load(&j->ticket);
    while (ticket >> 32 == number) {
        const size_t i = (size_t)(ticket & UINT32_MAX), n = atomic_load(&j->n), grain = atomic_load(&j->grain);
        void (*task)(void *, size_t) = atomic_load(&j->task);
        void *context = atomic_load(&j->context);
        if (i >= n) return;
        if (!atomic_compare_exchange_weak(&j->ticket, &ticket, ticket + grain)) continue;
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

/* A forked process has none of its parent's threads. */
static void forget_workers(void)
{
    pthread_mutex_init(&pool.in_use, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.end, NULL);
    atomic_store(&pool.asleep, 0);
    atomic_store(&pool.waiting, false);
    pool.n_workers = 0;
}

/* As many workers as are wanted, or as there can be: the caller does the rest. Signals are for the program's own threads. */
static void hire(size_t wanted)
{
    if (pool.n_workers >= wanted) return;
    static bool registered;
    if (!registered) registered = pthread_atfork(NULL, NULL, forget_workers) == 0;
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
    enum { SHARES = 8 }; /* a thread's tasks are claimed in so many portions, if there are so many */
    if (threads <= 1 || n <= 1 || n >= UINT32_MAX / 2 || pthread_mutex_trylock(&pool.in_use) != 0) {
        for (size_t i = 0; i < n; i++) task(context, i);
        return;
    }
    job *j = &pool.job;
    const size_t team = (size_t)threads < n ? (size_t)threads : n;
    hire(team - 1);
    const uint32_t number = job_number() + 2;
    atomic_store(&j->ticket, (uint64_t)(number - 1) << 32 | closed); /* nobody claims a task by fields that change */
    atomic_store(&j->task, task);
    atomic_store(&j->context, context);
    atomic_store(&j->n, n);
    atomic_store(&j->grain, n / (team * SHARES) > 1 ? n / (team * SHARES) : 1);
    atomic_store(&j->team, team - 1);
    atomic_store(&j->done, 0);
    atomic_store(&j->ticket, (uint64_t)number << 32); /* from here on the workers see it */
    if (atomic_load(&pool.asleep) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    run_tasks(number);
    wait_for_end();
    pthread_mutex_unlock(&pool.in_use);
}
