/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1,
 * 2, 3", SC 2011).
 *
 * A draw is a pure function of a key and an index. There is no state, so that neither the number of threads nor the
 * order of work changes a draw, and a run can be resumed from its position alone. A key is made from a seed and a
 * purpose. It is split as often as needed: per epoch, per module, per row. All functions may be called by several
 * threads at once. */
#ifndef CST_CORE_RNG_H
#define CST_CORE_RNG_H

#include "core/real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A key, which selects one stream of 2^64 draws. */
typedef uint64_t cst_rng;

/* What a stream is used for. Streams of different purposes are independent, so that for example a change of the data
 * does not change the initial parameters. The order is part of the streams: add new purposes at the end. */
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

/* Returns the stream for a seed and a purpose. */
cst_rng cst_rng_new(uint64_t seed, cst_purpose purpose);
/* Returns a stream derived from another one. It is independent of that stream and of the streams for other indices. */
cst_rng cst_rng_split(cst_rng rng, uint64_t index);

/* Each returns draw number `index` of a stream. All four functions use the same 64 random bits for the same index (the
 * normal uses 64 more). Draws of different kinds therefore need different indices or streams. */
uint64_t cst_rng_bits(cst_rng rng, uint64_t index);              /* 64 random bits */
double cst_rng_uniform(cst_rng rng, uint64_t index);             /* uniform in [0, 1), with 53 random bits */
double cst_rng_normal(cst_rng rng, uint64_t index);              /* standard normal, by the Box-Muller transform */
uint64_t cst_rng_below(cst_rng rng, uint64_t index, uint64_t n); /* uniform in 0 .. n-1; the bias is at most n 2^-64 */

/* Fill x (n) from draws 0 .. n-1: uniform in [low, high), or normal with mean 0 and the given standard deviation. */
void cst_rng_fill_uniform(cst_rng rng, cst_real *x, size_t n, double low, double high);
void cst_rng_fill_normal(cst_rng rng, cst_real *x, size_t n, double deviation);

/* Fill order (n) with a random permutation of 0 .. n-1 (Fisher-Yates). */
void cst_rng_permutation(cst_rng rng, size_t *order, size_t n);

#ifdef __cplusplus
}
#endif
#endif
