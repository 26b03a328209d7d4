/* The adjoint solve begins with the last step size of the forward pass, except in the cases below. */
#include "tests/ode_rig.h"

#include "ode/tableau.h"

#include <math.h>

/* Forward steps of 0.3 that may not grow, and a last one that the end cuts to 0.1: the step size of the pass is 0.3. */
static cst_ode_options loose(void)
{
    cst_ode_options o;
    cst_ode_options_init(&o);
    o.forward.rtol = 0.1;
    o.forward.atol = 0.2;
    o.backward = o.forward;
    o.forward.first_step = 0.3;
    o.forward.ifactor = 1;
    return o;
}

static const char field[] =
    JSON({"type": "sequential", "layers": [{"type": "linear", "out_features": 3}, {"type": "tanh"}]});

/* `first`: the size of the first backward step; 0: the solver chooses it, which takes one evaluation. */
static void check(const char *what, const cst_ode_options *o, double first)
{
    ode_rig r;
    test_assert_ok(what, ode_rig_build_block(&r, field, o, cst_shape_1d(3), 2, 1), &r.error);
    ode_rig_run(&r);
    assert_int_equal(r.seen.accepted[0], 4);
    assert_true(fabs(r.seen.attempts[0][0].dt - 0.3) < 1e-9 && fabs(r.seen.attempts[0][3].dt - 0.1) < 1e-9);
    const double got = fabs(r.seen.attempts[1][0].dt);
    if (first > 0 ? fabs(got - first) > 1e-12 : fabs(got - 0.3) < 1e-3)
        fail_msg("%s: first step %.12g, expected %.12g (0: the solver's choice)", what, got, first);
    /* One evaluation at the end of the interval, where the pass begins, and one for every further stage of each
     * attempt. */
    const size_t stages = o->backward.method->stages - 1;
    assert_int_equal(r.seen.nfe[1], 1 + stages * r.seen.n_attempts[1] + (first == 0));
    ode_rig_clear(&r);
}

static void first_backward_step_is_the_last_forward_one(void **state)
{
    (void)state;
    cst_ode_options o = loose();
    check("the same tolerances", &o, 0.3);
    o.backward.rtol = 0.5;
    check("a looser tolerance", &o, 0.3);
    o = loose();
    o.backward.rtol = 0.09;
    check("a tighter rtol", &o, 0);
    o = loose();
    o.backward.atol = 0.19;
    check("a tighter atol", &o, 0);
    o = loose();
    o.backward.method = cst_tableau_find("tsit5");
    check("another method", &o, 0);
    o = loose();
    o.backward.first_step = 0.21;
    check("a first step of its own", &o, 0.21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_backward_step_is_the_last_forward_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
