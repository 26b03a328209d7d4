/* Kind "cde": as kind "adjoint", with the field F(z) X'(t), where F is the case's field and X is a path through given
 * points. */
#include "core/text.h"
#include "models/cde_field.h"
#include "models/registry.h"
#include "tests/golden.h"

#include <stdlib.h>
#include <string.h>

typedef struct field_section {
    size_t channels;
    cst_config network;
} field_section;

static const cst_key field_keys[] = {
    {.name = "channels", .kind = CST_KEY_SIZE, .offset = offsetof(field_section, channels), .help = "of X"},
    {.name = "network", .kind = CST_KEY_SECTION, .offset = offsetof(field_section, network), .help = "F"},
    {.name = NULL},
};

static cst_status make_field(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                             cst_error *error)
{
    field_section s = {0};
    cst_module *network = NULL;
    *m = NULL;
    CST_TRY(cst_config_read(section, field_keys, true, &s, error));
    CST_TRY(cst_module_from_config(registry, s.network, x, &network, error));
    return cst_cde_field_new(network, s.channels, m, error);
}

/* A field needs a path that no config can state, so its type is registered here alone. */
static const cst_module_type field_type = {
    .name = "cde_field", .summary = "F(z) X'(t)", .keys = field_keys, .make = make_field};
static const cst_module_type *const types[] = {&field_type};
static const cst_registry registry = {.n_types = 1, .types = types, .base = &cst_all_modules};

/* {"t": (T), "x": (N, T, C)} */
static bool read_path(golden *g, cst_path *path)
{
    const cst_config section = cst_config_get(g->root, "path");
    const char *type = golden_read_string(g, section, "type");
    const golden_tensor x = golden_read_tensor(g, cst_config_get(section, "x"), "path.x");
    cst_knots s = {0};
    double *t = NULL;
    if (!type || !x.data || !golden_read_numbers(g, cst_config_get(section, "t"), "path.t", &t, &s.length))
        return false;
    if (strcmp(type, "linear") != 0) return golden_skip(g, "paths of type \"%s\" are not built yet", type);
    if (x.shape.rank != 3 || x.shape.dim[1] != s.length) return golden_fail(g, "path.x does not fit path.t");
    s.n = x.shape.dim[0], s.channels = x.shape.dim[2], s.t = t, s.x = golden_to_reals(g, &x);
    return golden_ok(
        g, "path",
        cst_path_make(CST_PATH_LINEAR, &s, golden_reals(g, cst_path_memory(CST_PATH_LINEAR, &s)), path, &g->error));
}

void golden_cde(golden *g)
{
    cst_path path;
    if (!read_path(g, &path)) return;
    char *network = golden_keep(g, cst_config_print(cst_config_get(g->root, "field")));
    cst_text text = {0};
    cst_text_printf(&text, "{\"type\": \"cde_field\", \"channels\": %zu, \"network\": %s}", path.series.channels,
                    network);
    const char *field = golden_keep(g, text.data);
    if (!golden_ok(g, "field", cst_config_put(g->root, "field", field, &g->error))) return;
    g->registry = &registry;
    g->context = &path;
    g->field = "field.network.";
    golden_adjoint(g);
}
