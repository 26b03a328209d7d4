/* Optimizers against PyTorch's update rules, written one number at a time in double as torch.optim has them; the
 * gradient's norm and its clipping; sections of a config. */
#include "tests/helpers.h"
#include "train/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { P = 37, STEPS = 7 }; /* P: not a multiple of a vector's length */

/* ---- PyTorch's rules ----------------------------------------------------------------------------------------- */

/* One parameter with the state that PyTorch keeps for it. */
typedef struct scalar {
    double theta, buffer, exp_avg, exp_avg_sq;
} scalar;

typedef struct rule {
    const char *json;
    void (*step)(const struct rule *r, double lr, int k, double g, scalar *s);
    double weight_decay, momentum, alpha, eps, beta1, beta2;
    bool nesterov;
    size_t slots;
} rule;

/* The first momentum buffer is the gradient itself, without a factor. */
static void sgd(const rule *r, double lr, int k, double g, scalar *s)
{
    g = g + r->weight_decay * s->theta;
    if (r->momentum != 0) {
        s->buffer = k == 1 ? g : r->momentum * s->buffer + g;
        g = r->nesterov ? g + r->momentum * s->buffer : s->buffer;
    }
    s->theta = s->theta - lr * g;
}

static void adam_update(const rule *r, double lr, int k, double g, scalar *s)
{
    s->exp_avg = s->exp_avg + (1 - r->beta1) * (g - s->exp_avg); /* lerp */
    s->exp_avg_sq = r->beta2 * s->exp_avg_sq + (1 - r->beta2) * g * g;
    const double correction1 = 1 - pow(r->beta1, k), correction2 = 1 - pow(r->beta2, k);
    const double denominator = sqrt(s->exp_avg_sq) / sqrt(correction2) + r->eps;
    s->theta = s->theta - lr / correction1 * s->exp_avg / denominator;
}

static void adam(const rule *r, double lr, int k, double g, scalar *s)
{
    adam_update(r, lr, k, g + r->weight_decay * s->theta, s);
}

static void adamw(const rule *r, double lr, int k, double g, scalar *s)
{
    s->theta = s->theta * (1 - lr * r->weight_decay);
    adam_update(r, lr, k, g, s);
}

static void rmsprop(const rule *r, double lr, int k, double g, scalar *s)
{
    (void)k;
    g = g + r->weight_decay * s->theta;
    s->exp_avg_sq = r->alpha * s->exp_avg_sq + (1 - r->alpha) * g * g;
    const double step = g / (sqrt(s->exp_avg_sq) + r->eps);
    s->buffer = r->momentum * s->buffer + step;
    s->theta = s->theta - lr * (r->momentum > 0 ? s->buffer : step);
}

/* An eps of 0.1 reveals where it is added: to the root, after the correction. */
static const rule rules[] = {
    {JSON({"type": "sgd"}), sgd, .slots = 0},
    {JSON({"type": "sgd", "weight_decay": 0.3}), sgd, .weight_decay = 0.3},
    {JSON({"type": "sgd", "momentum": 0.9}), sgd, .momentum = 0.9, .slots = 1},
    {JSON({"type": "sgd", "momentum": 0.6, "weight_decay": 0.3}), sgd, .momentum = 0.6, .weight_decay = 0.3,
     .slots = 1},
    {JSON({"type": "sgd", "momentum": 0.6, "nesterov": true, "weight_decay": 0.3}), sgd, .momentum = 0.6,
     .nesterov = true, .weight_decay = 0.3, .slots = 1},
    {JSON({"type": "adam"}), adam, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .slots = 2},
    {JSON({"type": "adam", "betas": [0.7, 0.9], "eps": 0.1, "weight_decay": 0.3}), adam, .beta1 = 0.7, .beta2 = 0.9,
     .eps = 0.1, .weight_decay = 0.3, .slots = 2},
    {JSON({"type": "adam", "betas": [0, 0.5], "eps": 0.1}), adam, .beta1 = 0, .beta2 = 0.5, .eps = 0.1, .slots = 2},
    {JSON({"type": "adamw"}), adamw, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01, .slots = 2},
    {JSON({"type": "adamw", "betas": [0.7, 0.9], "eps": 0.1, "weight_decay": 0.3}), adamw, .beta1 = 0.7, .beta2 = 0.9,
     .eps = 0.1, .weight_decay = 0.3, .slots = 2},
    {JSON({"type": "rmsprop"}), rmsprop, .alpha = 0.99, .eps = 1e-8, .slots = 1},
    {JSON({"type": "rmsprop", "alpha": 0.6, "eps": 0.1, "weight_decay": 0.3}), rmsprop, .alpha = 0.6, .eps = 0.1,
     .weight_decay = 0.3, .slots = 1},
    {JSON({"type": "rmsprop", "alpha": 0.6, "eps": 0.1, "momentum": 0.7, "weight_decay": 0.3}), rmsprop, .alpha = 0.6,
     .eps = 0.1, .momentum = 0.7, .weight_decay = 0.3, .slots = 2},
};
enum { N_RULES = sizeof rules / sizeof rules[0] };

