/* Fields with integrals against the same system with the integrals as states: all gradient methods, both profiles,
 * weights 0 and 1. */
#include "tests/ode_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef CST_DOUBLE
static const bool exact = true;
#else
static const bool exact = false; /* single precision: the tight comparisons are made in the double build */
#endif

#define COUNT(name) +1
enum { D = 3, M = 2, N = 4, HIDDEN = 8, METHODS = 0 CST_GRADIENT_METHODS(COUNT) };

/* (3) -> (5): f and two integrals that depend on time and state. */
#define NETWORK                                                                                                        \
    JSON({                                                                                                             \
        "type": "sequential",                                                                                          \
        "layers": [                                                                                                    \
            {"type": "concat_time"}, {"type": "linear", "out_features": 8}, {"type": "tanh"},                          \
            {"type": "linear", "out_features": 5}                                                                      \
        ]                                                                                                              \
    })

static const double unit[2] = {0, 1}, three[3] = {0, 0.4, 1.1}, back[3] = {1, 0.7, -0.5};

typedef struct setting {
    const cst_gradient_ops *gradient; /* NULL: the default */
    cst_profile profile;
    double forward_weight, backward_weight; /* of the integrals */
    double tolerance;
    const char *method;
    const double *times;
    size_t n_times;
    bool output_all, learn_t;
    cst_store store;
} setting;

static cst_ode_options options_of(const setting *s)
{
    cst_ode_options o;
    cst_ode_options_init(&o);
    cst_solve_options_init(&o.forward, s->profile);
    o.forward.rtol = o.forward.atol = s->tolerance;
    o.forward.method = cst_tableau_find(s->method ? s->method : "dopri5");
    o.forward.step_size = 0.13;
    o.backward = o.forward;
    o.fresh_solves = s->profile == CST_PROFILE_TORCHDIFFEQ;
    if (s->gradient) o.gradient = s->gradient;
    o.store = s->store;
    o.kept_steps = 3;
    o.times = s->times ? s->times : unit;
    o.n_times = s->times ? s->n_times : 2;
    o.output_all = s->output_all;
    o.learn_t = s->learn_t;
    return o;
}

static void build(ode_rig *r, const setting *s)
{
    cst_ode_options o = options_of(s);
    o.n_integrals = M;
    o.integrals[0] = (cst_integral){"u", "a_u"};
    o.integrals[1] = (cst_integral){"v", "a_v"};
    for (size_t i = 0; i < M; i++) {
        o.integral_weights[i] = s->forward_weight;
        o.norm.integral[i] = o.norm.a_integral[i] = s->backward_weight;
    }
    test_assert_ok("a block with integrals", ode_rig_build_block(r, NETWORK, &o, cst_shape_1d(D), N, 1), &r->error);
    const size_t first = s->learn_t ? o.n_times : 0;
    for (size_t i = first; i < r->m->n_params; i++) r->theta[i] *= 2;
}

/* The same field with the integrals u and v as states that no other one depends on: columns of zeros in the first
 * layer. */
static void build_whole(ode_rig *r, const setting *s, const ode_rig *from)
{
    const cst_ode_options o = options_of(s);
    test_assert_ok("the whole system", ode_rig_build_block(r, NETWORK, &o, cst_shape_1d(D + M), N, 1), &r->error);
    const size_t in = 1 + D, wide = in + M;
    memset(r->theta, 0, HIDDEN * wide * sizeof(real));
    for (size_t i = 0; i < HIDDEN; i++) memcpy(r->theta + i * wide, from->theta + i * in, in * sizeof(real));
    memcpy(r->theta + HIDDEN * wide, from->theta + HIDDEN * in, (from->m->n_params - HIDDEN * in) * sizeof(real));
    memset(r->x, 0, r->in * sizeof(real));
    for (size_t i = 0; i < N; i++) memcpy(r->x + i * (D + M), from->x + i * D, D * sizeof(real));
    memcpy(r->gy, from->gy, r->out * sizeof(real));
}

/* The whole system's gradients in the layout of the block with integrals. */
static void compare_with_whole(const char *what, const ode_rig *r, const ode_rig *whole, double tolerance)
{
    const size_t in = 1 + D, wide = in + M, rest = r->m->n_params - HIDDEN * in;
    real gx[N * D], gweight[HIDDEN * (1 + D)];
    for (size_t i = 0; i < N; i++) memcpy(gx + i * D, whole->gx + i * (D + M), D * sizeof(real));
    for (size_t i = 0; i < HIDDEN; i++) memcpy(gweight + i * in, whole->gtheta + i * wide, in * sizeof(real));
    test_assert_close(what, r->y, whole->y, r->out, tolerance);
    test_assert_close(what, r->gx, gx, r->in, tolerance);
    test_assert_close(what, r->gtheta, gweight, HIDDEN * in, tolerance);
    test_assert_close(what, r->gtheta + HIDDEN * in, whole->gtheta + HIDDEN * wide, rest, tolerance);
}

