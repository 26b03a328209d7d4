#include "datasets/ts_reader.h"

#include "formats/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Fail at the next entry of dimension d. Messages count dimensions and values from 1. */
static cst_status fail_value(const cst_ts_reader *r, size_t d, const char *what, const char *found)
{
    char place[80];
    snprintf(place, sizeof place, ", dimension %zu, value %zu", d + 1, r->n - r->starts[d] + 1);
    return cst_ts_fail(r, place, what, found);
}

/* Append an entry to the series. */
static cst_status add_value(cst_ts_reader *r, double time, double value)
{
    if (r->n == r->capacity) {
        const size_t capacity = r->capacity > 0 ? 2 * r->capacity : 256;
        /* Each array that has grown is kept, so that clearing the reader frees it. */
        double *times = realloc(r->times, cst_size_mul(capacity, sizeof *times));
        if (times) r->times = times;
        real *values = realloc(r->values, cst_size_mul(capacity, sizeof *values));
        if (values) r->values = values;
        if (!times || !values) return cst_ts_no_memory(r);
        r->capacity = capacity;
    }
    r->times[r->n] = time;
    r->values[r->n++] = (real)value;
    return CST_OK;
}

/* A number, or NaN for a missing value. */
static cst_status read_value(const cst_ts_reader *r, size_t d, const char *field, double *value)
{
    *value = (double)NAN;
    if (strcmp(field, "?") == 0 || strcasecmp(field, "nan") == 0) return CST_OK;
    if (!cst_csv_number(field, value)) return fail_value(r, d, "a number, \"?\" or \"NaN\"", field);
    if (isfinite((real)*value)) return CST_OK;
    return fail_value(r, d, "a number in the range of a " CST_REAL_NAME, field);
}

/* Numbers separated by commas; their times are their indices. */
static cst_status read_numbers(cst_ts_reader *r, size_t d, char *field)
{
    while (field) {
        double value;
        char *rest = cst_ts_cut(field, ',');
        CST_TRY(read_value(r, d, cst_ts_trim(field), &value));
        CST_TRY(add_value(r, (double)(r->n - r->starts[d]), value));
        field = rest;
    }
    return CST_OK;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so a leap day is the last day of
 * its year. */
static double days_of(int year, int month, int day)
{
    const int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    const int before = 365 * y + y / 4 - y / 100 + y / 400; /* days in whole years since March of year 0 */
    /* (153 m + 2) / 5 is the number of days in the m months since March 1. */
    return before + (153 * m + 2) / 5 + day - 719469;
}

/* "2004-08-10 18:00:00" as seconds since 1970. False if the field has another form. */
static bool read_date(const char *field, double *time)
{
    static const char form[] = "0000-00-00 00:00:00";
    /* Compare with the form, character by character, and collect the digits of the six numbers. */
    int number[6] = {0}, part = 0;
    for (size_t i = 0; i < sizeof form; i++) {
        const bool digit = form[i] == '0';
        if (digit ? field[i] < '0' || field[i] > '9' : field[i] != form[i]) return false;
        if (digit)
            number[part] = 10 * number[part] + (field[i] - '0');
        else
            part++;
    }
    const int *n = number;
    if (n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 || n[3] > 23 || n[4] > 59 || n[5] > 60) return false;
    *time = 86400 * days_of(n[0], n[1], n[2]) + 3600 * n[3] + 60 * n[4] + n[5];
    return true;
}

/* A time stamp: a number or a date, the same kind in the whole file, later than the one before in its dimension. */
static cst_status read_time(cst_ts_reader *r, size_t d, const char *field, double *time)
{
    const cst_ts_times found = cst_csv_number(field, time) ? CST_TS_NUMBERS
                               : read_date(field, time)    ? CST_TS_DATES
                                                           : CST_TS_UNKNOWN;
    /* The first time stamp determines the format of all others. */
    if (r->time_format == CST_TS_UNKNOWN) r->time_format = found;
    if (found == CST_TS_UNKNOWN || found != r->time_format)
        return fail_value(r, d,
                          r->time_format == CST_TS_DATES     ? "a date YYYY-MM-DD HH:MM:SS for its time"
                          : r->time_format == CST_TS_NUMBERS ? "a number for its time"
                                                             : "a number or a date YYYY-MM-DD HH:MM:SS for its time",
                          field);
    /* Times increase within a dimension. */
    if (r->n == r->starts[d] || *time > r->times[r->n - 1]) return CST_OK;
    return fail_value(r, d, "a time later than the one before", field);
}

/* Pairs (time,value) separated by commas. */
static cst_status read_pairs(cst_ts_reader *r, size_t d, char *field)
{
    field = cst_ts_trim(field);
    if (!*field) return CST_OK; /* an empty dimension */
    while (field) {
        double time, value;
        char *rest = cst_ts_cut(field, ','), *pair = cst_ts_trim(field), *comma = strrchr(pair, ',');
        const size_t n = strlen(pair);
        /* The last comma separates the time from the value. */
        if (*pair != '(' || pair[n - 1] != ')' || !comma) return fail_value(r, d, "(time,value)", pair);
        pair[n - 1] = *comma = '\0';
        CST_TRY(read_time(r, d, cst_ts_trim(pair + 1), &time));
        CST_TRY(read_value(r, d, cst_ts_trim(comma + 1), &value));
        CST_TRY(add_value(r, time, value));
        field = rest;
    }
    return CST_OK;
}

cst_status cst_ts_read_dimension(cst_ts_reader *r, size_t d, char *field)
{
    return r->timed ? read_pairs(r, d, field) : read_numbers(r, d, field);
}
