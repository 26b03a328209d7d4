/* A new layer type, used in the vector field of an ODE block that is trained on generated data.
 *
 *   cc custom_model.c $(pkg-config --cflags --libs costate) -lm && ./a.out
 *
 * The layer is y = sin((1 + w) x), elementwise, with a learnt vector w. The model classifies the points of two
 * spiral arms. */
#include <costate.h>

#include <math.h>
#include <stdio.h>

enum { TRAIN = 1000, TEST = 500, BATCH = 50, EPOCHS = 20 };

/* ---- the layer: x (N, D), y (N, D), theta = [w (D)], initialized to zero ------------------------------------- */

/* The forward pass. The layer needs no cache: its backward pass has x. */
static cst_status forward(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y, cst_real *cache)
{
    const size_t d = m->x.dim[0];
    (void)cache;
    for (size_t i = 0; i < c->n * d; i++) y[i] = (cst_real)sin((double)((1 + c->theta[i % d]) * x[i]));
    return CST_OK;
}

/* The backward pass: y = sin((1 + w) x), so dy/dx = (1 + w) cos((1 + w) x) and dy/dw = x cos((1 + w) x). gx is
 * overwritten, and scale * gtheta is added; either is NULL if it is not needed. */
static cst_status vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_real *gy,
                      const cst_grads *g)
{
    const size_t d = m->x.dim[0];
    for (size_t i = 0; i < c->n * d; i++) {
        const cst_real frequency = 1 + c->theta[i % d], slope = gy[i] * (cst_real)cos((double)(frequency * p->x[i]));
        if (g->gx) g->gx[i] = frequency * slope;
        if (g->gtheta) g->gtheta[i % d] += g->scale * p->x[i] * slope;
    }
    return CST_OK;
}

static const cst_module_ops sine_ops = {.name = "sine", .forward = forward, .vjp = vjp};
static const cst_key no_keys[] = {{0}};

/* The constructor: checks the section of the config, in which "type" is the only key, and the shape of the input. */
static cst_status make(const cst_registry *all, cst_config section, const cst_shape *x, cst_module **m, cst_error *e)
{
    (void)all; /* a layer that contains other layers makes them with this registry */
    CST_TRY(cst_config_read(section, no_keys, true, NULL, e));
    CST_TRY(cst_module_expect_rank(x, 1, "(features)", e));
    CST_TRY(cst_module_new(sizeof **m, &sine_ops, x, m, e));
    cst_module_add_tensor(*m, "w", *x);
    return CST_OK;
}

/* The new type, and a registry with it and all types of costate. */
static const cst_module_type sine = {.name = "sine", .summary = "y = sin((1 + w) x)", .make = make};
static const cst_module_type *const types[] = {&sine};
static const cst_registry registry = {.n_types = 1, .types = types, .base = &cst_all_modules};

/* ---- the model and its training ------------------------------------------------------------------------------ */

static const char adam[] = CST_JSON({"type": "adam", "lr": 0.01});
static const char network[] = CST_JSON({
    "type": "sequential",
    "layers": [
        {"type": "linear", "out_features": 8}, {
            "type": "ode",
            "gradient": {"atol": 1e-6},
            "field": {
                "type": "sequential",
                "layers": [
                    {"type": "concat_time"}, {"type": "linear", "out_features": 16}, {"type": "sine"},
                    {"type": "linear", "out_features": 8}
                ]
            }
        },
        {"type": "linear", "out_features": 2}
    ]
});

/* Points x (n, 2) on two arms, each of which makes 3/4 of a turn around the origin, with normal noise. labels (n)
 * are the arms. */
static void fill_spirals(cst_rng rng, size_t n, cst_real *x, int32_t *labels)
{
    for (size_t i = 0; i < n; i++) {
        const double radius = sqrt(cst_rng_uniform(rng, 3 * i)); /* spreads the points about evenly along the arm */
        const double angle = 6.283185307179586 * (0.75 * radius + 0.5 * (double)(i % 2));
        x[2 * i] = (cst_real)(radius * cos(angle) + 0.02 * cst_rng_normal(rng, 3 * i + 1));
        x[2 * i + 1] = (cst_real)(radius * sin(angle) + 0.02 * cst_rng_normal(rng, 3 * i + 2));
        labels[i] = (int32_t)(i % 2);
    }
}

/* Train for some epochs, then evaluate on the test split. */
static cst_status train(cst_learner *learner, cst_error *error)
{
    static cst_real x[2 * (TRAIN + TEST)];
    static int32_t labels[TRAIN + TEST];
    cst_step step;
    fill_spirals(cst_rng_new(0, CST_RNG_DATA), TRAIN + TEST, x, labels);
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        double loss = 0;
        for (size_t i = 0; i < TRAIN; i += BATCH) { /* the points are independent, so their order needs no shuffling */
            const cst_batch batch = {.n = BATCH, .x = x + 2 * i, .targets = {.labels = labels + i}};
            CST_TRY(cst_learner_step(learner, &batch, learner->optimizer.lr, &step, error));
            loss += step.loss * BATCH / TRAIN;
        }
        printf("epoch %2d  loss %.4f\n", epoch, loss);
    }

    const cst_batch test = {.n = TEST, .x = x + 2 * TRAIN, .targets = {.labels = labels + TRAIN}};
    CST_TRY(cst_learner_evaluate(learner, &test, &step, error));
    printf("test loss %.4f, accuracy %.1f %%\n", step.loss, 100.0 * (double)step.correct / TEST);
    return CST_OK;
}

int main(void)
{
    cst_error error;
    cst_module *model = NULL;
    cst_optimizer optimizer;
    cst_learner learner = {0};
    const cst_shape point = cst_shape_1d(2);
    const size_t sizes[] = {BATCH, TEST}; /* the batch sizes for which memory is allocated */
    const cst_learner_options options = {cst_loss_find("cross_entropy"), &optimizer, 0, 1, sizes, 2};

    /* Every function returns a status. Cleaning up is safe whatever has failed. */
    cst_status status = cst_optimizer_from_json(adam, &optimizer, &error);
    if (status == CST_OK) status = cst_module_from_json(&registry, network, &point, &model, &error);
    if (status == CST_OK) status = cst_learner_init(&learner, model, &options, cst_rng_new(0, CST_RNG_INIT), &error);
    if (status == CST_OK) status = train(&learner, &error);
    if (status != CST_OK) fprintf(stderr, "%s: %s\n", cst_status_text(status), error.message);
    cst_learner_clear(&learner);
    cst_module_free(model);
    return status == CST_OK ? 0 : 1;
}
