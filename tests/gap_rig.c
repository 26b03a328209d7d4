#include "tests/gap_rig.h"

#include <math.h>
#include <string.h>

const double gap_tolerance = sizeof(real) == sizeof(float) ? 2e-6 : 1e-14;
const size_t gap_lengths[N] = {T, 4, T, 2};
const real gap_times[T] = {(real)0.5, 1, (real)1.25, 2, (real)3.5, 4};
gaps gap_some = {"...|...|...|...|...|...", "x..|.x.|.xx|...|xxx|xxx", "xx.|xx.|.xx|x.x|..x|.x.",
                 "..x|x.x|xxx|xxx|xxx|xxx"};
gaps gap_whole = {"...|...|xxx|...|xxx|.x.", "xxx|...|xxx|.x.|xxx|xxx", "xx.|xxx|xxx|x.x|..x|.x.",
                  "xxx|x.x|xxx|xxx|xxx|xxx"};

static bool is_gap(gaps missing, size_t row, size_t t, size_t c)
{
    return missing[row][t * (C + 1) + c] == 'x';
}

void gap_punch(gaps missing, real *x)
{
    for (size_t row = 0; row < N; row++)
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < C; c++)
                if (is_gap(missing, row, t, c)) x[(row * T + t) * C + c] = (real)NAN;
}

/* The last step up to t at which the value is observed; T if there is none. */
static size_t origin(gaps missing, size_t row, size_t t, size_t c)
{
    for (size_t i = t + 1; i-- > 0;)
        if (!is_gap(missing, row, i, c)) return i;
    return T;
}

void gap_fill(gaps missing, const real *x, double full[N][T][2 * C])
{
    for (size_t row = 0; row < N; row++)
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < C; c++) {
                const size_t from = origin(missing, row, t, c);
                full[row][t][c] = from == T ? 0 : (double)x[(row * T + from) * C + c];
                full[row][t][C + c] = is_gap(missing, row, t, c) ? 0 : 1;
            }
}

void gap_add_times(const real *x, real *timed)
{
    for (size_t row = 0; row < N; row++)
        for (size_t t = 0; t < T; t++) {
            real *to = timed + (row * T + t) * (1 + C);
            to[0] = t < gap_lengths[row] ? gap_times[t] : (real)NAN;
            memcpy(to + 1, x + (row * T + t) * C, C * sizeof *x);
        }
}

void gap_build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads)
{
    test_assert_ok(json, ode_rig_build(r, json, x, n, threads), &r->error);
}

void gap_follow(ode_rig *to, const ode_rig *from)
{
    assert_int_equal(to->m->n_params, from->m->n_params);
    assert_int_equal(to->out, from->out);
    memcpy(to->theta, from->theta, from->m->n_params * sizeof(real));
    memcpy(to->gy, from->gy, from->out * sizeof(real));
}

void gap_check_filled(gaps missing, const char *json, const char *filled, size_t width)
{
    ode_rig r, f;
    double full[N][T][2 * C];
    gap_build(&r, json, SHAPE(T, C), 1, 1);
    gap_build(&f, filled, SHAPE(T, width), 1, 1);
    gap_follow(&f, &r);
    real x[N * T * C];
    test_random(6, x, N * T * C, 1);
    gap_fill(missing, x, full);
    gap_punch(missing, x);
    for (size_t row = 0; row < N; row++) {
        const size_t end = gap_lengths[row];
        memcpy(r.x, x + row * T * C, T * C * sizeof(real));
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < width; c++) f.x[t * width + c] = t < end ? (real)full[row][t][c] : (real)NAN;
        ode_rig_run(&r);
        ode_rig_run(&f);
        test_assert_same_bits("y", r.y, f.y, r.out);
        test_assert_close("gtheta", r.gtheta, f.gtheta, r.m->n_params, gap_tolerance);
        real expected[T * C] = {0};
        for (size_t t = 0; t < end; t++)
            for (size_t c = 0; c < C; c++) {
                const size_t from = origin(missing, row, t, c);
                if (from < T) expected[from * C + c] += f.gx[t * width + c];
            }
        test_assert_close("gx", r.gx, expected, T * C, gap_tolerance);
    }
    ode_rig_clear(&r);
    ode_rig_clear(&f);
}

