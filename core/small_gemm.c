/* Matrix products in the widest vector registers of the processor, by GCC's and Clang's vector types. The textbook
 * loop is
 *
 *     for (i = 0; i < m; i++)
 *         for (j = 0; j < n; j++) {
 *             sum = 0;
 *             for (p = 0; p < k; p++) sum += op(A)[i][p] * op(B)[p][j];
 *             C[i][j] = alpha * sum + beta * C[i][j];
 *         }
 *
 * There are three methods:
 *
 *   panels   C is computed in tiles of up to ROWS rows and VECTORS vectors, which stay in registers while p runs. A panel
 *            is all tiles with the same columns. Rows of op(B) are read in place where they are contiguous; otherwise KC
 *            rows of a panel are packed first. The last vector of a row ends at the end of the row: where the width is not
 *            a multiple of a vector, it overlaps the vector before it.
 *   columns  C^T = op(B)^T op(A)^T by panels, if C is narrower than a vector but has many rows, and op(A)^T has
 *            contiguous rows.
 *   dots     Each entry is the scalar product of two contiguous rows, if C has at most DOTS rows or columns. Packing
 *            would cost more than the product there. */
#include "core/small_gemm.h"

#include <stdint.h>
#include <string.h>

/* Bytes of a vector register. */
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
/* The size of a tile. With a row of B and an entry of A it takes 28 of 32 vector registers, or 15 of 16.
 * MOST_VECTORS is the limit for tiles of one or two rows, and SUMS the number of sums of the method dots. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define MANY_REGISTERS
enum { ROWS = 8, VECTORS = 3, MOST_VECTORS = 6, SUMS = 16 };
#else
enum { ROWS = 6, VECTORS = 2, MOST_VECTORS = 4, SUMS = 8 };
#endif
/* Reals in a vector register, and in one of 16 bytes. */
#ifdef CST_DOUBLE
#define LANES (BYTES / 8)
#define QUAD 2
#else
#define LANES (BYTES / 4)
#define QUAD 4
#endif
enum {
    KC = 256, /* the most rows of a packed panel, which is on the stack */
    DOTS = 4  /* the largest number of rows or columns for the method dots */
};

#define INLINE static inline __attribute__((always_inline))

/* Before loops over vectors that must stay in registers. The compiler keeps an array in registers only if all its
 * indices are constants, so that these loops must be unrolled completely. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* An operand with any strides: op(X)[i][j] = x[i row + j column]. */
typedef struct operand {
    const real *x;
    size_t row, column;
} operand;

/* The result with any strides: C[i][j] = c[i row + j column] becomes alpha sum + beta C[i][j]. */
typedef struct result {
    real *c;
    size_t row, column;
    real alpha, beta;
} result;

/* Write one entry. C is not read if beta = 0: it may be uninitialized. */
INLINE void write_entry(const result *r, real *c, real sum)
{
    *c = r->beta != 0 ? r->alpha * sum + r->beta * *c : r->alpha * sum;
}

/* ---- panels -------------------------------------------------------------------------------------------------- */

/* The current panel: `width` columns of C in as few vectors as hold them. The last vector begins at `last` in a row
 * of B. */
typedef struct tile {
    size_t k, width, last;
    operand a, b;
    result c;
} tile;

/* Write a tile of C entry by entry, where its columns are not contiguous or are fewer than a vector. Entries that
 * the last vector shares with the one before it are written once. */
static void write_entries(size_t rows, size_t stride, size_t lanes, const tile *t, real *c, const real *entries)
{
    /* before: entries in all vectors but the last. shift: entries that the last vector repeats. */
    const size_t before = stride - lanes, shift = t->width < lanes ? 0 : stride - t->width;
    /* Contiguous columns: C is narrower than a vector. */
    if (t->c.column == 1) {
        for (size_t i = 0; i < rows; i++, c += t->c.row, entries += stride) {
#pragma omp simd
            for (size_t j = 0; j < t->width; j++) write_entry(&t->c, c + j, entries[j]);
        }
        return;
    }
    /* Columns at a distance. */
    for (size_t j = 0; j < t->width; j++, c += t->c.column)
        for (size_t i = 0; i < rows; i++)
            write_entry(&t->c, c + i * t->c.row, entries[i * stride + (j < before ? j : j + shift)]);
}

