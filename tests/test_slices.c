/* The adjoint norm {"slices": "2z"}, with its formula written out: a slice is twice as long as z, and the norm is the
 * larger RMS of the first two slices of the adjoint's state. */
#include "tests/ode_rig.h"

#include <math.h>

#define LINEAR(n) "{\"type\": \"linear\", \"out_features\": " n "}"
static const char field[] =
    "{\"type\": \"sequential\", \"layers\": [" LINEAR("7") ", {\"type\": \"tanh\"}, " LINEAR("3") "]}";

enum { D = 3, N = 2, NZ = N * D, SLICE = 2 * NZ, P = 3 * 7 + 7 + 7 * 3 + 3 };

static double rms(const real *v, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)v[i] * (double)v[i];
    return sqrt(squares / (double)n);
}

/* The norm of v = [z (NZ) | a_z (NZ) | a_theta (P)]. */
static double by_hand(void *context, const real *v, const cst_block *blocks, size_t n_blocks)
{
    (void)context;
    assert_int_equal(n_blocks, 3);
    assert_true(blocks[0].size == NZ && blocks[1].size == NZ && blocks[2].size == P && P > SLICE);
    return fmax(rms(v, SLICE), rms(v + SLICE, SLICE));
}

static void run(bool written_out, ode_rig *r)
{
    cst_ode_options o;
    cst_error error;
    cst_ode_options_init(&o);
    o.forward.rtol = o.forward.atol = o.backward.rtol = 1e-3;
    o.backward.atol = 1e-5;
    cst_document *document = test_parse("{'slices': '2z'}");
    test_assert_ok("slices", cst_adjoint_norm_read(cst_document_root(document), NULL, 0, &o.norm, &error), &error);
    cst_document_free(document);
    if (written_out) o.norm.norm = (cst_norm){.ops = &cst_norm_callback, .callback = by_hand};
    test_assert_ok("block", ode_rig_build_block(r, field, &o, cst_shape_1d(D), N, 1), &r->error);
    for (size_t i = 0; i < P; i++) r->theta[i] *= 3;
    ode_rig_run(r);
}

static void slices_follow_their_formula(void **state)
{
    (void)state;
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-6 : 1e-2;
    static ode_rig a, b;
    run(false, &a);
    run(true, &b);
    assert_true(a.seen.n_attempts[1] > 1);
    for (size_t j = 0; j < a.seen.n_attempts[1] && j < b.seen.n_attempts[1]; j++) {
        const double got = a.seen.attempts[1][j].ratio, expected = b.seen.attempts[1][j].ratio;
        if (!(fabs(got - expected) <= tolerance * (1 + expected)))
            fail_msg("attempt %zu: ratio %.9g, expected %.9g", j, got, expected);
    }
    assert_int_equal(a.seen.n_attempts[1], b.seen.n_attempts[1]);
    ode_rig_clear(&a);
    ode_rig_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slices_follow_their_formula)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
