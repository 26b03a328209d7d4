/* The part of formats/safetensors.h that saves and loads a module's parameters. */
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>

static const cst_dtype real_dtype = sizeof(real) == sizeof(double) ? CST_F64 : CST_F32;

/* ---- saving -------------------------------------------------------------------------------------------------- */

typedef struct saver {
    const real *theta;
    size_t n;                       /* tensors met */
    cst_save_tensor *tensors;       /* NULL while they are counted */
    char (*names)[CST_TENSOR_NAME]; /* the visitor's name is gone after the visit */
} saver;

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
    saver s = {.theta = theta};
    CST_TRY(cst_module_visit_tensors(m, add_tensor, &s));
    const size_t room = s.n > 0 ? s.n : 1;
    s.tensors = calloc(room, sizeof *s.tensors);
    s.names = calloc(room, sizeof *s.names);
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

typedef struct loader {
    const cst_safetensors *file;
    const char *prefix;
    size_t n;    /* tensors met */
    real *theta; /* NULL while everything is checked */
    cst_error *error;
    const char *wanted; /* while looking for a name: what comes after the prefix */
} loader;

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

/* Stops the visit, with a status that means "found", at the tensor of the wanted name. */
static cst_status compare_name(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    (void)shape, (void)offset;
    const loader *l = context;
    return strcmp(l->wanted, name) == 0 ? CST_EINTERRUPTED : CST_OK;
}

/* That the file has no more tensors under the prefix than the module, all of whose tensors are there. */
static cst_status check_rest(loader *l, const cst_module *m)
{
    const size_t prefix = strlen(l->prefix), n = cst_safetensors_count(l->file);
    size_t under = 0;
    for (size_t i = 0; i < n; i++) under += strncmp(cst_safetensors_name(l->file, i), l->prefix, prefix) == 0;
    if (under == l->n) return CST_OK;
    for (size_t i = 0; i < n; i++) {
        const char *name = cst_safetensors_name(l->file, i);
        if (strncmp(name, l->prefix, prefix) != 0) continue;
        l->wanted = name + prefix;
        if (cst_module_visit_tensors(m, compare_name, l) != CST_OK) continue;
        return cst_fail(l->error, CST_EFORMAT, "%s: tensor \"%s\" has no place in the model",
                        cst_safetensors_path(l->file), name);
    }
    return CST_OK;
}

cst_status cst_params_load(const cst_safetensors *file, const cst_module *m, const char *prefix, bool exact,
                           real *theta, cst_error *error)
{
    loader l = {.file = file, .prefix = prefix ? prefix : "", .error = error};
    CST_TRY(cst_module_visit_tensors(m, load_tensor, &l));
    if (exact) CST_TRY(check_rest(&l, m));
    l.theta = theta;
    return cst_module_visit_tensors(m, load_tensor, &l);
}
