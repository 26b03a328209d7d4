/* Samples of a trained normalizing flow (models/flow.h), the likelihood of data under it, and pictures of both.
 *
 * z ~ N(0, I) taken back through the flow: x. Row i draws from a stream of its own, so that more samples begin with the fewer
 * ones (up to the solves' tolerance: rows of a batch share steps). Everything here is in the units of the data's files: bytes stay
 * bytes, and normalization is undone. */
#ifndef CST_ANALYSIS_SAMPLE_H
#define CST_ANALYSIS_SAMPLE_H

#include "formats/npy.h"
#include "train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whom long work reports to: so many rows of `total` are done of `what`. false ends it with CST_EINTERRUPTED. */
typedef struct cst_sample_events {
    void *context;
    bool (*progress)(void *context, const char *what, size_t done, size_t total);
    void (*wrote)(void *context, const char *path); /* a file */
} cst_sample_events;

typedef struct cst_sampler {
    cst_run *run; /* opened: its trainer's memory is used */
    uint64_t seed;
    const cst_sample_events *events; /* NULL: nobody listens */
} cst_sampler;

/* CST_EUNSUPPORTED unless the run's model is a flow. */
CST_MUST_CHECK cst_status cst_sample_check(const cst_run *run, cst_error *error);

/* x (n, x), to be freed with free(). Errors: cst_sample_check's, CST_EINTERRUPTED, CST_ENOMEM, the solves'. */
CST_MUST_CHECK cst_status cst_sample_draw(const cst_sampler *sampler, size_t n, real **x, cst_error *error);

/* log p(row), in nats, of each of n rows (n, x) in the data's units: logp (n). Of bytes the density
 * is over 0 .. 255; where the flow dequantizes its unit is a level. The same errors. */
CST_MUST_CHECK cst_status cst_sample_log_likelihood(const cst_sampler *sampler, size_t n, const real *x, real *logp,
                                                    cst_error *error);

/* That of all rows of a part. Where the flow dequantizes, and of floats that are not normalized, its mean is minus the loss that
 * `costate eval` tells. */
CST_MUST_CHECK cst_status cst_sample_likelihood(const cst_sampler *sampler, const cst_part *part, real *logp,
                                                cst_error *error);

/* The rows of a part in the data's units, the first n of them. */
void cst_sample_data(const cst_dataset *data, const cst_part *part, size_t n, real *x);

/* FOLDER/samples.npy: (n, x), bytes if the data are. */
CST_MUST_CHECK cst_status cst_sample_write(const cst_sampler *sampler, size_t n, const real *x, const char *folder,
                                           cst_error *error);

/* Pictures in a folder.
 * Images, of one channel or three: samples.png, the first 100 in rows of ten, and data.png, as many of `part`.
 * Points in the plane: samples.png and .svg, data of `part` beside samples beside the density; flow.png and .svg, samples on
 * their way from the base, if all layers are cnfs. CST_EUNSUPPORTED without gnuplot, for points.
 * Of other rows there is none. */
CST_MUST_CHECK cst_status cst_sample_picture(const cst_sampler *sampler, const cst_part *part, size_t n, const real *x,
                                             const char *folder, cst_error *error);

/* Used by these: the paths (frames, n, D) of the first n samples, from the base to the data's units. */
CST_MUST_CHECK cst_status cst_sample_path(const cst_sampler *sampler, size_t n, size_t frames, real *path,
                                          cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
