/* The exact gradient against central differences that take the same steps. What is stored of the steps changes no bit
 * of it. The methods that solve an adjoint ODE approach it as their tolerance goes to 0. */
#include "tests/ode_rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef CST_DOUBLE
static const bool exact = true;
#else
static const bool exact = false; /* single precision: differences are taken in the double build */
#endif

#define FIELD                                                                                                          \
    JSON({                                                                                                             \
        "type": "sequential",                                                                                          \
        "layers": [                                                                                                    \
            {"type": "concat_time"}, {"type": "linear", "out_features": 6}, {"type": "tanh"},                          \
            {"type": "linear", "out_features": 3}                                                                      \
        ]                                                                                                              \
    })

enum { JSON = 16384 };

static void build(ode_rig *r, const char *t, bool learn_t, const char *solver, const char *gradient)
{
    char json[JSON];
    const int n = snprintf(json, sizeof json,
                           "{'type': 'ode', 't': %s, 'output': 'all', 'learn_t': %s, 'field': " FIELD
                           ", 'solver': {%s}, 'gradient': {%s}}",
                           t, learn_t ? "true" : "false", solver, gradient);
    assert_in_range(n, 1, JSON - 1);
    if (ode_rig_build(r, json, cst_shape_1d(3), 2, 1) != CST_OK) fail_msg("%s: %s", json, r->error.message);
    for (size_t i = learn_t ? 3 : 0; i < r->m->n_params; i++) r->theta[i] *= (real)3; /* so that steps have errors */
}

/* ---- differences that take the same steps -------------------------------------------------------------------- */

/* Options under which the solver takes the recorded steps, whatever its errors, moved in time by `shift`. */
static void replay_options(const ode_rig *r, const char *solver, double shift, char text[JSON])
{
    size_t n = (size_t)snprintf(text, JSON, "%s, 'rtol': 1e12, 'first_step': 1e3, 'step_t': [", solver);
    bool first = true;
    for (size_t i = 0; i < r->seen.n_attempts[0]; i++) {
        const cst_attempt *a = &r->seen.attempts[0][i];
        if (!a->accepted || (strstr(solver, "jump_t") && fmod(a->t + a->dt, 0.25) == 0)) continue; /* a jump */
        n += (size_t)snprintf(text + n, JSON - n, "%s%.17g", first ? "" : ", ", a->t + a->dt + shift);
        first = false;
    }
    snprintf(text + n, JSON - n, "]");
}

typedef struct setting {
    const char *solver; /* method and profile */
    const char *tolerance;
    const char *t;
} setting;

