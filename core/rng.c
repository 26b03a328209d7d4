#include "core/rng.h"

#include <math.h>

/* Ten rounds of Philox4x32 on the counter (index, word, 0) with a key: 128 random bits. */
static void philox(uint64_t key, uint64_t index, uint32_t word, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = word, c3 = 0;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    /* A round multiplies two words by constants and mixes the halves of the products with the others and the round
     * key. */
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the Weyl constants of the paper: golden ratio, sqrt(3) - 1 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* Splitting uses counters whose third word is 1, and draws use 0, so that the two never coincide. */
cst_rng cst_rng_split(cst_rng rng, uint64_t index)
{
    uint32_t r[4];
    philox(rng, index, 1, r);
    return join(r[0], r[1]);
}

cst_rng cst_rng_new(uint64_t seed, cst_purpose purpose)
{
    return cst_rng_split(seed, (uint64_t)purpose);
}

uint64_t cst_rng_bits(cst_rng rng, uint64_t index)
{
    uint32_t r[4];
    philox(rng, index, 0, r);
    return join(r[0], r[1]);
}

/* A number in [0, 1) from the upper 53 bits. */
static double unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

double cst_rng_uniform(cst_rng rng, uint64_t index)
{
    return unit(cst_rng_bits(rng, index));
}

double cst_rng_normal(cst_rng rng, uint64_t index)
{
    /* Box-Muller: sqrt(-2 ln(1 - u)) cos(2 pi v) for two uniform numbers u and v. */
    uint32_t r[4];
    philox(rng, index, 0, r);
    const double radius = sqrt(-2 * log(1 - unit(join(r[0], r[1])))); /* 1 - u is in (0, 1] */
    return radius * cos(6.283185307179586 * unit(join(r[2], r[3])));
}

uint64_t cst_rng_below(cst_rng rng, uint64_t index, uint64_t n)
{
    /* The upper 64 bits of the 128-bit product bits * n (Lemire, "Fast random integer generation in an interval",
     * 2019), from products of 32-bit halves. Without Lemire's rejection step the bias is at most n 2^-64. */
    const uint64_t bits = cst_rng_bits(rng, index);
    const uint64_t low = (bits & 0xffffffffu) * (n & 0xffffffffu), mid1 = (bits >> 32) * (n & 0xffffffffu),
                   mid2 = (bits & 0xffffffffu) * (n >> 32);
    const uint64_t carry = ((low >> 32) + (mid1 & 0xffffffffu) + (mid2 & 0xffffffffu)) >> 32;
    return (bits >> 32) * (n >> 32) + (mid1 >> 32) + (mid2 >> 32) + carry;
}

void cst_rng_fill_uniform(cst_rng rng, real *x, size_t n, double low, double high)
{
    for (size_t i = 0; i < n; i++) x[i] = (real)(low + (high - low) * cst_rng_uniform(rng, i));
}

void cst_rng_fill_normal(cst_rng rng, real *x, size_t n, double deviation)
{
    for (size_t i = 0; i < n; i++) x[i] = (real)(deviation * cst_rng_normal(rng, i));
}

void cst_rng_permutation(cst_rng rng, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) order[i] = i;
    /* Exchange the last of the first i entries with a random one of them. */
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)cst_rng_below(rng, i, i), last = order[i - 1];
        order[i - 1] = order[j];
        order[j] = last;
    }
}