static void describe(const setting *s, char text[120])
{
    snprintf(text, 120, "%s, %s, weights %g and %g, %zu times", s->gradient->name,
             s->profile == CST_PROFILE_COSTATE ? "costate" : "torchdiffeq", s->forward_weight, s->backward_weight,
             s->times ? s->n_times : 2);
}

/* Values and gradients are those of the whole system, with every method of integration. */
static void integrals_are_those_of_the_whole_system(void **state)
{
    (void)state;
    const double tolerance = exact ? 1e-11 : 1e-5;
    for (size_t i = 0; i < 16 * METHODS; i++) {
        setting s = {.gradient = cst_gradient_methods[i % METHODS],
                     .profile = i / METHODS % 2 ? CST_PROFILE_TORCHDIFFEQ : CST_PROFILE_COSTATE,
                     .forward_weight = (double)(i / METHODS / 2 % 2),
                     .backward_weight = (double)(i / METHODS / 4 % 2),
                     .tolerance = tolerance};
        if (i / METHODS >= 8) s.times = i % 2 ? three : back, s.n_times = 3, s.output_all = true;
        if (s.n_times == 3 && s.forward_weight == 0) continue; /* an error */
        char what[120];
        describe(&s, what);
        ode_rig r, whole;
        build(&r, &s);
        build_whole(&whole, &s, &r);
        ode_rig_run(&r);
        ode_rig_run(&whole);
        compare_with_whole(what, &r, &whole, exact ? 2e-8 : 2e-3);
        ode_rig_clear(&r);
        ode_rig_clear(&whole);
    }
}

/* A weight too small to count keeps integrals in the state. The steps are those of weight 0, and the sums are equal to
 * rounding. */
static void quadrature_equals_the_block_in_the_state(void **state)
{
    (void)state;
    static const char *const methods[] = {"dopri5", "tsit5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun", "rk4"};
    for (size_t i = 0; i < 28; i++) {
        ode_rig r[2];
        setting s = {.profile = i / 7 % 2 ? CST_PROFILE_TORCHDIFFEQ : CST_PROFILE_COSTATE,
                     .gradient = cst_gradient_find(i / 14 ? "checkpointed" : "backsolve"),
                     .method = methods[i % 7],
                     .tolerance = exact ? 1e-6 : 1e-3};
        const cst_tableau *t = cst_tableau_find(s.method);
        if (!s.gradient->solves && s.profile == CST_PROFILE_TORCHDIFFEQ && t->adaptive && !t->fsal)
            continue; /* its steps cannot be repeated */
        for (int in_state = 0; in_state < 2; in_state++) {
            s.forward_weight = s.backward_weight = in_state ? 1e-300 : 0;
            build(&r[in_state], &s);
            ode_rig_run(&r[in_state]);
        }
        for (int pass = 0; pass < 2; pass++) {
            assert_int_equal(r[0].seen.nfe[pass], r[1].seen.nfe[pass]);
            assert_int_equal(r[0].seen.n_attempts[pass], r[1].seen.n_attempts[pass]);
            for (size_t j = 0; j < r[0].seen.n_attempts[pass]; j++)
                assert_true(r[0].seen.attempts[pass][j].dt == r[1].seen.attempts[pass][j].dt);
        }
        const double limit = 200 * (double)CST_REAL_EPSILON, y = ode_rig_distance(r[0].y, r[1].y, r[0].out),
                     g = ode_rig_distance(r[0].gtheta, r[1].gtheta, r[0].m->n_params);
        if (!(y < limit && g < limit)) fail_msg("%s, case %zu: y %g apart, gradient %g", s.method, i, y, g);
        for (int k = 0; k < 2; k++) ode_rig_clear(&r[k]);
    }
}