/* A vector of 16 bytes, and the same at any address. */
typedef real quad __attribute__((vector_size(QUAD * sizeof(real))));
typedef real loose_quad __attribute__((vector_size(QUAD * sizeof(real)), aligned(sizeof(real)), may_alias));

INLINE void store_quad(real *p, quad v)
{
    *(loose_quad *)p = v;
}

/* Transpose a square of QUAD by QUAD: to[p * stride + j] = from[j * ld + p]. */
INLINE void transpose(const real *from, size_t ld, real *to, size_t stride)
{
    quad r[QUAD];
    for (size_t j = 0; j < QUAD; j++) r[j] = *(const loose_quad *)(from + j * ld);
#ifdef CST_DOUBLE
    store_quad(to, __builtin_shufflevector(r[0], r[1], 0, 2));
    store_quad(to + stride, __builtin_shufflevector(r[0], r[1], 1, 3));
#else
    /* First interleave pairs of rows, then pairs of those. */
    const quad low0 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    const quad low1 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const quad high0 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    const quad high1 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    store_quad(to, __builtin_shufflevector(low0, low1, 0, 1, 4, 5));
    store_quad(to + stride, __builtin_shufflevector(low0, low1, 2, 3, 6, 7));
    store_quad(to + 2 * stride, __builtin_shufflevector(high0, high1, 0, 1, 4, 5));
    store_quad(to + 3 * stride, __builtin_shufflevector(high0, high1, 2, 3, 6, 7));
#endif
}

/* Copy k rows and n columns of op(B) to contiguous rows: to[p * stride + j] = op(B)[p][j]. */
static void pack(size_t k, size_t n, const operand *b, real *to, size_t stride)
{
    size_t squares_p = 0, squares_j = 0;
    /* Where columns are contiguous, transpose squares; the loops below copy the rest. */
    if (b->row == 1) {
        squares_p = k / QUAD * QUAD, squares_j = n / QUAD * QUAD;
        for (size_t j = 0; j < squares_j; j += QUAD)
            for (size_t p = 0; p < squares_p; p += QUAD)
                transpose(b->x + j * b->column + p, b->column, to + p * stride + j, stride);
    }
    for (size_t p = 0; p < k; p++)
        for (size_t j = p < squares_p ? squares_j : 0; j < n; j++)
            to[p * stride + j] = b->x[p * b->row + j * b->column];
}

/* All sizes of tiles, as TILE(rows, vectors). With few rows, more vectors are needed to keep the multipliers busy. */
#define ROWS_1_TO_6(v) TILE(1, v) TILE(2, v) TILE(3, v) TILE(4, v) TILE(5, v) TILE(6, v)
#ifdef MANY_REGISTERS
#define ROWS_1_TO_8(v) ROWS_1_TO_6(v) TILE(7, v) TILE(8, v)
#define TILES                                                                                                          \
    ROWS_1_TO_8(1) ROWS_1_TO_8(2) ROWS_1_TO_8(3) TILE(1, 4) TILE(2, 4) TILE(1, 5) TILE(2, 5) TILE(1, 6) TILE(2, 6)
#else
#define TILES ROWS_1_TO_6(1) ROWS_1_TO_6(2) TILE(1, 3) TILE(2, 3) TILE(1, 4) TILE(2, 4)
#endif

/* Tiles of full vectors, and of vectors of 16 bytes for narrow matrices. */
#define WIDE(name) name##_wide
#define W LANES
#include "core/small_gemm_tile.inc"

#if LANES > QUAD
#define WIDE(name) name##_narrow
#define W QUAD
#include "core/small_gemm_tile.inc"
#else
#define multiply_panels_narrow multiply_panels_wide
#endif

/* The method panels: C (m, n) = alpha op(A) op(B) + beta C, where t holds the operands. */
static void multiply_by_panels(size_t m, size_t n, tile *t)
{
    real packed[KC * VECTORS * LANES];
    if (n <= QUAD || (n < LANES && m <= ROWS))
        multiply_panels_narrow(m, n, t, packed);
    else
        multiply_panels_wide(m, n, t, packed);
}

