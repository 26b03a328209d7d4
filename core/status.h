/* Status codes and errors.
 *
 * Every function that can fail returns a cst_status; CST_OK is 0. What went wrong, and where, is a sentence in the
 * cst_error that the caller passed (NULL if it does not want to know). The library never prints and never exits. */
#ifndef CST_CORE_STATUS_H
#define CST_CORE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* One list of codes and their texts. */
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

#if defined(__GNUC__)
#define CST_MUST_CHECK __attribute__((warn_unused_result))
#define CST_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CST_MUST_CHECK
#define CST_PRINTF(text, first)
#endif

typedef struct cst_error {
    cst_status status;
    const char *file; /* source file and line that reported it, for developers */
    int line;
    char message[500]; /* where, what was expected and what was there; never empty after a failure */
} cst_error;

/* The code's name ("CST_ESHAPE") and what it means in words ("shapes do not fit"). */
const char *cst_status_name(cst_status status);
const char *cst_status_text(cst_status status);

/* Fill `error` (may be NULL) and return `status`: `return cst_fail(error, CST_ESHAPE, "expected %zu ...", n);` */
#define cst_fail(error, status, ...) cst_fail_at((error), (status), __FILE__, __LINE__, __VA_ARGS__)
cst_status cst_fail_at(cst_error *error, cst_status status, const char *file, int line, const char *format, ...)
    CST_PRINTF(5, 6);

/* Return from the calling function with the status of `expression` unless it is CST_OK. */
#define CST_TRY(expression)                                                                                            \
    do {                                                                                                               \
        const cst_status cst_try_status = (expression);                                                                \
        if (cst_try_status != CST_OK) return cst_try_status;                                                           \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