/* Steps under weight 0 do not depend on the integrals, and five of six evaluations have products. */
static void weight_zero_leaves_the_state(void **state)
{
    (void)state;
    setting s = {.tolerance = 1e-4};
    ode_rig r;
    build(&r, &s);
    ode_rig_run(&r);
    assert_true(r.seen.quadrature_nfe[0] * 6 <= r.seen.nfe[0] * 5 + 12 && r.seen.quadrature_nfe[0] * 3 > r.seen.nfe[0]);
    const size_t nfe = r.seen.nfe[0];
    /* Integrals that grow a million times as fast change no step */
    real *last = r.theta + r.m->n_params - M - M * HIDDEN;
    last -= D; /* the last layer is [weight (5, 8) | bias (5)]: rows 3 and 4 of the weight */
    for (size_t i = 0; i < M * HIDDEN; i++) last[i] *= (real)1e6;
    ode_rig_run(&r);
    assert_int_equal(r.seen.nfe[0], nfe);
    ode_rig_clear(&r);
    /* unless their weight is above 0. */
    s.forward_weight = 1;
    build(&r, &s);
    last = r.theta + r.m->n_params - M - D - M * HIDDEN;
    for (size_t i = 0; i < M * HIDDEN; i++) last[i] *= (real)1e6;
    assert_int_equal(ode_rig_forward(&r), CST_OK);
    assert_true(r.seen.nfe[0] > nfe);
    ode_rig_clear(&r);
}

/* Names and order of the blocks: every integral follows z, its adjoint follows a_z. */
static double look_at_blocks(void *context, const real *v, const cst_block *blocks, size_t n_blocks)
{
    static const char *const names[] = {"z", "u", "v", "a_z", "a_u", "a_v", "a_theta", "a_t"};
    size_t *calls = context, at = 0;
    ++*calls;
    assert_int_equal(n_blocks, 8);
    for (size_t b = 0; b < n_blocks; at += blocks[b++].size) {
        assert_string_equal(blocks[b].name, names[b]);
        if (b == 1 || b == 2 || b == 4 || b == 5) assert_int_equal(blocks[b].size, N);
    }
    double sum = 0;
    for (size_t i = 0; i < at; i++) sum += (double)v[i] * (double)v[i];
    return sqrt(sum / (double)at);
}

/* One RMS over everything counts all entries of these blocks. */
static void norms_see_the_blocks(void **state)
{
    (void)state;
    size_t calls = 0, nfe[2];
    for (size_t i = 0; i < 2; i++) {
        cst_ode_options o = options_of(&(setting){.tolerance = 1e-4});
        o.n_integrals = M;
        o.integrals[0] = (cst_integral){"u", "a_u"};
        o.integrals[1] = (cst_integral){"v", "a_v"};
        assert_int_equal(cst_adjoint_norm_init(&o.norm, "rms", NULL), CST_OK);
        if (i == 0) o.norm.norm = (cst_norm){.ops = &cst_norm_callback, .callback = look_at_blocks, .context = &calls};
        ode_rig r;
        assert_int_equal(ode_rig_build_block(&r, NETWORK, &o, cst_shape_1d(D), N, 1), CST_OK);
        for (size_t k = 0; k < r.m->n_params; k++) r.theta[k] *= 3;
        ode_rig_run(&r);
        nfe[i] = r.seen.nfe[1];
        ode_rig_clear(&r);
    }
    assert_true(calls > 0);
    assert_int_equal(nfe[0], nfe[1]);
}

/* ---- differences --------------------------------------------------------------------------------------------- */

static void compare_differences(const char *what, ode_rig *r, real *argument, const real *gradient, size_t n,
                                double tolerance)
{
    test_derivative seen = {0};
    for (size_t j = 0; j < n; j++) {
        const real saved = argument[j], h = (real)1e-5;
        argument[j] = saved + h;
        const double up = ode_rig_loss(r);
        argument[j] = saved - h;
        const double difference = (up - ode_rig_loss(r)) / (2 * (double)h);
        argument[j] = saved;
        test_derivative_compare(&seen, what, j, (double)gradient[j], difference, tolerance * (1 + fabs(difference)));
    }
    test_derivative_end(&seen, what, false);
}

/* Gradients of the steps themselves where these are fixed, of the solution where they are many: by states, parameters
 * and times. */