/* ---- steps --------------------------------------------------------------------------------------------------- */

static cst_status read_section(const char *json, cst_optimizer *o, cst_error *error)
{
    cst_document *document = test_parse(json);
    const cst_status status = cst_optimizer_read(cst_document_root(document), o, error);
    cst_document_free(document);
    return status;
}

static cst_optimizer read_good(const char *json)
{
    cst_optimizer o;
    cst_error error = {0};
    test_assert_ok(json, read_section(json, &o, &error), &error);
    return o;
}

/* Theta and the slots that the optimizer asks for, and no others, between guards. */
static cst_update new_update(const cst_optimizer *o, test_pool *pool, scalar scalars[P])
{
    cst_update u = {.n = P, .theta = test_pool_take(pool, P, 0)};
    for (size_t i = 0; i < cst_optimizer_slots(o); i++) u.slot[i] = test_pool_take(pool, P, 0);
    test_random(1, u.theta, P, 1);
    for (size_t i = 0; i < P; i++) scalars[i] = (scalar){.theta = (double)u.theta[i]};
    return u;
}

/* Rates that differ from step to step, as under a schedule. Each step rounds a few times, to numbers of the size of
 * theta, and no step is larger than theta. */
static void check_rule(const rule *r)
{
    test_pool pool = {0};
    const cst_optimizer o = read_good(r->json);
    assert_int_equal(cst_optimizer_slots(&o), r->slots);
    scalar scalars[P];
    cst_update u = new_update(&o, &pool, scalars);
    real *grad = test_pool_take(&pool, P, 0), *expected = test_pool_take(&pool, P, 0);
    u.grad = grad;
    for (int k = 1; k <= STEPS; k++) {
        test_random(100 + (uint64_t)k, grad, P, 1);
        const uint64_t checksum = test_checksum(grad, P);
        u.step = (uint64_t)k;
        u.lr = 0.1 / (1 + k % 3);
        cst_optimizer_step(&o, &u);
        for (size_t i = 0; i < P; i++) {
            r->step(r, u.lr, k, (double)grad[i], &scalars[i]);
            expected[i] = (real)scalars[i].theta;
        }
        test_assert_close(r->json, u.theta, expected, P, 4 * (double)CST_REAL_EPSILON);
        assert_true(test_checksum(grad, P) == checksum);
    }
    test_pool_check(&pool, r->json);
    test_pool_cut(&pool, 0);
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_RULES; i++) check_rule(&rules[i]);
    for (size_t i = 0; cst_optimizer_types[i]; i++) { /* all are tested */
        char type[80];
        snprintf(type, sizeof type, JSON("%s"), cst_optimizer_types[i]->name);
        size_t uses = 0;
        for (size_t j = 0; j < N_RULES; j++) uses += strstr(rules[j].json, type) != NULL;
        if (uses == 0) fail_msg("%s is not tested", type);
    }
}

/* PyTorch's defaults; the rules above are tested at other rates. */
static void test_default_rates(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        double lr;
    } cases[] = {{JSON({"type": "sgd"}), 1e-3},
                 {JSON({"type": "adam"}), 1e-3},
                 {JSON({"type": "adamw"}), 1e-3},
                 {JSON({"type": "rmsprop"}), 1e-2},
                 {JSON({"type": "adam", "lr": 0.25}), 0.25}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) assert_true(read_good(cases[i].json).lr == cases[i].lr);
}

/* ---- the gradient's norm ------------------------------------------------------------------------------------- */

static void assert_near(const char *what, double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-14 * fabs(expected)))
        fail_msg("%s: expected %.17g, got %.17g", what, expected, got);
}

static void test_norm(void **state)
{
    (void)state;
    real grad[P];
    test_random(3, grad, P, 2);
    long double sum = 0;
    for (size_t i = 0; i < P; i++) sum += (long double)grad[i] * (long double)grad[i];
    assert_near("norm", cst_grad_norm(P, grad), (double)sqrtl(sum));
    assert_true(cst_grad_norm(0, grad) == 0);
    /* Squares beyond single precision's range, at either end. */
    const real large[2] = {(real)3e30, (real)-4e30}, small[2] = {(real)3e-30, (real)-4e-30};
    assert_near("large", cst_grad_norm(2, large), hypot((double)large[0], (double)large[1]));
    assert_near("small", cst_grad_norm(2, small), hypot((double)small[0], (double)small[1]));
    grad[5] = (real)INFINITY;
    assert_true(isinf(cst_grad_norm(P, grad)));
    grad[6] = (real)NAN;
    assert_true(isnan(cst_grad_norm(P, grad)));
}