static const setting settings[] = {
    {"'method': 'dopri5'", ", 'rtol': 1e-3, 'atol': 1e-4", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'dopri5'", ", 'rtol': 1e-5, 'atol': 1e-5", "[1.5, 1.2, -0.5]"},
    {"'method': 'tsit5'", ", 'rtol': 1e-3, 'atol': 1e-4", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'dopri8'", ", 'rtol': 1e-5, 'atol': 1e-6", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'bosh3'", ", 'rtol': 1e-2, 'atol': 1e-3", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'adaptive_heun'", ", 'rtol': 1e-2, 'atol': 1e-2", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'fehlberg2'", ", 'rtol': 1e-2, 'atol': 1e-2", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'dopri5', 'profile': 'torchdiffeq'", ", 'rtol': 1e-3, 'atol': 1e-4", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'dopri5', 'jump_t': [0.5, 0.75]", ", 'rtol': 1e-3, 'atol': 1e-4", "[0, 0.35, 0.5, 1.5]"},
    {"'method': 'rk4', 'step_size': 0.2", "", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'midpoint', 'step_size': 0.2", "", "[0, 0.35, 0.4, 1.5]"},
    {"'method': 'euler', 'step_size': 0.3, 'profile': 'torchdiffeq'", "", "[0, 0.35, 0.4, 1.5]"},
};
enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

/* The rig that takes the recorded steps. A fixed grid needs no recording: it is the same grid again. */
static void build_replay(ode_rig *q, const ode_rig *r, const setting *s, const char *t, bool learn_t, double shift)
{
    char solver[JSON];
    if (*s->tolerance)
        replay_options(r, s->solver, shift, solver);
    else
        snprintf(solver, sizeof solver, "%s", s->solver);
    build(q, t, learn_t, solver, "'method': 'checkpointed'");
    memcpy(q->theta, r->theta, r->m->n_params * sizeof(real));
}

/* (L(v + h) - L(v - h)) / 2h by the replaying rig. */
static double difference(ode_rig *q, real *v)
{
    const real saved = *v, h = (real)1e-5;
    *v = saved + h;
    const double up = ode_rig_loss(q);
    *v = saved - h;
    const double down = ode_rig_loss(q);
    *v = saved;
    return (up - down) / (2 * (double)h);
}

/* The gradient by n numbers that `v` of the replaying rig points to, against differences. */
static void compare(size_t i, const char *name, ode_rig *q, real *v, const real *gradient, size_t n, double scale)
{
    char what[40];
    test_derivative seen = {0};
    snprintf(what, sizeof what, "setting %zu, %s", i, name);
    for (size_t j = 0; j < n; j++)
        test_derivative_compare(&seen, what, j, (double)gradient[j], difference(q, &v[j]), 1e-7 * scale);
    test_derivative_end(&seen, what, false);
}

static void gradient_is_that_of_the_steps(void **state)
{
    (void)state;
    if (!exact) skip();
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const setting *s = &settings[i];
        char solver[JSON];
        ode_rig r, q;
        snprintf(solver, sizeof solver, "%s%s", s->solver, s->tolerance);
        build(&r, s->t, false, solver, "'method': 'checkpointed'");
        ode_rig_run(&r);
        build_replay(&q, &r, s, s->t, false, 0);
        const double same = ode_rig_loss(&q) - ode_rig_loss(&r);
        assert_true(fabs(same) < 1e-11 && q.seen.accepted[0] == r.seen.accepted[0] && r.seen.accepted[0] > 2);
        double scale = 1;
        for (size_t j = 0; j < r.m->n_params; j++) scale = fmax(scale, fabs((double)r.gtheta[j]));
        compare(i, "x", &q, q.x, r.gx, r.in, scale);
        compare(i, "parameter", &q, q.theta, r.gtheta, r.m->n_params, scale);
        ode_rig_clear(&q);
        ode_rig_clear(&r);
    }
}

/* Inner times are read from the interpolant. All times together move the steps with them. */
static void times_have_gradients_of_the_steps(void **state)
{
    (void)state;
    if (!exact) skip();
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const setting *s = &settings[i];
        if (!*s->tolerance || strstr(s->solver, "jump_t") || s->t[1] != '0') continue;
        char solver[JSON];
        ode_rig r, q;
        snprintf(solver, sizeof solver, "%s%s", s->solver, s->tolerance);
        build(&r, s->t, true, solver, "'method': 'checkpointed'");
        ode_rig_run(&r);
        build_replay(&q, &r, s, s->t, true, 0);
        compare(i, "inner time", &q, &q.theta[1], &r.gtheta[1], 2, 10);
        ode_rig_clear(&q);
        const double h = 1e-5;
        double loss[2], sum = 0;
        for (int up = 0; up < 2; up++) {
            build_replay(&q, &r, s, s->t, true, up ? h : -h);
            for (size_t j = 0; j < 4; j++) q.theta[j] += (real)(up ? h : -h);
            loss[up] = ode_rig_loss(&q);
            ode_rig_clear(&q);
        }
        for (size_t j = 0; j < 4; j++) sum += (double)r.gtheta[j];
        test_derivative seen = {0};
        test_derivative_compare(&seen, "all times", i, sum, (loss[1] - loss[0]) / (2 * h), 1e-6);
        test_derivative_end(&seen, "all times", false);
        ode_rig_clear(&r);
    }
}

/* ---- stored steps -------------------------------------------------------------------------------------------- */

static void same_gradient(const char *t, const char *solver, const char *one, const char *other, bool fewer)
{
    ode_rig a, b;
    build(&a, t, false, solver, one);
    build(&b, t, false, solver, other);
    ode_rig_run(&a);
    ode_rig_run(&b);
    assert_int_equal(a.seen.nfe[0], b.seen.nfe[0]);
    test_assert_same_bits(other, b.gx, a.gx, a.in);
    test_assert_same_bits(other, b.gtheta, a.gtheta, a.m->n_params);
    if (fewer && b.seen.nfe[1] <= a.seen.nfe[1])
        fail_msg("%s: %zu evaluations with few checkpoints, %zu with many", other, b.seen.nfe[1], a.seen.nfe[1]);
    ode_rig_clear(&a);
    ode_rig_clear(&b);
}