static void gradients_agree_with_differences(void **state)
{
    (void)state;
    if (!exact) skip();
    for (size_t i = 0; i < 12 * METHODS; i++) {
        setting s = {.gradient = cst_gradient_methods[i % METHODS],
                     .profile = i / METHODS % 2 ? CST_PROFILE_TORCHDIFFEQ : CST_PROFILE_COSTATE,
                     .store = i / METHODS / 2 % 2 ? CST_STORE_STAGES : CST_STORE_STATES,
                     .forward_weight = i / METHODS / 4 == 1 ? 0 : 1,
                     .backward_weight = i / METHODS / 4 == 1 ? 0 : 1,
                     .tolerance = 1e-11,
                     .learn_t = true};
        if (i / METHODS / 4 == 2) s.times = three, s.n_times = 3, s.output_all = true;
        char what[120];
        describe(&s, what);
        ode_rig r;
        build(&r, &s);
        ode_rig_run(&r);
        real gx[N * D], gtheta[128];
        assert_true(r.m->n_params <= 128);
        memcpy(gx, r.gx, sizeof gx);
        memcpy(gtheta, r.gtheta, r.m->n_params * sizeof(real));
        compare_differences(what, &r, r.x, gx, r.in, 1e-7);
        compare_differences(what, &r, r.theta, gtheta, r.m->n_params, 1e-7);
        ode_rig_clear(&r);
    }
    for (size_t i = 0; i < 4; i++) { /* fixed steps of 0.13 */
        const setting s = {.gradient = cst_gradient_find("checkpointed"),
                           .profile = i % 2 ? CST_PROFILE_TORCHDIFFEQ : CST_PROFILE_COSTATE,
                           .method = "rk4",
                           .forward_weight = (double)(i / 2),
                           .tolerance = 1e-3};
        ode_rig r;
        build(&r, &s);
        ode_rig_run(&r);
        real gx[N * D], gtheta[128];
        memcpy(gx, r.gx, sizeof gx);
        memcpy(gtheta, r.gtheta, r.m->n_params * sizeof(real));
        compare_differences("fixed steps", &r, r.x, gx, r.in, 1e-9);
        compare_differences("fixed steps", &r, r.theta, gtheta, r.m->n_params, 1e-9);
        ode_rig_clear(&r);
    }
}

/* ---- errors and messages -------------------------------------------------------------------------------------- */

static void expect_refusal(cst_ode_options *o, const char *field, const char *message)
{
    ode_rig r;
    o->integrals[0] = (cst_integral){"u", "a_u"};
    o->integrals[1] = (cst_integral){"v", "a_v"};
    const cst_status status = ode_rig_build_block(&r, field, o, cst_shape_1d(D), N, 1);
    if (status == CST_OK || !strstr(r.error.message, message))
        fail_msg("expected \"%s\", got %s: %s", message, cst_status_name(status), r.error.message);
    ode_rig_clear(&r);
}

static void bad_blocks_are_refused(void **state)
{
    (void)state;
    cst_ode_options o = options_of(&(setting){.tolerance = 1e-3});
    o.n_integrals = 1;
    expect_refusal(&o, NETWORK, "expected a field with 1 integral, (3) -> (4), got (3) -> (5)");
    o.n_integrals = 0;
    expect_refusal(&o, NETWORK, "keeps the shape of its state, got (3) -> (5)");
    o.n_integrals = CST_MAX_INTEGRALS + 1;
    expect_refusal(&o, NETWORK, "expected at most 4 integrals, got 5");
    o.n_integrals = M;
    o.integral_weights[1] = -1;
    expect_refusal(&o, NETWORK, "expected a weight of at least 0 for v, got -1");
    o.integral_weights[1] = 0;
    o.times = three, o.n_times = 3;
    expect_refusal(&o, NETWORK, "integral v with weight 0 is known only at the last time");
    o.times = unit, o.n_times = 2;
    memset(o.norm.weight, 0, sizeof o.norm.weight);
    memset(o.norm.integral, 0, sizeof o.norm.integral);
    expect_refusal(&o, NETWORK, "weight above 0"); /* a_u and a_v are constant and have no error */
}

static void failures_name_the_block_and_the_row(void **state)
{
    (void)state;
    setting s = {.tolerance = 1e-4, .forward_weight = 1, .backward_weight = 1};
    ode_rig r;
    build(&r, &s);
    real *bias = r.theta + r.m->n_params - 1; /* of v */
    *bias = (real)NAN;
    assert_int_equal(ode_rig_forward(&r), CST_ENONFINITE);
    if (!strstr(r.error.message, "v[0]") || !strstr(r.error.message, "(row 0 of the batch)"))
        fail_msg("%s", r.error.message);
    ode_rig_clear(&r);
    build(&r, &s);
    assert_int_equal(ode_rig_forward(&r), CST_OK);
    r.gy[(D + M) + 1] = (real)NAN;
    assert_int_not_equal(ode_rig_backward(&r), CST_OK);
    if (!strstr(r.error.message, "a_z[4]") || !strstr(r.error.message, "(row 1 of the batch, entry 1)"))
        fail_msg("%s", r.error.message);
    ode_rig_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integrals_are_those_of_the_whole_system),
        cmocka_unit_test(quadrature_equals_the_block_in_the_state),
        cmocka_unit_test(weight_zero_leaves_the_state),
        cmocka_unit_test(norms_see_the_blocks),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(bad_blocks_are_refused),
        cmocka_unit_test(failures_name_the_block_and_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
