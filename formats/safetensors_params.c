/* The part of formats/safetensors.h that saves and loads a module's parameters. */
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>

static const cst_dtype real_dtype = sizeof(real) == sizeof(double) ? CST_F64 : CST_F32;

/* ---- saving -------------------------------------------------------------------------------------------------- */

/* State of a visit that lists the tensors of a module. It runs twice: to count them, and to fill the list. */
typedef struct saver {
    const real *theta;
    size_t n;                       /* tensors visited */
    cst_save_tensor *tensors;       /* NULL while they are counted */
    char (*names)[CST_TENSOR_NAME]; /* copies, because a name is valid only until the visitor returns */
} saver;

/* Count a tensor, and list it unless the visit only counts. */
static cst_status add_tensor(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    saver *s = context;
    if (s->tensors) {
        memcpy(s->names[s->n], name, strlen(name) + 1);
        s->tensors[s->n] = (cst_save_tensor){s->names[s->n], real_dtype, *shape, s->theta + offset};
    }
    s->n++;
    return CST_OK;
}

cst_status cst_params_save(const char *path, const cst_module *m, const real *theta, const char *const *metadata,
                           cst_error *error)
{
    /* Count the tensors. */
    saver s = {.theta = theta};
    CST_TRY(cst_module_visit_tensors(m, add_tensor, &s));
    const size_t capacity = s.n > 0 ? s.n : 1;
    s.tensors = calloc(capacity, sizeof *s.tensors);
    s.names = calloc(capacity, sizeof *s.names);
    /* List them, and write the list. */
    cst_status status = CST_ENOMEM;
    if (s.tensors && s.names) {
        s.n = 0;
        status = cst_module_visit_tensors(m, add_tensor, &s);
        if (status == CST_OK) status = cst_safetensors_save(path, s.tensors, s.n, metadata, error);
    } else {
        status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    }
    free(s.tensors);
    free(s.names);
    return status;
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

/* State of a visit that reads the tensors of a module. It runs twice: to check all of them, and to read them. */
typedef struct loader {
    const cst_safetensors *file;
    const char *prefix;
    size_t n;    /* tensors visited */
    real *theta; /* NULL while the tensors are checked */
    cst_error *error;
    const char *wanted; /* for compare_name: a tensor's name without the prefix */
} loader;

/* Check a tensor, or read it into theta. Its name in the file is the prefix and its dotted name. */
static cst_status load_tensor(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    loader *l = context;
    const size_t prefix = strlen(l->prefix), size = strlen(name) + 1;
    char *full = malloc(prefix + size);
    if (!full) return cst_fail(l->error, CST_ENOMEM, "out of memory");
    memcpy(full, l->prefix, prefix);
    memcpy(full + prefix, name, size);
    real *data = l->theta ? l->theta + offset : NULL;
    const cst_status status = cst_safetensors_read(l->file, full, real_dtype, shape, data, l->error);
    free(full);
    l->n++;
    return status;
}

/* A visitor that searches a name. CST_EINTERRUPTED stops the visit and means "found". */
static cst_status compare_name(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    (void)shape, (void)offset;
    const loader *l = context;
    return strcmp(l->wanted, name) == 0 ? CST_EINTERRUPTED : CST_OK;
}

/* Check that the file has no tensors with the prefix that the module lacks. All tensors of the module are known to
 * exist. */
static cst_status check_rest(loader *l, const cst_module *m)
{
    const size_t prefix = strlen(l->prefix), n = cst_safetensors_count(l->file);
    /* If the numbers are equal, so are the sets. */
    size_t n_prefixed = 0;
    for (size_t i = 0; i < n; i++) n_prefixed += strncmp(cst_safetensors_name(l->file, i), l->prefix, prefix) == 0;
    if (n_prefixed == l->n) return CST_OK;
    /* Otherwise name the first tensor in the file that the module lacks. */
    for (size_t i = 0; i < n; i++) {
        const char *name = cst_safetensors_name(l->file, i);
        if (strncmp(name, l->prefix, prefix) != 0) continue;
        l->wanted = name + prefix;
        if (cst_module_visit_tensors(m, compare_name, l) != CST_OK) continue;
        return cst_fail(l->error, CST_EFORMAT, "%s: tensor \"%s\" does not exist in the model",
                        cst_safetensors_path(l->file), name);
    }
    return CST_OK;
}

cst_status cst_params_load(const cst_safetensors *file, const cst_module *m, const char *prefix, bool exact,
                           real *theta, cst_error *error)
{
    loader l = {.file = file, .prefix = prefix ? prefix : "", .error = error};
    /* Check everything before theta is changed. */
    CST_TRY(cst_module_visit_tensors(m, load_tensor, &l));
    if (exact) CST_TRY(check_rest(&l, m));
    l.theta = theta;
    return cst_module_visit_tensors(m, load_tensor, &l);
}
