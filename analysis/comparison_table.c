/* The part of analysis/comparison.h that writes tables. */
#include "analysis/comparison.h"

#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ------------------------------------------------------------------------------------------------- */

/* A total as a mean per iteration, skipped ones included: they have cost evaluations too. */
static double per_iteration(const cst_summary *s, double total)
{
    return s->iterations > 0 ? total / (s->iterations + s->skipped) : (double)NAN;
}

/* The values of the columns for one run. */
static double test_accuracy(const cst_summary *s)
{
    return 100 * s->test_accuracy;
}
static double test_loss(const cst_summary *s)
{
    return s->test_loss;
}
static double test_bits_per_dim(const cst_summary *s)
{
    return s->test_bits_per_dim;
}
static double forward_nfe(const cst_summary *s)
{
    return per_iteration(s, s->nfe[CST_FORWARD]);
}
static double backward_nfe(const cst_summary *s)
{
    return per_iteration(s, s->nfe[CST_BACKWARD]);
}
static double forward_rejected(const cst_summary *s)
{
    return per_iteration(s, s->rejected[CST_FORWARD]);
}
static double backward_rejected(const cst_summary *s)
{
    return per_iteration(s, s->rejected[CST_BACKWARD]);
}
static double total_nfe(const cst_summary *s)
{
    return s->nfe[CST_BACKWARD];
}
static double nfe_paper(const cst_summary *s)
{
    return s->nfe_paper;
}
static double seconds(const cst_summary *s)
{
    return s->seconds;
}