/* ---- dots ---------------------------------------------------------------------------------------------------- */

/* Indices of the even and the odd lanes of two vectors in a row. */
#if LANES == 16
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif LANES == 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#elif LANES == 4
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#else
#define EVEN 0, 2
#define ODD 1, 3
#endif

/* Masks of whole lanes. The vector at lanes_after + i has its last i lanes set. */
#ifdef CST_DOUBLE
typedef int64_t lane_mask;
#else
typedef int32_t lane_mask;
#endif
typedef lane_mask mask __attribute__((vector_size(BYTES)));
typedef lane_mask loose_mask __attribute__((vector_size(BYTES), aligned(sizeof(lane_mask)), may_alias));
static const lane_mask lanes_after[2 * LANES] = {[LANES... 2 * LANES - 1] = -1};

/* Halve the number of vectors: of each two vectors, add neighbouring lanes, and make one vector of the sums. */
INLINE void add_pairs(const size_t n, vector_wide *sum)
{
    UNROLL
    for (size_t i = 0; i < (n + 1) / 2; i++) {
        const vector_wide x = sum[2 * i], y = 2 * i + 1 < n ? sum[2 * i + 1] : x;
        sum[i] = __builtin_shufflevector(x, y, EVEN) + __builtin_shufflevector(x, y, ODD);
    }
}

/* Sum the lanes of each vector: sum[l / LANES][l % LANES] = the sum of all lanes of sum[l], for l < n. */
INLINE void add_lanes(const size_t n, vector_wide *sum)
{
    add_pairs(n, sum);
    if (LANES > 2) add_pairs((n + 1) / 2, sum);
    if (LANES > 4) add_pairs((n + 3) / 4, sum);
    if (LANES > 8) add_pairs((n + 7) / 8, sum);
}

/* Scalar products of `rows` rows of x and `columns` rows of y, all of length k >= LANES:
 *     out[i * columns + j] = sum_p x[i * ldx + p] y[j * ldy + p]. */
INLINE void multiply_dots(const size_t rows, const size_t columns, size_t k, const real *x, size_t ldx, const real *y,
                          size_t ldy, real *out)
{
    vector_wide sum[SUMS];
    UNROLL
    for (size_t i = 0; i < rows * columns; i++) sum[i] = (vector_wide){0};
    const size_t whole = k / LANES * LANES;
    /* The last step reads the last LANES entries, and masks those that have been summed already. */
    const mask rest = *(const loose_mask *)(lanes_after + (k - whole));
    /* Whole vectors. */
    for (size_t p = 0; p < whole; p += LANES) {
        vector_wide row[DOTS];
        UNROLL
        for (size_t j = 0; j < columns; j++) row[j] = load_wide(y + j * ldy + p);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            /* volatile: load once into a register, not once per column */
            const vector_wide v = *(const volatile loose_wide *)(x + i * ldx + p);
            UNROLL
            for (size_t j = 0; j < columns; j++) sum[i * columns + j] += v * row[j];
        }
    }
    /* The rest. */
    if (whole < k) {
        vector_wide row[DOTS];
        UNROLL
        for (size_t j = 0; j < columns; j++) row[j] = (vector_wide)((mask)load_wide(y + j * ldy + k - LANES) & rest);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            const vector_wide v = (vector_wide)((mask)load_wide(x + i * ldx + k - LANES) & rest);
            UNROLL
            for (size_t j = 0; j < columns; j++) sum[i * columns + j] += v * row[j];
        }
    }
    add_lanes(rows * columns, sum);
    UNROLL
    for (size_t i = 0; i < (rows * columns + LANES - 1) / LANES; i++) store_wide(out + i * LANES, sum[i]);
}

/* One function per number of columns: for as many rows as there are sums, and for one row. */
#define DOTS_OF(columns)                                                                                               \
    static void dots_by_##columns(size_t k, const real *x, size_t ldx, const real *y, size_t ldy, real *out)           \
    {                                                                                                                  \
        multiply_dots(SUMS / columns, columns, k, x, ldx, y, ldy, out);                                                \
    }                                                                                                                  \
    static void dot_by_##columns(size_t k, const real *x, size_t ldx, const real *y, size_t ldy, real *out)            \
    {                                                                                                                  \
        multiply_dots(1, columns, k, x, ldx, y, ldy, out);                                                             \
    }