/* torch.nn.utils.clip_grad_norm_: times min(1, max_norm / (norm + 1e-6)). */
static void test_clipping(void **state)
{
    (void)state;
    static const double shares[] = {0.01, 0.5, 0.999, 1, 1.001, 50}; /* max_norm / norm */
    for (size_t k = 0; k < sizeof shares / sizeof shares[0]; k++) {
        test_pool pool = {0};
        real before[P], expected[P], *grad = test_pool_take(&pool, P, 0);
        test_random(4, before, P, 2);
        memcpy(grad, before, sizeof before);
        const double norm = cst_grad_norm(P, before), max_norm = shares[k] * norm, factor = max_norm / (norm + 1e-6);
        for (size_t i = 0; i < P; i++) expected[i] = (real)((double)before[i] * fmin(1, factor));
        assert_near("norm", cst_clip_grad_norm(P, grad, max_norm), norm);
        if (factor >= 1) test_assert_same_bits("not clipped", grad, before, P);
        test_assert_close("clipped", grad, expected, P, (double)CST_REAL_EPSILON);
        test_pool_check(&pool, "clipping");
        test_pool_cut(&pool, 0);
    }
    real zeros[P] = {0}, few[3] = {1, (real)NAN, 2};
    assert_true(cst_clip_grad_norm(P, zeros, 1) == 0);
    for (size_t i = 0; i < P; i++) assert_true(zeros[i] == 0);
    assert_true(isnan(cst_clip_grad_norm(3, few, 1)));
}

/* ---- from a config ------------------------------------------------------------------------------------------- */

static void test_config_errors(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "test.json: missing key \"type\": expected the name of an optimizer"},
        {JSON({"type": "adm"}),
         "test.json: type: expected the name of an optimizer (the nearest is \"adam\"), got \"adm\""},
        {JSON({"type": 1}), "test.json: type: expected the name of an optimizer, got 1"},
        {JSON({"type": "sgd", "betas": [0, 0]}), "test.json: betas: unknown key; the nearest known one is \"type\""},
        {JSON({"type": "adam", "momentum": 0.9}),
         "test.json: momentum: unknown key; the nearest known one is \"betas\""},
        {JSON({"type": "sgd", "lr": 0}), "test.json: lr: expected a positive number, got 0"},
        {JSON({"type": "sgd", "lr": "1e-3"}), "test.json: lr: expected a positive number, got \"1e-3\""},
        {JSON({"type": "sgd", "momentum": -0.5}), "test.json: momentum: expected a non-negative number, got -0.5"},
        {JSON({"type": "sgd", "weight_decay": -1}), "test.json: weight_decay: expected a non-negative number, got -1"},
        {JSON({"type": "sgd", "nesterov": 1}), "test.json: nesterov: expected true or false, got 1"},
        {JSON({"type": "sgd", "nesterov": true}),
         "test.json: nesterov: expected a momentum above 0 with Nesterov's momentum, got 0"},
        {JSON({"type": "adam", "eps": -1e-8}), "test.json: eps: expected a non-negative number, got -1e-08"},
        {JSON({"type": "adam", "betas": 0.9}), "test.json: betas: expected a list, got 0.9"},
        {JSON({"type": "adam", "betas": null}), "test.json: betas: expected a list, got null"},
        {JSON({"type": "adam", "betas": [0.9]}), "test.json: betas: expected two numbers in [0, 1), got [0.9]"},
        {JSON({"type": "adam", "betas": [0.9, 1]}), "test.json: betas: expected two numbers in [0, 1), got [0.9, 1]"},
        {JSON({"type": "adamw", "betas": [-0.1, 0.9]}),
         "test.json: betas: expected two numbers in [0, 1), got [-0.1, 0.9]"},
        {JSON({"type": "adamw", "betas": [0.9, "x"]}),
         "test.json: betas: expected two numbers in [0, 1), got [0.9, \"x\"]"},
        {JSON({"type": "adamw", "betas": [0.9, 0.9, 0.9]}),
         "test.json: betas: expected two numbers in [0, 1), got [0.9, 0.9, 0.9]"},
        {JSON({"type": "rmsprop", "alpha": 1}), "test.json: alpha: expected a number in [0, 1), got 1"},
        {JSON({"type": "rmsprop", "momentun": 0.9}),
         "test.json: momentun: unknown key; the nearest known one is \"momentum\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_optimizer o = {.lr = -1};
        cst_error error = {0};
        test_assert_error(read_section(cases[i].json, &o, &error), CST_ECONFIG, &error, cases[i].message);
        assert_true(o.lr == -1); /* nothing is stored after an error */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),    cmocka_unit_test(test_default_rates), cmocka_unit_test(test_norm),
        cmocka_unit_test(test_clipping), cmocka_unit_test(test_config_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
