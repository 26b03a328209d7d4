/* The part of models/flow.h that records points on their way from the base to the data. */
#include "core/arena.h"
#include "models/cnf.h"
#include "models/flow.h"

#include <math.h>
#include <string.h>

/* Arrays in work, sized for the largest layer. */
typedef struct work_layout {
    real *rows;          /* (N, widest): a layer's rows [z | integrals] */
    real *z;             /* (N, D): the state on its way */
    real *layer, *cache; /* the layer's own work and cache */
    size_t size;
} work_layout;

static work_layout cut_work(const cst_module *m, size_t n, int threads, real *work)
{
    cst_plan most = {0};
    size_t widest = 0;
    work_layout s = {0};
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *layer = m->children[i].module;
        cst_plan plan;
        cst_module_plan(layer, n, 0, threads, &plan);
        if (plan.work > most.work) most.work = plan.work;
        if (plan.cache > most.cache) most.cache = plan.cache;
        if (cst_shape_size(&layer->y) > widest) widest = cst_shape_size(&layer->y);
    }
    s.rows = cst_cut(work, &s.size, cst_size_mul(n, widest));
    s.z = cst_cut(work, &s.size, cst_size_mul(n, cst_shape_size(&m->x)));
    s.layer = cst_cut(work, &s.size, most.work);
    s.cache = cst_cut(work, &s.size, most.cache);
    return s;
}

size_t cst_flow_path_work(const cst_module *m, size_t n, int threads)
{
    return cut_work(m, n, threads, NULL).size;
}

/* Move s->z along the inverse from position `from` to `to`, in units of layers. Both lie in the same layer, number
 * L - 1 - floor(from), since the inverse starts with the last layer. */
static cst_status move(const cst_module *m, const cst_call *c, const work_layout *s, double from, double to)
{
    const size_t passed = (size_t)from, i = m->n_children - 1 - passed, d = cst_shape_size(&m->x);
    const cst_module *layer = m->children[i].module;
    const size_t width = cst_shape_size(&layer->y);
    /* Only the state is of interest: no divergence is computed. */
    const cst_cnf_noise none = {.no_derivatives = true};
    cst_call call = cst_call_child(m, c, i, s->layer);
    call.context = &none;
    CST_TRY(cst_cnf_inverse_piece(layer, &call, from - (double)passed, to - (double)passed, s->z, s->rows, s->cache));
    for (size_t row = 0; row < c->n; row++) memcpy(s->z + row * d, s->rows + row * width, d * sizeof *s->z);
    return CST_OK;
}

cst_status cst_flow_path(const cst_module *m, const cst_call *c, const real *z, size_t frames, real *path)
{
    const work_layout s = cut_work(m, c->n, c->threads, c->work);
    const size_t size = c->n * cst_shape_size(&m->x), layers = m->n_children;
    for (size_t i = 0; i < layers; i++)
        if (!cst_is_cnf(m->children[i].module))
            return cst_fail(c->error, CST_EUNSUPPORTED,
                            "expected a flow of cnfs alone to draw its path, got a %s in it",
                            m->children[i].module->ops->name);
    /* Frame 0 is z itself. */
    memcpy(s.z, z, size * sizeof *z);
    memcpy(path, z, size * sizeof *z);
    double at = 0;
    for (size_t f = 1; f < frames; f++) {
        /* Frame f lies at this position; go there layer by layer. */
        const double goal = (double)layers * (double)f / (double)(frames - 1);
        while (at < goal) {
            const double next = fmin(goal, floor(at) + 1);
            CST_TRY(move(m, c, &s, at, next));
            at = next;
        }
        memcpy(path + f * size, s.z, size * sizeof *path);
    }
    return CST_OK;
}