void gap_check_end(const char *json, size_t end)
{
    ode_rig r, s;
    gap_build(&r, json, SHAPE(T, C), N, 1);
    gap_build(&s, json, SHAPE(end, C), N, 1);
    memcpy(s.theta, r.theta, r.m->n_params * sizeof(real));
    const bool all = r.m->y.rank == 2;
    for (size_t row = 0; row < N; row++) {
        real *x = r.x + row * T * C;
        memcpy(s.x + row * end * C, x, end * C * sizeof(real));
        for (size_t i = end * C; i < T * C; i++) x[i] = (real)NAN;
        for (size_t t = 0; t < (all ? T : 1); t++) {
            const size_t to = t < end ? t : end - 1;
            real *g = s.gy + (row * (all ? end : 1) + to) * H, *from = r.gy + (row * (all ? T : 1) + t) * H;
            for (size_t j = 0; j < H; j++) g[j] = t < end ? from[j] : g[j] + from[j];
        }
    }
    ode_rig_run(&r);
    ode_rig_run(&s);
    for (size_t row = 0; row < N; row++) {
        const size_t rows = all ? T : 1, short_rows = all ? end : 1;
        for (size_t t = 0; t < rows; t++)
            test_assert_close("y", r.y + (row * rows + t) * H,
                              s.y + (row * short_rows + cst_size_min(t, short_rows - 1)) * H, H, gap_tolerance);
        real rest[T * C] = {0};
        test_assert_close("gx", r.gx + row * T * C, s.gx + row * end * C, end * C, gap_tolerance);
        test_assert_close("gx after the end", r.gx + row * T * C + end * C, rest, (T - end) * C, 0);
    }
    test_assert_close("gtheta", r.gtheta, s.gtheta, r.m->n_params, 10 * gap_tolerance);
    ode_rig_clear(&r);
    ode_rig_clear(&s);
}

void gap_check_nothing(const char *json)
{
    ode_rig r;
    gap_build(&r, json, SHAPE(T, C), N, 1);
    for (size_t j = 0; j < r.in; j++) r.x[j] = (real)NAN;
    ode_rig_run(&r);
    real none[N * T * H] = {0};
    test_assert_close("y", r.y, none, r.out, 0);
    test_assert_close("gx", r.gx, none, r.in, 0);
    for (size_t j = 0; j < r.m->n_params; j++) assert_true(r.gtheta[j] == 0);
    ode_rig_clear(&r);
}

/* Compare `got`, the loss's derivative by *component, with a difference; a component that is NaN must have none. */
static void check_component(ode_rig *r, test_derivative *seen, const char *what, size_t i, real *component, double got)
{
    const real x0 = *component;
    const double h = 1e-5;
    double loss[2];
    for (int side = 0; side < 2; side++) {
        *component = (real)((double)x0 + (side ? -h : h));
        loss[side] = ode_rig_loss(r);
    }
    *component = x0;
    const double expected = isnan(x0) ? 0 : (loss[0] - loss[1]) / (2 * h);
    test_derivative_compare(seen, what, i, got, expected, 1e-8);
}

void gap_check_gradients(const char *json, bool channel)
{
    ode_rig r;
    real x[N * T * C];
    gap_build(&r, json, SHAPE(T, C + channel), N, 1);
    test_random(7, x, N * T * C, 1);
    gap_punch(gap_whole, x);
    if (channel)
        gap_add_times(x, r.x);
    else
        memcpy(r.x, x, sizeof x);
    ode_rig_run(&r);
    test_derivative by_theta = {0}, by_x = {0};
    for (size_t i = 0; i < r.m->n_params; i++)
        check_component(&r, &by_theta, "gtheta", i, &r.theta[i], (double)r.gtheta[i]);
    for (size_t i = 0; i < r.in; i++)
        if (channel && i % (C + 1) == 0)
            assert_true(r.gx[i] == 0);
        else
            check_component(&r, &by_x, "gx", i, &r.x[i], (double)r.gx[i]);
    test_derivative_end(&by_theta, "gtheta", false);
    test_derivative_end(&by_x, "gx", false);
    ode_rig_clear(&r);
}

void gap_check_error(const char *json, cst_shape x, const char *message)
{
    cst_module *m = NULL;
    cst_error error = {0};
    test_assert_error(test_module_new(json, &x, &m, &error), CST_ECONFIG, &error, message);
    assert_null(m);
}
