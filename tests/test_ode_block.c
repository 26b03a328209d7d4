/* The ODE block as a module: sections that it refuses, messages of failures, threads, blocks inside blocks. */
#include "tests/ode_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef CST_DOUBLE
static const bool exact = true;
#else
static const bool exact = false; /* single precision: the tight comparisons are made in the double build */
#endif

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static void bad_sections_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {JSON({"type": "ode"}), "field"},
        {JSON({"type": "ode", "field": {"type": "linear", "out_features": 4}}), "keeps the shape"},
        {"{'type': 'ode', 't': [0], 'field': " MLP "}", "at least 2 times"},
        {"{'type': 'ode', 't': [0, 1, 0.5], 'field': " MLP "}", "increase or decrease"},
        {"{'type': 'ode', 'gradient': {'norm': 'semi'}, 'field': " MLP "}", "semi"},
        {"{'type': 'ode', 'gradient': {'norm': {'slices': 0}}, 'field': " MLP "}", "gradient.norm.slices"},
        {"{'type': 'ode', 'gradient': {'norm': {'slices': '8y'}}, 'field': " MLP "}", "8z"},
        {"{'type': 'ode', 'gradient': {'norm': {'combine': 'max', 'weights': {'zz': 1}}}, "
         "'field': " MLP "}",
         "zz"},
        {"{'type': 'ode', 'gradient': {'norm': {'combine': 'max', 'weights': {'z': -1}}}, "
         "'field': " MLP "}",
         "weight"},
        {"{'type': 'ode', 'gradient': {'norm': {'weights': {}}}, 'field': " MLP "}", "above 0"},
        {"{'type': 'ode', 'gradient': {'norm': 3}, 'field': " MLP "}", "gradient.norm"},
        {"{'type': 'ode', 'solver': {'rtol': 0, 'atol': 0}, 'field': " MLP "}", "solver: expected tolerances"},
        {"{'type': 'ode', 'gradient': {'rtol': 0, 'atol': 0}, 'field': " MLP "}", "gradient: expected tolerances"},
        {"{'type': 'ode', 'solver': {'min_step': 2, 'max_step': 1}, 'field': " MLP "}",
         "solver: expected min_step <= max_step"},
        {"{'type': 'ode', 'solver': {'min_step': 2}, 'gradient': {'solver': {'max_step': 1}}, "
         "'field': " MLP "}",
         "gradient: expected min_step <= max_step"},
        {"{'type': 'ode', 'gradient': {'norm': {'norm': 'seminorm', 'z': 0, 'a_z': 0}}, 'field': " MLP "}",
         "gradient.norm: expected a block with a weight above 0"},
        {"{'type': 'ode', 'gradient': {'method': 'interpolating', 'norm': {'combine': 'max', "
         "'weights': {'z': 1}}}, 'field': " MLP "}",
         "adjoint's state (a_z, a_theta, a_t)"},
        {JSON({
             "type": "ode",
             "gradient": {"norm": {"combine": "max", "weights": {"a_theta": 1}}},
             "field": {"type": "tanh"}
         }),
         "adjoint's state (z, a_z, a_t)"},
        {"{'type': 'ode', 'solver': {'metod': 'dopri5'}, 'field': " MLP "}", "method"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ode_rig p;
        const cst_status status = ode_rig_build(&p, cases[i].json, cst_shape_1d(3), 1, 1);
        if (status != CST_ECONFIG || !strstr(p.error.message, cases[i].message))
            fail_msg("case %zu: %s: %s", i, cst_status_name(status), p.error.message);
        ode_rig_clear(&p);
    }
}

/* ---- failures, threads --------------------------------------------------------------------------------------- */

static void failures_say_when_and_where(void **state)
{
    (void)state;
    ode_rig p;
    /* z' = z^2 from z = 1 blows up at t = 1. */
    assert_int_equal(
        ode_rig_build(&p, JSON({"type": "ode", "t": [0, 3], "field": {"type": "square"}}), cst_shape_1d(3), 2, 1),
        CST_OK);
    for (size_t i = 0; i < p.in; i++) p.x[i] = i == 4 ? 1 : (real)-0.5;
    const cst_status status = ode_rig_forward(&p);
    assert_true(status == CST_EUNDERFLOW || status == CST_ENONFINITE);
    assert_int_equal(p.seen.failure, status);
    if (!strstr(p.error.message, "z[4]") || !strstr(p.error.message, "t=")) fail_msg("%s", p.error.message);
    ode_rig_clear(&p);

    assert_int_equal(ode_rig_build(&p,
                                   "{'type': 'ode', 'solver': {'max_num_steps': 2, 'max_step': 0.1}, 'field': " MLP "}",
                                   cst_shape_1d(3), 2, 1),
                     CST_OK);
    assert_int_equal(ode_rig_forward(&p), CST_EMAXSTEPS);
    ode_rig_clear(&p);

    assert_int_equal(ode_rig_build(&p, "{'type': 'ode', 'field': " MLP "}", cst_shape_1d(3), 2, 1), CST_OK);
    assert_int_equal(ode_rig_forward(&p), CST_OK);
    p.gy[1] = (real)NAN;
    assert_int_not_equal(ode_rig_backward(&p), CST_OK);
    if (!strstr(p.error.message, "a_z[1]")) fail_msg("%s", p.error.message);
    ode_rig_clear(&p);
}