static void checkpoints_do_not_change_bits(void **state)
{
    (void)state;
    static const char *const solvers[] = {
        "'rtol': 1e-5, 'atol': 1e-5, 'max_step': 0.02",
        "'rtol': 1e-5, 'atol': 1e-5, 'max_step': 0.02, 'profile': 'torchdiffeq'",
        "'method': 'tsit5', 'rtol': 1e-5, 'atol': 1e-5, 'max_step': 0.02, 'jump_t': [0.333]",
        "'method': 'rk4', 'step_size': 0.01"};
    for (size_t i = 0; i < 4; i++) {
        static const char *const few[] = {"2", "3", "7", "64"};
        const char *t = "[0, 0.355, 0.36, 2]", *many = "'method': 'checkpointed', 'kept_steps': 1000";
        for (size_t j = 0; j < 4; j++) {
            char gradient[200];
            snprintf(gradient, sizeof gradient, "'method': 'checkpointed', 'kept_steps': %s", few[j]);
            same_gradient(t, solvers[i], many, gradient, true);
            snprintf(gradient, sizeof gradient, "'method': 'checkpointed', 'store': 'stages', 'kept_steps': %s",
                     few[j]);
            same_gradient(t, solvers[i], many, gradient, false);
            snprintf(gradient, sizeof gradient, "'method': 'interpolating', 'kept_steps': %s", few[j]);
            same_gradient(t, solvers[i], "'method': 'interpolating', 'kept_steps': 1000", gradient, true);
        }
        same_gradient(t, solvers[i], many, "'method': 'checkpointed', 'store': 'stages', 'kept_steps': 1000", false);
    }
}

/* dopri5 has six evaluations per step, and one more for the last stage if its value was read from the interpolant. */
static void evaluations_are_counted(void **state)
{
    (void)state;
    ode_rig r;
    build(&r, "[0, 1]", false, "'rtol': 1e-4, 'atol': 1e-4", "'method': 'checkpointed'");
    ode_rig_run(&r);
    assert_int_equal(r.seen.nfe[1], 6 * r.seen.accepted[0]);
    assert_int_equal(r.seen.accepted[1], r.seen.accepted[0]);
    ode_rig_clear(&r);
    build(&r, "[0, 1]", false, "'rtol': 1e-4, 'atol': 1e-4, 'profile': 'torchdiffeq'", "'method': 'checkpointed'");
    ode_rig_run(&r);
    assert_int_equal(r.seen.nfe[1], 6 * r.seen.accepted[0] + 1);
    ode_rig_clear(&r);
}

/* ---- the methods that solve ---------------------------------------------------------------------------------- */

static void solving_methods_approach_the_exact_gradient(void **state)
{
    (void)state;
    if (!exact) skip();
    static const char *const methods[] = {"backsolve", "interpolating"};
    static const char *const norms[] = {"'seminorm'", "'default'", JSON({"norm": "seminorm", "a_z": 2})};
    for (size_t i = 0; i < 6; i++) {
        double distance[2];
        for (int tight = 0; tight < 2; tight++) {
            const char *solver = tight ? "'rtol': 1e-10, 'atol': 1e-10" : "'rtol': 1e-5, 'atol': 1e-5";
            char gradient[200];
            ode_rig a, b;
            snprintf(gradient, sizeof gradient, "'method': '%s', 'norm': %s", methods[i % 2], norms[i / 2]);
            build(&a, "[0, 0.3, 0.9, 1.5]", false, solver, "'method': 'checkpointed'");
            build(&b, "[0, 0.3, 0.9, 1.5]", false, solver, gradient);
            ode_rig_run(&a);
            ode_rig_run(&b);
            distance[tight] = ode_rig_distance(b.gtheta, a.gtheta, a.m->n_params);
            ode_rig_clear(&a);
            ode_rig_clear(&b);
        }
        if (!(distance[0] < 1e-2 && distance[1] < 1e-7 && distance[1] < distance[0] / 100))
            fail_msg("%s under %s: distances %.3g and %.3g", methods[i % 2], norms[i / 2], distance[0], distance[1]);
    }
}

/* The cotangent of z(t_0), an output, is added to dL/dz(t_0) unchanged, with every method. */
static void the_first_observation_counts(void **state)
{
    (void)state;
    enum { TIMES = 3, D = 3, N = 2 };
    static const char *const methods[] = {"'method': 'backsolve'", "'method': 'interpolating'",
                                          "'method': 'checkpointed'"};
    for (size_t i = 0; i < 3; i++) {
        ode_rig r;
        real before[N * D];
        build(&r, "[0, 0.4, 1]", false, "'rtol': 1e-3, 'atol': 1e-3", methods[i]);
        ode_rig_run(&r);
        memcpy(before, r.gx, sizeof before);
        for (size_t j = 0; j < N * D; j++) r.gy[j / D * TIMES * D + j % D] += (real)(j + 1);
        if (ode_rig_backward(&r) != CST_OK) fail_msg("%s", r.error.message);
        for (size_t j = 0; j < N * D; j++) {
            const double got = (double)(r.gx[j] - before[j]), expected = (double)(j + 1);
            if (!(fabs(got - expected) < 100 * (double)CST_REAL_EPSILON))
                fail_msg("%s, entry %zu: gradient %.9g more, expected %.9g", methods[i], j, got, expected);
        }
        ode_rig_clear(&r);
    }
}

