/* Kind "loss": a mean loss and its gradient. */
#include "tests/golden.h"
#include "train/loss.h"

#include <math.h>
#include <stdlib.h>

static const double tolerance = 1e-12;

static bool compare_loss(golden *g, const cst_loss *loss, const golden_tensor *x, const golden_tensor *target)
{
    const size_t n = x->shape.dim[0], d = x->n / n;
    if (target->n != (loss->labels ? n : x->n)) return golden_fail(g, "the target has %zu entries", target->n);
    int32_t *labels = golden_keep(g, malloc((target->n + 1) * sizeof *labels));
    for (size_t i = 0; loss->labels && i < target->n; i++) labels[i] = (int32_t)target->data[i];
    const cst_targets targets = {.labels = loss->labels ? labels : NULL,
                                 .values = loss->labels ? NULL : golden_to_reals(g, target)};
    real *gx = golden_reals(g, x->n);
    double expected = 0, value = 0;
    loss->evaluate(n, d, golden_to_reals(g, x), targets, &value, gx);
    return golden_read_number(g, g->root, "value", &expected) &&
           golden_compare(g, "value", &value, &expected, 1, tolerance, fabs(expected)) &&
           golden_compare_tensor(g, "gx", gx, cst_config_get(g->root, "gx"), tolerance);
}

void golden_loss(golden *g)
{
    const char *name = golden_read_string(g, g->root, "loss");
    const cst_loss *loss = name ? cst_loss_find(name) : NULL;
    if (!name) return;
    if (!loss) {
        golden_skip(g, "loss \"%s\" is not built yet", name);
        return;
    }
    const golden_tensor x = golden_read_tensor(g, cst_config_get(g->root, "x"), "x");
    const golden_tensor target = golden_read_tensor(g, cst_config_get(g->root, "target"), "target");
    if (!x.data || !target.data) return;
    if (x.shape.rank < 1 || x.n == 0)
        golden_fail(g, "x has no rows");
    else
        compare_loss(g, loss, &x, &target);
}