/* Messages name a row only for an entry that belongs to one. The gradient of the parameters does not, wherever it is in
 * the state. */
static void messages_name_rows_of_states_only(void **state)
{
    (void)state;
    static const char *const methods[] = {"backsolve", "interpolating"}, *const blocks[] = {"a_z", "a_theta"};
    for (size_t i = 0; i < 4; i++) {
        ode_rig p;
        char json[1024];
        snprintf(json, sizeof json,
                 "{'type': 'ode', 'field': " MLP ", 'gradient': {'method': '%s', 'norm': {'weights': {'%s': 1}}, "
                 "'solver': {'max_num_steps': 1, 'max_step': 0.1}}}",
                 methods[i % 2], blocks[i / 2]);
        assert_int_equal(ode_rig_build(&p, json, cst_shape_1d(3), 64, 1), CST_OK);
        assert_int_equal(ode_rig_forward(&p), CST_OK);
        assert_int_equal(ode_rig_backward(&p), CST_EMAXSTEPS);
        if (!strstr(p.error.message, blocks[i / 2]) || (strstr(p.error.message, "(row ") != NULL) != (i < 2))
            fail_msg("%s: %s", methods[i % 2], p.error.message);
        ode_rig_clear(&p);
    }
}

/* A norm of a_theta needs a_theta even if the caller does not want it. */
static void steps_do_not_depend_on_the_wanted_results(void **state)
{
    (void)state;
    ode_rig p;
    assert_int_equal(ode_rig_build(&p,
                                   "{'type': 'ode', 'field': " MLP
                                   ", 'gradient': {'norm': {'weights': {'a_theta': 1}}, 'rtol': 1e-5, 'atol': 1e-5}}",
                                   cst_shape_1d(3), 2, 1),
                     CST_OK);
    ode_rig_run(&p);
    const size_t accepted = p.seen.accepted[1];
    real gx[6];
    memcpy(gx, p.gx, sizeof gx);
    p.without_theta = true;
    ode_rig_run(&p);
    assert_int_equal(p.seen.accepted[1], accepted);
    assert_memory_equal(p.gx, gx, sizeof gx);
    ode_rig_clear(&p);
}

/* The batch is cut for the field's passes. Results are the same bits in every run, and equal to rounding for any number
 * of threads. */
static void threads_change_rounding_only(void **state)
{
    (void)state;
    const char *json = JSON({
        "type": "ode",
        "field": {
            "type": "sequential",
            "layers": [{"type": "linear", "out_features": 96}, {"type": "tanh"}, {"type": "linear", "out_features": 32}]
        }
    });
    ode_rig p[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ode_rig_build(&p[i], json, cst_shape_1d(32), 200, i == 0 ? 1 : 2), CST_OK);
        ode_rig_run(&p[i]);
    }
    assert_memory_equal(p[1].gtheta, p[2].gtheta, p[1].m->n_params * sizeof(real));
    assert_memory_equal(p[1].gx, p[2].gx, p[1].in * sizeof(real));
    assert_int_equal(p[0].seen.nfe[1], p[1].seen.nfe[1]);
    assert_true(ode_rig_distance(p[0].gtheta, p[1].gtheta, p[0].m->n_params) < (exact ? 1e-12 : 1e-4));
    for (int i = 0; i < 3; i++) ode_rig_clear(&p[i]);
}

/* Two blocks in one model, one of which has another block inside its field. */
static void blocks_chain_and_nest(void **state)
{
    (void)state;
    if (!exact) skip();
    ode_rig p;
    const char *json = "{'type': 'sequential', 'layers': [{'type': 'ode', 'solver': {'rtol': 1e-10, "
                       "'atol': 1e-10}, 'field': " MLP "}, {'type': 'tanh'}, "
                       "{'type': 'ode', 't': [0, 0.5], 'solver': {'rtol': 1e-9, 'atol': 1e-9}, "
                       "'gradient': {'norm': 'default'}, 'field': "
                       "{'type': 'sequential', 'layers': [{'type': 'ode', 't': [0, 0.3], 'solver': "
                       "{'rtol': 1e-11, 'atol': 1e-11}, 'field': " MLP "}]}}]}";
    assert_int_equal(ode_rig_build(&p, json, cst_shape_1d(3), 2, 1), CST_OK);
    ode_rig_run(&p);
    ode_rig_compare_theta(&p, "parameter", 7, 1e-6);
    ode_rig_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_sections_are_refused),
        cmocka_unit_test(failures_say_when_and_where),
        cmocka_unit_test(messages_name_rows_of_states_only),
        cmocka_unit_test(steps_do_not_depend_on_the_wanted_results),
        cmocka_unit_test(threads_change_rounding_only),
        cmocka_unit_test(blocks_chain_and_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
