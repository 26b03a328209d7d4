#include "tests/learner_rig.h"

#include "models/registry.h"

const setup usual = {
    .model = ODE_MODEL("6"), .loss = "cross_entropy", .optimizer = JSON({"type": "sgd"}), .threads = 1, .rows = 32};

/* Read the model and, unless it is NULL, the optimizer from JSON. */
static void read_parts(const setup *s, rig *r)
{
    cst_error error = {0};
    const cst_shape x = cst_shape_1d(D);
    cst_document *model = test_parse(s->model), *optimizer = test_parse(s->optimizer ? s->optimizer : "{}");
    cst_status status = cst_module_from_config(&cst_all_modules, cst_document_root(model), &x, &r->model, &error);
    test_assert_ok(s->model, status, &error);
    if (s->optimizer) status = cst_optimizer_read(cst_document_root(optimizer), &r->optimizer, &error);
    test_assert_ok(s->optimizer, status, &error);
    cst_document_free(model);
    cst_document_free(optimizer);
}

void make_rig(rig *r, const setup *s)
{
    cst_error error = {0};
    read_parts(s, r);
    const cst_learner_options options = {.loss = cst_loss_find(s->loss),
                                         .optimizer = s->optimizer ? &r->optimizer : NULL,
                                         .clip_grad_norm = s->clip,
                                         .threads = s->threads,
                                         .rows = &s->rows,
                                         .n_rows = 1};
    const cst_rng rng = cst_rng_new(3, CST_RNG_INIT);
    test_assert_ok("learner", cst_learner_init(&r->learner, r->model, &options, rng, &error), &error);
    test_random(5, r->x, MAX_ROWS * D, 1);
    for (size_t i = 0; i < MAX_ROWS; i++) r->labels[i] = (int32_t)(i % CLASSES);
}

void clear_rig(rig *r)
{
    cst_learner_clear(&r->learner);
    cst_module_free(r->model);
}

cst_batch batch_of(const rig *r, size_t n)
{
    return (cst_batch){.n = n, .x = r->x, .targets = {.labels = r->labels}, .rng = cst_rng_new(1, CST_RNG_DROPOUT)};
}

cst_step step_good(rig *r, size_t n, double lr)
{
    const cst_batch batch = batch_of(r, n);
    cst_step step;
    cst_error error = {0};
    test_assert_ok("step", cst_learner_step(&r->learner, &batch, lr, &step, &error), &error);
    return step;
}

cst_step evaluate_good(rig *r, size_t n)
{
    const cst_batch batch = batch_of(r, n);
    cst_step step;
    cst_error error = {0};
    test_assert_ok("evaluation", cst_learner_evaluate(&r->learner, &batch, &step, &error), &error);
    return step;
}
