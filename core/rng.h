/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011).
 *
 * A draw is a pure function of (key, index): no state is shared, so neither the number of threads nor the order of
 * work changes a draw, and a run resumes by knowing where it was. A key is made from a seed and a purpose, and split
 * as often as needed (by epoch, by module, by row). */
#ifndef CST_CORE_RNG_H
#define CST_CORE_RNG_H

#include "core/real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t cst_rng; /* a key: one stream of 2^64 draws */

/* What a stream is for; streams of different purposes are independent. */
typedef enum cst_purpose {
    CST_RNG_INIT,
    CST_RNG_SHUFFLE,
    CST_RNG_SPLIT,
    CST_RNG_DROPOUT,
    CST_RNG_DATA,
    CST_RNG_NOISE,
    CST_RNG_TEST,
    CST_RNG_SAMPLE
} cst_purpose;

cst_rng cst_rng_new(uint64_t seed, cst_purpose purpose);
cst_rng cst_rng_split(cst_rng rng, uint64_t index); /* an independent stream for each index */

uint64_t cst_rng_bits(cst_rng rng, uint64_t index);
double cst_rng_uniform(cst_rng rng, uint64_t index);             /* in [0, 1), 53 bits */
double cst_rng_normal(cst_rng rng, uint64_t index);              /* standard normal, Box-Muller */
uint64_t cst_rng_below(cst_rng rng, uint64_t index, uint64_t n); /* in 0 .. n-1, without bias beyond 2^-64 n */

/* x[i] uniform in [low, high), or normal with the given deviation, from draws 0 .. n-1. */
void cst_rng_fill_uniform(cst_rng rng, cst_real *x, size_t n, double low, double high);
void cst_rng_fill_normal(cst_rng rng, cst_real *x, size_t n, double deviation);

/* A random permutation of 0 .. n-1 (Fisher-Yates). */
void cst_rng_permutation(cst_rng rng, size_t *order, size_t n);

#ifdef __cplusplus
}
#endif
#endif
