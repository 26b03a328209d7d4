/* Samples of a trained normalizing flow (models/flow.h), the likelihood of data under it, and pictures of both.
 *
 * A sample is x = f^-1(z) with z ~ N(0, I), where f is the flow. Row i draws z from its own random stream: a larger number
 * of samples begins with the same ones. (They agree up to the solver's tolerance, because rows of a batch share steps.)
 *
 * All rows here are in the units of the data's files: bytes are 0 .. 255, and normalization is undone. x (n, x) means n
 * rows of the data's shape. */
#ifndef CST_ANALYSIS_SAMPLE_H
#define CST_ANALYSIS_SAMPLE_H

#include "formats/npy.h"
#include "train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Callbacks; each may be NULL. `context` is passed to both. */
typedef struct cst_sample_events {
    void *context;
    /* Called after each batch: `done` of `total` rows of `what` ("samples", "density", "log-likelihood"). If it returns
     * false, the work ends with CST_EINTERRUPTED. */
    bool (*progress)(void *context, const char *what, size_t done, size_t total);
    /* Called after each file that was written. */
    void (*wrote)(void *context, const char *path);
} cst_sample_events;

typedef struct cst_sampler {
    cst_run *run;                    /* in mode CST_RUN_OPEN; not owned. Its trainer's buffers are overwritten. */
    uint64_t seed;                   /* of the samples */
    const cst_sample_events *events; /* may be NULL; not owned */
} cst_sampler;

/* Check that the run's model is a flow. Errors: CST_EUNSUPPORTED if it is not. The functions below check this too. */
CST_MUST_CHECK cst_status cst_sample_check(const cst_run *run, cst_error *error);

/* Draw n samples. *x (n, x) is allocated: free it with free(). On failure it is NULL. Errors: CST_EUNSUPPORTED,
 * CST_EINTERRUPTED, CST_ENOMEM, those of a failed solve. */
CST_MUST_CHECK cst_status cst_sample_draw(const cst_sampler *sampler, size_t n, real **x, cst_error *error);

/* Compute logp (n): log p of each row of x (n, x), in nats, for a density in the units of the data's files. For bytes the
 * density is over 0 .. 255; if the flow dequantizes, its unit is one level. Errors are those of cst_sample_draw. */
CST_MUST_CHECK cst_status cst_sample_log_likelihood(const cst_sampler *sampler, size_t n, const real *x, real *logp,
                                                    cst_error *error);

/* Compute logp (split->n) of all rows of a split. If the flow dequantizes, or if the data are floats without
 * normalization, the mean of -logp is the loss that `costate eval` prints. Errors are those of cst_sample_draw. */
CST_MUST_CHECK cst_status cst_sample_likelihood(const cst_sampler *sampler, const cst_split *split, real *logp,
                                                cst_error *error);

/* Copy the first n rows of a split to x (n, x), in the units of the data's files. n must be at most split->n. */
void cst_sample_data(const cst_dataset *data, const cst_split *split, size_t n, real *x);

/* Write FOLDER/samples.npy with x (n, x), as bytes if the data are bytes. Errors: CST_EIO, CST_ENOMEM, CST_EUNSUPPORTED
 * if a row has too many dimensions. */
CST_MUST_CHECK cst_status cst_sample_write(const cst_sampler *sampler, size_t n, const real *x, const char *folder,
                                           cst_error *error);

/* Draw pictures of samples x (n, x) and of a split:
 *   images with one or three channels   samples.png: up to 100 samples in rows of ten. data.png: rows of the split.
 *   points in the plane                 samples.png, .svg: data, samples and density side by side. flow.png, .svg: the
 *                                       samples on their way from the base, if all layers are cnfs.
 * Other rows have no pictures: the function is a no-op, as it is without any rows. Errors: CST_EUNSUPPORTED for points if
 * gnuplot is not installed; CST_EIO; those of cst_sample_draw. */
CST_MUST_CHECK cst_status cst_sample_picture(const cst_sampler *sampler, const cst_split *split, size_t n,
                                             const real *x, const char *folder, cst_error *error);

/* Compute the paths of the first n samples: path (frames, n, D), from z in frame 0 to the sample in the last frame, in
 * the units of the data's files. Only for flows all of whose layers are cnfs. Errors are those of cst_sample_draw. */
CST_MUST_CHECK cst_status cst_sample_path(const cst_sampler *sampler, size_t n, size_t frames, real *path,
                                          cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