/* The columns. Evaluations and rejected steps are means per iteration, except "backward total" and "nfe_paper". */
static const struct {
    const char *title, *name;           /* in text and Markdown; in CSV */
    double (*of)(const cst_summary *s); /* the column's value for one run */
    int digits;                         /* after the point; negative: significant digits */
} columns[] = {
    {"test accuracy %", "test_accuracy_percent", test_accuracy, 2},
    {"test loss", "test_loss", test_loss, -4},
    {"test bits/dim", "test_bits_per_dim", test_bits_per_dim, 4},
    {"forward NFE", "forward_nfe_per_iteration", forward_nfe, 1},
    {"backward NFE", "backward_nfe_per_iteration", backward_nfe, 1},
    {"forward rejected", "forward_rejected_per_iteration", forward_rejected, 2},
    {"backward rejected", "backward_rejected_per_iteration", backward_rejected, 2},
    {"backward total", "backward_nfe_total", total_nfe, 0},
    {"nfe_paper", "nfe_paper", nfe_paper, 0},
    {"seconds", "seconds", seconds, 1},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* Mean and sample standard deviation over n runs. */
typedef struct moments {
    size_t n;
    double mean, std;
} moments;

/* Over a variant's finished runs. The mean is NaN without any, and the deviation with fewer than two. */
static moments moments_of(const cst_comparison *c, const cst_variant *v, size_t column)
{
    /* Two passes: the mean, then the squared distances from it. */
    moments m = {0};
    double sum = 0, squares = 0;
    for (size_t r = 0; r < c->repeats; r++) {
        if (!v->done[r]) continue;
        sum += columns[column].of(&v->summaries[r]);
        m.n++;
    }
    m.mean = sum / (double)m.n;
    for (size_t r = 0; r < c->repeats; r++) {
        if (!v->done[r]) continue;
        const double d = columns[column].of(&v->summaries[r]) - m.mean;
        squares += d * d;
    }
    m.std = m.n > 1 ? sqrt(squares / (double)(m.n - 1)) : (double)NAN;
    return m;
}

/* True if any variant has a number in this column. Other columns are left out of text and Markdown. */
static bool is_shown(const cst_comparison *c, size_t column)
{
    for (size_t i = 0; i < c->n_variants; i++)
        if (isfinite(moments_of(c, &c->variants[i], column).mean)) return true;
    return false;
}

/* ---- text and Markdown --------------------------------------------------------------------------------------- */

/* A number with the column's digits. */
static void put_value(cst_text *cell, double value, int digits)
{
    if (digits < 0)
        cst_text_printf(cell, "%.*g", -digits, value);
    else
        cst_text_printf(cell, "%.*f", digits, value);
}

/* A variant's cell: "MEAN +- DEVIATION", "MEAN" for a single run, or "-" without a number. */
static void put_moments(const cst_comparison *c, const cst_variant *v, size_t column, cst_text *cell)
{
    const moments m = moments_of(c, v, column);
    const int digits = columns[column].digits;
    if (!isfinite(m.mean)) {
        cst_text_puts(cell, "-");
        return;
    }
    put_value(cell, m.mean, digits);
    if (isfinite(m.std)) {
        cst_text_puts(cell, " +- ");
        put_value(cell, m.std, digits);
    }
    /* As in the paper's tables, backward evaluations have their change against the first variant. */
    const double first = moments_of(c, &c->variants[0], column).mean;
    if (columns[column].of == backward_nfe && v != c->variants && first > 0)
        cst_text_printf(cell, " (%+.0f %%)", 100 * (m.mean / first - 1));
}

/* A variant's label, and how many of its runs have failed. Control characters are made visible. In Markdown everything that
 * could be markup is escaped, such as the | that ends a cell. */
static void put_label(const cst_comparison *c, const cst_variant *v, bool markdown, cst_text *cell)
{
    size_t failed = 0;
    cst_text label = {0};
    cst_text_visible(&label, v->label);
    cell->failed = cell->failed || label.failed;
    for (const char *s = label.data; !label.failed && *s; s++) {
        if (markdown && strchr("\\`*_{}[]<>|~$&#!", *s)) cst_text_puts(cell, "\\");
        cst_text_add(cell, s, 1);
    }
    free(label.data);
    /* Runs that failed. */
    for (size_t r = 0; r < c->repeats; r++) failed += !v->done[r];
    if (failed > 0) cst_text_printf(cell, " (%zu of %zu failed)", failed, c->repeats);
}

/* Set `cell` to any cell of the table. Row 0 has the titles, row i + 1 variant i; column 0 has the labels. */
static void set_cell(const cst_comparison *c, size_t row, size_t column, bool markdown, cst_text *cell)
{
    cst_text_cut(cell, 0);
    cst_text_puts(cell, row > 0 || column == 0 ? "" : columns[column - 1].title);
    if (row > 0 && column == 0) put_label(c, &c->variants[row - 1], markdown, cell);
    if (row > 0 && column > 0) put_moments(c, &c->variants[row - 1], column - 1, cell);
}

/* The number of characters of a cell, which is UTF-8: bytes that do not continue a character. */
static size_t width_of(const cst_text *cell)
{
    size_t n = 0;
    for (size_t i = 0; i < cell->size; i++) n += ((unsigned char)cell->data[i] & 0xc0) != 0x80;
    return n;
}

/* One row: labels are aligned on the left, numbers on the right. */
static void put_row(const cst_comparison *c, size_t row, bool markdown, const size_t *width, cst_text *cell,
                    cst_text *text)
{
    for (size_t column = 0; column <= N_COLUMNS; column++) {
        if (column > 0 && !is_shown(c, column - 1)) continue;
        set_cell(c, row, column, markdown, cell);
        const int padding = (int)(width[column] - width_of(cell));
        /* Separator, then the cell with its padding. */
        cst_text_puts(text, column > 0 ? (markdown ? " | " : "   ") : (markdown ? "| " : ""));
        if (column > 0) cst_text_printf(text, "%*s", padding, "");
        cst_text_add(text, cell->data, cell->size);
        if (column == 0) cst_text_printf(text, "%*s", padding, "");
    }
    cst_text_puts(text, markdown ? " |\n" : "\n");
}

/* The table as text or Markdown. */
static void put_aligned(const cst_comparison *c, bool markdown, cst_text *text)
{
    /* The width of each column is that of its widest cell. */
    size_t width[N_COLUMNS + 1] = {0};
    cst_text cell = {0};
    for (size_t row = 0; row <= c->n_variants; row++) {
        for (size_t column = 0; column <= N_COLUMNS; column++) {
            if (column > 0 && !is_shown(c, column - 1)) continue;
            set_cell(c, row, column, markdown, &cell);
            if (width_of(&cell) > width[column]) width[column] = width_of(&cell);
        }
    }
    /* The rows. Markdown has a line of dashes after the titles. */
    for (size_t row = 0; row <= c->n_variants && !cell.failed; row++) {
        put_row(c, row, markdown, width, &cell, text);
        if (row > 0 || !markdown) continue;
        for (size_t column = 0; column <= N_COLUMNS; column++) {
            if (column > 0 && !is_shown(c, column - 1)) continue;
            cst_text_puts(text, column == 0 ? "|---" : "|---:");
        }
        cst_text_puts(text, "|\n");
    }
    text->failed = text->failed || cell.failed;
    free(cell.data);
}

/* ---- CSV ----------------------------------------------------------------------------------------------------- */

/* A comma and a number; an empty field if it is not finite. */
static void put_number(cst_text *text, double value)
{
    cst_text_puts(text, ",");
    if (isfinite(value)) cst_text_number(text, value);
}

/* A field in quotes. Quotes within it are doubled (RFC 4180). */
static void put_field(cst_text *text, const char *field)
{
    cst_text_puts(text, "\"");
    for (; *field; field++) cst_text_add(text, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1);
    cst_text_puts(text, "\"");
}

/* The table as CSV: all columns, each as mean and deviation. */
static void put_csv(const cst_comparison *c, cst_text *text)
{
    cst_text_puts(text, "variant,runs,failed");
    for (size_t i = 0; i < N_COLUMNS; i++) cst_text_printf(text, ",%s_mean,%s_std", columns[i].name, columns[i].name);
    cst_text_puts(text, "\n");
    for (size_t i = 0; i < c->n_variants; i++) {
        /* A row: label, finished and failed runs, then all columns. */
        const size_t n = moments_of(c, &c->variants[i], 0).n;
        put_field(text, c->variants[i].label);
        cst_text_printf(text, ",%zu,%zu", n, c->repeats - n);
        for (size_t column = 0; column < N_COLUMNS; column++) {
            const moments m = moments_of(c, &c->variants[i], column);
            put_number(text, m.mean);
            put_number(text, m.std);
        }
        cst_text_puts(text, "\n");
    }
}

char *cst_comparison_table(const cst_comparison *c, cst_table_format format)
{
    cst_text text = {0};
    if (format == CST_TABLE_CSV)
        put_csv(c, &text);
    else
        put_aligned(c, format == CST_TABLE_MARKDOWN, &text);
    if (!text.failed) return text.data;
    free(text.data);
    return NULL;
}