/* Gradients of theta and of learned times are added times the scale, with every method. dL/dz is not scaled. */
static void gradients_are_added_with_their_scale(void **state)
{
    (void)state;
    enum { MOST = 64 };
    static const char *const methods[] = {"'method': 'backsolve'", "'method': 'interpolating'",
                                          "'method': 'checkpointed'", "'method': 'backsolve', 'norm': 'default'"};
    for (size_t i = 0; i < 4; i++) {
        ode_rig r;
        real once[MOST], gx[6];
        build(&r, "[0, 0.4, 1]", true, "'rtol': 1e-3, 'atol': 1e-3", methods[i]);
        ode_rig_run(&r);
        assert_in_range(r.m->n_params, 1, MOST);
        memcpy(once, r.gtheta, r.m->n_params * sizeof(real));
        memcpy(gx, r.gx, sizeof gx);
        for (size_t j = 0; j < r.m->n_params; j++) r.gtheta[j] = 3;
        const cst_call call = {.n = 2, .threads = 1, .theta = r.theta, .work = r.work, .error = &r.error};
        const cst_status status = cst_module_vjp(r.m, &call, &(cst_point){r.x, r.y, r.cache}, r.gy,
                                                 &(cst_grads){.scale = (real)-0.5, .gx = r.gx, .gtheta = r.gtheta});
        if (status != CST_OK) fail_msg("%s", r.error.message);
        test_assert_same_bits("gx", r.gx, gx, 6);
        for (size_t j = 0; j < r.m->n_params; j++) {
            const double got = (double)r.gtheta[j], expected = 3 - 0.5 * (double)once[j];
            if (!(fabs(got - expected) < 1e3 * (double)CST_REAL_EPSILON * (1 + fabs(expected))))
                fail_msg("%s, parameter %zu: got %.9g, expected %.9g", methods[i], j, got, expected);
        }
        ode_rig_clear(&r);
    }
}

static void interpolating_has_the_same_times(void **state)
{
    (void)state;
    if (!exact) skip();
    static const char *const profiles[] = {"costate", "torchdiffeq"};
    for (size_t i = 0; i < 2; i++) {
        char solver[200];
        ode_rig a, b;
        snprintf(solver, sizeof solver, "'rtol': 1e-10, 'atol': 1e-10, 'profile': '%s'", profiles[i]);
        build(&a, "[0, 0.3, 0.9, 1.5]", true, solver, "'method': 'backsolve'");
        build(&b, "[0, 0.3, 0.9, 1.5]", true, solver, "'method': 'interpolating'");
        ode_rig_run(&a);
        ode_rig_run(&b);
        test_assert_close("gradient of times and parameters", b.gtheta, a.gtheta, a.m->n_params, 1e-7);
        ode_rig_clear(&a);
        ode_rig_clear(&b);
    }
}

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static void steps_that_cannot_be_repeated_are_refused(void **state)
{
    (void)state;
    static const char *const methods[] = {"checkpointed", "interpolating"};
    for (size_t i = 0; i < 2; i++) {
        ode_rig r;
        char json[1024], message[200];
        snprintf(json, sizeof json,
                 "{'type': 'ode', 'field': " FIELD ", 'solver': {'method': 'adaptive_heun', 'profile': "
                 "'torchdiffeq'}, 'gradient': {'method': '%s'}}",
                 methods[i]);
        snprintf(message, sizeof message, "gradient method %s cannot recompute steps of adaptive_heun", methods[i]);
        assert_int_equal(ode_rig_build(&r, json, cst_shape_1d(3), 2, 1), CST_ECONFIG);
        if (!strstr(r.error.message, message)) fail_msg("%s", r.error.message);
        ode_rig_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_is_that_of_the_steps),
        cmocka_unit_test(times_have_gradients_of_the_steps),
        cmocka_unit_test(checkpoints_do_not_change_bits),
        cmocka_unit_test(evaluations_are_counted),
        cmocka_unit_test(solving_methods_approach_the_exact_gradient),
        cmocka_unit_test(interpolating_has_the_same_times),
        cmocka_unit_test(the_first_observation_counts),
        cmocka_unit_test(gradients_are_added_with_their_scale),
        cmocka_unit_test(steps_that_cannot_be_repeated_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
