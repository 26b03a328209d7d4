/* Status codes and errors.
 *
 * Every function that can fail returns a cst_status, of which CST_OK is 0. On failure it writes what went wrong, and
 * where, into the cst_error that the caller passed. The caller may pass NULL. The library never prints and never
 * exits. */
#ifndef CST_CORE_STATUS_H
#define CST_CORE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* All codes with their texts. The enum and both tables of names are made from this list. */
#define CST_STATUS_LIST(X)                                                                                             \
    X(OK, "ok")                                                                                                        \
    X(EARG, "invalid argument")                                                                                        \
    X(ESHAPE, "shapes do not fit")                                                                                     \
    X(ECONFIG, "invalid configuration")                                                                                \
    X(EFORMAT, "malformed file")                                                                                       \
    X(EIO, "input or output failed")                                                                                   \
    X(ENOMEM, "out of memory")                                                                                         \
    X(EUNSUPPORTED, "not supported")                                                                                   \
    X(ENONFINITE, "non-finite values")                                                                                 \
    X(EUNDERFLOW, "step size underflow")                                                                               \
    X(EMAXSTEPS, "too many steps")                                                                                     \
    X(ERECOVERABLE, "the vector field asked for a shorter step")                                                       \
    X(EINTERRUPTED, "interrupted")                                                                                     \
    X(EBUSY, "in use by another process")

typedef enum cst_status {
#define X(name, text) CST_##name,
    CST_STATUS_LIST(X)
#undef X
        CST_N_STATUS
} cst_status;

/* Compiler attributes: the result must be used; arguments from `first` on match the format `text`. */
#if defined(__GNUC__)
#define CST_MUST_CHECK __attribute__((warn_unused_result))
#define CST_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CST_MUST_CHECK
#define CST_PRINTF(text, first)
#endif

/* The reason of a failure. It is written only on failure, so that it need not be initialized. */
typedef struct cst_error {
    cst_status status;
    const char *file;  /* source file that reported the failure, for developers */
    int line;          /* the line in that file */
    char message[500]; /* where it failed, what was expected and what was found; not empty */
} cst_error;

/* Returns the name of a code ("CST_ESHAPE"), or its meaning in words ("shapes do not fit"). The strings are static. */
const char *cst_status_name(cst_status status);
const char *cst_status_text(cst_status status);

/* Fill `error`, which may be NULL, with a message in printf's format, and return `status`:
 *     return cst_fail(error, CST_ESHAPE, "expected %zu ...", n);
 * A message that is too long is cut after a whole character. */
#define cst_fail(error, status, ...) cst_fail_at((error), (status), __FILE__, __LINE__, __VA_ARGS__)
cst_status cst_fail_at(cst_error *error, cst_status status, const char *file, int line, const char *format, ...)
    CST_PRINTF(5, 6);

/* Evaluate `expression` once, and return its status from the calling function unless it is CST_OK. */
#define CST_TRY(expression)                                                                                            \
    do {                                                                                                               \
        const cst_status cst_try_status = (expression);                                                                \
        if (cst_try_status != CST_OK) return cst_try_status;                                                           \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