DOTS_OF(1)
DOTS_OF(2)
DOTS_OF(3)
DOTS_OF(4)
#undef DOTS_OF
static void (*const dots[DOTS][2])(size_t k, const real *x, size_t ldx, const real *y, size_t ldy, real *out) = {
    {dot_by_1, dots_by_1}, {dot_by_2, dots_by_2}, {dot_by_3, dots_by_3}, {dot_by_4, dots_by_4}};

/* C (m, n) from the m rows of x and the n rows of y, in blocks of SUMS / n rows, or row by row if there are fewer.
 * If the rows do not fill the last block, it begins earlier and overlaps the block before it. */
static void multiply_blocks(size_t m, size_t n, size_t k, const real *x, size_t ldx, const real *y, size_t ldy,
                            const result *c)
{
    _Alignas(64) real out[SUMS + LANES];
    const size_t rows = SUMS / n, step = m < rows ? 1 : rows;
    const bool contiguous = (c->column == 1 || n == 1) && c->row == n;
    for (size_t done = 0; done < m; done += step) {
        const size_t first = done + step > m ? m - step : done;
        /* The products of a block. Rows that the block before has written are not written again. */
        dots[n - 1][m >= rows](k, x + first * ldx, ldx, y, ldy, out);
        if (contiguous && first == done && step * n == SUMS)
            for (size_t i = 0; i < SUMS; i += LANES) {
                real *to = c->c + done * n + i;
                const vector_wide v = c->alpha * load_wide(out + i);
                store_wide(to, c->beta != 0 ? v + c->beta * load_wide(to) : v);
            }
        else
            for (size_t i = done; i < first + step; i++)
                for (size_t j = 0; j < n; j++)
                    write_entry(c, c->c + i * c->row + j * c->column, out[(i - first) * n + j]);
    }
}

/* The method dots: C (m, n) with n <= DOTS, where rows of op(A) are contiguous. Columns of op(B) are copied if they
 * are not. */
static void multiply_by_dots(size_t m, size_t n, tile *t)
{
    real copy[DOTS * KC];
    const bool contiguous = t->b.row == 1;
    /* Blocks of at most KC of the k rows. All blocks but the first add to C. */
    const size_t blocks = t->k <= KC ? 1 : (t->k + KC - 1) / KC;
    for (size_t block = 0; block < blocks; block++) {
        const size_t p = blocks > 1 ? t->k * block / blocks : 0,
                     k = blocks > 1 ? t->k * (block + 1) / blocks - p : t->k;
        const operand columns = {t->b.x + p * t->b.row, t->b.column, t->b.row};
        if (!contiguous) pack(n, k, &columns, copy, KC);
        multiply_blocks(m, n, k, t->a.x + p, t->a.row, contiguous ? columns.x : copy, contiguous ? t->b.column : KC,
                        &t->c);
        t->c.beta = 1;
    }
}

void cst_small_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a,
                    size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc)
{
    if (m == 0 || n == 0) return;
    /* Express transpositions by strides, and choose the method. */
    const size_t a_row = transpose_a ? 1 : lda, a_column = transpose_a ? lda : 1;
    const size_t b_row = transpose_b ? 1 : ldb, b_column = transpose_b ? ldb : 1;
    const bool few_columns = !transpose_a && n <= DOTS && k >= LANES;
    const bool few_rows = !few_columns && transpose_b && m <= DOTS && k >= LANES;
    tile t = {k, 0, 0, {a, a_row, a_column}, {b, b_row, b_column}, {c, ldc, 1, alpha, beta}};
    if (few_rows || (transpose_a && n < LANES && m >= LANES)) {
        /* Exchange the operands: C^T = op(B)^T op(A)^T. */
        t = (tile){k, 0, 0, {b, b_column, b_row}, {a, a_column, a_row}, {c, 1, ldc, alpha, beta}};
        const size_t swapped = m;
        m = n, n = swapped;
    }
    if (few_columns || few_rows)
        multiply_by_dots(m, n, &t);
    else
        multiply_by_panels(m, n, &t);
}
