/* A checkpoint: the complete state of a trainer in one safetensors file. Training that is resumed from it computes the
 * same as training that was never stopped, bit for bit on the same machine with the same number of threads.
 *
 *   model.NAME     parameters
 *   best.NAME      parameters of the best epoch, if the experiment keeps them
 *   optimizer.I    the optimizer's vector I, flat (P)
 *   training.NAME  the fields of cst_training
 *   metrics        (epochs, columns): the rows of metrics.csv
 *   blocks         (modules, 2, counts): function evaluations and steps per module and direction
 *   block_seconds  (modules, 2)
 *
 * The metadata are format, version, precision, threads and optimizer (the name of its type). */
#ifndef CST_TRAIN_CHECKPOINT_H
#define CST_TRAIN_CHECKPOINT_H

#include "formats/safetensors.h"
#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Save the trainer's state. The file is replaced as a whole: on failure the old one, if it exists, is unchanged.
 * Errors: CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_checkpoint_save(const char *path, const cst_trainer *trainer, cst_error *error);

/* Open a checkpoint and check its metadata. *threads becomes the number of threads that it was saved with; training
 * with another number rounds differently. Close *file with cst_safetensors_close. Errors, after which *file is NULL:
 * CST_EFORMAT if the file is no checkpoint, CST_EUNSUPPORTED for one of the other precision, CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_checkpoint_open(const char *path, cst_safetensors **file, int *threads, cst_error *error);

/* Give the trainer the checkpoint's state. The trainer must have been initialized for the same experiment. Errors:
 * CST_EFORMAT if the checkpoint does not fit, CST_ENOMEM. On failure the trainer may be half loaded: clear it. */
CST_MUST_CHECK cst_status cst_checkpoint_load(const cst_safetensors *file, cst_trainer *trainer, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
